//! What the header of an SQLite database, and what lies beside its file, say of a recovery point. Pure.

use super::{code, finding};
use crate::format::sqlite::SqliteHeader;
use crate::model::verdict::{Finding, RecoveryPoint, Severity};

/// What is worth knowing of it.
pub(super) fn judge(point: &RecoveryPoint, header: &SqliteHeader, wal_beside: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if header.is_wal {
        findings.push(finding(
            Severity::Warning,
            code::sqlite::SQLITE_IN_USE,
            &point.database,
            "a copy made with `VACUUM INTO` or `.backup`, whose journal is no write-ahead log",
            format!(
                "{} is in the mode of a write-ahead log: it was copied while it was in use, and may lack what was only in the log",
                point.key
            ),
        ));
    }
    if wal_beside {
        findings.push(finding(
            Severity::Warning,
            code::sqlite::WAL_BESIDE_DATABASE,
            &point.database,
            "nothing beside the file that SQLite would read with it",
            format!(
                "{key}-wal is beside {key}: whoever opens the file where it is changes it by what is in the log",
                key = point.key
            ),
        ));
    }
    findings
}
