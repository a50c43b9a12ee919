//! What every store can do: [`Store`] is the port. The contract suite in `tests/offline/contract.rs` runs against each.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Fact, ObjectFacts, StoreFacts, Traffic};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::ObjectKey;

/// What a listing says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its whole key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was uploaded, or changed last.
    pub last_modified: Option<DateTime<Utc>>,
    /// Its storage class; `STANDARD` where the store has none.
    pub storage_class: String,
    /// Its entity tag.
    pub etag: Option<String>,
}

/// A part of a listing to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// What keys begin with.
    pub prefix: String,
    /// Keys up to and with this one are left out.
    pub after: Option<String>,
    /// Keys that go on behind this character are put together.
    pub delimiter: Option<char>,
    /// At most so many.
    pub limit: Option<u16>,
}

/// A part of a listing, in the order of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects.
    pub objects: Vec<ObjectMeta>,
    /// What keys that were put together begin with, the delimiter at the end.
    pub prefixes: Vec<String>,
    /// There is more behind it. A page that is empty is the last.
    pub more: bool,
}

/// Something in a store that is no object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct PassedOver {
    /// Its name, as a key; what is not UTF-8 in it is replaced.
    pub name: ObjectKey,
    /// Why it was passed over, as in `it is a FIFO`.
    pub why: String,
}

/// A place that holds recovery points. Calls retry what is worth retrying before they fail.
#[async_trait]
pub trait Store: Send + Sync {
    /// Every object whose key begins with `prefix`, however many there are.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>>;

    /// A part of the listing. A store that cannot list in parts lists all there is.
    async fn page(&self, request: &PageRequest) -> Result<Page> {
        Ok(whole_page(request, self.list(&request.prefix).await?))
    }

    /// What is stored under this key now, if anything.
    async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>>;

    /// How the object under this key is kept. A store without such facts keeps all in one way.
    async fn object_facts(&self, _key: &ObjectKey) -> Result<ObjectFacts> {
        Ok(ObjectFacts { storage_class: "STANDARD".to_owned(), ..ObjectFacts::default() })
    }

    /// Whether the object can be opened to append to it: it is opened and closed, and nothing is written. Of a store that is no
    /// directory it is not known.
    async fn opens_for_append(&self, _key: &ObjectKey) -> Result<Fact<bool>> {
        Ok(Fact::unknown("only a file can be opened so"))
    }

    /// How the store keeps objects; none if it has no such facts. What cannot be learnt is not known, and no failure.
    async fn facts(&self) -> Option<StoreFacts> {
        None
    }

    /// What was met so far that is no object, and is neither listed nor read: links that lead out of the store, for example.
    fn passed_over(&self) -> Vec<PassedOver> {
        Vec::new()
    }

    /// Asks for a readable copy of an archived object, for so many days.
    async fn request_restore(&self, key: &ObjectKey, _days: Option<u16>, _tier: RestoreTier) -> Result<()> {
        Err(Failure::config(codes::NO_ARCHIVE, format!("the store of {key} has no archive to restore from")))
    }

    /// What was moved so far.
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    /// How far the store's clock is ahead of this machine's, by its last answer.
    fn clock_ahead(&self) -> Option<TimeDelta> {
        None
    }

    /// The bytes of `range`, all of them. With an `etag`, fails if the object is no longer the one listed.
    async fn read(&self, key: &ObjectKey, etag: Option<&str>, range: Range<u64>) -> Result<Bytes>;

    /// Begins an object that appears under its key only once it is complete.
    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn Upload>>;
}

/// How urgent a restore from an archive is; faster costs more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum RestoreTier {
    /// Minutes; not for deep archives.
    Expedited,
    /// Hours.
    #[default]
    Standard,
    /// Up to two days.
    Bulk,
}

impl RestoreTier {
    /// The word the store knows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Expedited => "Expedited",
            Self::Standard => "Standard",
            Self::Bulk => "Bulk",
        }
    }
}

/// A page of a listing that is there whole.
fn whole_page(request: &PageRequest, mut objects: Vec<ObjectMeta>) -> Page {
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    let mut page = Page::default();
    let limit = request.limit.map_or(usize::MAX, usize::from);
    let after = request.after.as_deref().unwrap_or_default();
    for object in objects.into_iter().filter(|object| object.key.as_str() > after) {
        let rest = object.key.as_str().strip_prefix(&request.prefix).unwrap_or_default();
        let end =
            request.delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len_utf8()));
        let common = end.map(|end| format!("{}{}", request.prefix, &rest[..end]));
        // One that was on the page before stands for all that it puts together.
        if common.as_deref().is_some_and(|common| page.prefixes.last().is_some_and(|last| last == common)) {
            continue;
        }
        if page.objects.len() + page.prefixes.len() == limit {
            page.more = true;
            break;
        }
        match common {
            Some(common) => page.prefixes.push(common),
            None => page.objects.push(object),
        }
    }
    page
}

/// An object being written. Nothing is visible under its key until [`Upload::finish`].
#[async_trait]
pub trait Upload: Send {
    /// Appends bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;

    /// Makes the object appear, unless there is one under its key already: nothing is ever overwritten.
    async fn finish(self: Box<Self>) -> Result<()>;

    /// Gives it up; nothing appears, and what was uploaded is removed.
    async fn abort(self: Box<Self>) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> ObjectMeta {
        ObjectMeta {
            key: ObjectKey::new(key),
            size_bytes: 1,
            last_modified: None,
            storage_class: "STANDARD".to_owned(),
            etag: None,
        }
    }

    #[test]
    fn a_whole_listing_is_cut_into_pages_like_a_stores() {
        let objects: Vec<ObjectMeta> = ["n/b/2", "n/a", "n/b/1", "n/c", "n/d/1"].map(object).into();
        let mut request = PageRequest { prefix: "n/".to_owned(), limit: Some(2), ..PageRequest::default() };
        let keys = |page: &Page| page.objects.iter().map(|o| o.key.to_string()).collect::<Vec<_>>();
        let page = whole_page(&request, objects.clone());
        assert_eq!((keys(&page), page.more), (vec!["n/a".to_owned(), "n/b/1".to_owned()], true));
        request.after = Some("n/b/2".to_owned());
        let page = whole_page(&request, objects.clone());
        assert_eq!((keys(&page), page.more), (vec!["n/c".to_owned(), "n/d/1".to_owned()], false));
        request = PageRequest { delimiter: Some('/'), limit: None, after: None, ..request };
        let page = whole_page(&request, objects);
        assert_eq!(page.prefixes, ["n/b/", "n/d/"]);
        assert_eq!(keys(&page), ["n/a", "n/c"]);
    }
}
