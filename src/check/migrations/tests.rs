use super::*;
use crate::model::verdict::CheckStatus;

fn list() -> List {
    read_list("aegis-agent").unwrap()
}

/// What a database has on which the binary of the list ran.
fn applied() -> Vec<AppliedMigration> {
    let ran = |listed: &Listed| AppliedMigration {
        version: listed.version.to_string(),
        description: listed.description.clone(),
        success: true,
        checksum: listed.checksum_sha384.clone(),
    };
    list().migrations.iter().map(ran).collect()
}

fn judged(change: impl Fn(&mut Vec<AppliedMigration>)) -> (CheckStatus, Vec<(String, Severity)>) {
    let mut applied = applied();
    change(&mut applied);
    let outcome = judge(&"gateway".parse().unwrap(), &list(), Some(&applied));
    let found = outcome.findings.iter().map(|finding| (finding.code.as_str().to_owned(), finding.severity));
    (outcome.status, found.collect())
}

fn one(code: &str, severity: Severity) -> Vec<(String, Severity)> {
    vec![(code.to_owned(), severity)]
}

#[test]
fn those_of_the_list_pass() {
    assert_eq!(judged(|_| ()), (CheckStatus::Pass, Vec::new()));
    assert_eq!(list().migrations.len(), 31);
}

#[test]
fn what_keeps_a_binary_from_starting_fails() {
    let failing = [
        ("migration_dirty", judged(|all| all[11].success = false)),
        ("migration_checksum_differs", judged(|all| all[2].checksum = "00".repeat(48))),
        ("migration_unknown", judged(|all| all[30].version = "99".to_owned())),
    ];
    for (code, (status, found)) in failing {
        assert_eq!((status, &found[0]), (CheckStatus::Fail, &(code.to_owned(), Severity::Error)));
    }
    let none = judge(&"gateway".parse().unwrap(), &list(), None);
    assert_eq!((none.status, none.failing_code()), (CheckStatus::Fail, NO_MIGRATIONS));
    let empty = judge(&"gateway".parse().unwrap(), &list(), Some(&[]));
    assert_eq!(empty.failing_code(), NO_MIGRATIONS);
}

#[test]
fn an_older_backup_passes_and_says_what_will_run() {
    let older = judged(|all| all.truncate(30));
    assert_eq!(older, (CheckStatus::Pass, one("migration_missing", Severity::Info)));
    let passed_over = judged(|all| drop(all.remove(4)));
    assert_eq!(passed_over, (CheckStatus::Pass, one("migration_missing", Severity::Warning)));
}

#[test]
fn a_text_that_the_list_knows_from_before_is_a_warning() {
    let other = list().other_texts[0].checksum_sha384.clone();
    let found = judged(|all| all[0].checksum = other.to_uppercase());
    assert_eq!(found, (CheckStatus::Pass, one("migration_other_text", Severity::Warning)));
}

#[test]
fn a_list_that_is_none_is_refused() {
    assert_eq!(read_list("/nonexistent.json").unwrap_err().code.as_str(), "template_invalid");
}
