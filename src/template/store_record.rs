//! The store as verdicts record it.

use super::schema::Store;
use super::store_url::{StoreUrl, without_user};
use crate::model::verdict::StoreRecord;

impl Store {
    /// The store for a verdict, without what opens it. However its URL is written, the record is the same.
    pub fn record(&self) -> StoreRecord {
        // With a URL that is refused nothing is drilled, and it may hold a password.
        let url = StoreUrl::parse(&self.url).map(|url| url.to_string()).unwrap_or_default();
        let endpoint = without_user(self.endpoint.trim_end_matches('/'));
        StoreRecord { url, endpoint: Some(endpoint).filter(|endpoint| !endpoint.is_empty()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(url: &str, endpoint: &str) -> String {
        let store = crate::template::testing::template().store;
        let store = Store { url: url.to_owned(), endpoint: endpoint.to_owned(), ..store };
        serde_json::to_string(&store.record()).unwrap()
    }

    #[test]
    fn a_url_that_is_refused_is_not_recorded() {
        assert_eq!(recorded("s3://AK:hunter2@b/nightly", ""), r#"{"url":""}"#);
    }

    #[test]
    fn a_store_is_told_by_its_bucket_prefix_and_endpoint_and_by_no_credential() {
        assert_eq!(recorded("s3://b", ""), r#"{"url":"s3://b"}"#);
        assert_eq!(
            recorded("s3://b/p/q/", "https://key:secret@h:9000/"),
            r#"{"url":"s3://b/p/q","endpoint":"https://h:9000"}"#
        );
    }
}
