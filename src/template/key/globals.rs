//! Keys of globals: each server of a template has a pattern of its own, since its roles are of a source of its own.

use chrono::{DateTime, Utc};

use super::form::KeyForm;
use super::{KeyPattern, SEALS, USUAL_LAYER, parsed};
use crate::model::names::{DatabaseName, ObjectKey, ServerName};

/// How the keys of globals are made for a server that `store.globals` is not about.
pub fn default_pattern(server: &ServerName) -> String {
    format!("globals_{server}_{{timestamp}}.sql.age")
}

impl KeyPattern {
    /// With another pattern of the keys of this server's globals.
    #[must_use]
    pub fn with_globals(mut self, server: ServerName, pattern: &str) -> Self {
        self.globals.insert(server, parsed(pattern, &self.timestamp_format));
        self
    }

    fn globals_form(&self, server: &ServerName) -> KeyForm {
        let by_default = || parsed(&default_pattern(server), &self.timestamp_format);
        self.globals.get(server).cloned().unwrap_or_else(by_default)
    }

    /// The key of the globals that are restored to this server, written by a backup taken at this time.
    pub fn globals_key(&self, server: &ServerName, taken_at: DateTime<Utc>) -> ObjectKey {
        self.globals_key_in_layer(server, taken_at, USUAL_LAYER)
    }

    /// As [`KeyPattern::globals_key`]; of alternatives such as `{age,gpg}` the one with the name of this layer is taken, or the
    /// first.
    pub fn globals_key_in_layer(
        &self,
        server: &ServerName,
        taken_at: DateTime<Utc>,
        layer: &str,
    ) -> ObjectKey {
        let form = self.globals_form(server);
        ObjectKey::new(format!("{}{}", self.prefix, form.fill(&nobody(), taken_at, layer)))
    }

    /// Whether this is the key of the globals of this server and time, whatever they are sealed with.
    pub fn is_key_of_globals(&self, server: &ServerName, taken_at: DateTime<Utc>, key: &ObjectKey) -> bool {
        SEALS.iter().any(|layer| self.globals_key_in_layer(server, taken_at, layer) == *key)
    }

    /// Whether this is the key of any server's globals.
    pub(super) fn is_globals(&self, key: &str) -> bool {
        self.globals.keys().any(|server| self.globals_taken_at(server, key).is_some())
    }

    /// What the keys of all globals of this server begin with.
    pub fn globals_prefix(&self, server: &ServerName) -> String {
        format!("{}{}", self.prefix, self.globals_form(server).beginning(""))
    }

    /// Whether the order of the keys of this server's globals is that of time, so that a listing can begin anywhere.
    pub fn globals_are_sorted(&self, server: &ServerName) -> bool {
        self.globals_form(server).sorted_width().is_some()
    }

    /// Keys of earlier globals of this server come before this text, all others after it, if keys are sorted.
    pub fn globals_boundary(&self, server: &ServerName, time: DateTime<Utc>) -> String {
        format!("{}{}", self.globals_prefix(server), self.globals_form(server).written(time))
    }

    /// The time in a key of this server's globals; `None` if the key is none of theirs.
    pub fn globals_taken_at(&self, server: &ServerName, key: &str) -> Option<DateTime<Utc>> {
        let form = self.globals_form(server);
        let places = form.places(key.strip_prefix(&self.prefix)?, Some(""))?;
        form.read_time(places.time)
    }

    /// Whether globals of this server have the key of the manifest of their time, or of a dump of this database.
    pub fn confuses_globals_with(&self, server: &ServerName, database: &DatabaseName) -> bool {
        let moment = DateTime::UNIX_EPOCH;
        let globals = self.globals_key(server, moment);
        let below = globals.as_str().strip_prefix(&self.prefix).unwrap_or_default();
        self.manifest_key(moment) == globals || self.form(database).is_key_of(database, below)
    }

    /// The key of an object that the backup put beside a dump: a store may have been copied to another prefix since.
    pub fn beside(
        &self,
        database: &DatabaseName,
        taken_at: DateTime<Utc>,
        dump_was: &ObjectKey,
        object_was: &ObjectKey,
    ) -> ObjectKey {
        let prefix_was = SEALS.iter().find_map(|layer| {
            let dump = self.key_in_layer(database, taken_at, layer);
            dump_was.as_str().strip_suffix(dump.as_str().strip_prefix(&self.prefix)?)
        });
        match prefix_was.and_then(|prefix| object_was.as_str().strip_prefix(prefix)) {
            Some(rest) => ObjectKey::new(format!("{}{rest}", self.prefix)),
            None => object_was.clone(),
        }
    }
}

/// Keys of globals name no database.
fn nobody() -> DatabaseName {
    "globals".parse().expect("it is the name of a database")
}
