//! Object keys: `<prefix>/<database>_<timestamp>.dump.age`, read and written.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use crate::names::{DatabaseName, ObjectKey};

const DATABASE: &str = "{database}";
const TIMESTAMP: &str = "{timestamp}";

/// How keys are made, below a prefix of the store.
#[derive(Debug, Clone)]
pub struct KeyPattern {
    prefix: String,
    pattern: String,
    timestamp_format: String,
}

impl KeyPattern {
    /// A pattern below `prefix` (with or without a slash at its end; empty for the bucket itself).
    pub fn new(prefix: &str, pattern: &str, timestamp_format: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { prefix, pattern: pattern.to_owned(), timestamp_format: timestamp_format.to_owned() }
    }

    /// The longest prefix that all keys of this database share.
    pub fn listing_prefix(&self, database: &DatabaseName) -> String {
        let end = self.pattern.find(TIMESTAMP).unwrap_or(self.pattern.len());
        format!("{}{}", self.prefix, self.pattern[..end].replace(DATABASE, database.as_str()))
    }

    /// The key of a dump of this database taken at this time.
    pub fn key(&self, database: &DatabaseName, taken_at: DateTime<Utc>) -> ObjectKey {
        let timestamp = taken_at.format(&self.timestamp_format).to_string();
        let name = self.pattern.replace(TIMESTAMP, &timestamp).replace(DATABASE, database.as_str());
        ObjectKey::new(format!("{}{name}", self.prefix))
    }

    /// The time in a key of this database; `None` if the key is not one of its.
    pub fn taken_at(&self, database: &DatabaseName, key: &str) -> Option<DateTime<Utc>> {
        let rest = key.strip_prefix(&self.prefix)?;
        let (before, after) = self.pattern.split_once(TIMESTAMP)?;
        let rest = rest.strip_prefix(&before.replace(DATABASE, database.as_str()))?;
        let timestamp = rest.strip_suffix(&after.replace(DATABASE, database.as_str()))?;
        let time = parse_timestamp(timestamp, &self.timestamp_format)?;
        // chrono reads some texts that it would not write, such as a one-digit month.
        (time.format(&self.timestamp_format).to_string() == timestamp).then_some(time)
    }
}

/// Reads a time as it was written; a format without a time of day means the day's beginning.
pub(crate) fn parse_timestamp(text: &str, format: &str) -> Option<DateTime<Utc>> {
    let moment = NaiveDateTime::parse_from_str(text, format);
    let day = || NaiveDate::parse_from_str(text, format).ok()?.and_hms_opt(0, 0, 0);
    moment.ok().or_else(day).map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
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
    fn a_store_without_prefix_has_keys_without_slash() {
        let pattern = KeyPattern::new("", "{database}/{timestamp}.age", "%Y-%m-%d");
        let database: DatabaseName = "a".parse().unwrap();
        assert_eq!(pattern.listing_prefix(&database), "a/");
        let day = DateTime::from_timestamp(1_778_976_000, 0).unwrap();
        assert_eq!(pattern.taken_at(&database, "a/2026-05-17.age"), Some(day), "a day is enough");
    }
}
