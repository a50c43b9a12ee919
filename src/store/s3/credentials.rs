//! Credentials, looked at before anything is signed with them.
//!
//! The SDK puts the access key and the token into headers, and panics where they do not fit there. A line break at the
//! end of a key is common: a file was read into a variable, a secret was pasted. A role's credentials are replaced while
//! a drill runs, so they are looked at each time they are loaded.

use std::fmt;

use aws_config::SdkConfig;
use aws_sdk_s3::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};

use super::error::root_cause;
use super::words::Words;
use crate::failure::{Failure, Result};

/// Another provider's credentials, if they can be signed with. Tells [`Words`] what must not be shown.
#[derive(Debug)]
pub(super) struct Checked {
    inner: SharedCredentialsProvider,
    words: Words,
}

/// Why credentials cannot be signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl Checked {
    async fn load(&self) -> aws_credential_types::provider::Result {
        let credentials = self.inner.provide_credentials().await?;
        self.words.learn(credentials.secret_access_key());
        if let Some(token) = credentials.session_token() {
            self.words.learn(token);
        }
        match unfit(&credentials, |name| std::env::var(name).ok()) {
            None => Ok(credentials),
            Some(why) => {
                Err(aws_credential_types::provider::error::CredentialsError::invalid_configuration(why))
            }
        }
    }
}

impl ProvideCredentials for Checked {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        aws_credential_types::provider::future::ProvideCredentials::new(self.load())
    }
}

/// The credentials of the SDK's chain, loaded once to see that they are there and fit.
///
/// # Errors
/// `credentials_missing` or `credentials_invalid`: configuration errors that never show a value.
pub(super) async fn of_chain(shared: &SdkConfig, words: &Words) -> Result<Checked> {
    let missing = |why: &str| {
        Failure::config("credentials_missing", format!("there are no credentials for the store ({why})"))
            .hint(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role",
            )
    };
    let inner = shared.credentials_provider().ok_or_else(|| missing("no provider"))?;
    let checked = Checked { inner, words: words.clone() };
    match checked.load().await {
        Ok(_) => Ok(checked),
        Err(error) => Err(match std::error::Error::source(&error).and_then(|source| source.downcast_ref()) {
            Some(Unfit(why)) => Failure::config("credentials_invalid", why.clone())
                .hint("set it again without line breaks and spaces around it, for example with `printf %s` instead of echo"),
            None => missing(&words.fit(&root_cause(&error))),
        }),
    }
}

/// What is wrong with credentials, by name and never by value.
fn unfit(credentials: &Credentials, variable: impl Fn(&str) -> Option<String>) -> Option<Unfit> {
    // Headers hold the access key and the token; the secret is only hashed, and stores of one's own take what they like.
    let parts = [
        ("AWS_ACCESS_KEY_ID", "the access key", Some(credentials.access_key_id()), true),
        ("AWS_SECRET_ACCESS_KEY", "the secret key", Some(credentials.secret_access_key()), false),
        ("AWS_SESSION_TOKEN", "the session token", credentials.session_token(), true),
    ];
    parts.into_iter().find_map(|(name, what, value, in_header)| {
        let value = value?;
        let bad = |c: char| c.is_control() || (in_header && !c.is_ascii_graphic());
        let at = value.chars().position(bad)?;
        let found = match value.chars().nth(at)? {
            '\n' | '\r' => "a line break",
            c if c.is_control() => "a control character",
            c if c.is_whitespace() => "a space",
            _ => "a character that is not ASCII",
        };
        let place = match at {
            0 => "at its beginning".to_owned(),
            at if value.chars().skip(at).all(bad) => "at its end".to_owned(),
            at => format!("as character {}", at + 1),
        };
        let whose = if variable(name).as_deref() == Some(value) {
            name.to_owned()
        } else {
            match variable("AWS_PROFILE") {
                Some(profile) => format!("{what} of the profile {}", profile.escape_debug()),
                None => format!("{what} of the profile or role in use"),
            }
        };
        Some(Unfit(format!("{whose} has {found} {place}, and so no request can be signed")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(access: &str, secret: &str, token: Option<&str>, set: &[(&str, &str)]) -> Option<String> {
        let credentials = Credentials::new(access, secret, token.map(str::to_owned), None, "test");
        let variable =
            |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        unfit(&credentials, variable).map(|Unfit(why)| why)
    }

    #[test]
    fn what_cannot_be_signed_with_is_named_and_never_shown() {
        let key = ("AWS_ACCESS_KEY_ID", "AKIAXYZ\n");
        let why = told("AKIAXYZ\n", "secret", None, &[key]).unwrap();
        assert_eq!(why, "AWS_ACCESS_KEY_ID has a line break at its end, and so no request can be signed");
        for (access, secret, token, words) in [
            (
                "\r\nAKIAXYZ",
                "secret",
                None,
                "the access key of the profile p has a line break at its beginning",
            ),
            ("AKIA XYZ", "secret", None, "has a space as character 5"),
            ("AKIAXYZ\u{e9}A", "secret", None, "not ASCII"),
            ("AKIAXYZ", "sec\u{1}ret", None, "the secret key of the profile p has a control character"),
            ("AKIAXYZ", "secret", Some("to\nken"), "the session token of the profile p has a line break"),
        ] {
            let why = told(access, secret, token, &[("AWS_PROFILE", "p")]).unwrap();
            assert!(why.contains(words), "{why}");
            assert!(!why.contains("XYZ") && !why.contains("ret h") && !why.contains("ken h"), "{why}");
        }
    }

    #[test]
    fn what_can_be_signed_with_is_taken() {
        assert_eq!(told("AKIAXYZ", "a secret of words, w\u{ef}th \u{fc}mlauts", Some("t/+="), &[]), None);
    }
}
