//! `s3://bucket/prefix`.

use crate::failure::{Failure, Result};

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
            return Err(Failure::config("store_url_invalid", format!("the store `{url}` is not an S3 URL"))
                .hint("write it as s3://bucket or s3://bucket/prefix"));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
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
}
