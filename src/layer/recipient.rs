//! What recovery points are sealed for.

use super::gnupg::GpgRecipient;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::template::{Backup, Encryption};

/// The public keys a recovery point is made for: all of one layer.
pub enum Recipients {
    /// Of age.
    Age(AgeRecipients),
    /// Of OpenPGP, by gpg.
    Gpg(GpgRecipient),
}

/// Public keys of age.
pub struct AgeRecipients(Vec<Box<dyn age::Recipient + Send + Sync>>);

impl Recipients {
    /// The recipients of a template's backups: those of age, and that of gpg if there is none of age.
    ///
    /// # Errors
    /// `recipient_invalid`, `recipient_missing`, `gpg_missing`: configuration errors.
    pub fn of(backup: &Backup, encryption: &Encryption) -> Result<Self> {
        let gpg_recipient = backup.gpg_recipient.trim();
        let has_age = backup.recipients.iter().any(|recipient| !recipient.trim().is_empty());
        if has_age || gpg_recipient.is_empty() {
            return Self::parse(&backup.recipients);
        }
        GpgRecipient::find(gpg_recipient, encryption.gpg_homedir()).map(Self::Gpg)
    }

    /// The name of the layer that they seal with.
    pub fn layer(&self) -> &'static str {
        match self {
            Self::Age(_) => "age",
            Self::Gpg(_) => "gpg",
        }
    }

    /// Reads recipients of age: `age1…`, `ssh-ed25519 …`, `ssh-rsa …`.
    ///
    /// # Errors
    /// `recipient_invalid`, a configuration error.
    pub fn parse(texts: &[String]) -> Result<Self> {
        let mut recipients: Vec<Box<dyn age::Recipient + Send + Sync>> = Vec::new();
        for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            if let Ok(native) = text.parse::<age::x25519::Recipient>() {
                recipients.push(Box::new(native));
            } else if let Ok(ssh) = text.parse::<age::ssh::Recipient>() {
                recipients.push(Box::new(ssh));
            } else {
                // Somebody may have pasted the private key here, so the text is not shown.
                return Err(Failure::config(codes::RECIPIENT_INVALID, "a recipient under backup.recipients is not an age public key")
                    .hint("recipients begin with age1, ssh-ed25519 or ssh-rsa; `age-keygen -y KEY_FILE` prints yours"));
            }
        }
        if recipients.is_empty() {
            return Err(Failure::config(
                codes::RECIPIENT_MISSING,
                "no recipient is given, so nothing can be encrypted",
            )
            .hint("name one of age under backup.recipients, or one of gpg as backup.gpg_recipient"));
        }
        Ok(Self::Age(AgeRecipients(recipients)))
    }
}

impl AgeRecipients {
    /// The recipients, as age takes them.
    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.iter().map(|key| key.as_ref() as &dyn age::Recipient)
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate_key;
    use super::*;

    #[test]
    fn gpg_is_taken_where_no_recipient_of_age_is_given() {
        let of = |recipients: &[&str], gpg_recipient: &str| {
            let text =
                format!("recipients = {recipients:?}\ngpg_recipient = \"{gpg_recipient}\"\nhost = \"h\"");
            let backup: Backup = toml::from_str(&text).unwrap();
            let empty = tempfile::tempdir().unwrap();
            let encryption =
                Encryption { gpg_homedir: Some(empty.path().to_owned()), ..Encryption::default() };
            Recipients::of(&backup, &encryption)
                .map(|recipients| recipients.layer())
                .map_err(|failure| failure.code)
        };
        let (_, public) = generate_key();
        assert_eq!(of(&[&public], "somebody"), Ok("age"));
        assert_eq!(of(&["", &public], ""), Ok("age"));
        assert_eq!(of(&[""], " "), Err(codes::RECIPIENT_MISSING));
        // It was looked for in the keyring, which is empty.
        assert_eq!(of(&[""], "somebody"), Err(codes::RECIPIENT_INVALID));
        assert_eq!(of(&["nonsense"], "somebody"), Err(codes::RECIPIENT_INVALID));
    }

    #[test]
    fn a_private_key_given_as_recipient_is_not_shown() {
        let (secret, _) = generate_key();
        let failure = Recipients::parse(&[secret.expose().to_owned()]).err().unwrap();
        assert_eq!(failure.code.as_str(), "recipient_invalid");
        assert!(!failure.to_string().contains("AGE-SECRET"));
    }
}
