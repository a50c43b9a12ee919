//! Object keys: `<prefix>/<database>_<timestamp>.dump.age`, read and written.

use std::collections::BTreeMap;

use chrono::format::{Item, Numeric, Pad, StrftimeItems};
use chrono::{DateTime, Utc};

use super::key_time;
use super::schema::Template;
use super::store_url::StoreUrl;
use crate::model::failure::Result;
use crate::model::names::{DatabaseName, ObjectKey, ServerName};

mod globals;

pub(super) use globals::default_pattern as default_globals_pattern;

const DATABASE: &str = "{database}";
const TIMESTAMP: &str = "{timestamp}";
/// Text with at least so many digits was meant as a time: of a year, a month and a day, or more.
const DIGITS_OF_A_TIME: usize = 6;

/// How keys are made, below a prefix of the store.
#[derive(Debug, Clone)]
pub struct KeyPattern {
    prefix: String,
    pattern: String,
    /// How the keys of globals are made, by the server that they are restored to.
    globals: BTreeMap<ServerName, String>,
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
        let globals = self.globals_patterns.iter();
        Ok(globals.fold(pattern, |pattern, (server, globals)| pattern.with_globals(server.clone(), globals)))
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
            globals: BTreeMap::from([(ServerName::default(), super::defaults::globals())]),
            timestamp_format: timestamp_format.to_owned(),
            sorted_width: sorted_width(timestamp_format),
        }
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

    /// Whether a dump of this database has the key of the manifest of its time.
    pub fn confuses_manifests_with(&self, database: &DatabaseName) -> bool {
        let moment = DateTime::UNIX_EPOCH;
        self.key(database, moment) == self.manifest_key(moment)
    }

    /// The time in a key of this database; `None` if the key is not one of its.
    pub fn taken_at(&self, database: &DatabaseName, key: &str) -> Option<DateTime<Utc>> {
        let time = key_time::read(self.in_place_of_time(database, key)?, &self.timestamp_format)?;
        let mut others = self.all_globals_keys(time).chain([self.manifest_key(time)]);
        (!others.any(|other| other.as_str() == key)).then_some(time)
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
mod tests;
