//! Judging how a directory keeps recovery points. Pure.

use super::code::storage::{
    BACKUPS_EXPOSED, ENTRY_PASSED_OVER, MOUNT_MISSING, NEXT_BACKUP_MAY_NOT_FIT, OBJECT_LOCK_MISSING,
    STORAGE_FACT_NOT_KNOWN, VERSIONING_MISSING,
};
use super::finding;
use crate::model::code::Code;
use crate::model::human;
use crate::model::verdict::{Finding, RecoveryPoint, Severity};
use crate::store::{DirectoryFacts, FileFacts, PassedOver};
use crate::template::RecoverySetRules;

/// What findings about all of the directory are about.
const SUBJECT: &str = "directory";

/// What is worth knowing of a directory with these recovery points, as far as it is known how each is kept.
pub fn warnings(
    facts: &DirectoryFacts,
    points: &[RecoveryPoint],
    files: &[(&RecoveryPoint, &FileFacts)],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(unmounted(facts));
    findings.extend(full(facts, points));
    findings.extend(too_large(facts, points));
    findings.extend(exposed(facts, files));
    findings
}

fn warning(code: Code, expected: impl Into<String>, actual: impl Into<String>) -> Finding {
    finding(Severity::Warning, code, SUBJECT, expected, actual)
}

fn unmounted(facts: &DirectoryFacts) -> Option<Finding> {
    let place = facts.unmounted.value.as_deref().filter(|place| !place.is_empty())?;
    let rest = match facts.empty.value {
        Some(true) => "the directory is empty",
        Some(false) => "what is in the directory lies on another disk",
        None => "whether the directory is empty is not known",
    };
    let actual = format!("nothing is mounted at {place}, which /etc/fstab has as a mount point; {rest}");
    Some(warning(MOUNT_MISSING, "the file system of the backups, mounted", human::one_line(&actual, 400)))
}

/// The next backup is as large as the newest one, as far as is known.
fn full(facts: &DirectoryFacts, points: &[RecoveryPoint]) -> Option<Finding> {
    if facts.read_only.value == Some(true) {
        // It is written from elsewhere, and another machine may have another limit.
        return None;
    }
    let free = facts.free_bytes.value?;
    let needed: u64 = points.iter().map(|point| point.size_bytes).sum();
    (free < needed).then(|| {
        let actual =
            format!("{} free, and the newest backups have {}", human::bytes(free), human::bytes(needed));
        warning(NEXT_BACKUP_MAY_NOT_FIT, "room for the next backup", actual)
    })
}

/// A file of FAT ends at 4 GiB, whatever is free.
fn too_large(facts: &DirectoryFacts, points: &[RecoveryPoint]) -> Option<Finding> {
    let limit = facts.largest_file_bytes.value?;
    let largest = points.iter().max_by_key(|point| point.size_bytes)?;
    (largest.size_bytes > limit / 5 * 4).then(|| {
        let file_system = facts.file_system.value.as_deref().unwrap_or("the file system");
        let actual = format!(
            "{} has {}, and a file of {file_system} at most {}",
            largest.key,
            human::bytes(largest.size_bytes),
            human::bytes(limit)
        );
        warning(NEXT_BACKUP_MAY_NOT_FIT, "a file system that takes larger files", actual)
    })
}

/// What every user of the machine may do.
fn exposed(facts: &DirectoryFacts, files: &[(&RecoveryPoint, &FileFacts)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(access) = facts.access.value.as_ref().filter(|access| access.others_write.value == Some(true))
    {
        let actual = format!(
            "every user of the machine can remove and replace what is in it: its permissions are {}",
            access.mode
        );
        findings.push(warning(BACKUPS_EXPOSED, "a directory that only the backup job can change", actual));
    }
    let mut open = |verb: &str, expected: &str, is: fn(&FileFacts) -> Option<bool>| {
        let found: Vec<_> = files.iter().filter(|(_, file)| is(file) == Some(true)).collect();
        let Some((point, file)) = found.first() else { return };
        let actual = format!(
            "every user of the machine can {verb} {} of {}, such as {}: its permissions are {}",
            found.len(),
            human::things(files.len() as u64, "recovery point"),
            point.key,
            file.access.mode
        );
        findings.push(warning(BACKUPS_EXPOSED, expected, actual));
    };
    open("change", "recovery points that only the backup job can change", |file| {
        file.access.others_write.value
    });
    open("read", "recovery points that only the backup job and the drill can read", |file| {
        file.access.others_read.value
    });
    findings
}

/// What the template demands and a directory has not.
pub(super) fn demanded(rules: &RecoverySetRules) -> Vec<Finding> {
    let error =
        |code, expected: String, actual: &str| finding(Severity::Error, code, SUBJECT, expected, actual);
    let mut findings = Vec::new();
    if rules.require_versioning {
        let expected = "versioning, for recovery_set.require_versioning".to_owned();
        findings.push(error(VERSIONING_MISSING, expected, "a directory keeps no versions"));
    }
    // What is immutable stays: that is demanded of each recovery point.
    if let Some(needed) = rules.min_retention.filter(|_| !rules.require_object_lock) {
        let expected =
            format!("kept for {}, for recovery_set.min_retention", human::duration(needed.as_secs_f64()));
        let actual = "how long files are kept is not known: no directory says when they are removed; \
                      recovery_set.require_object_lock demands that they are immutable";
        findings.push(error(STORAGE_FACT_NOT_KNOWN, expected, actual));
    }
    findings
}

/// What `recovery_set.require_object_lock` demands of a file: that it is immutable. That has no end.
pub(super) fn immutable(point: &RecoveryPoint, file: &FileFacts) -> Option<Finding> {
    let expected = "an immutable file (chattr +i), for recovery_set.require_object_lock";
    let (code, actual) = match (&file.immutable.value, &file.immutable.not_known) {
        (Some(true), _) => return None,
        (Some(false), _) => (OBJECT_LOCK_MISSING, format!("{} is not immutable", point.key)),
        (None, why) => {
            let why = why.as_deref().unwrap_or("it was not asked");
            (STORAGE_FACT_NOT_KNOWN, format!("whether {} is immutable is not known: {why}", point.key))
        }
    };
    Some(finding(Severity::Error, code, &point.database, expected, actual))
}

/// What is in the store and is no object. Where a recovery point could stand, it may be one that is missed.
pub fn passed_over(entries: &[PassedOver], prefixes: &[String]) -> Vec<Finding> {
    let found = |entry: &PassedOver| {
        let in_place = prefixes.iter().any(|prefix| entry.name.as_str().starts_with(prefix));
        let severity = if in_place { Severity::Warning } else { Severity::Info };
        finding(severity, ENTRY_PASSED_OVER, &entry.name, "a regular file", entry.why.clone())
    };
    entries.iter().map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::point;
    use crate::store::{Access, Fact};

    fn access(mode: &str, read: bool, write: bool) -> Access {
        Access {
            owner: 0,
            group: 0,
            mode: mode.to_owned(),
            others_read: Fact::known(read),
            others_write: Fact::known(write),
        }
    }

    fn facts() -> DirectoryFacts {
        DirectoryFacts {
            file_system: Fact::known("vfat".to_owned()),
            read_only: Fact::known(false),
            free_bytes: Fact::known(1000),
            largest_file_bytes: Fact::known(4000),
            unmounted: Fact::known(String::new()),
            empty: Fact::known(false),
            access: Fact::known(access("0750", false, false)),
        }
    }

    fn sized(size_bytes: u64) -> RecoveryPoint {
        RecoveryPoint { size_bytes, ..point("shop", 5, 1) }
    }

    fn said(facts: &DirectoryFacts, points: &[RecoveryPoint]) -> Vec<String> {
        let findings = warnings(facts, points, &[]);
        assert!(findings.iter().all(|finding| finding.severity == Severity::Warning));
        findings.into_iter().map(|finding| format!("{}: {}", finding.code, finding.actual)).collect()
    }

    #[test]
    fn a_directory_with_room_is_sound_and_one_without_is_not() {
        assert!(said(&facts(), &[sized(400), sized(600)]).is_empty());
        let found = said(&facts(), &[sized(401), sized(600)]);
        assert_eq!(found, ["next_backup_may_not_fit: 1000 B free, and the newest backups have 1001 B"]);
        let elsewhere = DirectoryFacts { read_only: Fact::known(true), ..facts() };
        assert!(said(&elsewhere, &[sized(3000)]).is_empty(), "it is not written from here");
        let not_known = DirectoryFacts { free_bytes: Fact::unknown("x"), ..facts() };
        assert!(said(&not_known, &[sized(3000)]).is_empty());
    }

    #[test]
    fn a_dump_that_grows_to_the_limit_of_the_file_system_is_told() {
        let roomy = DirectoryFacts { free_bytes: Fact::known(1 << 40), ..facts() };
        assert!(said(&roomy, &[sized(3200)]).is_empty());
        let found = said(&roomy, &[sized(3201), sized(2)]);
        assert!(found[0].contains("has 3.1 KiB, and a file of vfat at most 3.9 KiB"), "{found:?}");
        let not_known = DirectoryFacts { largest_file_bytes: Fact::unknown("x"), ..roomy };
        assert!(said(&not_known, &[sized(4000)]).is_empty());
    }

    #[test]
    fn a_disk_that_is_not_mounted_is_told() {
        for (empty, words) in [
            (Fact::known(true), "the directory is empty"),
            (Fact::known(false), "lies on another disk"),
            (Fact::unknown("x"), "not known"),
        ] {
            let away = DirectoryFacts { unmounted: Fact::known("/mnt/usb".to_owned()), empty, ..facts() };
            let found = said(&away, &[]);
            assert!(found[0].starts_with("mount_missing: nothing is mounted at /mnt/usb"), "{found:?}");
            assert!(found[0].contains(words), "{found:?}");
        }
        let not_known = DirectoryFacts { unmounted: Fact::unknown("x"), ..facts() };
        assert!(said(&not_known, &[]).is_empty());
    }

    #[test]
    fn what_every_user_can_read_or_change_is_told_once_for_all() {
        let (a, b) = (point("shop", 5, 1), point("stock", 5, 1));
        let file = |mode: &str, read, write| FileFacts {
            access: access(mode, read, write),
            immutable: Fact::known(false),
        };
        let private = file("0600", false, false);
        assert!(exposed(&facts(), &[(&a, &private), (&b, &private)]).is_empty());
        let (readable, open) = (file("0644", true, false), file("0666", true, true));
        let found = exposed(&facts(), &[(&a, &readable), (&b, &open)]);
        let found: Vec<&str> = found.iter().map(|finding| finding.actual.as_str()).collect();
        assert!(found[0].starts_with("every user of the machine can change 1 of 2 recovery points"));
        assert!(found[1].starts_with("every user of the machine can read 2 of 2 recovery points"));
        assert_eq!(found.len(), 2);
        let directory = DirectoryFacts { access: Fact::known(access("0777", true, true)), ..facts() };
        assert!(exposed(&directory, &[])[0].actual.contains("0777"));
        let not_known = DirectoryFacts { access: Fact::unknown("x"), ..facts() };
        assert!(exposed(&not_known, &[]).is_empty());
    }

    #[test]
    fn what_a_template_demands_is_judged_by_what_a_directory_has() {
        let rules = |lock, versions, retention: Option<u64>| RecoverySetRules {
            require_object_lock: lock,
            require_versioning: versions,
            min_retention: retention.map(std::time::Duration::from_secs),
            ..RecoverySetRules::default()
        };
        let codes = |rules: &RecoverySetRules| -> Vec<&str> {
            demanded(rules).iter().map(|finding| finding.code.as_str()).collect()
        };
        assert!(codes(&rules(false, false, None)).is_empty());
        assert_eq!(
            codes(&rules(false, true, Some(86_400))),
            ["versioning_missing", "storage_fact_not_known"]
        );
        assert!(codes(&rules(true, false, Some(86_400))).is_empty(), "what is immutable stays");
        let judged = |fact| {
            let file = FileFacts { access: access("0400", false, false), immutable: fact };
            immutable(&point("shop", 5, 1), &file).map(|finding| finding.code.as_str())
        };
        assert_eq!(judged(Fact::known(true)), None);
        assert_eq!(judged(Fact::known(false)), Some("object_lock_missing"));
        assert_eq!(judged(Fact::unknown("no such attributes")), Some("storage_fact_not_known"));
    }

    #[test]
    fn what_stands_where_a_recovery_point_could_is_a_warning() {
        let entry = |name: &str| PassedOver {
            name: crate::model::names::ObjectKey::new(name),
            why: "it is a FIFO".to_owned(),
        };
        let found = passed_over(&[entry("shop_20260517"), entry("pipe")], &["shop_".to_owned()]);
        let found: Vec<Severity> = found.iter().map(|finding| finding.severity).collect();
        assert_eq!(found, [Severity::Warning, Severity::Info]);
    }
}
