//! A directory. Its files are objects: a key is a path below it, and nothing outside is ever read or written.
//!
//! Calls of the system block, and on a network mount whose server is gone they block for ever. So each runs on a thread of its
//! own and is waited for within a limit.

mod beneath;
mod error;
mod facts;
mod mounts;
mod read;
mod upload;
mod walk;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;

use super::facts::{Fact, ObjectFacts, StoreFacts, Traffic};
use super::kind::StoreKind;
use super::port::{ObjectMeta, Page, PageRequest, PassedOver, Store, Upload};
use crate::model::failure::Result;
use crate::model::names::ObjectKey;
use crate::template::{self, StoreUrl};

/// A directory, as the list of stores has it.
pub(super) const KIND: StoreKind = StoreKind {
    name: "directory",
    schemes: &["file"],
    restore_command: |_, _, _| None,
    connect: |settings| async { Ok(Arc::new(DirectoryStore::connect(settings)?) as Arc<dyn Store>) }.boxed(),
};

/// How long a call may take. A disk that sleeps needs ten seconds, a busy network mount more.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a whole listing, or writing what the system holds back to a slow disk, may take.
const LONG_PATIENCE: Duration = Duration::from_secs(600);
/// Entries that are no objects, and are reported one by one.
const REPORTED: usize = 50;

/// A directory.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    path: PathBuf,
    seen: Arc<Sightings>,
}

/// What was done and seen so far.
#[derive(Debug, Default)]
struct Sightings {
    requests: AtomicU64,
    bytes: AtomicU64,
    passed_over: Mutex<BTreeSet<PassedOver>>,
}

impl DirectoryStore {
    /// The directory of this template. It is not opened yet.
    ///
    /// # Errors
    /// `store_url_invalid`.
    pub fn connect(settings: &template::Store) -> Result<Self> {
        Ok(Self::at(StoreUrl::parse(&settings.url)?.place))
    }

    fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), seen: Arc::default() }
    }

    /// Runs this on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.seen.requests.fetch_add(1, Ordering::Relaxed);
        let store = self.clone();
        let working = tokio::task::spawn_blocking(move || work(&store));
        match tokio::time::timeout(limit, working).await {
            Ok(done) => done.expect("a call of the directory does not panic and is not aborted"),
            Err(_) => Err(self.silent(limit)),
        }
    }

    /// Remembers what is no object.
    fn pass_over(&self, entries: BTreeSet<PassedOver>) {
        let mut known = self.seen.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(entries);
        // One more tells that there are more.
        while known.len() > REPORTED + 1 {
            known.pop_last();
        }
    }
}

#[async_trait]
impl Store for DirectoryStore {
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        // That it answers at all shows within the shorter limit.
        self.blocking(PATIENCE, |store| store.mounted_root().map(drop)).await?;
        let prefix = prefix.to_owned();
        self.blocking(LONG_PATIENCE, move |store| walk::list(store, &prefix)).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page> {
        self.blocking(PATIENCE, |store| store.mounted_root().map(drop)).await?;
        let request = request.clone();
        self.blocking(LONG_PATIENCE, move |store| walk::page(store, &request)).await
    }

    async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        let key = key.clone();
        self.blocking(PATIENCE, move |store| read::stat(store, &key)).await
    }

    async fn object_facts(&self, key: &ObjectKey) -> Result<ObjectFacts> {
        let key = key.clone();
        self.blocking(PATIENCE, move |store| facts::of_file(store, &key)).await
    }

    async fn opens_for_append(&self, key: &ObjectKey) -> Result<Fact<bool>> {
        let key = key.clone();
        self.blocking(PATIENCE, move |store| facts::opens_for_append(store, &key)).await
    }

    async fn facts(&self) -> Option<StoreFacts> {
        let facts = self.blocking(PATIENCE, |store| Ok(facts::of_directory(&store.path))).await;
        let facts = facts.unwrap_or_else(|failure| facts::not_known(&failure.message));
        Some(StoreFacts::Directory(facts))
    }

    fn passed_over(&self) -> Vec<PassedOver> {
        let known = self.seen.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries: Vec<PassedOver> = known.iter().take(REPORTED).cloned().collect();
        if known.len() > REPORTED {
            let (name, why) = (ObjectKey::new(""), format!("there are more than {REPORTED} like these"));
            entries.push(PassedOver { name, why });
        }
        entries
    }

    fn traffic(&self) -> Traffic {
        let Sightings { requests, bytes, .. } = &*self.seen;
        Traffic { requests: requests.load(Ordering::Relaxed), bytes: bytes.load(Ordering::Relaxed) }
    }

    async fn read(&self, key: &ObjectKey, etag: Option<&str>, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let (key, etag) = (key.clone(), etag.map(str::to_owned));
        let bytes =
            self.blocking(PATIENCE, move |store| read::read(store, &key, etag.as_deref(), range)).await?;
        self.seen.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn Upload>> {
        let key = key.clone();
        let upload = self.blocking(PATIENCE, move |store| upload::begin(store, &key)).await?;
        Ok(Box::new(upload))
    }
}

#[cfg(test)]
mod tests;
