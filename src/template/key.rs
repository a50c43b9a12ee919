//! Object keys: `<prefix>/<database>_<timestamp>.dump.age`, read and written.

use chrono::format::{Item, Numeric, Pad, StrftimeItems};
use chrono::{DateTime, Utc};

use super::key_time;
use super::schema::Template;
use super::store_url::StoreUrl;
use crate::model::failure::Result;
use crate::model::names::{DatabaseName, ObjectKey};

const DATABASE: &str = "{database}";
const TIMESTAMP: &str = "{timestamp}";
/// Text with at least so many digits was meant as a time: of a year, a month and a day, or more.
const DIGITS_OF_A_TIME: usize = 6;

/// How keys are made, below a prefix of the store.
#[derive(Debug, Clone)]
pub struct KeyPattern {
    prefix: String,
    pattern: String,
    globals: String,
    timestamp_format: String,
    /// How long every timestamp is, if their order as texts is that of time.
    sorted_width: Option<usize>,
}

impl Template {
    /// How the keys of its recovery points are made.
    ///
    /// # Errors
    /// `store_url_invalid`, a configuration error.
    pub fn key_pattern(&self) -> Result<KeyPattern> {
        let url = StoreUrl::parse(&self.store.url)?;
        let pattern = KeyPattern::new(&url.prefix, &self.store.key, &self.store.timestamp);
        Ok(pattern.with_globals(&self.store.globals))
    }
}

impl KeyPattern {
    /// A pattern below `prefix` (with or without a slash at its end; empty for the bucket itself).
    pub fn new(prefix: &str, pattern: &str, timestamp_format: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self {
            prefix,
            pattern: pattern.to_owned(),
            globals: super::defaults::globals(),
            timestamp_format: timestamp_format.to_owned(),
            sorted_width: sorted_width(timestamp_format),
        }
    }

    /// With another pattern of the keys of globals.
    #[must_use]
    pub fn with_globals(self, pattern: &str) -> Self {
        Self { globals: pattern.to_owned(), ..self }
    }

    /// The longest prefix that all keys of this database share.
    pub fn listing_prefix(&self, database: &DatabaseName) -> String {
        let end = self.pattern.find(TIMESTAMP).unwrap_or(self.pattern.len());
        format!("{}{}", self.prefix, self.pattern[..end].replace(DATABASE, database.as_str()))
    }

    /// Whether the order of a database's keys is that of time, so that a listing can begin anywhere.
    pub fn is_sorted(&self) -> bool {
        self.sorted_width.is_some()
    }

    /// What every key begins with, whatever its database and time.
    pub fn common_prefix(&self) -> String {
        let end = [DATABASE, TIMESTAMP].iter().filter_map(|part| self.pattern.find(part)).min();
        format!("{}{}", self.prefix, &self.pattern[..end.unwrap_or(self.pattern.len())])
    }

    /// Whether a key goes into a folder behind its beginning.
    pub fn has_folders(&self) -> bool {
        self.pattern[self.common_prefix().len() - self.prefix.len()..].contains('/')
            || self.timestamp_format.contains('/')
    }

    /// What stands between the database's name and the time, if they stand in this order.
    pub fn separator(&self) -> Option<&str> {
        let (_, rest) = self.pattern.split_once(DATABASE)?;
        rest.split_once(TIMESTAMP).map(|(separator, _)| separator)
    }

    /// Keys of this database of earlier times come before this text, all others after it, if keys are sorted.
    pub fn boundary(&self, database: &DatabaseName, time: DateTime<Utc>) -> String {
        format!("{}{}", self.listing_prefix(database), time.format(&self.timestamp_format))
    }

    /// The database and the time in a key of any database, if keys are sorted.
    pub fn read(&self, key: &str) -> Option<(DatabaseName, DateTime<Utc>)> {
        let width = self.sorted_width?;
        let rest = key.strip_prefix(&self.prefix)?;
        let (before, after) = self.pattern.split_once(TIMESTAMP)?;
        let name = match before.split_once(DATABASE) {
            Some((head, separator)) => {
                let rest = rest.strip_prefix(head)?.strip_suffix(after)?;
                let name = rest.get(..rest.len().checked_sub(width)?)?;
                name.strip_suffix(separator)?
            }
            None => {
                let (between, tail) = after.split_once(DATABASE)?;
                rest.strip_prefix(before)?.get(width..)?.strip_prefix(between)?.strip_suffix(tail)?
            }
        };
        let database: DatabaseName = name.parse().ok()?;
        let taken_at = self.taken_at(&database, key)?;
        Some((database, taken_at))
    }

    /// The key of a dump of this database taken at this time.
    pub fn key(&self, database: &DatabaseName, taken_at: DateTime<Utc>) -> ObjectKey {
        let timestamp = taken_at.format(&self.timestamp_format).to_string();
        let name = self.pattern.replace(TIMESTAMP, &timestamp).replace(DATABASE, database.as_str());
        ObjectKey::new(format!("{}{name}", self.prefix))
    }

    /// The key of the manifest of a backup taken at this time: beside the dumps, whatever the pattern of their keys.
    pub fn manifest_key(&self, taken_at: DateTime<Utc>) -> ObjectKey {
        ObjectKey::new(format!(
            "{}manifest_{}.json.age",
            self.prefix,
            taken_at.format(&self.timestamp_format)
        ))
    }

    /// The key of the globals of a server, written by a backup taken at this time.
    pub fn globals_key(&self, taken_at: DateTime<Utc>) -> ObjectKey {
        let timestamp = taken_at.format(&self.timestamp_format).to_string();
        ObjectKey::new(format!("{}{}", self.prefix, self.globals.replace(TIMESTAMP, &timestamp)))
    }

    /// What the keys of all globals begin with.
    pub fn globals_prefix(&self) -> String {
        let end = self.globals.find(TIMESTAMP).unwrap_or(self.globals.len());
        format!("{}{}", self.prefix, &self.globals[..end])
    }

    /// The time in a key of globals; `None` if the key is none of theirs.
    pub fn globals_taken_at(&self, key: &str) -> Option<DateTime<Utc>> {
        let (before, after) = self.globals.split_once(TIMESTAMP)?;
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix(before)?.strip_suffix(after)?;
        key_time::read(rest, &self.timestamp_format)
    }

    /// Whether a dump of this database has the key of the manifest of its time.
    pub fn confuses_manifests_with(&self, database: &DatabaseName) -> bool {
        let moment = DateTime::UNIX_EPOCH;
        self.key(database, moment) == self.manifest_key(moment)
    }

    /// Whether globals have the key of the manifest of their time, or of a dump of this database.
    pub fn confuses_globals_with(&self, database: &DatabaseName) -> bool {
        let moment = DateTime::UNIX_EPOCH;
        [self.key(database, moment), self.manifest_key(moment)].contains(&self.globals_key(moment))
    }

    /// The time in a key of this database; `None` if the key is not one of its.
    pub fn taken_at(&self, database: &DatabaseName, key: &str) -> Option<DateTime<Utc>> {
        let time = key_time::read(self.in_place_of_time(database, key)?, &self.timestamp_format)?;
        let others = [self.manifest_key(time), self.globals_key(time)];
        (!others.iter().any(|other| other.as_str() == key)).then_some(time)
    }

    /// Whether a key is one of this database in all but its time, which the template's format does not read: it is passed
    /// over, though it may be the newest.
    pub fn has_unreadable_time(&self, database: &DatabaseName, key: &str) -> bool {
        let Some(text) = self.in_place_of_time(database, key) else { return false };
        text.bytes().filter(u8::is_ascii_digit).count() >= DIGITS_OF_A_TIME
            && key_time::read(text, &self.timestamp_format).is_none()
            && !self.is_of_another(text)
    }

    /// What stands in a key of this database where its time belongs.
    fn in_place_of_time<'a>(&self, database: &DatabaseName, key: &'a str) -> Option<&'a str> {
        let rest = key.strip_prefix(&self.prefix)?;
        let (before, after) = self.pattern.split_once(TIMESTAMP)?;
        let rest = rest.strip_prefix(&before.replace(DATABASE, database.as_str()))?;
        rest.strip_suffix(&after.replace(DATABASE, database.as_str()))
    }

    /// Whether this text, in the place of a time, is the rest of another database's name and a time, as in
    /// `events_2025_20260517T083111Z`.
    fn is_of_another(&self, text: &str) -> bool {
        let reads = |text: &str| key_time::read(text, &self.timestamp_format).is_some();
        let Some((before, after)) = self.pattern.split_once(TIMESTAMP) else { return false };
        let separator = before.split_once(DATABASE).map(|(_, between)| between);
        match (separator, after.split_once(DATABASE)) {
            (Some(separator), _) => text
                .char_indices()
                .any(|(at, _)| text[..at].ends_with(separator) && at > 0 && reads(&text[at..])),
            (None, Some((separator, _))) => text
                .char_indices()
                .any(|(at, _)| text[at..].starts_with(separator) && at > 0 && reads(&text[..at])),
            (None, None) => false,
        }
    }
}

/// The width of a time in this format, if all have the same and sort as time does: the largest unit first, none left
/// out, each with its zeros in front.
fn sorted_width(format: &str) -> Option<usize> {
    let mut width = 0;
    let mut next = 0;
    for item in StrftimeItems::new(format) {
        let (first, last, digits) = match item {
            Item::Literal(text) | Item::Space(text) => {
                width += text.len();
                continue;
            }
            Item::Numeric(Numeric::Year, Pad::Zero) => (0, 0, 4),
            Item::Numeric(Numeric::Month, Pad::Zero) => (1, 1, 2),
            Item::Numeric(Numeric::Day, Pad::Zero) => (2, 2, 2),
            Item::Numeric(Numeric::Ordinal, Pad::Zero) => (1, 2, 3),
            Item::Numeric(Numeric::Hour, Pad::Zero) => (3, 3, 2),
            Item::Numeric(Numeric::Minute, Pad::Zero) => (4, 4, 2),
            Item::Numeric(Numeric::Second, Pad::Zero) => (5, 5, 2),
            // Of ten digits from 2001 to 2286.
            Item::Numeric(Numeric::Timestamp, _) => (0, 5, 10),
            _ => return None,
        };
        if first != next {
            return None;
        }
        (next, width) = (last + 1, width + digits);
    }
    (next > 0).then_some(width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern() -> KeyPattern {
        KeyPattern::new("backups/nightly/", "{database}_{timestamp}.dump.age", "%Y%m%dT%H%M%SZ")
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let database: DatabaseName = "acp_audit".parse().unwrap();
        let taken = DateTime::from_timestamp(1_779_006_671, 0).unwrap();
        let key = pattern().key(&database, taken);
        assert_eq!(key.as_str(), "backups/nightly/acp_audit_20260517T083111Z.dump.age");
        assert_eq!(pattern().taken_at(&database, key.as_str()), Some(taken));
    }

    #[test]
    fn a_database_whose_name_begins_alike_is_not_taken_for_this_one() {
        let database: DatabaseName = "acp_identity".parse().unwrap();
        let key = "backups/nightly/acp_identity_graph_20260517T083111Z.dump.age";
        assert!(key.starts_with(&pattern().listing_prefix(&database)));
        assert_eq!(pattern().taken_at(&database, key), None);
    }

    #[test]
    fn formats_whose_order_is_that_of_time_are_known() {
        for format in ["%Y%m%dT%H%M%SZ", "%Y-%m-%d", "%F", "%FT%T", "%s", "%Y/%m/%d/%H%M", "%Y%j", "%Y"] {
            assert!(sorted_width(format).is_some(), "{format}");
        }
        for format in
            ["%d-%m-%Y", "%Y-%b-%d", "%y%m%d", "%Y%-m%d", "%Y%m%dT%M", "%Y%m%d%Y", "%c", "%Y%d", "x"]
        {
            assert_eq!(sorted_width(format), None, "{format}");
        }
    }

    proptest! {
        #[test]
        fn what_is_said_to_be_sorted_is(
            a in 1_000_000_000i64..9_999_999_999,
            b in 1_000_000_000i64..9_999_999_999,
            format in prop::sample::select(vec!["%Y%m%dT%H%M%SZ", "%F", "%FT%T", "%s", "%Y%j%H"]),
        ) {
            let text = |time| DateTime::from_timestamp(time, 0).unwrap().format(format).to_string();
            let (first, second) = (text(a.min(b)), text(a.max(b)));
            prop_assert!(first <= second);
            prop_assert_eq!(Some(first.len()), sorted_width(format));
        }

        #[test]
        fn any_database_is_read_back_from_its_key(
            name in "[a-z][a-z0-9_.$-]{0,20}",
            seconds in 1_000_000_000i64..9_999_999_999,
            pattern in prop::sample::select(vec![
                "{database}_{timestamp}.dump.age", "{database}/{timestamp}.age", "{timestamp}/{database}.age",
                "x{timestamp}-{database}", "a/{database}{timestamp}",
            ]),
        ) {
            let database: DatabaseName = name.parse().unwrap();
            let taken = DateTime::from_timestamp(seconds, 0).unwrap();
            let pattern = KeyPattern::new("backups", pattern, "%Y%m%dT%H%M%SZ");
            let key = pattern.key(&database, taken);
            prop_assert!(key.as_str().starts_with(&pattern.common_prefix()));
            prop_assert_eq!(pattern.read(key.as_str()), Some((database, taken)));
        }
    }

    #[test]
    fn other_objects_are_passed_over() {
        let database: DatabaseName = "acp_audit".parse().unwrap();
        for key in [
            "backups/nightly/acp_audit_20260517T083111Z.dump",
            "backups/nightly/acp_audit_20261317T083111Z.dump.age",
            "backups/nightly/acp_audit_2026517T083111Z.dump.age",
            "backups/nightly/acp_audit_20260517T083111Z.dump.age.part",
            "acp_audit_20260517T083111Z.dump.age",
        ] {
            assert_eq!(pattern().taken_at(&database, key), None, "{key}");
        }
    }

    #[test]
    fn a_key_of_another_offset_is_the_moment_that_it_names() {
        let database: DatabaseName = "shop".parse().unwrap();
        let pattern = KeyPattern::new("", "{database}_{timestamp}.age", "%Y%m%dT%H%M%S%z");
        let taken = |key: &str| pattern.taken_at(&database, key).map(|time| time.to_rfc3339());
        assert_eq!(taken("shop_20260329T005959+0000.age").unwrap(), "2026-03-29T00:59:59+00:00");
        assert_eq!(taken("shop_20260329T030000+0200.age").unwrap(), "2026-03-29T01:00:00+00:00");
        assert_eq!(taken("shop_20260328T193000-0530.age").unwrap(), "2026-03-29T01:00:00+00:00");
        assert!(!pattern.is_sorted(), "as text, keys of other offsets stand in another order");
        let key = pattern.key(&database, DateTime::from_timestamp(1_779_006_671, 0).unwrap());
        assert_eq!(key.as_str(), "shop_20260517T083111+0000.age");
    }

    #[test]
    fn a_key_that_is_right_in_all_but_its_time_is_known_and_no_other() {
        let database: DatabaseName = "acp_identity".parse().unwrap();
        let unreadable = |key: &str| {
            let key = format!("backups/nightly/acp_identity_{key}");
            pattern().has_unreadable_time(&database, &key)
        };
        for key in [
            "20260517T083111+0200.dump.age",
            "2026-05-17.dump.age",
            "20260230T000000Z.dump.age",
            "260517.dump.age",
        ] {
            assert!(unreadable(key), "{key}");
        }
        for key in [
            "20260517T083111Z.dump.age",
            "graph_20260517T083111Z.dump.age",
            "2025_20260517T083111Z.dump.age",
            "latest.dump.age",
            "20260517T083111+0200.dump",
        ] {
            assert!(!unreadable(key), "{key}");
        }
        let time_first = KeyPattern::new("", "{timestamp}-{database}.age", "%Y%m%d");
        let shop: DatabaseName = "shop".parse().unwrap();
        assert!(time_first.has_unreadable_time(&shop, "2026-05-17-shop.age"));
        assert!(!time_first.has_unreadable_time(&shop, "20260517-old-shop.age"), "it is of old-shop");
    }

    #[test]
    fn a_manifest_lies_beside_the_dumps_and_is_not_taken_for_one() {
        let taken = DateTime::from_timestamp(1_779_006_671, 0).unwrap();
        let key = pattern().manifest_key(taken);
        assert_eq!(key.as_str(), "backups/nightly/manifest_20260517T083111Z.json.age");
        for name in ["manifest", "manifest_", "acp_audit"] {
            let database: DatabaseName = name.parse().unwrap();
            assert_eq!(pattern().taken_at(&database, key.as_str()), None, "{name}");
            assert!(!pattern().confuses_manifests_with(&database), "{name}");
        }
        let alike = KeyPattern::new("", "{database}_{timestamp}.json.age", "%Y%m%dT%H%M%SZ");
        let manifest: DatabaseName = "manifest".parse().unwrap();
        assert!(alike.confuses_manifests_with(&manifest));
        assert!(!alike.confuses_manifests_with(&"shop".parse().unwrap()));
        assert_eq!(alike.taken_at(&manifest, alike.manifest_key(taken).as_str()), None);
        assert_eq!(alike.read(alike.manifest_key(taken).as_str()), None, "nor for one that nobody has named");
    }

    #[test]
    fn globals_lie_beside_the_dumps_and_are_not_taken_for_one() {
        let taken = DateTime::from_timestamp(1_779_006_671, 0).unwrap();
        let key = pattern().globals_key(taken);
        assert_eq!(key.as_str(), "backups/nightly/globals_20260517T083111Z.sql.age");
        assert!(key.as_str().starts_with(&pattern().globals_prefix()));
        assert_eq!(pattern().globals_taken_at(key.as_str()), Some(taken));
        assert_eq!(pattern().globals_taken_at(pattern().manifest_key(taken).as_str()), None);
        let globals: DatabaseName = "globals".parse().unwrap();
        assert!(!pattern().confuses_globals_with(&globals));
        let alike = KeyPattern::new("", "{database}_{timestamp}.sql.age", "%Y%m%dT%H%M%SZ");
        assert!(alike.confuses_globals_with(&globals));
        assert!(!alike.confuses_globals_with(&"shop".parse().unwrap()));
        assert_eq!(alike.taken_at(&globals, alike.globals_key(taken).as_str()), None);
        assert_eq!(alike.read(alike.globals_key(taken).as_str()), None, "nor for one that nobody has named");
        let own = pattern().with_globals("roles/{timestamp}.age");
        assert_eq!(own.globals_key(taken).as_str(), "backups/nightly/roles/20260517T083111Z.age");
        assert!(own.with_globals("manifest_{timestamp}.json.age").confuses_globals_with(&globals));
    }

    #[test]
    fn a_store_without_prefix_has_keys_without_slash() {
        let pattern = KeyPattern::new("", "{database}/{timestamp}.age", "%Y-%m-%d");
        let database: DatabaseName = "a".parse().unwrap();
        assert_eq!(pattern.listing_prefix(&database), "a/");
        let day = DateTime::from_timestamp(1_778_976_000, 0).unwrap();
        assert_eq!(pattern.taken_at(&database, "a/2026-05-17.age"), Some(day), "a day is enough");
    }
}
