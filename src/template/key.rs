//! Object keys: `<prefix>/<database>_<timestamp>.dump.age`, read and written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::schema::Template;
use super::store_url::StoreUrl;
use crate::model::failure::Result;
use crate::model::names::{DatabaseName, ObjectKey, ServerName};
use form::KeyForm;

mod form;
mod globals;
mod validate;

pub(super) use globals::default_pattern as default_globals_pattern;
pub(super) use validate::validate;

/// Text with at least so many digits was meant as a time: of a year, a month and a day, or more.
const DIGITS_OF_A_TIME: usize = 6;
/// The layer whose name alternatives of a pattern are filled in with, where none is asked for.
const USUAL_LAYER: &str = "age";
/// The layers that a backup may be sealed with.
const SEALS: [&str; 2] = [USUAL_LAYER, "gpg"];

/// How keys are made, below a prefix of the store.
#[derive(Debug, Clone)]
pub struct KeyPattern {
    prefix: String,
    /// How those of databases without a pattern of their own are made.
    common: KeyForm,
    /// Those of the others.
    own: BTreeMap<DatabaseName, KeyForm>,
    /// How the keys of globals are made, by the server that they are restored to.
    globals: BTreeMap<ServerName, KeyForm>,
    timestamp_format: String,
}

impl Template {
    /// How the keys of its recovery points are made.
    ///
    /// # Errors
    /// `store_url_invalid`, a configuration error.
    pub fn key_pattern(&self) -> Result<KeyPattern> {
        let url = StoreUrl::parse(&self.store.url)?;
        Ok(self.key_pattern_below(&url.prefix))
    }

    /// As [`Template::key_pattern`], below this prefix.
    fn key_pattern_below(&self, prefix: &str) -> KeyPattern {
        let mut pattern = KeyPattern::new(prefix, &self.store.key, &self.store.timestamp);
        for (server, globals) in &self.globals_patterns {
            pattern = pattern.with_globals(server.clone(), globals);
        }
        for database in self.whole_file() {
            let timestamp = database.timestamp.as_ref().unwrap_or(&self.store.timestamp);
            if database.key.is_some() || database.timestamp.is_some() {
                let key = database.key.as_ref().unwrap_or(&self.store.key);
                pattern.own.insert(database.name.clone(), parsed(key, timestamp));
            }
        }
        pattern
    }
}

/// A pattern of a template, which was validated when that was loaded.
fn parsed(pattern: &str, timestamp_format: &str) -> KeyForm {
    KeyForm::parse(pattern, timestamp_format).expect("patterns of a template are validated when it is loaded")
}

impl KeyPattern {
    /// A pattern below `prefix` (with or without a slash at its end; empty for the bucket itself).
    pub fn new(prefix: &str, pattern: &str, timestamp_format: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self {
            prefix,
            common: parsed(pattern, timestamp_format),
            own: BTreeMap::new(),
            globals: BTreeMap::from([(
                ServerName::default(),
                parsed(&super::defaults::globals(), timestamp_format),
            )]),
            timestamp_format: timestamp_format.to_owned(),
        }
    }

    fn form(&self, database: &DatabaseName) -> &KeyForm {
        self.own.get(database).unwrap_or(&self.common)
    }

    /// The longest prefix that all keys of this database share.
    pub fn listing_prefix(&self, database: &DatabaseName) -> String {
        format!("{}{}", self.prefix, self.form(database).beginning(database.as_str()))
    }

    /// Whether the order of this database's keys is that of time, so that a listing can begin anywhere.
    pub fn is_sorted(&self, database: &DatabaseName) -> bool {
        self.form(database).sorted_width().is_some()
    }

    /// Whether the keys of databases that have no pattern of their own are sorted, so that their names can be read from the keys.
    pub fn names_are_sorted(&self) -> bool {
        self.common.sorted_width().is_some() && self.common.names_databases()
    }

    /// Whether any of these databases has keys of the common pattern.
    pub fn is_used_by<'a>(&self, databases: impl IntoIterator<Item = &'a DatabaseName>) -> bool {
        databases.into_iter().any(|database| !self.own.contains_key(database))
    }

    /// What every key begins with, whatever its database and time.
    pub fn common_prefix(&self) -> String {
        format!("{}{}", self.prefix, self.common.common_beginning())
    }

    /// Whether a key goes into a folder behind its beginning.
    pub fn has_folders(&self) -> bool {
        self.common.has_folders()
    }

    /// What stands between the database's name and the time, if they stand in this order.
    pub fn separator(&self) -> Option<&str> {
        self.common.separator()
    }

    /// Keys of this database of earlier times come before this text, all others after it, if keys are sorted.
    pub fn boundary(&self, database: &DatabaseName, time: DateTime<Utc>) -> String {
        format!("{}{}", self.listing_prefix(database), self.form(database).written(time))
    }

    /// The database and the time in a key of any database without a pattern of its own, if keys are sorted.
    pub fn read(&self, key: &str) -> Option<(DatabaseName, DateTime<Utc>)> {
        self.common.sorted_width()?;
        let database: DatabaseName =
            self.common.places(key.strip_prefix(&self.prefix)?, None)?.database.parse().ok()?;
        let taken_at = self.taken_at(&database, key)?;
        Some((database, taken_at))
    }

    /// The key of a dump of this database taken at this time. What the pattern leaves open stands in it as `*`.
    pub fn key(&self, database: &DatabaseName, taken_at: DateTime<Utc>) -> ObjectKey {
        self.key_in_layer(database, taken_at, USUAL_LAYER)
    }

    /// As [`KeyPattern::key`]; of alternatives such as `{age,gpg}` the one with the name of this layer is taken, or the first.
    pub fn key_in_layer(&self, database: &DatabaseName, taken_at: DateTime<Utc>, layer: &str) -> ObjectKey {
        ObjectKey::new(format!("{}{}", self.prefix, self.form(database).fill(database, taken_at, layer)))
    }

    /// The key of the manifest of a backup taken at this time: beside the dumps, whatever the pattern of their keys.
    pub fn manifest_key(&self, taken_at: DateTime<Utc>) -> ObjectKey {
        self.manifest_key_in_layer(taken_at, USUAL_LAYER)
    }

    /// As [`KeyPattern::manifest_key`], for a manifest that is sealed with this layer.
    pub fn manifest_key_in_layer(&self, taken_at: DateTime<Utc>, layer: &str) -> ObjectKey {
        let timestamp = taken_at.format(&self.timestamp_format);
        ObjectKey::new(format!("{}manifest_{timestamp}.json.{layer}", self.prefix))
    }

    /// Whether a dump of this database has the key of the manifest of its time.
    pub fn confuses_manifests_with(&self, database: &DatabaseName) -> bool {
        SEALS.iter().any(|layer| {
            let manifest = self.manifest_key_in_layer(DateTime::UNIX_EPOCH, layer);
            let below = manifest.as_str().strip_prefix(&self.prefix).unwrap_or_default();
            self.form(database).is_key_of(database, below)
        })
    }

    /// The time in a key of this database; `None` if the key is not one of its.
    pub fn taken_at(&self, database: &DatabaseName, key: &str) -> Option<DateTime<Utc>> {
        let form = self.form(database);
        let places = form.places(key.strip_prefix(&self.prefix)?, Some(database.as_str()))?;
        let time = form.read_time(places.time)?;
        (!self.is_kept_beside_dumps(key, time)).then_some(time)
    }

    /// When the recovery point of this database under this key was taken: the time in the key, or where the pattern has none,
    /// that of its last change. `None` if the key is not one of its.
    pub fn time_of(
        &self,
        database: &DatabaseName,
        key: &str,
        last_modified: Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        let form = self.form(database);
        if form.names_times() {
            return self.taken_at(database, key);
        }
        form.places(key.strip_prefix(&self.prefix)?, Some(database.as_str()))?;
        last_modified
    }

    /// Whether it is the key of the manifest of this time, or of globals.
    fn is_kept_beside_dumps(&self, key: &str, time: DateTime<Utc>) -> bool {
        self.is_globals(key)
            || SEALS.iter().any(|layer| self.manifest_key_in_layer(time, layer).as_str() == key)
    }

    /// Whether a key is one of this database in all but its time, which the template's format does not read: it is passed
    /// over, though it may be the newest.
    pub fn has_unreadable_time(&self, database: &DatabaseName, key: &str) -> bool {
        let form = self.form(database);
        let Some(rest) = key.strip_prefix(&self.prefix) else { return false };
        let Some(places) = form.places(rest, Some(database.as_str())) else { return false };
        let text = places.time;
        text.bytes().filter(u8::is_ascii_digit).count() >= DIGITS_OF_A_TIME
            && form.read_time(text).is_none()
            && !is_of_another(form, text)
    }
}

/// Whether this text, in the place of a time, is the rest of another database's name and a time, as in
/// `events_2025_20260517T083111Z`.
fn is_of_another(form: &KeyForm, text: &str) -> bool {
    let reads = |text: &str| form.read_time(text).is_some();
    let mut places = text.char_indices().map(|(at, _)| at).filter(|at| *at > 0);
    if let Some(separator) = form.separator() {
        return places.any(|at| text[..at].ends_with(separator) && reads(&text[at..]));
    }
    let behind = form.separator_behind_time();
    behind.is_some_and(|separator| places.any(|at| text[at..].starts_with(separator) && reads(&text[..at])))
}

#[cfg(test)]
mod tests;
