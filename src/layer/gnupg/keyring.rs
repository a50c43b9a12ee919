//! The keyring that opens messages: a directory of gpg, and the agent that has its secret keys.

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::output_of;
use super::words;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// Bytes of a listing of keys that are read.
const LISTING: usize = 1024 * 1024;

/// A keyring with secret keys. gpg starts an agent for it; the one that it started is stopped when this is dropped.
#[derive(Debug)]
pub struct Keyring {
    homedir: PathBuf,
    version: String,
    secret_keys: Vec<String>,
    agent_ran_before: bool,
}

impl Keyring {
    /// Opens the keyring in this directory.
    ///
    /// # Errors
    /// `gpg_missing`, `gpg_homedir_unusable`: configuration errors.
    pub fn open(homedir: &Path) -> Result<Self> {
        let unusable = |why: String| {
            Failure::config(
                codes::GPG_HOMEDIR_UNUSABLE,
                format!("the keyring {} cannot be used: {why}", homedir.display()),
            )
            .hint("encryption.gpg_homedir names a directory of mode 0700 of this user, with the secret key; gpg's agent needs a short path, or /run/user")
        };
        // gpg would make it, and find no key.
        let homedir = homedir.canonicalize().map_err(|error| unusable(error.to_string()))?;
        if !homedir.is_dir() {
            return Err(unusable("it is no directory".to_owned()));
        }
        let (_, version, _) = output_of(["--version"], LISTING).map_err(|error| words::missing(&error))?;
        let agent_ran_before = agent_runs(&homedir);
        // From here on an agent may run, and is stopped when this is dropped.
        let mut keyring =
            Self { homedir, version: words::version(&version), secret_keys: Vec::new(), agent_ran_before };
        let mut arguments = keyring.arguments();
        arguments.extend(["--with-colons", "--list-secret-keys"].map(OsString::from));
        let (_, listing, said) =
            output_of(arguments, LISTING).map_err(|error| unusable(error.to_string()))?;
        keyring.secret_keys = words::listed_keys(&listing, true);
        if keyring.secret_keys.is_empty() {
            let said = said.talk();
            let why = if said.is_empty() { String::new() } else { format!(" (gpg: {said})") };
            return Err(unusable(format!("gpg finds no secret key in it{why}")));
        }
        Ok(keyring)
    }

    /// Where it is.
    pub fn homedir(&self) -> &Path {
        &self.homedir
    }

    /// The version of gpg.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The ids of the secret keys, subkeys among them.
    pub fn secret_keys(&self) -> &[String] {
        &self.secret_keys
    }

    /// The arguments that name it.
    pub(in crate::layer) fn arguments(&self) -> Vec<OsString> {
        vec!["--homedir".into(), self.homedir.clone().into()]
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        if !self.agent_ran_before {
            // One that cannot be stopped ends by itself once its directory is gone.
            let _ = gpgconf(&self.homedir, &["--kill", "gpg-agent"]);
        }
    }
}

/// Whether an agent of this directory answers.
pub(in crate::layer) fn agent_runs(homedir: &Path) -> bool {
    gpgconf(homedir, &["--list-dirs", "agent-socket"])
        .is_some_and(|socket| UnixStream::connect(socket.trim_end_matches('\n')).is_ok())
}

fn gpgconf(homedir: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("gpgconf")
        .arg("--homedir")
        .arg(homedir)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()
}
