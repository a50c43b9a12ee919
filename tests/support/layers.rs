//! Layers other than age: compressed, and encrypted with the real gpg.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::world::World;

/// Compresses with gzip.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// Compresses with zstd, with a checksum.
pub fn zstd(content: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("a level that there is");
    encoder.include_checksum(true).expect("an option that there is");
    encoder.write_all(content).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// A keyring of gpg with a fresh key, in the directory of a world.
pub struct Keyring {
    /// Where it is.
    pub homedir: PathBuf,
}

impl Keyring {
    /// Makes one of this name.
    pub fn new(world: &World, name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let homedir = world.path(name);
        std::fs::create_dir(&homedir).expect("it can be made");
        std::fs::set_permissions(&homedir, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
        let keyring = Self { homedir };
        let generate = ["--passphrase", "", "--quick-gen-key", "drill", "future-default", "default", "never"];
        keyring.gpg(&generate, b"");
        // A program that finds an agent leaves it be.
        keyring.stop_agent();
        keyring
    }

    /// Encrypts to it, as a backup job does.
    pub fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        self.gpg(&["--trust-model", "always", "--encrypt", "--recipient", "drill"], plaintext)
    }

    /// Whether an agent of it runs.
    pub fn has_agent(&self) -> bool {
        std::os::unix::net::UnixStream::connect(self.homedir.join("S.gpg-agent")).is_ok()
    }

    fn gpg(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        run(&self.homedir, arguments, input)
    }

    fn stop_agent(&self) {
        let mut command = Command::new("gpgconf");
        command.arg("--homedir").arg(&self.homedir).args(["--kill", "gpg-agent"]);
        assert!(command.status().expect("gpgconf is there (package gnupg)").success());
    }
}

fn run(homedir: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("gpg");
    command.arg("--homedir").arg(homedir).args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("gpg is there (package gnupg)");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("gpg reads"));
        child.wait_with_output().expect("gpg ends")
    });
    assert!(output.status.success(), "gpg {arguments:?}");
    output.stdout
}
