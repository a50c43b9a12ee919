//! The folder that the agent keeps: backups of three tiers, with a checksum and a manifest each, and a log.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::attribute;

/// How the agent writes a time in the names of files.
const TIMESTAMP: &str = "%Y-%m-%d_%H-%M-%S";
/// The log.
const LOG: &str = "logs/backup_audit.jsonl";
/// The backups that are there: their tier, and the minutes since each.
const BACKUPS: [(&str, &[i64]); 3] =
    [("hourly", &[20, 80, 140]), ("daily", &[5 * 60, 29 * 60]), ("weekly", &[3 * 24 * 60])];
/// What is beside a backup.
const SIDECARS: [&str; 2] = [".sha256", ".manifest.json"];

/// A folder with backups of one dump.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// When the folder was written, as far as the names of files and the log say.
    now: DateTime<Utc>,
}

/// One backup.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backup {
    tier: &'static str,
    at: DateTime<Utc>,
}

impl Backup {
    fn name(self) -> String {
        format!("{}.sql.gz", self.at.format(TIMESTAMP))
    }

    /// Its key in the store.
    pub(super) fn key(self) -> String {
        format!("active/{}/{}", self.tier, self.name())
    }

    fn manifest(self, sealed: &[u8]) -> Value {
        json!({
            "filename": self.name(),
            "timestamp": self.at.format(TIMESTAMP).to_string(),
            "type": self.tier,
            "size_bytes": sealed.len(),
            "sha256": sha256(sealed),
            "database": super::DATABASE,
            "created_at": self.at.to_rfc3339(),
            "immutable": true,
            "version": "1.0",
        })
    }
}

impl Folder {
    /// Writes the backups of a dump, as the agent leaves them, but for their attribute.
    pub fn write(root: &Path, dump: &[u8], now: DateTime<Utc>) -> io::Result<Self> {
        let folder = Self { root: root.to_owned(), now };
        let sealed = gzip(dump)?;
        fs::create_dir_all(folder.path("logs"))?;
        // One that retention removed, two days after it was made.
        let removed = Backup { tier: "hourly", at: now - TimeDelta::hours(50) };
        folder.log(&created(removed, &sealed))?;
        let mut backups: Vec<Backup> = folder.backups().collect();
        backups.sort_by_key(|backup| backup.at);
        for backup in backups {
            fs::create_dir_all(folder.path(&format!("active/{}", backup.tier)))?;
            folder.put(backup, &backup.key(), &sealed)?;
            let checksum = format!("{}  {}\n", sha256(&sealed), backup.name());
            folder.put(backup, &format!("{}.sha256", backup.key()), checksum.as_bytes())?;
            let manifest = format!("{:#}", backup.manifest(&sealed));
            folder.put(backup, &format!("{}.manifest.json", backup.key()), manifest.as_bytes())?;
            folder.log(&created(backup, &sealed))?;
        }
        folder.log(&removal(removed, removed.at + TimeDelta::hours(48)))?;
        Ok(folder)
    }

    fn backups(&self) -> impl Iterator<Item = Backup> {
        let now = self.now;
        let of_tier = move |(tier, ages): (&'static str, &'static [i64])| {
            ages.iter().map(move |minutes| Backup { tier, at: now - TimeDelta::minutes(*minutes) })
        };
        BACKUPS.into_iter().flat_map(of_tier)
    }

    /// The newest backup of all, or an older one of its tier.
    pub(super) fn hourly(&self, older: usize) -> Backup {
        self.backups().nth(older).expect("there are three hourly ones, and they come first")
    }

    /// A backup that retention is to keep, and that is not there.
    pub(super) fn daily_that_was_removed(&self) -> Backup {
        Backup { tier: "daily", at: self.now - TimeDelta::hours(53) }
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// A file as old as its backup.
    fn put(&self, backup: Backup, key: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.path(key))?;
        file.write_all(bytes)?;
        file.set_modified(backup.at.into())
    }

    /// Writes what a backup holds once more, edited; what is beside it stays.
    pub(super) fn edit(&self, backup: Backup, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) -> io::Result<()> {
        let mut dump = Vec::new();
        GzDecoder::new(File::open(self.path(&backup.key()))?).read_to_end(&mut dump)?;
        self.put(backup, &backup.key(), &gzip(&edit(dump))?)
    }

    fn log(&self, event: &Value) -> io::Result<()> {
        let mut log = File::options().create(true).append(true).open(self.path(LOG))?;
        writeln!(log, "{event}")
    }

    /// Logs that a backup was made, and removed a day later.
    pub(super) fn log_early_removal(&self, backup: Backup) -> io::Result<()> {
        let sealed = fs::read(self.path(&self.hourly(0).key()))?;
        self.log(&created(backup, &sealed))?;
        self.log(&removal(backup, backup.at + TimeDelta::hours(24)))
    }

    /// Logs that the last hourly backup failed.
    pub(super) fn log_failure(&self) -> io::Result<()> {
        self.log(&json!({
            "event": "backup_failed", "timestamp": self.now.to_rfc3339(), "backup_type": "hourly",
            "error": "pg_dump: connection refused",
        }))
    }

    /// Sets the attribute of every file of every backup.
    pub(super) fn lock(&self) -> io::Result<()> {
        self.each_file(|path| attribute::set(path, true))
    }

    /// Makes every file of every backup read-only, as the agent does where it cannot set the attribute.
    pub fn make_read_only(&self) -> io::Result<()> {
        self.each_file(|path| fs::set_permissions(path, Permissions::from_mode(0o400)))
    }

    /// The files of the backups that are there.
    fn each_file(&self, change: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
        for backup in self.backups() {
            for suffix in ["", SIDECARS[0], SIDECARS[1]] {
                let path = self.path(&format!("{}{suffix}", backup.key()));
                if path.exists() {
                    change(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// Clears the attribute of whatever is below a folder, so that it can be removed.
pub(super) fn unlock_all(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => unlock_all(&path),
            // A file that never had the attribute is no hindrance.
            Ok(kind) if kind.is_file() => drop(attribute::set(&path, false)),
            _ => {}
        }
    }
}

fn created(backup: Backup, sealed: &[u8]) -> Value {
    json!({ "event": "backup_created", "timestamp": backup.at.to_rfc3339(), "manifest": backup.manifest(sealed) })
}

fn removal(backup: Backup, at: DateTime<Utc>) -> Value {
    json!({
        "event": "backup_removed", "timestamp": at.to_rfc3339(), "filename": backup.name(), "type": backup.tier,
        "reason": "retention_policy",
    })
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
