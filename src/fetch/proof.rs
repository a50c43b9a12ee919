//! Which drills that passed restored a recovery point, by the verdicts of a reports directory.

use std::path::Path;

use super::report::{Digests, ProvedBy};
use crate::evidence::{Lineage, UnreadReason, VerdictRead, Verdicts};
use crate::model::human;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::{AccessStatus, RecoveryPoint, Status, Verdict};
use crate::target::postgres::restore::Kept;
use crate::template::Template;

/// Verdicts of this template and store that are read at most, the newest first. Those of others do not count.
const OPENED: usize = 2_000;

/// A drill that passed, and the recovery point of the database that it restored.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) by: ProvedBy,
    pub(super) point: RecoveryPoint,
    /// Workers that restored it.
    pub(super) jobs: Option<usize>,
    /// What it restored besides objects and rows.
    pub(super) kept: Kept,
    /// The object that it took the roles from, and its SHA-256.
    pub(super) globals: Option<(ObjectKey, String)>,
    /// Its place among all drills of this database, the newest first.
    nth: usize,
    digests: Digests,
    /// Pieces of its verdict that could not be read.
    left_out: usize,
}

/// What the verdicts say of one database.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    /// Drills that passed, the newest first.
    passed: Vec<Proof>,
    /// Drills that failed: their places, what they restored, and why.
    failed: Vec<(usize, ObjectKey, String)>,
    /// Files that may be verdicts, and could not be read.
    unread: usize,
    /// Files that were not opened, since there are so many.
    unopened: usize,
}

impl Proofs {
    /// Reads the verdicts of this template and its store.
    pub(super) fn read(reports: &Path, template: &Template, database: &DatabaseName) -> Self {
        Self::read_at_most(OPENED, Verdicts::below(reports), &Lineage::of(template), database)
    }

    fn read_at_most(most: usize, mut verdicts: Verdicts, lineage: &Lineage, database: &DatabaseName) -> Self {
        let mut proofs = Self::default();
        let mut of_lineage = 0;
        for nth in 0.. {
            if of_lineage == most {
                break;
            }
            let Some(read) = verdicts.next() else { break };
            match read {
                Ok(read) if lineage.may_be(&read.verdict) => {
                    of_lineage += 1;
                    proofs.take(nth, &read, database);
                }
                Ok(_) => {}
                Err(unread) => {
                    let of_others = match &unread.reason {
                        UnreadReason::NotOurs => true,
                        UnreadReason::OtherVersion { template, store, .. } => {
                            !lineage.may_be_of(template, store.as_ref())
                        }
                        _ => false,
                    };
                    proofs.unread += usize::from(!of_others);
                }
            }
        }
        proofs.unopened = verdicts.left();
        proofs
    }

    fn take(&mut self, nth: usize, read: &VerdictRead, database: &DatabaseName) {
        let VerdictRead { path, verdict, left_out } = read;
        let Some(point) = verdict.recovery_set.point(database) else { return };
        match verdict.status {
            Status::Pass => self
                .passed
                .extend(Proof::of(nth, path, verdict, point).map(|proof| proof.read_but_for(left_out))),
            Status::Fail => {
                let why = verdict.failure.as_ref().map(|failure| human::one_line(&failure.message, 200));
                let why = why.unwrap_or_else(|| "it does not say why".to_owned());
                self.failed.push((nth, point.key.clone(), format!("{why} ({})", path.display())));
            }
            _ => {}
        }
    }

    /// The drill of the newest recovery point; of several drills of that one, the last.
    pub(super) fn of_newest_point(&self) -> Option<&Proof> {
        // Of equals the last is taken, so the newest drill comes last.
        self.passed.iter().rev().max_by_key(|proof| proof.point.taken_at)
    }

    /// The last drill that passed with this recovery point.
    pub(super) fn of(&self, key: &ObjectKey) -> Option<&Proof> {
        self.passed.iter().find(|proof| proof.point.key == *key)
    }

    /// A drill of this recovery point that failed, if it is later than the one that passed.
    pub(super) fn failed_since(&self, proof: Option<&Proof>, key: &ObjectKey) -> Option<String> {
        let later = |nth: usize| proof.is_none_or(|proof| nth < proof.nth);
        let (.., why) = self.failed.iter().find(|(nth, of, _)| later(*nth) && of == key)?;
        Some(format!(
            "a drill of this recovery point failed{}: {why}",
            if proof.is_some() { " later" } else { "" }
        ))
    }

    /// That there are files that could not be read.
    pub(super) fn unread(&self) -> Option<String> {
        let files = human::things(self.unread as u64, "file");
        (self.unread > 0)
            .then(|| format!("{files} among the verdicts could not be read, and may be of later drills"))
    }

    /// That there are files that were not opened.
    pub(super) fn unopened(&self) -> Option<String> {
        let verdicts = human::things(self.unopened as u64, "older verdict");
        (self.unopened > 0).then(|| format!("{verdicts} were not opened, since there are so many"))
    }
}

/// Whether a drill restored the owners and privileges of a database: those of its first server's.
fn had_access(verdict: &Verdict, database: &DatabaseName) -> bool {
    let restored = verdict.access.as_ref().is_some_and(|access| access.status == AccessStatus::Restored);
    restored && verdict.stack.servers.first().is_none_or(|first| first.databases.contains(database))
}

impl Proof {
    /// None if the verdict does not say which bytes were restored.
    fn of(nth: usize, path: &Path, verdict: &Verdict, point: &RecoveryPoint) -> Option<Self> {
        let record = verdict.databases.iter().find(|record| record.name == point.database)?;
        Some(Self {
            by: ProvedBy {
                drill_id: verdict.drill_id,
                started_at: verdict.started_at,
                verdict: path.display().to_string(),
                only: verdict.only.clone(),
            },
            digests: Digests {
                source: format!("the verdict of the drill of {}", human::moment(verdict.started_at)),
                size_bytes: point.size_bytes,
                ciphertext_sha256: point.ciphertext_sha256.clone()?,
                plaintext_sha256: point.plaintext_sha256.clone()?,
            },
            jobs: record.pg_restore.as_ref().map(|run| run.jobs),
            // The verdict does not say whether labels were restored, and no server but the source may know them.
            kept: Kept { access: had_access(verdict, &point.database), labels: false },
            globals: verdict.access.as_ref().and_then(|access| {
                let globals = access.globals.as_ref()?;
                Some((globals.key.clone(), globals.ciphertext_sha256.clone()))
            }),
            point: point.clone(),
            nth,
            left_out: 0,
        })
    }

    fn read_but_for(self, left_out: &[String]) -> Self {
        Self { left_out: left_out.len(), ..self }
    }

    /// That another version wrote its verdict, and it could not be read as a whole.
    pub(super) fn in_part(&self) -> Option<String> {
        let pieces = human::things(self.left_out as u64, "piece");
        (self.left_out > 0).then(|| {
            format!(
                "{pieces} of the verdict could not be read: another version wrote it ({})",
                self.by.verdict
            )
        })
    }

    /// What it recorded of the bytes.
    pub(super) fn digests(&self) -> Digests {
        self.digests.clone()
    }

    /// That it was narrowed.
    pub(super) fn only(&self) -> Option<String> {
        let names: Vec<&str> = self.by.only.iter().map(DatabaseName::as_str).collect();
        let names = human::one_line(&names.join(", "), 200);
        (!self.by.only.is_empty()).then(|| {
            format!("the drill that passed was narrowed to {names}: checks across databases were left out")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::put_verdict;
    use crate::model::testing::{passing, start};
    use crate::model::verdict::{AccessRecord, StackServer};
    use crate::template::testing::template;

    /// A drill of database `a` that passed this many minutes after the first.
    fn passed(minutes: i64) -> Verdict {
        let mut verdict = Verdict { status: Status::Pass, ..passing() };
        verdict.started_at = start() + chrono::TimeDelta::minutes(minutes);
        for point in &mut verdict.recovery_set.points {
            point.ciphertext_sha256 = Some("c".to_owned());
            point.plaintext_sha256 = Some("p".to_owned());
        }
        verdict
    }

    fn put(reports: &Path, verdict: &Verdict) {
        let name = format!("{}.json", crate::model::names::compact(verdict.started_at));
        put_verdict(reports, &name, &serde_json::to_string(verdict).unwrap());
    }

    #[test]
    fn verdicts_of_other_templates_do_not_crowd_it_out_and_those_not_opened_are_told() {
        let reports = tempfile::tempdir().unwrap();
        let (name, template) = ("a".parse().unwrap(), template());
        put(reports.path(), &passed(0));
        for minutes in 1..5 {
            put(reports.path(), &Verdict { template: "other".to_owned(), ..passed(minutes) });
        }
        let read = |most| {
            let verdicts = Verdicts::below(reports.path());
            Proofs::read_at_most(most, verdicts, &Lineage::of(&template), &name)
        };
        let one = read(1);
        assert!(one.of_newest_point().is_some() && one.unopened().is_none(), "{one:?}");
        put(reports.path(), &Verdict { status: Status::Inconclusive, ..passed(5) });
        let one = read(1);
        assert!(one.of_newest_point().is_none(), "{one:?}");
        assert!(one.unopened().unwrap().starts_with("5 older verdicts were not opened"), "{one:?}");
        assert!(read(2).of_newest_point().is_some());
    }

    #[test]
    fn owners_and_privileges_came_back_on_the_first_server_only() {
        let name = "a".parse().unwrap();
        let mut verdict = passed(0);
        assert!(!had_access(&verdict, &name));
        verdict.access = Some(AccessRecord::without(AccessStatus::Restored));
        assert!(had_access(&verdict, &name));
        let server = |database: &str| {
            StackServer {
            databases: vec![database.parse().unwrap()],
            ..serde_json::from_value(serde_json::json!({
                "name": "old", "port": 5432, "image": "x", "image_id": "x", "version": "17", "tuning": "throwaway",
                "settings": {}, "memory_bytes": 0, "databases": []
            }))
            .unwrap()
        }
        };
        verdict.stack.servers = vec![server("b"), server("a")];
        assert!(!had_access(&verdict, &name));
    }
}
