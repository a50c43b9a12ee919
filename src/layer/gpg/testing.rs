//! Keyrings for tests.

use std::process::{Command, Stdio};

use crate::layer::gnupg::{GpgRecipient, Keyring};
use crate::layer::identity::Identities;
use crate::layer::recipient::Recipients;
use crate::layer::seal_whole;

/// A keyring with a fresh key.
pub(in crate::layer) struct TestKeyring {
    /// What opens.
    pub(in crate::layer) identities: Identities,
    /// Its directory, which goes with it.
    pub(in crate::layer) homedir: tempfile::TempDir,
}

/// gpg, on a directory.
pub(in crate::layer) fn gpg(homedir: &std::path::Path, arguments: &[&str]) {
    let mut command = Command::new("gpg");
    command.arg("--homedir").arg(homedir).args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
    let status = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "gpg {arguments:?}");
}

/// A key with this passphrase, for signing and for encrypting.
pub(in crate::layer) fn generate(homedir: &std::path::Path, name: &str, passphrase: &str) {
    gpg(
        homedir,
        &["--passphrase", passphrase, "--quick-gen-key", name, "future-default", "default", "never"],
    );
}

/// A fresh one. gpg's sockets need a short path.
pub(in crate::layer) fn keyring() -> TestKeyring {
    let homedir = tempfile::tempdir().unwrap();
    generate(homedir.path(), "drill", "");
    let keyring = Keyring::open(homedir.path()).unwrap();
    TestKeyring { identities: Identities::none(2000).with_keyring(keyring), homedir }
}

/// A message for it.
pub(in crate::layer) fn sealed(keyring: &TestKeyring, plaintext: &[u8]) -> Vec<u8> {
    let recipient = GpgRecipient::find("drill", Some(keyring.homedir.path())).unwrap();
    seal_whole(plaintext, &Recipients::Gpg(recipient)).unwrap()
}
