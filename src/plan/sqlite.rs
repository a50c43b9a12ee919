//! What the header of an SQLite database, and what lies beside its file, say of a recovery point. Pure.

use super::survey::Beside;
use super::{code, finding};
use crate::format::sqlite::SqliteHeader;
use crate::model::code::Code;
use crate::model::verdict::{Finding, RecoveryPoint, Severity};

/// What is worth knowing of it.
pub(super) fn judge(point: &RecoveryPoint, header: &SqliteHeader, beside: Beside) -> Vec<Finding> {
    let warning = |code: Code, expected: &str, actual: String| {
        finding(Severity::Warning, code, &point.database, expected, actual)
    };
    let key = &point.key;
    let mut findings = Vec::new();
    if header.is_wal {
        findings.push(warning(
            code::sqlite::SQLITE_WAL_MODE,
            "a copy made with `VACUUM INTO`, whose journal is no write-ahead log",
            format!(
                "{key} is in the mode of a write-ahead log: if it was copied as a file while it was in use, it may lack what was \
                 only in the log"
            ),
        ));
    }
    if beside.wal {
        findings.push(warning(
            code::sqlite::WAL_BESIDE_DATABASE,
            "nothing beside the file that SQLite would read with it",
            format!("{key}-wal is beside {key}: whoever opens the file where it is changes it by what is in the log"),
        ));
    }
    if beside.journal {
        findings.push(warning(
            code::sqlite::JOURNAL_BESIDE_DATABASE,
            "nothing beside the file that SQLite would read with it",
            format!(
                "{key}-journal is beside {key}: the file was copied in the middle of a transaction, and a drill sees the changes \
                 that were never committed"
            ),
        ));
    }
    findings
}
