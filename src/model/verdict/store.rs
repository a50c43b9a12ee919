//! Which store a drill read.

use serde::{Deserialize, Serialize};

use crate::template::{self, StoreUrl, without_user};

/// A store, without what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRecord {
    /// Bucket and prefix, as `s3://bucket/prefix`.
    pub url: String,
    /// Where it is reached; absent for AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

impl StoreRecord {
    /// The store of these settings. However it is written, it is the same.
    pub fn of(settings: &template::Store) -> Self {
        // With a URL that is refused nothing is drilled, and it may hold a password.
        let url = StoreUrl::parse(&settings.url).map(|url| url.to_string()).unwrap_or_default();
        let endpoint = without_user(settings.endpoint.trim_end_matches('/'));
        Self { url, endpoint: Some(endpoint).filter(|endpoint| !endpoint.is_empty()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::testing::template;

    #[test]
    fn a_url_that_is_refused_is_not_recorded() {
        let settings = template::Store { url: "s3://AK:hunter2@b/nightly".to_owned(), ..template().store };
        assert_eq!(StoreRecord::of(&settings).url, "");
    }

    #[test]
    fn a_store_is_told_by_its_bucket_prefix_and_endpoint_and_by_no_credential() {
        let store = |url: &str, endpoint: &str| {
            let settings =
                template::Store { url: url.to_owned(), endpoint: endpoint.to_owned(), ..template().store };
            serde_json::to_string(&StoreRecord::of(&settings)).unwrap()
        };
        assert_eq!(store("s3://b", ""), r#"{"url":"s3://b"}"#);
        assert_eq!(
            store("s3://b/p/q/", "https://key:secret@h:9000/"),
            r#"{"url":"s3://b/p/q","endpoint":"https://h:9000"}"#
        );
    }
}
