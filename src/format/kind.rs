//! A format, as the list of formats has it.

use super::pg_custom::Toc;
use super::pg_globals::Globals;
use super::pg_plain::PlainDump;
use super::pg_plain::cluster::{ClusterDatabase, ClusterDump};
use super::pg_tar::PackedDirectory;
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human;
use crate::model::names::DatabaseName;

/// A format that a backup may have.
#[derive(Debug, Clone, Copy)]
pub struct FormatKind {
    /// Its name.
    pub name: &'static str,
    /// A fresh inspector.
    pub inspector: fn() -> Box<dyn Inspect>,
}

/// Reads what a backup holds from its first bytes. A plan and a drill use the same one.
pub trait Inspect: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// Why the backup cannot be read in this format, as soon as the bytes so far show it.
    fn push(&mut self, bytes: &[u8]) -> Result<Progress, Failure>;

    /// What the backup holds. Call it when [`Inspect::push`] said [`Progress::Done`], or when there are no more bytes.
    ///
    /// # Errors
    /// Why the contents cannot be read.
    fn finish(self: Box<Self>) -> Result<BackupContents, NoContents>;

    /// Whether it is sure that the backup has this format, whatever else is wrong with it.
    fn is_recognised(&self) -> bool {
        false
    }

    /// What the bytes so far show, where more follow that were not read.
    ///
    /// # Errors
    /// Why they show nothing.
    fn so_far(self: Box<Self>) -> Result<BackupContents, NoContents> {
        self.finish()
    }
}

/// Whether an inspector needs more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// It does.
    NeedMore,
    /// It has read all contents.
    Done,
}

/// What a backup holds, by its format.
#[derive(Debug)]
pub enum BackupContents {
    /// The table of contents of an archive of `pg_dump --format=custom`.
    PgCustom(Toc),
    /// That of an archive of `pg_dump --format=tar`.
    PgTar(Toc),
    /// That of a directory of `pg_dump --format=directory`, in a tar file.
    PgDirectory(PackedDirectory),
    /// A script of `pg_dump`.
    PgPlain(PlainDump),
    /// All databases of a server, by `pg_dumpall`.
    PgCluster(ClusterDump),
    /// One of them.
    PgClusterDatabase(PlainDump, Globals),
}

impl BackupContents {
    /// The name of their format.
    pub fn format(&self) -> &'static str {
        match self {
            Self::PgCustom(_) => "pg_custom",
            Self::PgTar(_) => "pg_tar",
            Self::PgDirectory(_) => "pg_directory",
            Self::PgPlain(_) => "pg_plain",
            Self::PgCluster(_) | Self::PgClusterDatabase(..) => "pg_cluster",
        }
    }

    /// The databases with tables in it, where it holds all of a server.
    pub fn databases(&self) -> Vec<String> {
        let Self::PgCluster(cluster) = self else { return Vec::new() };
        let with_tables = cluster.databases.iter().filter(|one| one.dump.toc.tables().next().is_some());
        with_tables.map(|one| one.name.clone()).collect()
    }

    /// What of it this database is restored from: all, unless it holds all databases of a server.
    ///
    /// # Errors
    /// `database_not_in_cluster`.
    pub fn of_database(self, database: &DatabaseName) -> Result<Self, Failure> {
        let Self::PgCluster(cluster) = self else { return Ok(self) };
        let ClusterDump { globals, databases, first, is_whole } = cluster;
        let names: Vec<String> = databases.iter().map(|database| database.name.clone()).collect();
        match databases.into_iter().find(|one| one.name == database.as_str()) {
            Some(ClusterDatabase { name, mut dump }) => {
                dump.toc.header.database = name;
                Ok(Self::PgClusterDatabase(dump, globals))
            }
            // It may come later.
            None if !is_whole => Ok(Self::PgClusterDatabase(first, globals)),
            None => {
                let names = human::one_line(&names.join(", "), 200);
                let message = format!("the dump of the whole server does not have it, but {names}");
                Err(Failure::bad(codes::DATABASE_NOT_IN_CLUSTER, message).hint(
                    "was it dropped, or is it on another server? pg_dumpall leaves out what --exclude-database names",
                ))
            }
        }
    }

    /// The table of contents; of a script, what its comments say.
    pub fn toc(&self) -> &Toc {
        match self {
            Self::PgCustom(toc) | Self::PgTar(toc) => toc,
            Self::PgDirectory(directory) => &directory.toc,
            Self::PgPlain(dump) | Self::PgClusterDatabase(dump, _) => &dump.toc,
            Self::PgCluster(cluster) => &cluster.first.toc,
        }
    }

    /// The format as a verdict names it: the version of an archive's, or what it is instead.
    pub fn format_shown(&self) -> String {
        let version = self.toc().header.format_version;
        match self {
            Self::PgCustom(_) => version.to_string(),
            Self::PgTar(_) => format!("{version}, tar"),
            Self::PgDirectory(_) => format!("{version}, directory in a tar file"),
            Self::PgPlain(_) => "plain SQL".to_owned(),
            Self::PgCluster(_) | Self::PgClusterDatabase(..) => "plain SQL of a whole server".to_owned(),
        }
    }

    /// The script, if it is one.
    pub fn script(&self) -> Option<&PlainDump> {
        match self {
            Self::PgPlain(dump) | Self::PgClusterDatabase(dump, _) => Some(dump),
            _ => None,
        }
    }

    /// Whether all of it is known that the backup tells of its contents.
    pub fn is_whole(&self) -> bool {
        self.script().is_none_or(|script| script.is_whole)
    }

    /// Whether several workers can restore it.
    pub fn has_room_for_workers(&self) -> bool {
        matches!(self, Self::PgCustom(_) | Self::PgDirectory(_))
    }
}

/// Why the contents of a backup cannot be read.
#[derive(Debug)]
pub enum NoContents {
    /// The bytes ended too early. If there are more of them, they may help.
    CutOff(Failure),
    /// More bytes would not help.
    Unreadable(Failure),
}

impl NoContents {
    /// The failure, if there are no more bytes.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::CutOff(failure) | Self::Unreadable(failure) => failure,
        }
    }
}
