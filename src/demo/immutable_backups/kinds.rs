//! Every way to break a backup of that system.

use std::fs::{self, File};
use std::io;

use super::files::Folder;
use crate::demo::breakage::Expect::{Failure, Findings};

/// A way to break a backup of that system.
pub type Breakage = crate::demo::breakage::Breakage<How>;

/// How a backup is broken.
#[derive(Debug)]
pub enum How {
    /// The source is edited, and then dumped.
    Source(&'static str),
    /// The dump breaks off, and is compressed all the same.
    CutDump,
    /// The backups are this many hours older.
    Aged(i64),
    /// The files are read-only, and no more.
    ReadOnly,
    /// Files are changed before they are made immutable. Returns what was hit.
    Files(fn(&Folder) -> io::Result<String>),
}

/// Every kind.
pub static KINDS: &[Breakage] = &[
    Breakage {
        name: "content-changed",
        about: "a row of the newest backup says something else, in a file that is whole: only its checksum shows it",
        how: How::Files(|folder| {
            let newest = folder.hourly(0);
            folder.edit(newest, |dump| {
                let dump = String::from_utf8_lossy(&dump).replacen("Initial ontology", "Altered ontology", 1);
                dump.into_bytes()
            })?;
            Ok(newest.key())
        }),
        expect: Findings(&[("sidecars", "checksum_mismatch"), ("audit-log", "logged_checksum_differs")]),
    },
    Breakage {
        name: "sidecar-gone",
        about: "the checksum beside a backup is gone",
        how: How::Files(|folder| {
            let backup = folder.hourly(1);
            fs::remove_file(folder.path(&format!("{}.sha256", backup.key())))?;
            Ok(backup.key())
        }),
        expect: Findings(&[("sidecars", "sidecar_missing")]),
    },
    Breakage {
        name: "not-immutable",
        about: "the files are read-only, and their manifests say immutable: so it is where the agent lacks the capability",
        how: How::ReadOnly,
        expect: Findings(&[("immutable", "not_immutable"), ("immutable", "immutability_claimed_not_held")]),
    },
    Breakage {
        name: "cut-gzip",
        about: "the newest backup lacks its end",
        how: How::Files(|folder| {
            let newest = folder.hourly(0);
            let file = File::options().write(true).open(folder.path(&newest.key()))?;
            file.set_len(file.metadata()?.len() / 3 * 2)?;
            Ok(newest.key())
        }),
        expect: Failure("layer_truncated"),
    },
    Breakage {
        name: "cut-dump",
        about: "pg_dump broke off within rows, and what it wrote was compressed, with a checksum that is right",
        how: How::CutDump,
        expect: Failure("dump_incomplete"),
    },
    Breakage {
        name: "stale",
        about: "the backup job has not run for three hours",
        how: How::Aged(3),
        expect: Findings(&[("tiers", "tier_stale")]),
    },
    Breakage {
        name: "removed-early",
        about: "a daily backup was removed after one day, and the log says so",
        how: How::Files(|folder| {
            let backup = folder.daily_that_was_removed();
            folder.log_early_removal(backup)?;
            Ok(backup.key())
        }),
        expect: Findings(&[("audit-log", "removed_early")]),
    },
    Breakage {
        name: "failed-since",
        about: "the last hourly backup failed",
        how: How::Files(|folder| folder.log_failure().map(|()| "hourly".to_owned())),
        expect: Findings(&[("audit-log", "failed_since")]),
    },
    Breakage {
        name: "empty-tables",
        about: "the dump was taken of tables that had lost their rows",
        how: How::Source("TRUNCATE entities CASCADE"),
        expect: Findings(&[("rows", "row_count_low")]),
    },
];
