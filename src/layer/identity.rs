//! What opens recovery points: age identities, a keyring of gpg, and what the template demands of layers.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;

use super::gnupg::Keyring;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::secret::Secret;
use crate::template::{Layers, Template};

/// An identity file larger than this is not one. (age itself draws the line at 16 MiB.)
const SIZE_LIMIT: u64 = 16 * 1024 * 1024;

/// The private keys to try on a recovery point, and what its layers must be.
pub struct Identities {
    keys: Vec<Box<dyn age::Identity + Send + Sync>>,
    public_keys: Vec<String>,
    passed_over: Vec<String>,
    keyring: Option<Keyring>,
    require_encryption: bool,
    max_expansion: u64,
}

/// What identity files may hold beside keys that are used here: how a line begins, in capitals, and what it is.
const NOT_USED_HERE: [(&str, &str); 2] =
    [("AGE-SECRET-KEY-PQ-", "a post-quantum key"), ("AGE-PLUGIN-", "a key of a plugin")];

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("public_keys", &self.public_keys).finish_non_exhaustive()
    }
}

impl Identities {
    /// What opens the recovery points of a template, and what it demands of their layers.
    ///
    /// # Errors
    /// As [`Identities::load`]; `gpg_missing`, `gpg_homedir_unusable`. `identity_missing` only if encryption is demanded.
    pub fn of(template: &Template) -> Result<Self> {
        let encryption = &template.encryption;
        let mut identities = Self::from_files(&encryption.identities)?;
        identities.keyring = encryption.gpg_homedir().map(Keyring::open).transpose()?;
        identities.require_encryption = encryption.is_required();
        identities.max_expansion = template.layers.max_expansion;
        identities.require_some()
    }

    /// Reads identity files: native X25519 keys, any number to a file, or one unencrypted OpenSSH private key. Keys
    /// of a kind that is not used here may stand beside them, and are passed over. Encryption is demanded.
    ///
    /// # Errors
    /// Configuration errors that name the file: `identity_unreadable`, `identity_passphrase`, `identity_invalid`.
    /// Never shows what the file holds.
    pub fn load(paths: &[PathBuf]) -> Result<Self> {
        Self::from_files(paths)?.require_some()
    }

    fn from_files(paths: &[PathBuf]) -> Result<Self> {
        let mut identities = Self {
            keys: Vec::new(),
            public_keys: Vec::new(),
            passed_over: Vec::new(),
            keyring: None,
            require_encryption: true,
            max_expansion: Layers::default().max_expansion,
        };
        for path in paths.iter().filter(|path| !path.as_os_str().is_empty()) {
            identities.add_file(path)?;
        }
        Ok(identities)
    }

    /// None, for tests: what is not encrypted is taken as it is.
    #[cfg(test)]
    pub(super) fn none(max_expansion: u64) -> Self {
        let none = Self::from_files(&[]).expect("there is no file to read");
        Self { require_encryption: false, max_expansion, ..none }
    }

    /// Identities with a keyring, for tests.
    #[cfg(test)]
    pub(super) fn with_keyring(self, keyring: Keyring) -> Self {
        Self { keyring: Some(keyring), ..self }
    }

    /// Demands that there is something that opens what must be encrypted.
    fn require_some(self) -> Result<Self> {
        if !self.keys.is_empty() || self.keyring.is_some() {
            return Ok(self);
        }
        if let [first, ..] = self.passed_over.as_slice() {
            let message = format!("no age identity can be used here: there is only {first}");
            return Err(Failure::config(codes::IDENTITY_INVALID, message)
                .hint("encrypt to a native key (age-keygen makes one) beside it, and name its file under encryption.identities"));
        }
        if self.require_encryption {
            return Err(Failure::config(
                codes::IDENTITY_MISSING,
                "no age identity and no keyring of gpg is given, so nothing can be decrypted",
            )
            .hint("name an identity file under encryption.identities, or a keyring as encryption.gpg_homedir; without a section [encryption] files are taken as they are"));
        }
        Ok(self)
    }

    /// The keyring that opens OpenPGP messages.
    pub fn keyring(&self) -> Option<&Keyring> {
        self.keyring.as_ref()
    }

    /// The layers that small objects beside the dumps may be sealed with, in the order in which they are looked for.
    pub fn seals(&self) -> &'static [&'static str] {
        if self.keyring.is_some() { &["age", "gpg"] } else { &["age"] }
    }

    /// Whether what is not encrypted is refused.
    pub fn require_encryption(&self) -> bool {
        self.require_encryption
    }

    /// How many times larger than the object what comes out of a layer may be.
    pub(super) fn max_expansion(&self) -> u64 {
        self.max_expansion
    }

    /// The public keys that belong to the identities.
    pub fn public_keys(&self) -> &[String] {
        &self.public_keys
    }

    /// What the files hold beside keys that can be used: kind, line and file of each, never the key.
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// The identities, as age takes them.
    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| key.as_ref() as &dyn age::Identity)
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        let text = read_key_file(path)?;
        if text.starts_with("-----BEGIN") && !text.starts_with("-----BEGIN AGE") {
            return self.add_ssh(path, &text);
        }
        if text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE") {
            return Err(passphrase_protected(path, "age -d -o PLAIN_FILE"));
        }
        let before = self.keys.len() + self.passed_over.len();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("line {}", index + 1);
            let begins = line.to_ascii_uppercase();
            if let Some((_, kind)) = NOT_USED_HERE.iter().find(|(prefix, _)| begins.starts_with(prefix)) {
                self.passed_over.push(format!("{kind} ({place} of {})", path.display()));
                continue;
            }
            let identity: age::x25519::Identity = line.parse().map_err(|_| {
                invalid(path, &format!("holds something that is not an age identity on {place}"))
            })?;
            self.public_keys.push(identity.to_public().to_string());
            self.keys.push(Box::new(identity));
        }
        if self.keys.len() + self.passed_over.len() == before {
            return Err(invalid(path, "holds no identity"));
        }
        Ok(())
    }

    fn add_ssh(&mut self, path: &Path, text: &str) -> Result<()> {
        use age::ssh::{Identity, Recipient};
        let identity = Identity::from_buffer(text.as_bytes(), None)
            .map_err(|_| invalid(path, "is not an OpenSSH private key that age can use"))?;
        match &identity {
            Identity::Unencrypted(_) => {}
            Identity::Encrypted(_) => {
                return Err(passphrase_protected(path, "ssh-keygen -p -N '' -f COPY_OF_FILE"));
            }
            Identity::Unsupported(_) => {
                return Err(invalid(
                    path,
                    "is an SSH key of a kind age cannot use; it takes ssh-ed25519 and ssh-rsa",
                ));
            }
        }
        if let Ok(recipient) = Recipient::try_from(identity.clone()) {
            self.public_keys.push(recipient.to_string());
        }
        self.keys.push(Box::new(identity));
        Ok(())
    }
}

fn read_key_file(path: &Path) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        Failure::config(codes::IDENTITY_UNREADABLE, format!("the age identity file {} cannot be read: {error}", path.display()))
            .hint("the drill needs the private key; check the path and that this user may read it (mode 0600 or 0400)")
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(invalid(path, "is far too large for a key file"));
    }
    // An age file encrypted without armor is binary after its header, so look before insisting on text.
    if bytes.starts_with(b"age-encryption.org/") {
        return Err(passphrase_protected(path, "age -d -o PLAIN_FILE"));
    }
    String::from_utf8(bytes).map_err(|_| invalid(path, "is not text"))
}

fn invalid(path: &Path, what: &str) -> Failure {
    Failure::config(codes::IDENTITY_INVALID, format!("the age identity file {} {what}", path.display()))
        .hint("it should hold lines that begin with AGE-SECRET-KEY-1, or be an OpenSSH private key")
}

fn passphrase_protected(path: &Path, command: &str) -> Failure {
    Failure::config(
        codes::IDENTITY_PASSPHRASE,
        format!(
            "the age identity file {} is protected with a passphrase, and a drill cannot ask for it",
            path.display()
        ),
    )
    .hint(format!(
        "give the drill a key without passphrase, mode 0400 (`{command}` makes one), or a key of its own"
    ))
}

/// A fresh native key: the line of an identity file, and its recipient.
pub fn generate_key() -> (Secret, String) {
    let identity = age::x25519::Identity::generate();
    (Secret::new(identity.to_string().expose_secret()), identity.to_public().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &[u8]) -> Result<Identities> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Identities::load(&[file.path().to_owned()])
    }

    #[test]
    fn several_keys_and_comments_in_one_file() {
        let (first, first_public) = generate_key();
        let (second, second_public) = generate_key();
        let text = format!("# created\n{}\n\n{}\n", first.expose(), second.expose());
        let identities = load(text.as_bytes()).unwrap();
        assert_eq!(identities.public_keys(), [first_public, second_public]);
    }

    #[test]
    fn keys_of_other_kinds_beside_a_native_one_are_passed_over() {
        let (secret, public) = generate_key();
        let others = "AGE-SECRET-KEY-PQ-1XYZ\nage-plugin-yubikey-1qqq\n";
        let identities = load(format!("{others}{}\n", secret.expose()).as_bytes()).unwrap();
        assert_eq!(identities.public_keys(), [public]);
        let told = identities.passed_over().join("; ");
        assert!(
            told.contains("a post-quantum key (line 1 of") && told.contains("a key of a plugin (line 2"),
            "{told}"
        );
        assert!(!told.contains("XYZ") && !told.contains("qqq"), "{told}");
        // It is reported when nothing fits: the recovery point may be made for one of them.
        let other = super::super::testing::key();
        let sealed = super::super::testing::sealed(&other, b"x");
        let failure = super::super::open_whole("it", &sealed, &identities).unwrap_err();
        assert_eq!(failure.code.as_str(), "no_identity_fits");
        assert!(failure.message.contains("not tried: a post-quantum key (line 1"), "{failure}");
        // Alone they open nothing.
        let failure = load(others.as_bytes()).unwrap_err();
        assert_eq!(failure.code.as_str(), "identity_invalid");
        assert!(failure.message.contains("only a post-quantum key"), "{failure}");
    }

    #[test]
    fn a_bad_file_is_named_and_never_quoted() {
        let (secret, _) = generate_key();
        let broken = secret.expose().replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2");
        for (text, code) in [
            (broken.as_bytes(), "identity_invalid"),
            (b"# nothing\n".as_slice(), "identity_invalid"),
            (b"\xff\xfe".as_slice(), "identity_invalid"),
            (b"age-encryption.org/v1\n-> scrypt x 18\n\xff".as_slice(), "identity_passphrase"),
            (b"-----BEGIN AGE ENCRYPTED FILE-----\n".as_slice(), "identity_passphrase"),
            (
                b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n".as_slice(),
                "identity_invalid",
            ),
        ] {
            let failure = load(text).unwrap_err();
            assert_eq!(failure.code.as_str(), code);
            assert!(!format!("{failure} {:?}", failure.hint).contains(&broken[16..40]));
        }
    }

    #[test]
    fn a_missing_file_is_a_configuration_error() {
        let failure = Identities::load(&[PathBuf::from("/nonexistent/key")]).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.class),
            ("identity_unreadable", crate::model::failure::Class::Config)
        );
        assert_eq!(Identities::load(&[]).unwrap_err().code.as_str(), "identity_missing");
    }
}
