//! Stores: where recovery points live.
//!
//! [`Store`] is the port. To add a store, implement it in a file or folder here, add its [`StoreKind`] to [`STORES`], and
//! run the contract suite in `tests/offline/contract.rs` against it.

mod directory;
mod facts;
mod fetch;
mod kind;
mod listing;
mod port;
mod s3;

use std::sync::Arc;

use crate::model::failure::Result;
use crate::model::names::ObjectKey;
use crate::template::{self, StoreUrl};

pub use directory::DirectoryStore;
pub use facts::{
    Access, ArchiveRestore, BucketFacts, BucketLock, DirectoryFacts, Fact, FileFacts, LifecycleRule,
    ObjectFacts, ObjectLock, StoreFacts, Traffic, Transition,
};
pub use fetch::{pump, pump_all, whole};
pub use kind::StoreKind;
pub use listing::Gathered;
pub use port::{ObjectMeta, Page, PageRequest, PassedOver, RestoreTier, Store, Upload};
pub use s3::S3Store;

/// Every kind of store. The scheme of `store.url` picks one.
pub static STORES: &[StoreKind] = &[directory::KIND, s3::KIND];

/// Connects to the store of a template, with the credentials of the environment. No request is sent yet.
///
/// # Errors
/// `store_url_invalid` if no store has such URLs; and whatever keeps the store from being asked.
pub async fn connect(settings: &template::Store) -> Result<Arc<dyn Store>> {
    let scheme = StoreUrl::parse(&settings.url)?.scheme;
    let Some(kind) = STORES.iter().find(|kind| kind.schemes.contains(&&*scheme)) else {
        return Err(StoreUrl::refuse("store.url is not the URL of a store"));
    };
    (kind.connect)(settings).await
}

/// The command, of a tool of its own, that makes an archived object of a template's store readable.
pub fn restore_command(settings: &template::Store, key: &ObjectKey, facts: &ObjectFacts) -> Option<String> {
    let url = StoreUrl::parse(&settings.url).ok()?;
    let kind = STORES.iter().find(|kind| kind.schemes.contains(&&*url.scheme))?;
    (kind.restore_command)(&url.place, key, facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_no_store_has_is_refused_and_not_shown() {
        let url = "https://minio/hunter2".to_owned();
        let settings = template::Store { url, ..template::testing::template().store };
        let Err(failure) = connect(&settings).await else { panic!("no store has such URLs") };
        assert_eq!(
            (failure.code.as_str(), &*failure.message),
            ("store_url_invalid", "store.url is not the URL of a store")
        );
    }

    #[test]
    fn no_two_stores_have_a_scheme_in_common() {
        let mut schemes: Vec<&str> = STORES.iter().flat_map(|kind| kind.schemes).copied().collect();
        let count = schemes.len();
        schemes.sort_unstable();
        schemes.dedup();
        assert_eq!(schemes.len(), count);
        assert_eq!(schemes, template::SCHEMES, "a template takes the URLs that a store has, and no others");
    }
}
