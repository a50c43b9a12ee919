//! What gpg says, in the one place that knows its words. Seen with GnuPG 2.2.40; the keywords are documented in its file
//! `doc/DETAILS` and are the same in 2.4. Lines with the prefix are for programs, all others for people (`LC_ALL=C`).

use std::path::Path;
use std::process::ExitStatus;

use crate::layer::failure::DecryptFailure;
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human;

/// What a line for programs begins with.
const STATUS: &str = "[GNUPG:] ";
/// Lines for people that mean that the agent, which has the secret keys, could not be asked. gpg then says that there is no
/// secret key, which would call a sound backup bad.
const OF_THE_AGENT: [&str; 3] = ["gpg-agent", "connect to the agent", "start agent"];
/// The key id of a recipient that is not named.
const HIDDEN: &str = "0000000000000000";
/// Lines for people, and key ids, that are kept.
const KEPT: usize = 20;

/// What it has said so far.
#[derive(Debug, Default)]
pub(in crate::layer) struct Said {
    /// Ids of the keys that the message is encrypted to.
    encrypted_to: Vec<String>,
    /// Ids of those that have no secret key in the keyring.
    without_secret_key: Vec<String>,
    /// Plaintext began.
    plaintext: bool,
    decryption_okay: bool,
    /// The end of the message authenticated all of it.
    unaltered: bool,
    bad_mdc: bool,
    /// The message has nothing that would show that it was altered.
    unprotected: bool,
    no_data: bool,
    asks_for_passphrase: bool,
    /// A secret key has a passphrase.
    key_has_passphrase: bool,
    agent_trouble: bool,
    /// All of it was encrypted.
    encrypted: bool,
    /// The last lines for people.
    talk: Vec<String>,
}

impl Said {
    /// Takes a line.
    pub(in crate::layer) fn take(&mut self, line: &str) {
        let Some(status) = line.strip_prefix(STATUS) else {
            self.agent_trouble |= OF_THE_AGENT.iter().any(|words| line.contains(words));
            if self.talk.len() < KEPT && !line.trim().is_empty() {
                self.talk.push(human::one_line(line.trim().trim_start_matches("gpg: "), 200));
            }
            return;
        };
        let mut words = status.split(' ');
        let keyword = words.next().unwrap_or_default();
        let mut argument = || words.next().unwrap_or_default();
        match keyword {
            // A hostile message may name millions.
            "ENC_TO" if self.encrypted_to.len() < KEPT => {
                self.encrypted_to.push(human::one_line(argument(), 40));
            }
            "NO_SECKEY" if self.without_secret_key.len() < KEPT => {
                self.without_secret_key.push(human::one_line(argument(), 40));
            }
            "PLAINTEXT" => self.plaintext = true,
            "DECRYPTION_OKAY" => self.decryption_okay = true,
            "GOODMDC" => self.unaltered = true,
            "BADMDC" => self.bad_mdc = true,
            // <mdc_method> <symmetric algorithm> [<aead algorithm>], the last since 2.3
            "DECRYPTION_INFO" => {
                let (mdc, _, aead) = (argument(), argument(), argument());
                let aead = !matches!(aead, "" | "0");
                self.unprotected = mdc == "0" && !aead;
                self.unaltered |= aead;
            }
            "NODATA" => self.no_data = true,
            "NEED_PASSPHRASE_SYM" => self.asks_for_passphrase = true,
            "ERROR" => self.key_has_passphrase |= argument() == "pkdecrypt_failed",
            "END_ENCRYPTION" => self.encrypted = true,
            _ => {}
        }
    }

    /// Whether all of a message was decrypted, given the keys whose secret keys the keyring has.
    ///
    /// # Errors
    /// Why it does not count.
    pub(in crate::layer) fn judge_decryption(
        mut self,
        status: ExitStatus,
        homedir: &Path,
        secret_keys: &[String],
    ) -> Result<(), DecryptFailure> {
        let program = |failure| Err(DecryptFailure::Program(Box::new(failure)));
        if status.success() && self.decryption_okay && self.unaltered {
            return Ok(());
        }
        let known = |id: &String| secret_keys.contains(id);
        let agent = self.agent_trouble || self.without_secret_key.iter().any(known);
        if status.code().is_none() || (agent && !self.plaintext) {
            return program(self.failed(status));
        }
        if self.key_has_passphrase && !self.plaintext {
            return program(passphrase(homedir));
        }
        if !self.plaintext && !self.without_secret_key.is_empty() {
            self.encrypted_to.retain(|id| id != HIDDEN);
            return Err(DecryptFailure::NoSecretKey {
                keys: self.encrypted_to,
                homedir: Some(homedir.display().to_string()),
            });
        }
        if self.asks_for_passphrase && !self.plaintext {
            return Err(DecryptFailure::PassphraseOnly);
        }
        Err(DecryptFailure::GpgRefused(if self.unprotected {
            "the message has no integrity protection, so nothing shows whether it was altered".to_owned()
        } else if self.bad_mdc {
            "the message was altered or cut off (BADMDC), or something follows it".to_owned()
        } else if self.no_data {
            "the message ends early, or is no OpenPGP message (NODATA)".to_owned()
        } else {
            self.last_words()
        }))
    }

    /// Whether all that was written was encrypted.
    ///
    /// # Errors
    /// `gpg_failed`.
    pub(in crate::layer) fn judge_encryption(self, status: ExitStatus) -> Result<(), Failure> {
        if status.success() && self.encrypted { Ok(()) } else { Err(self.failed(status)) }
    }

    /// What it said for people.
    pub(in crate::layer) fn talk(&self) -> String {
        human::one_line(&self.talk.join("; "), 400)
    }

    fn last_words(&self) -> String {
        self.talk.last().cloned().unwrap_or_else(|| "it does not say why".to_owned())
    }

    fn failed(&self, status: ExitStatus) -> Failure {
        let said = if self.talk.is_empty() { self.last_words() } else { self.talk() };
        Failure::inconclusive(codes::GPG_FAILED, format!("gpg failed ({status}): {said}"))
            .hint("this says nothing of the backup: try `gpg --homedir DIRECTORY --decrypt` on this machine, and see whether its agent starts")
    }
}

/// The pipes to gpg broke, or it hangs.
pub(in crate::layer) fn broke_off(error: &std::io::Error) -> Failure {
    Failure::inconclusive(codes::GPG_FAILED, format!("gpg broke off: {error}"))
        .hint("this says nothing of the backup: try gpg on this machine, and see whether its agent starts")
}

fn passphrase(homedir: &Path) -> Failure {
    Failure::config(
        codes::IDENTITY_PASSPHRASE,
        format!(
            "the secret key in the keyring {} has a passphrase, and a drill cannot ask for it",
            homedir.display()
        ),
    )
    .hint("give the drill a keyring of its own whose key has no passphrase, in a directory of mode 0700")
}

/// The program is not there.
pub(in crate::layer) fn missing(error: &std::io::Error) -> Failure {
    Failure::config(codes::GPG_MISSING, format!("the program gpg cannot be started: {error}"))
        .hint("install GnuPG (Debian, Ubuntu: `apt-get install gnupg`), or leave gpg_homedir and gpg_recipient empty")
}

/// The long key ids of keys that `--list-keys` or `--list-secret-keys` lists with colons, of those with their secret key here
/// if `secret`, and of those that can be encrypted to.
pub(in crate::layer) fn listed_keys(listing: &str, secret: bool) -> Vec<String> {
    listing
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| match fields.first() {
            // Field 15 is `+` if the secret key is here, `#` if there is only a stub of it.
            Some(&("sec" | "ssb")) => secret && fields.get(14) == Some(&"+"),
            // Field 2: revoked, expired, disabled or invalid keys are not encrypted to. Field 12: what a key may do.
            Some(&("pub" | "sub")) => {
                !secret
                    && !fields.get(1).is_some_and(|validity| validity.contains(['r', 'e', 'd', 'i']))
                    && fields.get(11).is_some_and(|may| may.contains('e'))
            }
            _ => false,
        })
        .filter_map(|fields| fields.get(4).map(|id| human::one_line(id, 40)))
        .collect()
}

/// Its version, as `--version` prints it first.
pub(in crate::layer) fn version(text: &str) -> String {
    human::one_line(text.lines().next().unwrap_or_default(), 60)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    /// What a conversation with this exit status means, by code; `fine` if it counts.
    fn judged(status: i32, lines: &[&str]) -> &'static str {
        let mut said = Said::default();
        lines.iter().for_each(|line| said.take(line));
        let known = ["AAAA".to_owned()];
        match said.judge_decryption(ExitStatus::from_raw(status), Path::new("/keyring"), &known) {
            Ok(()) => "fine",
            Err(failure) => failure.into_failure().code.as_str(),
        }
    }

    const EXIT_2: i32 = 2 << 8;
    const PLAINTEXT: &str = "[GNUPG:] PLAINTEXT 62 1796138907 ";
    const OKAY: &str = "[GNUPG:] DECRYPTION_OKAY";

    #[test]
    fn only_a_message_that_is_whole_and_unaltered_counts() {
        assert_eq!(judged(0, &[PLAINTEXT, OKAY, "[GNUPG:] GOODMDC"]), "fine");
        // With an AEAD, as of 2.3.
        assert_eq!(judged(0, &["[GNUPG:] DECRYPTION_INFO 0 9 2", PLAINTEXT, OKAY]), "fine");
        assert_eq!(judged(0, &[]), "decrypt_failed");
        assert_eq!(judged(0, &["[GNUPG:] NODATA 3"]), "decrypt_failed");
        assert_eq!(judged(0, &[PLAINTEXT, OKAY]), "decrypt_failed");
        assert_eq!(judged(0, &["[GNUPG:] DECRYPTION_INFO 0 9 0", PLAINTEXT, OKAY]), "decrypt_failed");
        assert_eq!(judged(EXIT_2, &[PLAINTEXT, OKAY, "[GNUPG:] GOODMDC"]), "decrypt_failed");
        assert_eq!(judged(EXIT_2, &[PLAINTEXT, "[GNUPG:] BADMDC"]), "decrypt_failed");
        // Words for people decide nothing good.
        assert_eq!(
            judged(0, &["gpg: DECRYPTION_OKAY", "gpg: [GNUPG:] GOODMDC", PLAINTEXT]),
            "decrypt_failed"
        );
    }

    #[test]
    fn what_is_about_the_machine_is_no_bad_backup() {
        let missing = "[GNUPG:] NO_SECKEY BBBB";
        assert_eq!(judged(EXIT_2, &["[GNUPG:] ENC_TO BBBB 1 0", missing]), "no_identity_fits");
        assert_eq!(
            judged(EXIT_2, &["gpg: can't connect to the agent: General error", missing]),
            "gpg_failed"
        );
        assert_eq!(judged(EXIT_2, &["[GNUPG:] NO_SECKEY AAAA"]), "gpg_failed", "the keyring has that key");
        assert_eq!(judged(9, &[PLAINTEXT]), "gpg_failed", "it was killed");
        assert_eq!(judged(EXIT_2, &["[GNUPG:] ERROR pkdecrypt_failed 67108949"]), "identity_passphrase");
        assert_eq!(judged(EXIT_2, &["[GNUPG:] NEED_PASSPHRASE_SYM 9 3 2"]), "no_identity_fits");
        // It opened with another key of the keyring.
        assert_eq!(judged(0, &[missing, PLAINTEXT, OKAY, "[GNUPG:] GOODMDC"]), "fine");
    }

    #[test]
    fn keys_are_listed_that_can_be_used() {
        let listing = "sec:u:3072:1:AAAA:1796138905:::u:::scESC:::+:::23::0:\nfpr:::::::::F:\n\
            ssb:u:3072:1:BBBB:1796138905::::::e:::+:::23:\nssb:u:3072:1:CCCC:1796138905::::::e:::#:::23:\n";
        assert_eq!(listed_keys(listing, true), ["AAAA", "BBBB"]);
        let listing = "pub:u:255:22:AAAA:1:::u:::scESC:::::ed25519:::0:\nsub:u:255:18:BBBB:1::::::e:::::cv25519::\n\
            sub:e:255:18:CCCC:1::::::e:::::cv25519::\nsub:r:255:18:DDDD:1::::::e:::::cv25519::\n";
        assert_eq!(listed_keys(listing, false), ["BBBB"]);
    }
}
