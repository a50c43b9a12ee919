//! A log of backups, line by line, against the files. Pure; memory is that of the files, and of those that the log has as neither
//! there nor removed.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::line::{self, Logged, What};
use super::{
    FAILED_SINCE, Fields, HISTORY_LINE_UNREADABLE, LOGGED_CHECKSUM_DIFFERS, NEVER_LOGGED, REMOVED_AND_THERE,
    REMOVED_EARLY, VANISHED,
};
use crate::check::findings::{Findings, Outcome, Verified};
use crate::check::stored::key_glob::KeyGlob;
use crate::check::stored::reading::{Place, file_name, settling};
use crate::model::human;
use crate::model::names::ObjectKey;
use crate::model::verdict::{Severity, finding};

/// Lines that cannot be read, and are named.
const LINES_NAMED: usize = 20;
/// Files that are gone, whose removal was not seen yet, and that are remembered.
const GONE: usize = 200_000;

/// What must hold.
pub struct Rules<'a> {
    pub tiers: &'a [JudgedTier<'a>],
    pub fields: &'a Fields,
    pub slack: TimeDelta,
    /// When the files were listed.
    pub listed_at: DateTime<Utc>,
    pub place: &'a Place,
}

/// Files of one type, their pattern read.
pub struct JudgedTier<'a> {
    pub name: &'a str,
    pub glob: KeyGlob,
    pub keep_for: Option<TimeDelta>,
}

/// A file that is there.
#[derive(Debug, Clone)]
pub struct Existing {
    /// Its key below the prefix.
    pub key: String,
    /// Its whole key.
    pub shown: ObjectKey,
    /// Its tier's place.
    pub tier: usize,
    /// It was written so recently that the log may lack it.
    pub is_recent: bool,
    /// What is known of its content apart from the log: from where, and the SHA-256.
    pub hashes: Vec<(String, String)>,
}

/// Where the log has something.
type At = (u64, Option<DateTime<Utc>>);

/// What the log has of a file that is there.
#[derive(Debug, Clone, Default)]
struct Entry {
    created: Option<(At, Option<String>)>,
    removed: Option<At>,
}

/// The fold.
pub struct HistoryFold<'a> {
    rules: &'a Rules<'a>,
    existing: &'a [Existing],
    by_name: HashMap<(usize, &'a str), usize>,
    entries: Vec<Entry>,
    gone: BTreeMap<(usize, String), At>,
    unremembered: u64,
    removals: u64,
    newest_created: HashMap<Option<usize>, u64>,
    newest_failed: BTreeMap<Option<usize>, At>,
    unreadable: (Vec<String>, u64),
    findings: Findings,
}

impl<'a> HistoryFold<'a> {
    pub fn new(rules: &'a Rules<'a>, existing: &'a [Existing]) -> Self {
        let by_name =
            existing.iter().enumerate().map(|(place, file)| ((file.tier, file_name(&file.key)), place));
        Self {
            rules,
            existing,
            by_name: by_name.collect(),
            entries: vec![Entry::default(); existing.len()],
            gone: BTreeMap::new(),
            unremembered: 0,
            removals: 0,
            newest_created: HashMap::new(),
            newest_failed: BTreeMap::new(),
            unreadable: (Vec::new(), 0),
            findings: Findings::default(),
        }
    }

    /// Takes the next line; none for one that is too long.
    pub fn push(&mut self, number: u64, line: Option<&[u8]>) {
        match line.ok_or(()).and_then(|line| line::read(line, self.rules.fields)) {
            Ok(None) => {}
            Ok(Some(logged)) => self.event(number, logged),
            Err(()) => {
                self.unreadable.1 += 1;
                if self.unreadable.0.len() < LINES_NAMED {
                    self.unreadable.0.push(number.to_string());
                }
            }
        }
    }

    fn event(&mut self, number: u64, logged: Logged) {
        // What happened after the files were listed says nothing about the list.
        if logged.at.is_some_and(|at| at > self.rules.listed_at) {
            return;
        }
        let at = (number, logged.at);
        let kind = match &logged.kind {
            None => None,
            Some(kind) => match self.rules.tiers.iter().position(|tier| tier.name == kind) {
                // The template is not about this type.
                None => return,
                tier => tier,
            },
        };
        match (logged.what, &logged.file) {
            (What::Failed, _) => {
                self.newest_failed.insert(kind, at);
            }
            (What::Created, Some(file)) => {
                let tier = kind.or_else(|| self.tier(file));
                if let Some(tier) = tier {
                    self.created(tier, file, at, logged.sha256);
                }
                self.newest_created.insert(None, number);
                self.newest_created.insert(tier, number);
            }
            (What::Removed, Some(file)) => {
                if let Some(tier) = kind.or_else(|| self.tier(file)) {
                    self.removed(tier, file, at);
                }
            }
            (What::Created | What::Removed, None) => {}
        }
    }

    /// The tier of a file whose type the log does not say.
    fn tier(&self, file: &str) -> Option<usize> {
        let named =
            (0..self.rules.tiers.len()).find(|tier| self.by_name.contains_key(&(*tier, file_name(file))));
        named.or_else(|| {
            self.rules
                .tiers
                .iter()
                .position(|tier| tier.glob.fits(file) || tier.glob.fits(&self.key(tier, file)))
        })
    }

    fn key(&self, tier: &JudgedTier<'_>, file: &str) -> String {
        format!("{}{}", tier.glob.folder(), file_name(file))
    }

    fn created(&mut self, tier: usize, file: &str, at: At, sha256: Option<String>) {
        if let Some(place) = self.by_name.get(&(tier, file_name(file))) {
            self.entries[*place] = Entry { created: Some((at, sha256)), removed: None };
        } else if self.gone.len() < GONE {
            self.gone.insert((tier, file_name(file).to_owned()), at);
        } else {
            self.unremembered += 1;
        }
    }

    fn removed(&mut self, tier: usize, file: &str, at: At) {
        self.removals += 1;
        if let Some(place) = self.by_name.get(&(tier, file_name(file))) {
            self.entries[*place].removed = Some(at);
            return;
        }
        let created = self.gone.remove(&(tier, file_name(file).to_owned()));
        let judged = &self.rules.tiers[tier];
        let key = self.key(judged, file);
        let made = judged.glob.time(&key).or(created.and_then(|(_, at)| at));
        let (Some(made), Some(removed), Some(keep_for)) = (made, at.1, judged.keep_for) else { return };
        if removed - made + self.rules.slack < keep_for {
            let actual = format!("removed at {}, {} after it was made", shown(at), duration(removed - made));
            let expected = format!("kept for {}", duration(keep_for));
            let key = self.rules.place.key(&key);
            self.findings.push(finding(Severity::Error, REMOVED_EARLY, key, expected, actual));
        }
    }

    /// What it comes to; the key is that of the log.
    pub fn finish(mut self, log: &ObjectKey) -> Outcome {
        let (mut logged, mut compared) = (0u64, 0u64);
        for (file, entry) in self.existing.iter().zip(std::mem::take(&mut self.entries)) {
            let Some((_, hash)) = &entry.created else {
                let severity = if file.is_recent { Severity::Warning } else { Severity::Error };
                let actual = "the log has no event that created it";
                self.findings.push(finding(severity, NEVER_LOGGED, &file.shown, "a file of the log", actual));
                continue;
            };
            logged += 1;
            if let Some(hash) = hash.as_ref().filter(|_| !file.hashes.is_empty()) {
                compared += 1;
                for (place, known) in file.hashes.iter().filter(|(_, known)| known != hash) {
                    let actual = format!("the log has {}, and {place} is {known}", human::one_line(hash, 64));
                    let expected = "the SHA-256 that was logged";
                    let subject = &file.shown;
                    self.findings.push(finding(
                        Severity::Error,
                        LOGGED_CHECKSUM_DIFFERS,
                        subject,
                        expected,
                        actual,
                    ));
                }
            }
            // It may be removed just now.
            let settled = |(_, at): &At| at.is_none_or(|at| at < self.rules.listed_at - settling());
            if let Some(at) = entry.removed.filter(settled) {
                let actual = format!("removed at {}, and there", shown(at));
                self.findings.push(finding(
                    Severity::Warning,
                    REMOVED_AND_THERE,
                    &file.shown,
                    "no file",
                    actual,
                ));
            }
        }
        let vanished = self.gone.len() as u64 + self.unremembered;
        for ((tier, file), at) in std::mem::take(&mut self.gone) {
            let key = self.rules.place.key(&self.key(&self.rules.tiers[tier], &file));
            let actual = format!("created at {}, not there, and never removed by the log", shown(at));
            self.findings.push(finding(Severity::Error, VANISHED, key, "the file, or its removal", actual));
        }
        self.failures();
        if self.unreadable.1 > 0 {
            let (named, total) = &self.unreadable;
            let more = match total - named.len() as u64 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let lines = human::things(*total, "line");
            let actual = format!("{lines} cannot be read: {}{more}", named.join(", "));
            let expected = "one JSON object a line";
            self.findings.push(finding(Severity::Warning, HISTORY_LINE_UNREADABLE, log, expected, actual));
        }
        let files = human::things(self.existing.len() as u64, "file");
        let summary = format!(
            "{files}, {logged} as logged, {compared} with a checksum to compare; {} gone, {vanished} of these without a trace",
            self.removals + vanished
        );
        self.findings.into_outcome(Verified::things(logged, 0), summary)
    }

    fn failures(&mut self) {
        for (kind, at) in std::mem::take(&mut self.newest_failed) {
            if self.newest_created.get(&kind).is_some_and(|created| *created > at.0) {
                continue;
            }
            let subject = kind.map_or("backups", |tier| self.rules.tiers[tier].name);
            let actual = format!("a backup failed at {}, and none was created since", shown(at));
            self.findings.push(finding(Severity::Error, FAILED_SINCE, subject, "a backup after it", actual));
        }
    }
}

fn shown((line, at): At) -> String {
    at.map_or(format!("line {line}"), |at| format!("{} (line {line})", human::moment(at)))
}

fn duration(time: TimeDelta) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for show")]
    human::duration(time.num_seconds().max(0) as f64)
}

#[cfg(test)]
mod tests;
