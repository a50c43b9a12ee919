//! What to do about a `pg_dump` that failed, by the English words of its error and of the server's.
//!
//! The words are those of `pg_dump` 13 to 17 and of libpq. They only choose a hint: whatever they say, no dump was made.

use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::sandbox::exit_status::KILLED;

/// Words, and what to do about them. The first that fit count.
const HINTS: &[(&[&str], &str)] = &[
    (
        &["password authentication failed", "no password supplied", "pg_hba.conf", "role \""],
        "check backup.user and backup.password, and what pg_hba.conf of the source allows this network",
    ),
    (
        &[
            "could not translate host name",
            "Connection refused",
            "timeout expired",
            "No route to host",
            "Network is unreachable",
            "No such file or directory",
        ],
        "check backup.host, backup.port and backup.network: the name is looked up in that Docker network",
    ),
    (
        &["server version mismatch"],
        "name a Postgres image of the source's major version, or a later one, in postgres.image",
    ),
    (
        &["permission denied"],
        "grant the user what it lacks: the role pg_read_all_data (PostgreSQL 14 and later) reads every table",
    ),
    (
        &["out of shared memory"],
        "raise max_locks_per_transaction on the source: pg_dump locks every table of the database at once",
    ),
    (
        &["too many clients", "remaining connection slots", "too many connections"],
        "the source has no connection to spare: run the backup at another time, or raise its max_connections",
    ),
    (
        &["invalid memory alloc request size", "invalid string enlargement"],
        "a value is longer than 1 GB as text, which pg_dump cannot write: store it as a large object, or shorten it",
    ),
    (
        &["out of memory"],
        "raise backup.memory in the template if pg_dump ran out of it, or give the source's server more",
    ),
    (
        &["statement timeout", "lock timeout", "terminating connection", "server closed the connection"],
        "the source ended pg_dump's session: check its log, and statement_timeout and lock_timeout of the user",
    ),
    (&["does not exist"], "check the names of databases in the template against those on the source"),
];

/// The hint for output that none of [`HINTS`] recognises.
const OTHERWISE: &str = "pg_dump's own message is above; run the same pg_dump by hand, as the same user, to see whether the source is at fault";

/// Judges a `pg_dump` that ended: by its exit status, its messages, the bytes it wrote, and the memory it was allowed.
pub(super) fn judge(status: i64, stderr: &[u8], bytes: usize, memory_bytes: u64) -> Result<()> {
    let said = crate::model::human::one_line(String::from_utf8_lossy(stderr).trim(), 400);
    match status {
        0 if bytes == 0 => Err(Failure::bad(
            codes::EMPTY_DUMP,
            "pg_dump succeeded and wrote nothing, so nothing was uploaded",
        )
        .hint("check which pg_dump is in the image that postgres.image names")),
        0 => Ok(()),
        KILLED => {
            let memory = crate::model::human::bytes(memory_bytes);
            let message = format!(
                "pg_dump was killed, most likely because its container may use {memory} of memory, and nothing was uploaded"
            );
            Err(Failure::inconclusive(codes::PG_DUMP_KILLED, message).hint(
                "raise backup.memory in the template: pg_dump needs about four times the largest row, as text",
            ))
        }
        _ => {
            let message = format!("pg_dump ended with status {status}, and nothing was uploaded: {said}");
            Err(Failure::bad(codes::PG_DUMP_FAILED, message).hint(hint(&said)))
        }
    }
}

/// The failure of a `pg_dumpall` that ended with this status, by its messages.
pub(super) fn pg_dumpall_failed(status: i64, stderr: &str) -> Failure {
    let said = crate::model::human::one_line(stderr.trim(), 400);
    let message =
        format!("pg_dumpall ended with status {status}, and the server's roles were not backed up: {said}");
    Failure::bad(codes::PG_DUMPALL_FAILED, message).hint(format!(
        "the dumps are not affected; {}; backup.privileges = false leaves roles and privileges out",
        hint(&said)
    ))
}

fn hint(said: &str) -> &'static str {
    let fits = |(words, _): &&(&[&str], &str)| words.iter().any(|word| said.contains(word));
    HINTS.iter().find(fits).map_or(OTHERWISE, |(_, hint)| hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::failure::Class;

    #[test]
    fn a_hint_fits_its_cause() {
        for (said, word) in [
            (
                "pg_dump: error: connection to server at \"db\" failed: FATAL:  password authentication failed for user \"a\"",
                "backup.password",
            ),
            ("could not translate host name \"db\" to address: Name or service not known", "backup.host"),
            ("pg_dump: error: aborting because of server version mismatch", "postgres.image"),
            ("pg_dump: error: query failed: ERROR:  permission denied for table closed", "pg_read_all_data"),
            ("ERROR:  out of shared memory", "max_locks_per_transaction"),
            ("ERROR:  invalid memory alloc request size 1200000003", "1 GB"),
            ("FATAL:  database \"shop\" does not exist", "names of databases"),
            ("FATAL:  role \"backup\" does not exist", "backup.user"),
            ("something else", "by hand"),
        ] {
            let failure = judge(1, said.as_bytes(), 10, 1).unwrap_err();
            assert_eq!((failure.code.as_str(), failure.class), ("pg_dump_failed", Class::Bad));
            assert!(failure.hint.as_ref().unwrap().contains(word), "{said}: {failure:?}");
        }
    }

    #[test]
    fn a_pg_dump_that_was_killed_says_nothing_about_the_source() {
        let failure = judge(KILLED, b"", 10, 1 << 30).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.class), ("pg_dump_killed", Class::Inconclusive));
        assert!(failure.message.contains("1.0 GiB") && failure.hint.unwrap().contains("backup.memory"));
    }

    #[test]
    fn nothing_at_all_is_no_dump_even_if_pg_dump_is_content() {
        assert_eq!(judge(0, b"", 0, 1).unwrap_err().code.as_str(), "empty_dump");
        assert!(judge(0, b"", 1, 1).is_ok());
    }
}
