//! Which engine: the one that the docker command would talk to. Production data must not be restored on another one than
//! was chosen, so what cannot be followed is an error, and never the default.
//!
//! The order is that of the docker command: `DOCKER_HOST`, `DOCKER_CONTEXT`, `currentContext` in `config.json`, and the
//! default socket (<https://docs.docker.com/engine/manage-resources/contexts/>). A context lies in
//! `contexts/meta/SHA256/meta.json` below the directory of `config.json`, its keys in `contexts/tls/SHA256/docker/`.

use std::io;
use std::path::{Path, PathBuf};

use bollard::{API_DEFAULT_VERSION, Docker};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::answer::CHANGE;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// The default socket, where no engine was chosen.
const DEFAULT: &str = "unix:///var/run/docker.sock";
/// The context that stands for no context.
const NO_CONTEXT: &str = "default";

/// What the choice depends on.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// `DOCKER_TLS_VERIFY`: any text asks for TLS.
    pub tls_verify: bool,
    /// `DOCKER_TLS`: any text asks for TLS that trusts every engine.
    pub tls: bool,
    /// Where keys for `DOCKER_HOST` lie.
    pub certificates: PathBuf,
    /// The directory of the docker command's `config.json`, if there can be one.
    pub config: Option<PathBuf>,
    /// Where a rootless engine of this user would listen.
    pub rootless: Option<PathBuf>,
}

/// Where the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Its address, as `DOCKER_HOST` has it.
    pub endpoint: String,
    /// The context that names it, if one does.
    pub context: Option<String>,
    /// The directory of the keys it asks for, if it speaks TLS.
    keys: Option<PathBuf>,
    /// A rootless engine that may have been meant, where none was chosen.
    meant: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        // An empty variable means the same as none, as to the docker command.
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let config = variable("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(home?.join(".docker")));
        Self {
            host: variable("DOCKER_HOST"),
            context: variable("DOCKER_CONTEXT"),
            tls_verify: variable("DOCKER_TLS_VERIFY").is_some(),
            tls: variable("DOCKER_TLS").is_some(),
            certificates: variable("DOCKER_CERT_PATH")
                .map(PathBuf::from)
                .or(config.clone())
                .unwrap_or_default(),
            config,
            rootless: variable("XDG_RUNTIME_DIR").map(|directory| Path::new(&directory).join("docker.sock")),
        }
    }

    /// The engine that was chosen.
    ///
    /// # Errors
    /// `docker_config_unreadable`, `docker_context_unknown`, `engine_address_unsupported`: configuration errors.
    pub fn address(&self) -> Result<Address> {
        if let Some(host) = &self.host {
            let endpoint = if host.contains("://") { host.clone() } else { format!("tcp://{host}") };
            return self.by_variables(endpoint, None);
        }
        match self.context()?.filter(|name| name != NO_CONTEXT) {
            Some(name) => self.of_context(name),
            None => {
                self.by_variables(DEFAULT.to_owned(), self.rootless.clone().filter(|socket| socket.exists()))
            }
        }
    }

    fn by_variables(&self, endpoint: String, meant: Option<PathBuf>) -> Result<Address> {
        if self.tls && !self.tls_verify && is_tcp(&endpoint) {
            return Err(unsupported(&endpoint, "DOCKER_TLS without DOCKER_TLS_VERIFY trusts any engine"));
        }
        let asked = self.tls_verify || endpoint.starts_with("https://");
        let keys = (asked && is_tcp(&endpoint)).then(|| self.certificates.clone());
        Address { endpoint, context: None, keys, meant }.supported()
    }

    fn context(&self) -> Result<Option<String>> {
        #[derive(Default, Deserialize)]
        struct Config {
            #[serde(default, rename = "currentContext")]
            current_context: String,
        }
        if self.context.is_some() {
            return Ok(self.context.clone());
        }
        let Some(directory) = &self.config else { return Ok(None) };
        let config: Config = read_json(&directory.join("config.json"))?.unwrap_or_default();
        Ok(Some(config.current_context).filter(|name| !name.is_empty()))
    }

    fn of_context(&self, name: String) -> Result<Address> {
        #[derive(Deserialize)]
        struct Meta {
            #[serde(rename = "Endpoints")]
            endpoints: std::collections::BTreeMap<String, Endpoint>,
        }
        #[derive(Deserialize)]
        struct Endpoint {
            #[serde(default, rename = "Host")]
            host: String,
            #[serde(default, rename = "SkipTLSVerify")]
            skip_tls_verify: bool,
        }
        let contexts = self.config.as_ref().map(|directory| directory.join("contexts")).unwrap_or_default();
        let id = hex::encode(Sha256::digest(name.as_bytes()));
        let meta: Option<Meta> = read_json(&contexts.join("meta").join(&id).join("meta.json"))?;
        let endpoint = meta.and_then(|mut meta| meta.endpoints.remove("docker")).ok_or_else(|| {
            Failure::config(codes::DOCKER_CONTEXT_UNKNOWN, format!("there is no Docker context {name}, which was chosen"))
                .hint("`docker context ls` lists them; `docker context use`, DOCKER_CONTEXT or DOCKER_HOST chooses another engine")
        })?;
        let host = if endpoint.host.is_empty() { DEFAULT.to_owned() } else { endpoint.host };
        if endpoint.skip_tls_verify && is_tcp(&host) {
            return Err(unsupported(&host, &format!("the context {name} trusts any engine (SkipTLSVerify)")));
        }
        let keys = contexts.join("tls").join(&id).join("docker");
        let keys = (is_tcp(&host) && keys.is_dir()).then_some(keys);
        Address { endpoint: host, context: Some(name), keys, meant: None }.supported()
    }
}

fn is_tcp(endpoint: &str) -> bool {
    ["tcp://", "http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme))
}

impl Address {
    /// Whether the engine runs on this machine, as far as its address shows.
    pub fn is_local(&self) -> bool {
        self.endpoint.starts_with("unix://")
    }

    fn supported(self) -> Result<Self> {
        if self.endpoint.starts_with("ssh://") {
            return Err(unsupported(&self.endpoint, "engines are not reached over ssh")
                .hint("forward its socket, and name that: ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST, then DOCKER_HOST=unix:///tmp/engine.sock"));
        }
        if self.is_local() || is_tcp(&self.endpoint) {
            return Ok(self);
        }
        Err(unsupported(&self.endpoint, "its kind of address is not known"))
    }

    /// A client of it. Nothing is sent yet.
    pub(super) fn client(&self) -> std::result::Result<Docker, bollard::errors::Error> {
        let limit = CHANGE.as_secs();
        match &self.keys {
            _ if self.is_local() => Docker::connect_with_unix(&self.endpoint, limit, API_DEFAULT_VERSION),
            None => Docker::connect_with_http(&self.endpoint, limit, API_DEFAULT_VERSION),
            Some(keys) => {
                let file = |name| keys.join(name);
                let (key, certificate, authority) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
                Docker::connect_with_ssl(
                    &self.endpoint,
                    &key,
                    &certificate,
                    &authority,
                    limit,
                    API_DEFAULT_VERSION,
                )
            }
        }
    }

    /// It cannot be reached.
    pub(super) fn unreachable(&self, why: &str) -> Failure {
        let hint = match &self.meant {
            Some(socket) => format!(
                "a rootless engine listens at {0}: if that is meant, choose it with DOCKER_HOST=unix://{0} or `docker context use rootless`",
                socket.display()
            ),
            None => "is it running, and may this user open its socket? `docker info` must work; DOCKER_HOST, DOCKER_CONTEXT or `docker context use` chooses another engine".to_owned(),
        };
        let by = self.context.as_ref().map(|name| format!(" of the context {name}")).unwrap_or_default();
        let message = format!("the Docker engine at {}{by} cannot be reached ({why})", self.endpoint);
        Failure::inconclusive(codes::ENGINE_UNREACHABLE, message).hint(hint)
    }
}

fn unsupported(endpoint: &str, why: &str) -> Failure {
    Failure::config(codes::ENGINE_ADDRESS_UNSUPPORTED, format!("the Docker engine at {endpoint} was chosen, but {why}"))
        .hint("choose an engine by unix://, by tcp://, or by tcp:// with TLS that is verified: DOCKER_HOST, DOCKER_CONTEXT or `docker context use`")
}

/// A file of the docker command; none if it is not there.
fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>> {
    let why = match std::fs::read(path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(value) => return Ok(Some(value)),
            // Not the parser's words: they may quote what the file holds, and that may be a password.
            Err(error) => format!("it is not what docker writes, line {}", error.line()),
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => error.to_string(),
    };
    let message =
        format!("{} cannot be read ({why}), so the engine that was chosen is not known", path.display());
    Err(Failure::config(codes::DOCKER_CONFIG_UNREADABLE, message)
        .hint("fix the file, or choose the engine with DOCKER_HOST"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory like `~/.docker`, with these contexts.
    fn docker_directory(config: &str, contexts: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        if !config.is_empty() {
            fs::write(directory.path().join("config.json"), config).unwrap();
        }
        for (name, endpoint) in contexts {
            let id = hex::encode(Sha256::digest(name.as_bytes()));
            let meta = directory.path().join("contexts/meta").join(id);
            fs::create_dir_all(&meta).unwrap();
            let text = format!(r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{endpoint}}}}}"#);
            fs::write(meta.join("meta.json"), text).unwrap();
        }
        directory
    }

    fn surroundings(directory: &tempfile::TempDir) -> Surroundings {
        Surroundings { config: Some(directory.path().to_owned()), ..Surroundings::default() }
    }

    const OTHER: (&str, &str) =
        ("other", r#"{"Host":"unix:///run/user/7/docker.sock","SkipTLSVerify":false}"#);
    const FAR: (&str, &str) = ("far", r#"{"Host":"tcp://192.0.2.7:2376"}"#);

    #[test]
    fn the_engine_is_the_one_that_the_docker_command_would_talk_to() {
        let directory = docker_directory(r#"{"currentContext":"far"}"#, &[OTHER, FAR]);
        let chosen = |host: Option<&str>, context: Option<&str>| {
            let (host, context) = (host.map(str::to_owned), context.map(str::to_owned));
            let address = Surroundings { host, context, ..surroundings(&directory) }.address().unwrap();
            (address.endpoint, address.context)
        };
        let (other, far) = (Some("other".to_owned()), Some("far".to_owned()));
        let socket = "unix:///run/user/7/docker.sock".to_owned();
        assert_eq!(chosen(None, None), ("tcp://192.0.2.7:2376".to_owned(), far));
        assert_eq!(chosen(None, Some("other")), (socket, other));
        assert_eq!(chosen(None, Some("default")), (DEFAULT.to_owned(), None));
        assert_eq!(chosen(Some("unix:///x"), Some("other")), ("unix:///x".to_owned(), None));
        assert_eq!(chosen(Some("192.0.2.7:2375"), None).0, "tcp://192.0.2.7:2375");
        for config in ["", "{}", r#"{"auths":{}}"#, r#"{"currentContext":"default"}"#] {
            let directory = docker_directory(config, &[]);
            assert_eq!(surroundings(&directory).address().unwrap().endpoint, DEFAULT, "{config}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_an_error_and_never_another_engine() {
        let ssh = ("ssh", r#"{"Host":"ssh://somebody@192.0.2.7"}"#);
        let careless = ("careless", r#"{"Host":"tcp://192.0.2.7:2376","SkipTLSVerify":true}"#);
        let directory = docker_directory("{}", &[ssh, careless]);
        let refused = |surroundings: Surroundings| surroundings.address().unwrap_err();
        for (context, code) in [
            ("absent", "docker_context_unknown"),
            ("ssh", "engine_address_unsupported"),
            ("careless", "engine_address_unsupported"),
        ] {
            let failure =
                refused(Surroundings { context: Some(context.to_owned()), ..surroundings(&directory) });
            assert_eq!(
                (failure.class, failure.code.as_str()),
                (crate::model::failure::Class::Config, code),
                "{context}"
            );
        }
        for host in ["ssh://192.0.2.7", "npipe:////./pipe/docker_engine", "fd://"] {
            let failure = refused(Surroundings { host: Some(host.to_owned()), ..Surroundings::default() });
            assert_eq!(failure.code.as_str(), "engine_address_unsupported", "{host}");
        }
        let careless = Surroundings {
            host: Some("tcp://192.0.2.7:2376".to_owned()),
            tls: true,
            ..Surroundings::default()
        };
        assert_eq!(refused(careless.clone()).code.as_str(), "engine_address_unsupported");
        assert!(Surroundings { tls_verify: true, ..careless }.address().unwrap().keys.is_some());
        let broken = docker_directory(r#"{"auths": {"x": {"auth": "c2VjcmV0"}"#, &[]);
        let failure = refused(surroundings(&broken));
        assert_eq!(failure.code.as_str(), "docker_config_unreadable");
        assert!(!failure.message.contains("c2VjcmV0"), "{failure}");
    }

    #[test]
    fn a_rootless_engine_is_not_taken_unasked_but_is_named() {
        let directory = docker_directory("", &[]);
        let socket = directory.path().join("docker.sock");
        fs::write(&socket, "").unwrap();
        let address =
            Surroundings { rootless: Some(socket.clone()), ..surroundings(&directory) }.address().unwrap();
        assert_eq!(address.endpoint, DEFAULT);
        let hint = address.unreachable("refused").hint.unwrap();
        assert!(hint.contains(&socket.display().to_string()), "{hint}");
    }

    #[test]
    fn keys_of_a_context_are_its_own() {
        let directory = docker_directory("", &[FAR]);
        let id = hex::encode(Sha256::digest(b"far"));
        let keys = directory.path().join("contexts/tls").join(id).join("docker");
        let far = || {
            Surroundings { context: Some("far".to_owned()), ..surroundings(&directory) }.address().unwrap()
        };
        assert_eq!(far().keys, None);
        fs::create_dir_all(&keys).unwrap();
        assert_eq!(far().keys, Some(keys));
    }
}
