//! `history`: the backups' own log agrees with the files that are there, and with those that are not.

mod fold;
mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use self::fold::{Existing, HistoryFold, JudgedTier, Rules};
use super::key_glob::KeyGlob;
use super::reading::{
    BATCH, KEY, PARALLEL, Place, SmallFile, checksum_line, each_line, file_name, refused, settling,
    sha256_of, small, validate_beside,
};
use crate::check::context::{Context, Tools};
use crate::check::entry::{Check, Entry, keys, read};
use crate::check::findings::{Findings, Outcome, Verified};
use crate::clock::Clock;
use crate::model::codes;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Severity, finding};
use crate::store::{ObjectMeta, Store};
use crate::template::Template;

findings! {
    HISTORY_MISSING = "history_missing", "error":
        "There is no log under the key in `log`.",
        "Check `log`, and whether the log is kept where backups are. Without it nothing shows what was removed.",
        "logs/backup_audit.jsonl: there is no such object";
    HISTORY_LINE_UNREADABLE = "history_line_unreadable", "warning":
        "Lines of the log cannot be read: no JSON object, longer than 1 MiB, or an event without the name of its file.",
        "Look at these lines. What they were about is not known.",
        "logs/backup_audit.jsonl: 2 lines cannot be read: 17, 18";
    NEVER_LOGGED = "never_logged", "error, or warning within ten minutes after the file was written":
        "A file is there that the log does not have as created.",
        "Find out what wrote it. A file that the backup job did not write is no backup.",
        "active/daily/2026-05-17.sql.gz: the log has no event that created it";
    LOGGED_CHECKSUM_DIFFERS = "logged_checksum_differs", "error":
        "The log has another SHA-256 of a file than its content, or than the file beside it says.",
        "Treat the file as changed until it is explained. A copy of it elsewhere shows which is right.",
        "active/daily/2026-05-17.sql.gz: the log has 1f…, and its content is 2e…";
    VANISHED = "vanished", "error":
        "A file that was created is not there, and the log does not say that it was removed.",
        "Find out what removed it: the job that logs did not.",
        "active/daily/2026-05-16.sql.gz: created at 2026-05-16 00:00:09Z (line 81), not there, and never removed by the log";
    REMOVED_EARLY = "removed_early", "error":
        "A file was removed before the time that `keep_for` of its tier names.",
        "Check the configuration of the retention job, and who can run it.",
        "active/daily/2026-05-16.sql.gz: removed at 2026-05-17 00:00:00Z (line 97), 1d after it was made";
    REMOVED_AND_THERE = "removed_and_there", "warning":
        "A file is there that was removed, by the log.",
        "Check whether the retention job can remove what it says it removes.",
        "active/daily/2026-05-10.sql.gz: removed at 2026-05-17 00:00:00Z (line 97), and there";
    FAILED_SINCE = "failed_since", "error":
        "A backup failed, and none of its type has been created since.",
        "Read the log: its line has the reason, which is not shown here, since it may hold a password.",
        "daily: a backup failed at 2026-05-17 00:00:04Z (line 99), and none was created since";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "history",
    read: read::<History>,
    keys: keys::<History>,
    skipped: "the backups' own log was not compared with the files",
    findings: FINDINGS,
};

/// How often a log is read again that is written to meanwhile.
const ATTEMPTS: usize = 3;

/// A log of backups, against the files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The check's name.
    pub name: String,
    /// The key of the log.
    pub log: String,
    /// The files.
    pub tiers: Vec<Tier>,
    /// What the log calls things.
    #[serde(default)]
    pub fields: Fields,
    /// The file beside each one that has its SHA-256.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Whether every file is read, to compare its content.
    #[serde(default)]
    pub hash_all: bool,
    /// Databases whose recovery points are compared by their content, which the drill has read.
    #[serde(default)]
    pub databases: Vec<DatabaseName>,
    /// How much earlier than `keep_for` a file may be removed.
    #[serde(with = "humantime_serde", default = "five_minutes")]
    pub slack: Duration,
    #[serde(skip)]
    place: Place,
}

/// Files of one type.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Its type in the log.
    pub name: String,
    /// The pattern of its keys.
    pub key: String,
    /// How their times are written.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// How long its files are kept.
    #[serde(with = "humantime_serde", default)]
    pub keep_for: Option<Duration>,
}

/// What the log calls things. Of several fields the first that is there counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// The field that says what happened.
    pub event: String,
    /// Its value where a file was created.
    pub created: String,
    /// Its value where a backup failed.
    pub failed: String,
    /// Its value where a file was removed.
    pub removed: String,
    /// The field that says when.
    pub timestamp: Vec<String>,
    /// The field with the file's name.
    pub file: Vec<String>,
    /// The field with its SHA-256.
    pub sha256: Vec<String>,
    /// The field with its type.
    #[serde(rename = "type")]
    pub kind: Vec<String>,
}

impl Default for Fields {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            event: "event".to_owned(),
            created: "backup_created".to_owned(),
            failed: "backup_failed".to_owned(),
            removed: "backup_removed".to_owned(),
            timestamp: names(&["timestamp"]),
            file: names(&["manifest.filename", "filename"]),
            sha256: names(&["manifest.sha256", "sha256"]),
            kind: names(&["manifest.type", "backup_type", "type"]),
        }
    }
}

fn five_minutes() -> Duration {
    Duration::from_secs(300)
}

#[async_trait]
impl Check for History {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.databases.iter().collect()
    }

    fn works_on(&self, _: DatabaseSystem) -> bool {
        true
    }

    fn looks_at_store(&self) -> bool {
        true
    }

    fn complete(&mut self, template: &Template) {
        self.place = Place::of(template);
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        let bad = |why| format!("check {}: {why}", self.name);
        self.tiers().map_err(bad)?;
        self.sha256.iter().try_for_each(|pattern| validate_beside(pattern)).map_err(bad)?;
        let names: BTreeSet<&str> = self.tiers.iter().map(|tier| &*tier.name).collect();
        if names.is_empty() || names.len() < self.tiers.len() {
            return Err(bad("it needs tiers, each with a name of its own".to_owned()));
        }
        if self.log.is_empty() {
            return Err(bad("log is empty".to_owned()));
        }
        Ok(())
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.databases.retain(wanted);
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        let tools = context.tools;
        let now = Clock::system().now();
        let tiers = self.tiers().map_err(refused)?;
        // Files first: what is created or removed after this moment is passed over in the log.
        let listed = self.place.list(&tools.store, tiers.iter().map(|tier| tier.glob.folder())).await?;
        let mut existing = Vec::new();
        for (key, object) in &listed {
            let Some(tier) = tiers.iter().position(|tier| tier.glob.fits(key)) else { continue };
            let is_recent = object.last_modified.is_some_and(|written| written > now - settling());
            let hashes = Vec::new();
            existing.push(Existing { key: key.clone(), shown: object.key.clone(), tier, is_recent, hashes });
        }
        self.hash(context, &listed, &mut existing).await?;
        let slack = TimeDelta::from_std(self.slack).unwrap_or_default();
        let rules = Rules { tiers: &tiers, fields: &self.fields, slack, listed_at: now, place: &self.place };
        let mut findings = Findings::default();
        let key = self.place.key(&self.log);
        let Some(fold) = self.read_log(tools, &rules, &existing).await? else {
            findings.push(finding(
                Severity::Error,
                HISTORY_MISSING,
                &key,
                "a log of backups",
                "there is no such object",
            ));
            return Ok(findings.into_outcome(Verified::default(), "the log is missing".to_owned()));
        };
        Ok(fold.finish(&key))
    }
}

impl History {
    fn tiers<'a>(&'a self) -> std::result::Result<Vec<JudgedTier<'a>>, String> {
        let read = |tier: &'a Tier| -> std::result::Result<JudgedTier<'a>, String> {
            let Tier { name, key, timestamp, keep_for } = tier;
            let glob: KeyGlob = self.place.timed(key, timestamp.as_deref())?;
            let keep_for = keep_for.map(|time| TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX));
            Ok(JudgedTier { name, glob, keep_for })
        };
        self.tiers.iter().map(read).collect()
    }

    /// Finds out what is known of the content of each file, apart from the log.
    async fn hash(
        &self,
        context: &Context<'_>,
        listed: &BTreeMap<String, ObjectMeta>,
        existing: &mut [Existing],
    ) -> Result<()> {
        let store = &context.tools.store;
        for point in context.fetched.points.iter().filter(|point| point.objects.is_empty()) {
            let of_point = existing.iter_mut().find(|file| file.shown == point.key);
            if let (Some(file), Some(hash)) = (of_point, &point.ciphertext_sha256) {
                file.hashes.push(("its content".to_owned(), hash.clone()));
            }
        }
        for batch in existing.chunks_mut(BATCH) {
            let known: Vec<_> =
                batch.iter().map(|file| self.hashes(store, &listed[&file.key], file).boxed()).collect();
            let known: Vec<_> = stream::iter(known).buffered(PARALLEL).try_collect().await?;
            for (file, hashes) in batch.iter_mut().zip(known) {
                file.hashes = hashes;
            }
        }
        Ok(())
    }

    async fn hashes(
        &self,
        store: &Arc<dyn Store>,
        object: &ObjectMeta,
        file: &Existing,
    ) -> Result<Vec<(String, String)>> {
        let mut hashes = file.hashes.clone();
        if self.hash_all && hashes.is_empty() {
            match sha256_of(store, object).await {
                Ok(hash) => hashes.push(("its content".to_owned(), hash)),
                // The retention job may remove it at any time.
                Err(failure) if failure.code == codes::OBJECT_GONE => {}
                Err(failure) => return Err(failure),
            }
        }
        if let Some(pattern) = &self.sha256 {
            let beside = self.place.key(&pattern.replace(KEY, &file.key));
            if let SmallFile::Is(text) = small(store, &beside).await? {
                let hash = checksum_line(&text, file_name(&file.key)).ok();
                let name = human::one_line(file_name(beside.as_str()), 200);
                hashes.extend(hash.map(|hash| (name, hash)));
            }
        }
        Ok(hashes)
    }

    /// Reads the log to its end; none, if there is none.
    async fn read_log<'a>(
        &self,
        tools: &Tools,
        rules: &'a Rules<'a>,
        existing: &'a [Existing],
    ) -> Result<Option<HistoryFold<'a>>> {
        let key = self.place.key(&self.log);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let Some(log) = tools.store.stat(&key).await? else { return Ok(None) };
            // A log that is appended to is another object each time: at last it is read as far as it went.
            let etag = log.etag.clone().filter(|_| attempt < ATTEMPTS);
            let mut fold = HistoryFold::new(rules, existing);
            match each_line(&tools.store, &log, etag, |number, line| fold.push(number, line)).await {
                Ok(()) => return Ok(Some(fold)),
                Err(failure) if failure.code == codes::OBJECT_CHANGED && attempt <= ATTEMPTS => {}
                Err(failure) => return Err(failure),
            }
        }
    }
}
