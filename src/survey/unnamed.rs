//! Databases in the store that the template does not name, found by skipping from one to the next.
//!
//! To list a bucket of years for the names in it would take minutes. Keys are sorted, so all keys of one database stand
//! together: a request for the first key behind them brings the next database. Each costs a request or two, and their
//! number is bounded.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::listing::LAST;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::plan::{Unnamed, UnnamedDatabase};
use crate::store::{PageRequest, Store};
use crate::template::KeyPattern;

/// Requests at most.
const REQUESTS: usize = 64;
/// The most databases that are reported.
const TOLD: usize = 50;
/// Keys asked for at once: one would do, and a few more save requests where databases have few objects.
const KEYS: u16 = 8;

/// Looks for databases that are not among `known`. Those with a recovery point since `recent` are reported separately.
///
/// # Errors
/// Those of the store.
pub async fn find_unnamed(
    store: &dyn Store,
    pattern: &KeyPattern,
    known: &BTreeSet<DatabaseName>,
    recent: DateTime<Utc>,
) -> Result<Unnamed> {
    if !pattern.is_used_by(known) {
        return Ok(Unnamed::default());
    }
    if !pattern.names_are_sorted() {
        let why = "times in keys do not sort as text, so only the databases of the template were listed";
        return Ok(Unnamed { databases: Vec::new(), incomplete: Some(why.to_owned()) });
    }
    let first = known.iter().find(|name| pattern.is_used_by([*name])).expect("one uses the common pattern");
    let mut search =
        Search { pattern, known, recent, found: BTreeMap::new(), cursor: String::new(), skipped: None };
    if pattern.separator().is_none() {
        // The time stands first: recent keys stand together, and older ones are not searched.
        search.cursor = pattern.boundary(first, recent);
    }
    let prefix = pattern.common_prefix();
    // Other folders are one entry each, unless the pattern itself goes into folders.
    let delimiter = (!pattern.has_folders()).then_some('/');
    for _ in 0..REQUESTS {
        let after = Some(search.cursor.clone()).filter(|cursor| !cursor.is_empty());
        let request = PageRequest { prefix: prefix.clone(), after, delimiter, limit: Some(KEYS) };
        let page = store.page(&request).await?;
        let objects = page.objects.iter().map(|object| (object.key.as_str(), true));
        let mut entries: Vec<(&str, bool)> =
            objects.chain(page.prefixes.iter().map(|prefix| (prefix.as_str(), false))).collect();
        entries.sort_unstable();
        let before = search.cursor.clone();
        for (key, is_object) in entries {
            if key > search.cursor.as_str() {
                search.take(key, is_object);
            }
        }
        if !page.more {
            return Ok(search.finish(None));
        }
        if search.cursor <= before || search.found.len() >= TOLD {
            break;
        }
    }
    let ended = format!("the search ended at {}", crate::model::human::one_line(&search.cursor, 200));
    Ok(search.finish(Some(ended)))
}

struct Search<'a> {
    pattern: &'a KeyPattern,
    known: &'a BTreeSet<DatabaseName>,
    recent: DateTime<Utc>,
    found: BTreeMap<DatabaseName, UnnamedDatabase>,
    /// Keys up to here are done with.
    cursor: String,
    /// What keys begin with that were passed over together, whatever is among them.
    skipped: Option<String>,
}

impl Search<'_> {
    fn take(&mut self, key: &str, is_object: bool) {
        self.cursor = match self.pattern.read(key) {
            _ if !is_object => format!("{key}{LAST}"),
            Some((name, taken_at)) => self.take_point(name, taken_at, key),
            None => self.behind_others(key),
        };
    }

    /// Behind a key that is no recovery point. Numbered ones, as most logs are, are passed over together.
    fn behind_others(&mut self, key: &str) -> String {
        let start = self.pattern.common_prefix().len().min(key.len());
        let digits = key.get(start..).and_then(|rest| rest.find(|c: char| c.is_ascii_digit()));
        // A name that begins with a digit stands for itself.
        let Some(at) = digits.filter(|at| *at > 0) else { return key.to_owned() };
        let beginning = &key[start..start + at];
        let name = self.pattern.separator().and_then(|separator| beginning.strip_suffix(separator));
        if let Some(Ok(name)) = name.map(str::parse) {
            // An object beside a database's recovery points, or one of before its keys were made like the pattern. Those
            // recently are examined one by one.
            if !self.known.contains(&name) {
                return self.pattern.boundary(&name, self.recent).max(key.to_owned());
            }
        } else {
            self.skipped.get_or_insert_with(|| key[..start + at].to_owned());
        }
        // `:` comes right behind the digits.
        format!("{}:", &key[..start + at])
    }

    /// Takes a recovery point, and returns where to continue.
    fn take_point(&mut self, name: DatabaseName, taken_at: DateTime<Utc>, key: &str) -> String {
        let is_recent = taken_at >= self.recent;
        let sorted_by_name = self.pattern.separator().is_some();
        let next = if !sorted_by_name {
            key.to_owned()
        } else if self.known.contains(&name) || is_recent {
            self.behind(&name, key)
        } else {
            // The first key of a name is its oldest: is there a recent one, too?
            self.pattern.boundary(&name, self.recent).max(key.to_owned())
        };
        if !self.known.contains(&name) {
            let entry = UnnamedDatabase {
                database: name.clone(),
                key: crate::model::human::one_line(key, 300),
                recent: is_recent,
            };
            let known = self.found.entry(name).or_insert_with(|| entry.clone());
            if is_recent {
                *known = entry;
            }
        }
        next
    }

    /// Behind a database's keys: those of times to come first, then, if there are any, all that continue with a digit.
    fn behind(&self, name: &DatabaseName, key: &str) -> String {
        let soon = self.pattern.boundary(name, self.recent + TimeDelta::days(366 * 10));
        if key < soon.as_str() { soon } else { format!("{}:", self.pattern.listing_prefix(name)) }
    }

    fn finish(self, incomplete: Option<String>) -> Unnamed {
        let skipped = self.skipped.map(|beginning| {
            let beginning = crate::model::human::one_line(&beginning, 200);
            format!("keys that begin with {beginning} and a digit were passed over together")
        });
        let incomplete = incomplete.or(skipped);
        Unnamed { databases: self.found.into_values().take(TOLD).collect(), incomplete }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use crate::model::names::ObjectKey;
    use crate::store::{ObjectMeta, Upload};

    /// A store of these keys that counts what it is asked.
    struct Keys(Vec<String>, std::sync::atomic::AtomicUsize);

    #[async_trait]
    impl Store for Keys {
        async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let keys = self.0.iter().filter(|key| key.starts_with(prefix));
            Ok(keys
                .map(|key| ObjectMeta {
                    key: ObjectKey::new(key.as_str()),
                    size_bytes: 1,
                    last_modified: None,
                    storage_class: "STANDARD".to_owned(),
                    etag: None,
                })
                .collect())
        }
        async fn stat(&self, _: &ObjectKey) -> Result<Option<ObjectMeta>> {
            Ok(None)
        }
        async fn read(&self, _: &ObjectKey, _: Option<&str>, _: std::ops::Range<u64>) -> Result<Bytes> {
            Ok(Bytes::new())
        }
        async fn create(&self, _: &ObjectKey) -> Result<Box<dyn Upload>> {
            unreachable!("nothing is written")
        }
    }

    fn now() -> DateTime<Utc> {
        "2026-05-17T08:31:11Z".parse().unwrap()
    }

    /// Keys of a database, one for each of these ages in days.
    fn of(pattern: &KeyPattern, name: &str, days: impl IntoIterator<Item = i64>) -> Vec<String> {
        let name: DatabaseName = name.parse().unwrap();
        let key = |days| pattern.key(&name, now() - TimeDelta::days(days)).to_string();
        days.into_iter().map(key).collect()
    }

    fn search(pattern: &KeyPattern, known: &[&str], keys: Vec<String>) -> (Unnamed, usize) {
        let store = Keys(keys, 0.into());
        let known = known.iter().map(|name| name.parse().unwrap()).collect();
        let found = futures_util::FutureExt::now_or_never(find_unnamed(
            &store,
            pattern,
            &known,
            now() - TimeDelta::days(9),
        ));
        (found.unwrap().unwrap(), store.1.into_inner())
    }

    fn names(unnamed: &Unnamed) -> Vec<(&str, bool)> {
        unnamed.databases.iter().map(|database| (database.database.as_str(), database.recent)).collect()
    }

    #[test]
    fn databases_are_found_in_years_of_objects_by_a_few_requests() {
        for form in ["{database}_{timestamp}.dump.age", "{database}/{timestamp}.age"] {
            let pattern = KeyPattern::new("nightly", form, "%Y%m%dT%H%M%SZ");
            let mut keys = Vec::new();
            for name in ["acp_identity", "acp_identity_graph", "acp_2", "forgotten", "zoo"] {
                keys.extend(of(&pattern, name, 0..4000));
            }
            keys.extend(of(&pattern, "retired", 400..4000));
            let (unnamed, requests) = search(&pattern, &["acp_identity", "zoo"], keys);
            assert_eq!(
                names(&unnamed),
                [("acp_2", true), ("acp_identity_graph", true), ("forgotten", true), ("retired", false)],
                "{form}"
            );
            assert_eq!(unnamed.incomplete, None);
            assert!(requests < 20, "{requests} requests for {form}");
        }
    }

    #[test]
    fn other_objects_beside_the_recovery_points_are_passed_over() {
        let pattern = KeyPattern::new("", "{database}_{timestamp}.dump.age", "%Y%m%dT%H%M%SZ");
        let mut keys: Vec<String> = (0..5000).map(|n| format!("log-{n:06}.txt")).collect();
        keys.extend((0..5000).map(|n| format!("receipts/{n}/{n}.json")));
        keys.push("README".to_owned());
        keys.extend(of(&pattern, "shop", 0..100));
        keys.extend(of(&pattern, "stray", 0..100));
        let (unnamed, requests) = search(&pattern, &["shop"], keys);
        assert_eq!(names(&unnamed), [("stray", true)]);
        assert!(requests < 20, "{requests} requests");
        assert!(unnamed.incomplete.is_some_and(|why| why.contains("begin with log- and a digit")));
    }

    #[test]
    fn a_database_whose_keys_were_once_made_otherwise_is_found() {
        let pattern = KeyPattern::new("", "{database}_{timestamp}.dump.age", "%Y%m%dT%H%M%SZ");
        let mut keys = of(&pattern, "shop", 0..100);
        keys.extend(of(&pattern, "stray", 0..100));
        keys.extend((100..4000).map(|day| {
            let time = now() - TimeDelta::days(day);
            format!("stray_{}.dump", time.format("%Y%m%dT%H%M%SZ"))
        }));
        keys.extend((0..100).map(|n| format!("zlog_{n:06}.txt")));
        keys.extend((0..100).map(|day| {
            let time = now() - TimeDelta::days(day);
            format!("stray_{}-globals.sql.age", time.format("%Y%m%dT%H%M%SZ"))
        }));
        let (unnamed, requests) = search(&pattern, &["shop"], keys);
        assert_eq!((names(&unnamed), &unnamed.incomplete), (vec![("stray", true)], &None));
        assert!(requests < 10, "{requests} requests");
    }

    #[test]
    fn names_behind_the_time_are_found_among_the_recent() {
        let pattern = KeyPattern::new("", "{timestamp}/{database}.age", "%Y-%m-%d");
        let mut keys = of(&pattern, "shop", 0..3000);
        keys.extend(of(&pattern, "stray", 0..3));
        let (unnamed, requests) = search(&pattern, &["shop"], keys);
        assert_eq!(names(&unnamed), [("stray", true)]);
        assert!(requests < 10, "{requests} requests");
    }

    #[test]
    fn a_search_that_cannot_end_says_so() {
        let pattern = KeyPattern::new("", "{database}_{timestamp}.dump.age", "%Y%m%dT%H%M%SZ");
        let letters = |n: usize| n.to_string().bytes().map(|b| char::from(b + 49)).collect::<String>();
        let keys = (0..3000).map(letters).collect();
        let (unnamed, requests) = search(&pattern, &["shop"], keys);
        assert!(unnamed.incomplete.is_some_and(|why| why.contains("ended at")));
        assert_eq!(requests, REQUESTS);
        let unsorted = KeyPattern::new("", "{database}_{timestamp}", "%d.%m.%Y");
        let (unnamed, requests) = search(&unsorted, &["shop"], Vec::new());
        assert!(unnamed.incomplete.is_some() && requests == 0);
    }
}
