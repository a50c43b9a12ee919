//! Keys of globals: each server of a template has a pattern of its own, since its roles are of a source of its own.

use chrono::{DateTime, Utc};

use super::super::key_time;
use super::{KeyPattern, TIMESTAMP};
use crate::model::names::{DatabaseName, ObjectKey, ServerName};

/// How the keys of globals are made for a server that `store.globals` is not about.
pub fn default_pattern(server: &ServerName) -> String {
    format!("globals_{server}_{TIMESTAMP}.sql.age")
}

impl KeyPattern {
    /// With another pattern of the keys of this server's globals.
    #[must_use]
    pub fn with_globals(mut self, server: ServerName, pattern: &str) -> Self {
        self.globals.insert(server, pattern.to_owned());
        self
    }

    fn globals_pattern(&self, server: &ServerName) -> String {
        self.globals.get(server).cloned().unwrap_or_else(|| default_pattern(server))
    }

    fn filled_in(&self, pattern: &str, taken_at: DateTime<Utc>) -> ObjectKey {
        let timestamp = taken_at.format(&self.timestamp_format).to_string();
        ObjectKey::new(format!("{}{}", self.prefix, pattern.replace(TIMESTAMP, &timestamp)))
    }

    /// The key of the globals that are restored to this server, written by a backup taken at this time.
    pub fn globals_key(&self, server: &ServerName, taken_at: DateTime<Utc>) -> ObjectKey {
        self.filled_in(&self.globals_pattern(server), taken_at)
    }

    /// The keys of the globals of this time, of all servers.
    pub(super) fn all_globals_keys(&self, taken_at: DateTime<Utc>) -> impl Iterator<Item = ObjectKey> {
        self.globals.values().map(move |pattern| self.filled_in(pattern, taken_at))
    }

    /// What the keys of all globals of this server begin with.
    pub fn globals_prefix(&self, server: &ServerName) -> String {
        let pattern = self.globals_pattern(server);
        let end = pattern.find(TIMESTAMP).unwrap_or(pattern.len());
        format!("{}{}", self.prefix, &pattern[..end])
    }

    /// Keys of earlier globals of this server come before this text, all others after it, if keys are sorted.
    pub fn globals_boundary(&self, server: &ServerName, time: DateTime<Utc>) -> String {
        format!("{}{}", self.globals_prefix(server), time.format(&self.timestamp_format))
    }

    /// The time in a key of this server's globals; `None` if the key is none of theirs.
    pub fn globals_taken_at(&self, server: &ServerName, key: &str) -> Option<DateTime<Utc>> {
        let pattern = self.globals_pattern(server);
        let (before, after) = pattern.split_once(TIMESTAMP)?;
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix(before)?.strip_suffix(after)?;
        key_time::read(rest, &self.timestamp_format)
    }

    /// Whether globals of this server have the key of the manifest of their time, or of a dump of this database.
    pub fn confuses_globals_with(&self, server: &ServerName, database: &DatabaseName) -> bool {
        let moment = DateTime::UNIX_EPOCH;
        [self.key(database, moment), self.manifest_key(moment)].contains(&self.globals_key(server, moment))
    }

    /// The key of an object that the backup put beside a dump: a store may have been copied to another prefix since.
    pub fn beside(
        &self,
        database: &DatabaseName,
        taken_at: DateTime<Utc>,
        dump_was: &ObjectKey,
        object_was: &ObjectKey,
    ) -> ObjectKey {
        let dump = self.key(database, taken_at);
        let below = dump.as_str().strip_prefix(&self.prefix).unwrap_or_default();
        let prefix_was = dump_was.as_str().strip_suffix(below);
        match prefix_was.and_then(|prefix| object_was.as_str().strip_prefix(prefix)) {
            Some(rest) => ObjectKey::new(format!("{}{rest}", self.prefix)),
            None => object_was.clone(),
        }
    }
}
