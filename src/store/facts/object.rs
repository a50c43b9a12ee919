//! How an object is kept.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::directory::FileFacts;

/// How an object is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ObjectFacts {
    /// Its storage class; `STANDARD` where the store names none.
    pub storage_class: String,
    /// The archive tier an intelligent storage class has moved it to.
    pub archive_status: Option<String>,
    /// How far a restore from an archive is.
    pub archive_restore: ArchiveRestore,
    /// Its lock. Seen only with the permission `s3:GetObjectRetention`.
    pub lock: Option<ObjectLock>,
    /// Whether it is under a legal hold. Seen only with the permission `s3:GetObjectLegalHold`.
    pub legal_hold: Option<bool>,
    /// The store's own encryption: `AES256`, `aws:kms`, …
    pub server_side_encryption: Option<String>,
    /// Its version.
    pub version_id: Option<String>,
    /// How it is kept as a file, if the store is a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileFacts>,
}

/// Storage classes whose objects cannot be read until they are restored.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

impl ObjectFacts {
    /// The facts that a listing holds, where nothing else is known.
    pub fn of_class(storage_class: &str) -> Self {
        Self { storage_class: storage_class.to_owned(), ..Self::default() }
    }

    /// Whether a storage class keeps objects where they cannot be read.
    pub fn is_archive(storage_class: &str) -> bool {
        ARCHIVES.contains(&storage_class)
    }

    /// Whether a restore moves it back for good, and takes no number of days: objects of `INTELLIGENT_TIERING`.
    pub fn is_tiered(&self) -> bool {
        self.archive_status.is_some() || self.storage_class == "INTELLIGENT_TIERING"
    }

    /// Whether it can be read at this moment.
    pub fn readable(&self, now: DateTime<Utc>) -> bool {
        match self.archive_restore {
            ArchiveRestore::ReadableUntil(end) => end.is_none_or(|end| end > now),
            ArchiveRestore::UnderWay => false,
            ArchiveRestore::None => {
                !Self::is_archive(&self.storage_class)
                    && !self
                        .archive_status
                        .as_deref()
                        .is_some_and(|status| status.ends_with("ARCHIVE_ACCESS"))
            }
        }
    }
}

/// How far a restore from an archive is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveRestore {
    /// None was asked for, or none is needed.
    #[default]
    None,
    /// It was asked for, and is under way.
    UnderWay,
    /// A readable copy is there, until this time.
    ReadableUntil(Option<DateTime<Utc>>),
}

impl ArchiveRestore {
    /// Reads the header `x-amz-restore`: `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`.
    pub fn parse(header: Option<&str>) -> Self {
        let Some(header) = header else { return Self::None };
        let field = |name: &str| {
            let (_, rest) = header.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value)
        };
        match field("ongoing-request") {
            Some("true") => Self::UnderWay,
            Some("false") => {
                let end = field("expiry-date").and_then(|date| DateTime::parse_from_rfc2822(date).ok());
                Self::ReadableUntil(end.map(|end| end.to_utc()))
            }
            _ => Self::None,
        }
    }
}

/// A lock that keeps an object from being deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ObjectLock {
    /// `COMPLIANCE` or `GOVERNANCE`.
    pub mode: String,
    /// Until when.
    pub retain_until: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-05-17T08:31:11Z".parse().unwrap()
    }

    #[test]
    fn only_archives_cannot_be_read() {
        for class in ["STANDARD", "STANDARD_IA", "GLACIER_IR", "INTELLIGENT_TIERING", "SNOW"] {
            assert!(ObjectFacts::of_class(class).readable(now()), "{class}");
        }
        for class in ["GLACIER", "DEEP_ARCHIVE"] {
            assert!(!ObjectFacts::of_class(class).readable(now()), "{class}");
        }
        let mut tiered = ObjectFacts::of_class("INTELLIGENT_TIERING");
        for status in ["ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"] {
            tiered.archive_status = Some(status.to_owned());
            assert!(!tiered.readable(now()), "{status}");
        }
    }

    #[test]
    fn a_restored_copy_is_readable_until_it_expires() {
        let mut facts = ObjectFacts::of_class("GLACIER");
        facts.archive_restore = ArchiveRestore::parse(Some("ongoing-request=\"true\""));
        assert_eq!(facts.archive_restore, ArchiveRestore::UnderWay);
        assert!(!facts.readable(now()));
        let header = "ongoing-request=\"false\", expiry-date=\"Fri, 22 May 2026 00:00:00 GMT\"";
        facts.archive_restore = ArchiveRestore::parse(Some(header));
        assert!(facts.readable(now()));
        assert!(!facts.readable(now() + chrono::TimeDelta::days(6)));
        assert_eq!(ArchiveRestore::parse(Some("nonsense")), ArchiveRestore::None);
        assert_eq!(ArchiveRestore::parse(None), ArchiveRestore::None);
    }
}
