//! Texts of a store, made safe to show.
//!
//! The text of an answer may come from a proxy, from a server that is not a store, or from one that quotes the request. An
//! S3 store quotes an expired token in full. So every text of a store comes through [`Redactor::redact`]: no secret is in it,
//! it is one line, and it is short.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Captures, Regex};

use crate::model::human;
use crate::model::secret::Secret;

/// Characters of a text that are shown.
const SHOWN: usize = 300;
/// Bytes of a text that are read.
const LOOKED_AT: usize = 16 * 1024;
/// Shorter ones would hide parts of words.
const SHORTEST_SECRET: usize = 8;
/// Secrets that are remembered: credentials of a role are replaced every hour, and old ones are worth nothing.
const REMEMBERED: usize = 16;
/// What stands for a secret.
const HIDDEN: &str = "***";

/// A value that is named as a secret: in a signed address, a header, a form.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    let names =
        r"x-amz-[a-z-]*(?:token|signature|credential)|[a-z_-]*(?:token|signature|secret|password)[a-z_-]*";
    Regex::new(&format!(r#"(?i)\b({names})("?\s*=\s*|:\s*"|"\s*:\s*")("?)[^\s"'&<>,;]+"#))
        .expect("it is a pattern")
});
/// A run of letters as tokens and keys have them.
static RUN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[A-Za-z0-9+/=_%-]{16,}").expect("it is a pattern"));
/// A longer run is taken for a token; a SHA-256 in hex has 64, a long name has dots in it.
const LONGEST_WORD: usize = 80;

/// Makes texts of a store fit to be shown. Clones share what they have learnt.
#[derive(Debug, Clone, Default)]
pub(super) struct Redactor(Arc<Mutex<Vec<Secret>>>);

impl Redactor {
    /// Learns a text that must never be shown.
    pub fn learn(&self, secret: &str) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.len() < SHORTEST_SECRET || secrets.iter().any(|known| known.expose() == secret) {
            return;
        }
        if secrets.len() == REMEMBERED {
            secrets.remove(0);
        }
        secrets.push(Secret::new(secret));
    }

    /// A text of the store, without secrets, on one line and short.
    pub fn redact(&self, text: &str) -> String {
        let end = text.floor_char_boundary(LOOKED_AT);
        let mut text = text[..end].to_owned();
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets.iter().map(Secret::expose) {
            text = text.replace(secret, HIDDEN);
            text = text.replace(&utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(), HIDDEN);
        }
        let text = NAMED.replace_all(&text, format!("${{1}}${{2}}${{3}}{HIDDEN}"));
        // A part of a secret is as good as half of it.
        let text = RUN.replace_all(&text, |run: &Captures<'_>| {
            let run = &run[0];
            let is_part = secrets.iter().any(|secret| secret.expose().contains(run));
            if is_part || run.len() >= LONGEST_WORD { HIDDEN.to_owned() } else { run.to_owned() }
        });
        human::one_line(text.trim(), SHOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn token() -> String {
        format!("{}==", "FwoGZXIvYXdzEBYaDO/k+5".repeat(12))
    }

    #[test]
    fn no_secret_is_in_what_is_shown() {
        let redactor = Redactor::default();
        redactor.learn(SECRET);
        redactor.learn(&token());
        let encoded = utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string();
        for text in [
            format!("The provided token has expired: {}", token()),
            format!("<Token-0>{}</Token-0>", token()),
            format!("cut off: {}", &token()[..40]),
            format!("key {SECRET}, {encoded}"),
            format!("https://h/b?X-Amz-Security-Token={}&X-Amz-Signature=0123abcd", "short1"),
            "session_token=\"abc123\" Signature=deadbeef password: \"hunter22\"".to_owned(),
            format!("whoever's: {}", "Zz9/".repeat(30)),
        ] {
            let shown = redactor.redact(&text);
            for secret in [
                SECRET,
                &encoded,
                &token()[..17],
                "short1",
                "0123abcd",
                "abc123",
                "deadbeef",
                "hunter22",
                "Zz9/Zz9/",
            ] {
                assert!(!shown.contains(secret), "{secret} is in {shown}");
            }
            assert!(shown.contains(HIDDEN), "{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown_as_it_is() {
        let redactor = Redactor::default();
        redactor.learn(SECRET);
        for text in [
            "AccessDenied: User: arn:aws:iam::123456789012:user/drill is not authorized",
            "InvalidToken: The provided token is malformed or otherwise invalid.",
            "no object nightly/acp_audit_20260517T083111Z.dump.age, sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert_eq!(redactor.redact(text), text);
        }
    }

    #[test]
    fn it_is_one_short_line() {
        let shown = Redactor::default().redact(&format!("a\r\n\u{1b}[31mb {}", "word ".repeat(2_000_000)));
        assert!(shown.starts_with("a   [31mb word word"), "{shown}");
        assert_eq!(shown.chars().count(), SHOWN + 1);
        assert_eq!(Redactor::default().redact(&"é".repeat(20_000)).chars().count(), SHOWN + 1);
    }
}
