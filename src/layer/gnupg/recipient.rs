//! Public keys that gpg encrypts to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::process::output_of;
use super::words;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// Bytes of a listing of keys that are read.
const LISTING: usize = 1024 * 1024;

/// A public key that gpg encrypts to.
#[derive(Debug, Clone)]
pub struct GpgRecipient {
    pub(in crate::layer) recipient: String,
    homedir: Option<PathBuf>,
}

impl GpgRecipient {
    /// The recipient of this name in a keyring: that in `homedir`, or gpg's own.
    ///
    /// # Errors
    /// `gpg_missing`; `recipient_invalid` if the keyring has no key for it that can be encrypted to.
    pub fn find(recipient: &str, homedir: Option<&Path>) -> Result<Self> {
        let found = Self { recipient: recipient.to_owned(), homedir: homedir.map(Path::to_owned) };
        let mut arguments = found.arguments();
        arguments.extend(["--with-colons", "--list-keys", "--", recipient].map(OsString::from));
        let (_, listing, _) = output_of(arguments, LISTING).map_err(|error| words::missing(&error))?;
        if words::listed_keys(&listing, false).is_empty() {
            let recipient = crate::model::human::one_line(recipient, 80);
            return Err(Failure::config(
                codes::RECIPIENT_INVALID,
                format!(
                    "gpg has no public key of backup.gpg_recipient `{recipient}` that can be encrypted to"
                ),
            )
            .hint("`gpg --import KEY_FILE` puts one into the keyring; name it by its fingerprint"));
        }
        Ok(found)
    }

    /// The arguments that name its keyring.
    pub(in crate::layer) fn arguments(&self) -> Vec<OsString> {
        self.homedir.iter().flat_map(|homedir| ["--homedir".into(), homedir.into()]).collect()
    }
}
