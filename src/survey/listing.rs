//! Listing recovery points without listing the whole store.
//!
//! Where the order of keys is that of time, a listing begins a little before the point in time, and ends behind it. If
//! nothing is found it reaches further back, a few times, and at last to the beginning. Any other store, and one that
//! does not keep to the order, is listed whole.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::plan::Listing;
use crate::store::{Gathered, ObjectMeta, PageRequest, Store};
use crate::template::KeyPattern;
use crate::template::Template;

/// How much further back each attempt reaches.
const FURTHER: i32 = 8;
/// Attempts before the listing begins at the beginning.
const ATTEMPTS: u32 = 4;
/// Prefixes listed at once.
const AT_ONCE: usize = 8;
/// Comes after every character that can follow.
pub(super) const LAST: char = '\u{10FFFF}';

/// What a listing brought.
#[derive(Debug, Default)]
pub struct Listed {
    /// Objects, by database; others' objects may be among them.
    pub listing: Listing,
    /// How many objects the store listed.
    pub objects: u64,
}

/// Lists what is needed to choose the recovery points of this template at this time, and to know what came before them.
///
/// # Errors
/// Those of the store.
pub async fn list_points(
    store: &dyn Store,
    pattern: &KeyPattern,
    template: &Template,
    at: DateTime<Utc>,
    window: TimeDelta,
) -> Result<Listed> {
    // Databases share a prefix where the time stands before the name.
    let mut groups: BTreeMap<(String, Option<String>), Vec<&DatabaseName>> = BTreeMap::new();
    for name in template.databases.iter().map(|database| &database.name) {
        // A listing can begin in the middle for all of a group, if their keys are of one pattern.
        let boundary = pattern.is_sorted(name).then(|| pattern.boundary(name, at));
        groups.entry((pattern.listing_prefix(name), boundary)).or_default().push(name);
    }
    let history = usize::from(template.recovery_set.history);
    let found: Vec<(Vec<&DatabaseName>, Vec<ObjectMeta>)> = stream::iter(groups)
        .map(|((prefix, _), names)| async move {
            let group = Group { store, pattern, prefix, names, history };
            let objects = group.list(at, window).await?;
            Ok::<_, crate::model::failure::Failure>((group.names, objects))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let mut listed = Listed::default();
    for (names, objects) in found {
        listed.objects += objects.len() as u64;
        if let [name] = names.as_slice() {
            listed.listing.insert((*name).clone(), objects);
            continue;
        }
        for name in names {
            let of_it = |object: &&ObjectMeta| {
                let key = object.key.as_str();
                pattern.time_of(name, key, object.last_modified).is_some()
                    || pattern.has_unreadable_time(name, key)
            };
            let own = objects.iter().filter(of_it);
            listed.listing.insert(name.clone(), own.cloned().collect());
        }
    }
    Ok(listed)
}

/// Databases whose keys begin alike.
struct Group<'a> {
    store: &'a dyn Store,
    pattern: &'a KeyPattern,
    prefix: String,
    names: Vec<&'a DatabaseName>,
    history: usize,
}

impl Group<'_> {
    async fn list(&self, at: DateTime<Utc>, window: TimeDelta) -> Result<Vec<ObjectMeta>> {
        let Some(first) = self.names.first().filter(|first| self.pattern.is_sorted(first)) else {
            return self.store.list(&self.prefix).await;
        };
        let mut until = format!("{}{LAST}", self.pattern.boundary(first, at));
        let mut found = Vec::new();
        for attempt in 0..=ATTEMPTS {
            let back = window.checked_mul(FURTHER.pow(attempt));
            let begin = back.and_then(|back| at.checked_sub_signed(back)).filter(|_| attempt < ATTEMPTS);
            let after =
                begin.filter(|begin| begin.timestamp() > 0).map(|begin| self.pattern.boundary(first, begin));
            let Some(mut objects) = list_between(self.store, &self.prefix, after.clone(), &until).await?
            else {
                return self.store.list(&self.prefix).await;
            };
            objects.append(&mut found);
            found = objects;
            if after.is_none() || self.is_enough(&found, at, attempt) {
                break;
            }
            until = after.unwrap_or_default();
        }
        Ok(found)
    }

    /// Every database has a recovery point, and its history too, or one more attempt did not find it.
    fn is_enough(&self, found: &[ObjectMeta], at: DateTime<Utc>, attempt: u32) -> bool {
        self.names.iter().all(|name| {
            let time =
                |object: &ObjectMeta| self.pattern.time_of(name, object.key.as_str(), object.last_modified);
            let times = found.iter().filter_map(time);
            let points = times.filter(|time| *time <= at).take(self.history + 1).count();
            points > self.history || (points > 0 && attempt > 0)
        })
    }
}

/// Objects behind one key and up to another; what comes along on the last page is kept. `None` if the store does
/// not keep to the order of keys.
pub(super) async fn list_between(
    store: &dyn Store,
    prefix: &str,
    mut after: Option<String>,
    until: &str,
) -> Result<Option<Vec<ObjectMeta>>> {
    let mut gathered = Gathered::default();
    loop {
        let request =
            PageRequest { prefix: prefix.to_owned(), after: after.clone(), ..PageRequest::default() };
        let page = store.page(&request).await?;
        let mut last = after.as_deref();
        for object in &page.objects {
            let key = object.key.as_str();
            if last.is_some_and(|last| key <= last) {
                return Ok(None);
            }
            last = Some(key);
        }
        let last = last.map(str::to_owned);
        gathered.page(prefix, page.objects)?;
        if !page.more || last.as_deref().is_none_or(|last| last > until) {
            break;
        }
        after = last;
    }
    let mut objects = gathered.into_objects();
    // What an earlier attempt has brought already must not come twice.
    objects.retain(|object| object.key.as_str() <= until || until.ends_with(LAST));
    Ok(Some(objects))
}
