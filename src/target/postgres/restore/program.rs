//! The programs that restore.

/// What restores a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `pg_restore`, an archive.
    PgRestore,
    /// `psql`, a script.
    Psql,
}

impl Program {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PgRestore => "pg_restore",
            Self::Psql => "psql",
        }
    }
}
