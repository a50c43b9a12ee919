//! Whole messages, sealed, damaged and opened with the real program.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use super::testing::{TestKeyring, generate, gpg, keyring, sealed};
use crate::layer::gnupg::{GpgRecipient, Keyring, agent_runs};
use crate::layer::testing::{gzipped, no_identities};
use crate::layer::{DecryptFailure, Identities, open};
use crate::model::failure::{Class, Failure};

fn read(file: &[u8], identities: &Identities) -> Result<Vec<u8>, Failure> {
    let mut plaintext = Vec::new();
    let mut opened = open(file, identities).map_err(DecryptFailure::into_failure)?;
    assert_eq!(opened.layers[0], "gpg");
    match opened.read_to_end(&mut plaintext) {
        Ok(_) => Ok(plaintext),
        Err(error) => {
            assert!(opened.read(&mut [0; 10]).is_err(), "an error stays one");
            Err(DecryptFailure::from_stream(error).into_failure())
        }
    }
}

fn code(file: &[u8], keyring: &TestKeyring) -> &'static str {
    read(file, &keyring.identities).expect_err("must not open").code.as_str()
}

/// What does not compress.
fn noise(size: usize) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut bytes: Vec<u8> =
        (0..size.div_ceil(32)).flat_map(|n| Sha256::digest(n.to_le_bytes()).to_vec()).collect();
    bytes.truncate(size);
    bytes
}

#[test]
fn what_was_sealed_opens() {
    let keyring = keyring();
    for size in [0, 1, 65_536, 3_000_000] {
        let plaintext = noise(size);
        let file = sealed(&keyring, &plaintext);
        assert_eq!(read(&file, &keyring.identities).unwrap(), plaintext, "{size} bytes");
        if size == 65_536 {
            let mut opened = open(&*file, &keyring.identities).unwrap();
            opened.read_exact(&mut [0; 10]).unwrap();
            // Dropped in the middle: gpg is ended, and nothing waits for it.
        }
    }
    let over = sealed(&keyring, &gzipped(b"rows"));
    assert_eq!(open(&*over, &keyring.identities).unwrap().layers, ["gpg", "gzip"]);
    assert_eq!(read(&over, &keyring.identities).unwrap(), b"rows");
}

#[test]
fn every_cut_and_every_altered_byte_is_seen() {
    let keyring = keyring();
    let file = sealed(&keyring, &noise(100_000));
    for cut in [5, 20, 90, 150, 200, 1000, 50_000, file.len() - 30, file.len() - 1] {
        let failure = read(&file[..cut], &keyring.identities).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.class),
            ("decrypt_failed", Class::Bad),
            "at {cut}: {failure}"
        );
    }
    for at in [150, 1000, 70_000, file.len() - 1] {
        let mut altered = file.clone();
        altered[at] ^= 1;
        assert_eq!(code(&altered, &keyring), "decrypt_failed", "byte {at}");
    }
    for tail in [b"\0".as_slice(), b"hello", &file] {
        let longer = [&file[..], tail].concat();
        assert_eq!(code(&longer, &keyring), "decrypt_failed", "{} bytes follow", tail.len());
    }
}

#[test]
fn a_range_of_a_message_gives_what_is_in_it_and_says_that_it_may_be_cut() {
    let keyring = keyring();
    let plaintext = noise(1_000_000);
    let file = sealed(&keyring, &plaintext);
    let mut opened = open(&file[..262_144], &keyring.identities).unwrap();
    let mut start = Vec::new();
    let error = opened.read_to_end(&mut start).unwrap_err();
    assert!(DecryptFailure::from_stream(error).may_be_cut());
    assert!(start.len() > 200_000 && plaintext.starts_with(&start), "{} bytes", start.len());
}

#[test]
fn the_wrong_keyring_is_told_with_the_keys() {
    let (mine, other) = (keyring(), keyring());
    let file = sealed(&other, &noise(300_000));
    // A range is enough to know.
    for file in [&file[..], &file[..10_000]] {
        let failure = read(file, &mine.identities).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.class), ("no_identity_fits", Class::Bad));
        let key = other.identities.keyring().unwrap().secret_keys().last().unwrap();
        assert!(failure.message.contains(key), "{failure}");
        assert!(failure.message.contains(&*mine.homedir.path().to_string_lossy()), "{failure}");
    }
    let failure = read(&file, &no_identities(2000)).unwrap_err();
    assert_eq!(failure.code.as_str(), "no_identity_fits");
    assert!(failure.message.contains("names no keyring"), "{failure}");
}

#[test]
fn a_sound_message_is_not_bad_because_the_agent_is() {
    let keyring = keyring();
    let file = sealed(&keyring, b"rows");
    // gpg itself says that there is no secret key.
    gpg_conf(&keyring, "no-autostart\n");
    std::process::Command::new("gpgconf")
        .arg("--homedir")
        .arg(keyring.homedir.path())
        .args(["--kill", "gpg-agent"])
        .status()
        .unwrap();
    let failure = read(&file, &keyring.identities).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.class), ("gpg_failed", Class::Inconclusive), "{failure}");
}

fn gpg_conf(keyring: &TestKeyring, text: &str) {
    std::fs::write(keyring.homedir.path().join("gpg.conf"), text).unwrap();
}

#[test]
fn passphrases_are_told() {
    let with_passphrase = tempfile::tempdir().unwrap();
    generate(with_passphrase.path(), "drill", "secret");
    let keyring = Keyring::open(with_passphrase.path()).unwrap();
    let identities = no_identities(2000).with_keyring(keyring);
    let keyring = TestKeyring { identities, homedir: with_passphrase };
    let file = sealed(&keyring, b"rows");
    // The agent remembers the passphrase that the key was made with.
    gpg_agent_forgets(&keyring);
    let failure = read(&file, &keyring.identities).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.class), ("identity_passphrase", Class::Config), "{failure}");

    let path = keyring.homedir.path().join("symmetric");
    std::fs::write(keyring.homedir.path().join("plain"), b"rows").unwrap();
    let (plain, out) = (keyring.homedir.path().join("plain"), path.to_string_lossy().into_owned());
    gpg(keyring.homedir.path(), &["--passphrase", "x", "-o", &out, "--symmetric", &plain.to_string_lossy()]);
    gpg_agent_forgets(&keyring);
    let failure = read(&std::fs::read(path).unwrap(), &keyring.identities).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.class), ("no_identity_fits", Class::Bad), "{failure}");
    assert!(failure.message.contains("only a passphrase"), "{failure}");
}

fn gpg_agent_forgets(keyring: &TestKeyring) {
    let homedir = keyring.homedir.path();
    std::process::Command::new("gpgconf")
        .arg("--homedir")
        .arg(homedir)
        .args(["--reload", "gpg-agent"])
        .status()
        .unwrap();
}

#[test]
fn what_is_not_protected_does_not_count() {
    let keyring = keyring();
    let directory = keyring.homedir.path();
    let (plain, file) = (directory.join("plain"), directory.join("file"));
    let (from, to) = (plain.to_string_lossy(), file.to_string_lossy());
    std::fs::write(&plain, b"rows").unwrap();
    gpg(directory, &["--trust-model", "always", "--armor", "-r", "drill", "-o", &to, "--encrypt", &from]);
    assert_eq!(read(&std::fs::read(&file).unwrap(), &keyring.identities).unwrap(), b"rows");
    // Signed, armored, and not encrypted.
    gpg(directory, &["--yes", "--armor", "-u", "drill", "-o", &to, "--sign", &from]);
    assert_eq!(code(&std::fs::read(&file).unwrap(), &keyring), "decrypt_failed");
    let rc = std::process::Command::new("gpg")
        .arg("--homedir")
        .arg(directory)
        .args([
            "--batch",
            "--yes",
            "--trust-model",
            "always",
            "--rfc2440",
            "--disable-mdc",
            "-r",
            "drill",
            "-o",
        ])
        .args([&*to, "--encrypt", &from])
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    // Later versions do not make such messages any more.
    if rc.success() {
        let failure = read(&std::fs::read(&file).unwrap(), &keyring.identities).unwrap_err();
        assert_eq!(failure.code.as_str(), "decrypt_failed");
    }
}

#[test]
fn keyrings_that_cannot_be_used_are_configuration() {
    let empty = tempfile::tempdir().unwrap();
    std::fs::set_permissions(empty.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let missing = empty.path().join("none");
    let file = empty.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [empty.path(), &missing, &file] {
        let failure = Keyring::open(path).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.class),
            ("gpg_homedir_unusable", Class::Config),
            "{failure}"
        );
    }
    assert!(!missing.exists(), "gpg made nothing");
    let failure = GpgRecipient::find("nobody", Some(empty.path())).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.class), ("recipient_invalid", Class::Config), "{failure}");
}

#[test]
fn an_agent_that_it_started_is_stopped_and_no_other() {
    let homedir = tempfile::tempdir().unwrap();
    generate(homedir.path(), "drill", "");
    let runs = || agent_runs(homedir.path());
    assert!(runs(), "it was started to make the key");
    drop(Keyring::open(homedir.path()).unwrap());
    assert!(runs(), "it was there before");
    std::process::Command::new("gpgconf")
        .arg("--homedir")
        .arg(homedir.path())
        .args(["--kill", "gpg-agent"])
        .status()
        .unwrap();
    assert!(!runs());
    let keyring = Keyring::open(homedir.path()).unwrap();
    assert!(runs());
    drop(keyring);
    assert!(!runs());
}
