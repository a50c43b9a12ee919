//! Credentials, checked before a request is signed with them.
//!
//! The SDK puts the access key and the token into headers, and panics where they do not fit there. A line break at the
//! end of a key is common: a file was read into a variable, a secret was pasted. A role's credentials are replaced while
//! a drill runs, so they are checked each time they are loaded.
//!
//! Loading may start a program of the profile's, which may ask a person for something: it is done as seldom as can be,
//! and not waited for without an end.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};

use super::error::root_cause;
use super::redact::Redactor;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// How long credentials may take to come.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Credentials that expire so soon are not handed on. The SDK asks for new ones ten seconds before the end.
const LAST_MOMENT: Duration = Duration::from_secs(60);

/// Another provider's credentials, if they can be signed with. Tells [`Redactor`] what must not be shown.
#[derive(Debug)]
pub(super) struct Checked {
    inner: SharedCredentialsProvider,
    redactor: Redactor,
    /// Those that were loaded last.
    held: Mutex<Option<Credentials>>,
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
    /// Those that are held, while they last; new ones after that.
    async fn current(&self) -> aws_credential_types::provider::Result {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match held.filter(|held| lasts(held, SystemTime::now())) {
            Some(held) => Ok(held),
            None => self.load().await,
        }
    }

    async fn load(&self) -> aws_credential_types::provider::Result {
        let credentials = self.inner.provide_credentials().await?;
        self.redactor.learn(credentials.secret_access_key());
        if let Some(token) = credentials.session_token() {
            self.redactor.learn(token);
        }
        match unfit(&credentials, |name| std::env::var(name).ok()) {
            None => {
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(credentials.clone());
                Ok(credentials)
            }
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
        aws_credential_types::provider::future::ProvideCredentials::new(self.current())
    }
}

/// Whether credentials are good for a while; those without an end are.
fn lasts(credentials: &Credentials, now: SystemTime) -> bool {
    credentials.expiry().is_none_or(|expiry| expiry > now + LAST_MOMENT)
}

/// The credentials of the SDK's chain, loaded once to see that they are there and fit.
///
/// # Errors
/// `credentials_missing` or `credentials_invalid`: configuration errors that never show a value. And
/// `credentials_timeout`.
pub(super) async fn of_chain(
    provider: Option<SharedCredentialsProvider>,
    redactor: &Redactor,
    longest: Duration,
) -> Result<Checked> {
    let inner = provider.ok_or_else(|| missing("no provider"))?;
    let checked = Checked { inner, redactor: redactor.clone(), held: Mutex::new(None) };
    match tokio::time::timeout(longest, checked.load()).await {
        Err(_) => Err(Failure::inconclusive(
            codes::CREDENTIALS_TIMEOUT,
            format!("the credentials for the store did not come within {} seconds", longest.as_secs()),
        )
        .hint("a credential_process of the profile may wait for a person (a second factor, a sign-in): sign in first, or give the drill credentials that need nobody")),
        Ok(Ok(_)) => Ok(checked),
        Ok(Err(error)) => {
            Err(match std::error::Error::source(&error).and_then(|source| source.downcast_ref()) {
                Some(Unfit(why)) => Failure::config(codes::CREDENTIALS_INVALID, why.clone())
                    .hint("set it again without line breaks and spaces around it, for example with `printf %s` instead of echo"),
                None => missing(&redactor.redact(&root_cause(&error))),
            })
        }
    }
}

fn missing(why: &str) -> Failure {
    Failure::config(codes::CREDENTIALS_MISSING, format!("there are no credentials for the store ({why})"))
        .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role")
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

    /// Counts how often it is asked, and answers with credentials of this lifetime, or never.
    #[derive(Debug, Clone, Default)]
    struct Source {
        asked: std::sync::Arc<std::sync::atomic::AtomicUsize>,
        lifetime: Option<Duration>,
        hangs: bool,
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            aws_credential_types::provider::future::ProvideCredentials::new(async {
                self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                if self.hangs {
                    std::future::pending::<()>().await;
                }
                let expiry = self.lifetime.map(|lifetime| SystemTime::now() + lifetime);
                Ok(Credentials::new("AKIAXYZ", "secret", None, expiry, "test"))
            })
        }
    }

    #[tokio::test]
    async fn credentials_that_do_not_come_are_not_waited_for() {
        let source = SharedCredentialsProvider::new(Source { hangs: true, ..Source::default() });
        let failure =
            of_chain(Some(source), &Redactor::default(), Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(failure.code.as_str(), "credentials_timeout");
    }

    #[tokio::test]
    async fn credentials_are_handed_on_until_they_expire() {
        for (lifetime, loads) in
            [(None, 1), (Some(Duration::from_secs(3600)), 1), (Some(Duration::from_secs(30)), 3)]
        {
            let source = Source { lifetime, ..Source::default() };
            let provider = SharedCredentialsProvider::new(source.clone());
            let checked = of_chain(Some(provider), &Redactor::default(), LONGEST_WAIT).await.unwrap();
            for _ in 0..2 {
                checked.provide_credentials().await.unwrap();
            }
            assert_eq!(source.asked.load(std::sync::atomic::Ordering::SeqCst), loads, "{lifetime:?}");
        }
    }
}
