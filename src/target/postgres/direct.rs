//! Connecting to any database by a URL, or by the `PG*` variables that psql reads.
//!
//! A drill's own server is reached through the engine and nothing else. This is for commands whose options name a
//! database. The password comes from the URL, from `PGPASSWORD`, or from a password file.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};

use super::failures::error_text;
use super::passfile::{self, Lookup};
use super::tls::{SslMode, Tls};
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// How long connecting may take, where the URL says nothing.
const CONNECT: Duration = Duration::from_secs(15);

/// Where a database is, and how to get in.
#[derive(Clone)]
pub struct Direct {
    config: Config,
    tls: Tls,
}

/// Without the password.
impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Direct").field(&self.place()).finish()
    }
}

impl Direct {
    /// Takes a URL apart; without one, the environment says everything.
    ///
    /// # Errors
    /// `database_url_invalid`, `tls_roots_unreadable`: configuration errors. None of them repeats the URL, which may
    /// hold a password.
    pub fn new(url: Option<&str>, variable: Lookup<'_>) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let (mut config, mode, roots) = match url {
            Some(url) => parse(url)?,
            None => (Config::new(), None, None),
        };
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host(set("PGHOST").as_deref().unwrap_or("localhost"));
        }
        if config.get_ports().is_empty()
            && let Some(port) = set("PGPORT")
        {
            config.port(port.parse().map_err(|_| invalid("PGPORT is not a port"))?);
        }
        if config.get_user().is_none() {
            let user = set("PGUSER").or_else(|| set("USER")).or_else(|| set("LOGNAME"));
            config.user(user.as_deref().unwrap_or("postgres"));
        }
        if config.get_dbname().is_none() {
            let name = set("PGDATABASE").or_else(|| config.get_user().map(str::to_owned));
            config.dbname(name.unwrap_or_default());
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        config.application_name("restore-drill");
        // Text from outside must not be found in front of what belongs to the server.
        let options = config.get_options().map(|own| format!("{own} ")).unwrap_or_default();
        config.options(format!(
            "{options}-c search_path=pg_catalog,public -c default_transaction_read_only=on"
        ));
        add_password(&mut config, variable);
        let mode = match mode.or_else(|| set("PGSSLMODE")) {
            None => SslMode::Prefer,
            Some(mode) => mode.parse().map_err(|why: String| invalid(&why))?,
        };
        let roots =
            roots.or_else(|| set("PGSSLROOTCERT")).filter(|roots| roots != "system").map(PathBuf::from);
        let tls = Tls::new(mode, roots.as_deref())?;
        config.ssl_mode(tls.negotiation());
        Ok(Self { config, tls })
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    fn place(&self) -> String {
        use tokio_postgres::config::Host;
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => self.config.get_hostaddrs().first().map_or_else(String::new, ToString::to_string),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("{} on {host}, port {port}", self.database())
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// `authentication_failed`, `database_unreachable`.
    pub async fn connect(&self) -> Result<Client> {
        let connected = self.tls.connect(&self.config).await;
        connected.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &tokio_postgres::Error) -> Failure {
        let place = self.place();
        // What lies below says more: a certificate that is refused, a connection that is.
        let mut text = error_text(error);
        let mut source = std::error::Error::source(error).filter(|_| error.as_db_error().is_none());
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        let text = crate::model::human::one_line(&text, 300);
        match error.code() {
            Some(&(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION)) => {
                Failure::inconclusive(codes::AUTHENTICATION_FAILED, format!("{place} refused the credentials ({text})"))
                    .hint("PGPASSWORD, a password file (~/.pgpass) or the URL in --database-url-file give the password")
            }
            _ => Failure::inconclusive(codes::DATABASE_UNREACHABLE, format!("cannot connect to {place} ({text})"))
                .hint("check the host, the port, the database's name and sslmode"),
        }
    }
}

/// The configuration, `sslmode` and `sslrootcert` of a URL.
fn parse(url: &str) -> Result<(Config, Option<String>, Option<String>)> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(invalid("it does not begin with postgres://"));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => roots = Some(percent_decode(value)?),
            _ => rest.push(pair),
        }
    }
    let plain = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    let config = plain.parse().map_err(|error: tokio_postgres::Error| {
        let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        invalid(&why)
    })?;
    Ok((config, mode, roots))
}

/// Decodes a parameter. The crate takes a `%` as it is that no two digits follow; here that is an error.
fn percent_decode(text: &str) -> Result<String> {
    let is_coded = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.split('%').skip(1).all(is_coded) {
        return Err(invalid("it has a % that no two digits follow"));
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| invalid("it is not UTF-8"))?;
    Ok(decoded.into_owned())
}

fn invalid(why: &str) -> Failure {
    Failure::config(codes::DATABASE_URL_INVALID, format!("the database URL cannot be used: {why}")).hint(
        "write it as postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full, the password in PGPASSWORD",
    )
}

fn add_password(config: &mut Config, variable: Lookup<'_>) {
    use tokio_postgres::config::Host;
    if config.get_password().is_some() {
        return;
    }
    if let Some(password) = variable("PGPASSWORD").filter(|password| !password.is_empty()) {
        config.password(password);
        return;
    }
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        _ => "localhost".to_owned(),
    };
    let wanted = passfile::PasswordQuery {
        host: &host,
        port: config.get_ports().first().copied().unwrap_or(5432),
        database: config.get_dbname().unwrap_or_default(),
        user: config.get_user().unwrap_or_default(),
    };
    if let Some(password) = passfile::look_up(&wanted, variable) {
        config.password(password.expose());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(url: Option<&str>, variables: &[(&str, &str)]) -> Result<Direct> {
        let look_up = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Direct::new(url, &look_up)
    }

    #[test]
    fn a_url_says_everything_and_the_environment_the_rest() {
        let url = "postgres://me@db.example:5433/shop?sslmode=disable&connect_timeout=3";
        let both = direct(Some(url), &[("PGUSER", "other"), ("PGPASSWORD", "pw")]).unwrap();
        assert_eq!(both.place(), "shop on db.example, port 5433");
        assert_eq!(both.config.get_user(), Some("me"));
        assert_eq!(both.config.get_password(), Some("pw".as_bytes()));
        assert_eq!(both.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert!(both.config.get_options().unwrap().contains("search_path=pg_catalog,public"));
        let variables = [("PGHOST", "h"), ("PGPORT", "1"), ("PGUSER", "u"), ("PGSSLMODE", "disable")];
        let alone = direct(None, &variables).unwrap();
        assert_eq!(alone.place(), "u on h, port 1");
        let url = direct(Some("postgres://me:in-url@h/d?sslmode=disable"), &[("PGPASSWORD", "pw")]).unwrap();
        assert_eq!(url.config.get_password(), Some("in-url".as_bytes()));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_url() {
        for url in [
            "mysql://me:s3cret@h/d",
            "host=h password=s3cret",
            "postgres://me:s3cret@h/d?sslmode=perhaps",
            "postgres://me:s3cret@h:port/d",
            "postgres://me:s3cret@h/d?colour=red",
            "postgres://me:s3cret@h/d?sslrootcert=%zz",
        ] {
            let failure = direct(Some(url), &[]).unwrap_err();
            assert_eq!(failure.code.as_str(), "database_url_invalid", "{url}");
            assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
        }
        let shown =
            format!("{:?}", direct(Some("postgres://me:s3cret@h/d"), &[("PGSSLMODE", "disable")]).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn paths_in_a_url_are_decoded() {
        assert_eq!(percent_decode("%2Fetc%2Fca.pem").unwrap(), "/etc/ca.pem");
        assert!(percent_decode("%2").is_err());
        let missing =
            direct(Some("postgres://h/d?sslmode=verify-full&sslrootcert=%2Fnowhere.pem"), &[]).unwrap_err();
        assert_eq!(missing.code.as_str(), "tls_roots_unreadable");
        assert!(missing.message.contains("/nowhere.pem"));
    }
}
