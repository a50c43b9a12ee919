//! `s3://bucket/prefix`.

use crate::model::failure::{Failure, Result};

/// `s3://bucket/prefix`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Url {
    /// The bucket.
    pub bucket: String,
    /// The prefix, without slashes around it; may be empty.
    pub prefix: String,
}

impl S3Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// `store_url_invalid`, a configuration error.
    pub fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("s3://").filter(|rest| !rest.starts_with('/') && !rest.is_empty());
        let Some(rest) = rest else {
            return Err(invalid("store.url is not an S3 URL"));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if let Some(sign) = bucket.chars().find(|c| matches!(c, '@' | ':' | '?')) {
            return Err(invalid(&format!("the bucket of store.url has a `{sign}` in its name")));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

/// The value is not shown: people write keys and signatures into it.
fn invalid(why: &str) -> Failure {
    Failure::config("store_url_invalid", why)
        .hint("write it as s3://bucket or s3://bucket/prefix; an endpoint belongs into store.endpoint, and credentials into variables")
}

/// A URL without the name and the password in it, and without its query: what may be secret.
pub fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{scheme}://{}{path}", authority.rsplit_once('@').map_or(authority, |(_, host)| host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = |text: &str| S3Url::parse(text).map(|url| (url.bucket, url.prefix));
        assert_eq!(url("s3://b/p/q/"), Ok(("b".to_owned(), "p/q".to_owned())));
        assert_eq!(url("s3://b"), Ok(("b".to_owned(), String::new())));
        for bad in ["", "b/p", "s3://", "s3:///p", "https://b/p"] {
            assert_eq!(S3Url::parse(bad).unwrap_err().code, "store_url_invalid", "{bad}");
        }
    }

    #[test]
    fn a_url_that_is_refused_is_not_shown() {
        for bad in [
            "https://AK:hunter2@minio/b",
            "s3://AK:hunter2@b/prefix",
            "s3://AK:hunt/hunter2@b",
            "s3://b?X-Amz-Signature=hunter2",
        ] {
            let failure = S3Url::parse(bad).unwrap_err();
            assert_eq!(failure.code, "store_url_invalid", "{bad}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
    }

    #[test]
    fn urls_are_shown_without_what_may_be_secret_in_them() {
        assert_eq!(without_user("https://k:s@h:1/p"), "https://h:1/p");
        assert_eq!(without_user("https://h/p@q?X-Amz-Signature=1"), "https://h/p@q");
    }
}
