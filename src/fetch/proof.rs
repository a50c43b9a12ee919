//! Which drills that passed restored a recovery point, by the verdicts of a reports directory.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::manifest::NamedGlobals;
use super::report::{Digests, ProvedBy};
use crate::evidence::{Lineage, UnreadReason, VerdictRead, Verdicts};
use crate::format::pg_custom::LeftOut;
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::{
    AccessStatus, DatabaseRecord, GlobalsRecord, HookPoint, RecoveryPoint, Status, Verdict,
};
use crate::plan::ignored;
use crate::target::postgres::hooks;
use crate::target::postgres::restore::Kept;
use crate::template::{Database, Template};

/// Verdicts of this template and store that are read at most, the newest first. Those of others do not count.
const OPENED: usize = 2_000;

/// A drill that passed, and the recovery point of the database that it restored.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) by: ProvedBy,
    pub(super) point: RecoveryPoint,
    /// What became of the database.
    pub(super) record: DatabaseRecord,
    /// What it restored besides objects and rows.
    pub(super) kept: Kept,
    /// The object that it took the roles from.
    pub(super) globals: Option<NamedGlobals>,
    /// Its place among all drills of this database, the newest first.
    nth: usize,
    digests: Digests,
    /// Pieces of its verdict that could not be read.
    left_out: usize,
}

/// A drill that passed, as far as it proves what is wanted.
pub(super) trait Proved {
    /// The object that it restored.
    fn key(&self) -> &ObjectKey;
    /// When that was taken.
    fn taken_at(&self) -> DateTime<Utc>;
    /// Its place among all drills, the newest first.
    fn nth(&self) -> usize;
}

/// What the verdicts say of one database, or of the globals.
#[derive(Debug)]
pub(super) struct Drills<P> {
    /// What the drills have in common, for messages.
    of: &'static str,
    /// Drills that passed, the newest first.
    passed: Vec<P>,
    /// Drills that failed: their places, what they restored, and why.
    failed: Vec<(usize, ObjectKey, String)>,
    /// Files that may be verdicts, and could not be read.
    unread: usize,
    /// Files that were not opened, since there are so many.
    unopened: usize,
}

/// What the verdicts say of one database.
pub(super) type Proofs = Drills<Proof>;

impl Proofs {
    /// Reads the verdicts of this template and its store.
    pub(super) fn read(reports: &Path, template: &Template, database: &DatabaseName) -> Self {
        let verdicts = Verdicts::below(reports);
        Self::read_at_most(OPENED, verdicts, &Lineage::of(template), "of this recovery point", |nth, read| {
            let point = read.verdict.recovery_set.point(database)?;
            Some((point.key.clone(), Proof::of(nth, read, point)))
        })
    }
}

impl<P: Proved> Drills<P> {
    /// Reads the verdicts of this template and its store. `look` returns the object that a drill restored, and what it proves
    /// if it passed.
    pub(super) fn look(
        reports: &Path,
        template: &Template,
        of: &'static str,
        look: impl Fn(usize, &VerdictRead) -> Option<(ObjectKey, Option<P>)>,
    ) -> Self {
        Self::read_at_most(OPENED, Verdicts::below(reports), &Lineage::of(template), of, look)
    }

    fn read_at_most(
        most: usize,
        mut verdicts: Verdicts,
        lineage: &Lineage,
        of: &'static str,
        look: impl Fn(usize, &VerdictRead) -> Option<(ObjectKey, Option<P>)>,
    ) -> Self {
        let mut drills = Self { of, passed: Vec::new(), failed: Vec::new(), unread: 0, unopened: 0 };
        let mut of_lineage = 0;
        for nth in 0.. {
            if of_lineage == most {
                break;
            }
            let Some(read) = verdicts.next() else { break };
            match read {
                Ok(read) if lineage.may_be(&read.verdict) => {
                    of_lineage += 1;
                    if let Some((key, proof)) = look(nth, &read) {
                        drills.take(nth, &read, key, proof);
                    }
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
                    drills.unread += usize::from(!of_others);
                }
            }
        }
        drills.unopened = verdicts.left();
        drills
    }

    fn take(&mut self, nth: usize, read: &VerdictRead, key: ObjectKey, proof: Option<P>) {
        let VerdictRead { path, verdict, .. } = read;
        match verdict.status {
            Status::Pass => self.passed.extend(proof),
            Status::Fail => {
                let why = verdict.failure.as_ref().map(|failure| human::one_line(&failure.message, 200));
                let why = why.unwrap_or_else(|| "it does not say why".to_owned());
                self.failed.push((nth, key, format!("{why} ({})", path.display())));
            }
            _ => {}
        }
    }

    /// The drill of the newest recovery point; of several drills of that one, the last.
    pub(super) fn of_newest_point(&self) -> Option<&P> {
        // Of equals the last is taken, so the newest drill comes last.
        self.passed.iter().rev().max_by_key(|proof| proof.taken_at())
    }

    /// The last drill that passed with this recovery point.
    pub(super) fn of(&self, key: &ObjectKey) -> Option<&P> {
        self.passed.iter().find(|proof| proof.key() == key)
    }

    /// A drill of this recovery point that failed, if it is later than the one that passed.
    pub(super) fn failed_since(&self, proof: Option<&P>, key: &ObjectKey) -> Option<String> {
        let later = |nth: usize| proof.is_none_or(|proof| nth < proof.nth());
        let (.., why) = self.failed.iter().find(|(nth, of, _)| later(*nth) && of == key)?;
        Some(format!("a drill {} failed{}: {why}", self.of, if proof.is_some() { " later" } else { "" }))
    }

    /// The failure of something that no drill has proved: it was refused.
    pub(super) fn none_passed(&self, key: &ObjectKey) -> Failure {
        let message = format!("no drill that passed has restored {key}{}", self.in_brackets());
        let hint = match self.of_newest_point() {
            Some(proof) => format!(
                "--last-passed takes the newest that one has, of {}; --unproved takes this one",
                human::moment(proof.taken_at())
            ),
            None => {
                "drill it first; --unproved takes it as it is; --reports names the directory of the verdicts"
                    .to_owned()
            }
        };
        Failure::inconclusive(codes::NO_DRILL_PASSED, message).hint(hint)
    }

    /// That there are verdicts that were not opened, behind a message.
    pub(super) fn in_brackets(&self) -> String {
        self.unopened().map(|told| format!(" ({told})")).unwrap_or_default()
    }

    /// That there are files that could not be read, or were not opened.
    pub(super) fn not_seen(&self) -> impl Iterator<Item = String> {
        self.unread().into_iter().chain(self.unopened())
    }

    /// That there are files that could not be read.
    fn unread(&self) -> Option<String> {
        let files = human::things(self.unread as u64, "file");
        (self.unread > 0)
            .then(|| format!("{files} among the verdicts could not be read, and may be of later drills"))
    }

    /// That there are files that were not opened.
    fn unopened(&self) -> Option<String> {
        let verdicts = human::things(self.unopened as u64, "older verdict");
        (self.unopened > 0).then(|| format!("{verdicts} were not opened, since there are so many"))
    }
}

impl Proved for Proof {
    fn key(&self) -> &ObjectKey {
        &self.point.key
    }

    fn taken_at(&self) -> DateTime<Utc> {
        self.point.taken_at
    }

    fn nth(&self) -> usize {
        self.nth
    }
}

/// What recorded the digests, for messages.
pub(super) fn source(verdict: &Verdict) -> String {
    format!("the verdict of the drill of {}", human::moment(verdict.started_at))
}

/// Whether a drill restored the owners and privileges of a database.
fn had_access(verdict: &Verdict, database: &DatabaseName) -> bool {
    verdict.access_of(database).is_some_and(|access| access.status == AccessStatus::Restored)
}

impl Proof {
    /// None if the verdict does not say which bytes were restored.
    fn of(nth: usize, read: &VerdictRead, point: &RecoveryPoint) -> Option<Self> {
        let verdict = &read.verdict;
        let record = verdict.databases.iter().find(|record| record.name == point.database)?;
        Some(Self {
            by: ProvedBy::of(read),
            digests: Digests {
                source: source(verdict),
                size_bytes: point.size_bytes,
                ciphertext_sha256: point.ciphertext_sha256.clone()?,
                plaintext_sha256: point.plaintext_sha256.clone()?,
            },
            record: record.clone(),
            // The verdict does not say whether labels were restored, and no server but the source may know them.
            kept: Kept { access: had_access(verdict, &point.database), labels: false },
            globals: verdict.access_of(&point.database).and_then(|access| {
                let globals = access.globals.as_ref()?;
                let GlobalsRecord { key, taken_at, ciphertext_sha256, .. } = globals.clone();
                Some(NamedGlobals { key, taken_at, ciphertext_sha256 })
            }),
            point: point.clone(),
            nth,
            left_out: read.left_out.len(),
        })
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

    /// That it repaired something, and an early version did not record what.
    pub(super) fn unexplained(&self) -> Option<String> {
        let run = self.record.pg_restore.as_ref()?;
        (run.exit_code != 0 && run.outcome.is_none()).then(|| {
            "pg_restore reported errors in the drill that passed, and its verdict does not say what was done about them, so \
             these commands may stop at pg_restore: drill it once more with this version"
                .to_owned()
        })
    }

    /// How the template's part in the restore differs today from what it was in that drill.
    pub(super) fn differs(&self, template: &Database, left_out: &LeftOut) -> Vec<String> {
        let hooks = [HookPoint::BeforeRestore, HookPoint::AfterRestore].into_iter().filter(|at| {
            let now = template.hooks(*at).iter().map(hooks::written_sha256);
            let then = self.record.hooks.iter().filter(|hook| hook.at == *at && hook.extension.is_none());
            !now.eq(then.map(|hook| hook.sha256.clone()))
        });
        let hooks = hooks.map(|at| format!("{at} of the template is another than in the drill that passed"));
        let left_out = (ignored::records(left_out) != self.record.left_out).then(|| {
            "the template leaves out other entries of the archive than in the drill that passed".to_owned()
        });
        hooks.chain(left_out).collect()
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
    use crate::model::names::ServerName;
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
            Proofs::read_at_most(most, verdicts, &Lineage::of(&template), "of it", |nth, read| {
                let point = read.verdict.recovery_set.point(&name)?;
                Some((point.key.clone(), Proof::of(nth, read, point)))
            })
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
    fn a_verdict_that_names_no_server_is_about_that_of_the_first_section() {
        let restored = AccessRecord::without(AccessStatus::Restored);
        let mut verdict = Verdict { access: Some(restored.clone()), ..passed(0) };
        let (default, old) = (&ServerName::default(), &"old".parse().unwrap());
        assert_eq!((verdict.access_on(default), verdict.access_on(old)), (Some(&restored), None));
        verdict.stack.servers = vec![server("old", "a")];
        assert_eq!((verdict.access_on(default), verdict.access_on(old)), (None, Some(&restored)));
    }

    /// A server that has this database.
    fn server(name: &str, database: &str) -> StackServer {
        serde_json::from_value(serde_json::json!({
            "name": name, "port": 5432, "image": "x", "image_id": "x", "version": "17", "tuning": "throwaway",
            "settings": {}, "memory_bytes": 0, "databases": [database]
        }))
        .unwrap()
    }

    #[test]
    fn owners_and_privileges_came_back_if_they_did_on_the_server_of_the_database() {
        let name = "a".parse().unwrap();
        let mut verdict = passed(0);
        assert!(!had_access(&verdict, &name));
        verdict.access = Some(AccessRecord::without(AccessStatus::Restored));
        assert!(had_access(&verdict, &name));
        verdict.stack.servers = vec![server("old", "b"), server("older", "a")];
        assert!(!had_access(&verdict, &name), "it was restored on the first one alone");
        let restored = AccessRecord::without(AccessStatus::Restored);
        verdict.server_access.insert("older".to_owned(), restored);
        assert!(had_access(&verdict, &name));
    }
}
