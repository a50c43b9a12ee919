//! The URL of a store, such as `s3://bucket/prefix` or `file:///path`.
//!
//! It is taken apart here and not by a library for URLs: a prefix and a path may hold any text, such as `%` and spaces, and a
//! library would rewrite it.

use std::fmt;

use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// The URL of a store, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl {
    /// Which kind of store it is, such as `s3`.
    pub scheme: String,
    /// Where in it: of S3, the bucket; of a directory, its absolute path.
    pub place: String,
    /// What every key begins with, without slashes around it; may be empty. A directory has none.
    pub prefix: String,
}

/// The schemes that a store has. Any other URL is refused before it is shown or recorded: it may hold anything, such as a
/// signed link.
pub const SCHEMES: &[&str] = &[DIRECTORY, "s3"];
/// The scheme of a directory.
const DIRECTORY: &str = "file";

impl StoreUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// `store_url_invalid`, a configuration error.
    pub fn parse(url: &str) -> Result<Self> {
        if url.starts_with('/') {
            return Self::directory(url);
        }
        let parts =
            url.split_once("://").filter(|(scheme, rest)| SCHEMES.contains(scheme) && !rest.is_empty());
        let Some((scheme, rest)) = parts else {
            return Err(Self::refuse("store.url is not the URL of a store"));
        };
        match (scheme, rest.starts_with('/')) {
            (DIRECTORY, true) => return Self::directory(rest),
            (DIRECTORY, false) => {
                return Err(Self::refuse("the path of store.url does not begin with a slash"));
            }
            (_, true) => return Err(Self::refuse("store.url is not the URL of a store")),
            (_, false) => {}
        }
        let (place, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if let Some(sign) = place.chars().find(|c| matches!(c, '@' | ':' | '?')) {
            return Err(Self::refuse(&format!("the bucket of store.url has a `{sign}` in its name")));
        }
        let prefix = prefix.trim_matches('/').to_owned();
        Ok(Self { scheme: scheme.to_owned(), place: place.to_owned(), prefix })
    }

    /// The URL of a directory. However its path is written, the URL is the same.
    fn directory(path: &str) -> Result<Self> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.is_empty() {
            return Err(Self::refuse("store.url is the root of all directories"));
        }
        if parts.contains(&"..") {
            // Where that leads depends on symbolic links, and a verdict must name one place.
            return Err(Self::refuse("the path of store.url has `..` in it"));
        }
        if path.contains('\0') {
            return Err(Self::refuse("the path of store.url has a zero byte in it"));
        }
        let place = format!("/{}", parts.join("/"));
        Ok(Self { scheme: DIRECTORY.to_owned(), place, prefix: String::new() })
    }

    /// Whether the store is a directory.
    pub fn is_directory(&self) -> bool {
        self.scheme == DIRECTORY
    }

    /// Why a URL cannot be used. The value is not shown: people write keys and signatures into it.
    pub fn refuse(why: &str) -> Failure {
        Failure::config(codes::STORE_URL_INVALID, why)
            .hint("write it as s3://bucket, s3://bucket/prefix or file:///directory; an endpoint belongs into store.endpoint, and credentials into variables")
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, place, prefix } = self;
        let slash = if prefix.is_empty() { "" } else { "/" };
        write!(f, "{scheme}://{place}{slash}{prefix}")
    }
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
        let url = |text: &str| StoreUrl::parse(text).map(|url| (url.place, url.prefix));
        assert_eq!(url("s3://b/p/q/"), Ok(("b".to_owned(), "p/q".to_owned())));
        assert_eq!(StoreUrl::parse("s3://b/p/q/").unwrap().to_string(), "s3://b/p/q");
        assert_eq!(url("s3://b"), Ok(("b".to_owned(), String::new())));
        for directory in ["/srv/back ups%20", "file:///srv/back ups%20", "file:////srv//./back ups%20/"] {
            let parsed = StoreUrl::parse(directory).unwrap();
            assert_eq!(parsed.to_string(), "file:///srv/back ups%20");
            assert_eq!((parsed.place.as_str(), parsed.is_directory()), ("/srv/back ups%20", true));
        }
        for bad in [
            "",
            "b/p",
            "s3://",
            "s3:///p",
            "S3://b",
            "/",
            "file://",
            "file:///",
            "file://host/srv",
            "file://srv",
            "file:/srv",
            "/srv/../etc",
            "./srv",
            "~/srv",
            "/srv\0",
        ] {
            assert_eq!(StoreUrl::parse(bad).unwrap_err().code, "store_url_invalid", "{bad}");
        }
    }

    #[test]
    fn a_url_that_is_refused_is_not_shown() {
        for bad in [
            "https://AK:hunter2@minio/b",
            "https://b.example/nightly?X-Amz-Signature=hunter2",
            "s3://AK:hunter2@b/prefix",
            "s3://AK:hunt/hunter2@b",
            "s3://b?X-Amz-Signature=hunter2",
        ] {
            let failure = StoreUrl::parse(bad).unwrap_err();
            assert_eq!(failure.code.as_str(), "store_url_invalid", "{bad}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
    }

    #[test]
    fn urls_are_shown_without_what_may_be_secret_in_them() {
        assert_eq!(without_user("https://k:s@h:1/p"), "https://h:1/p");
        assert_eq!(without_user("https://h/p@q?X-Amz-Signature=1"), "https://h/p@q");
    }
}
