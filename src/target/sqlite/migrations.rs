//! What sqlx keeps of the migrations that it ran.

use super::Workbench;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

/// The table.
pub const TABLE: &str = "_sqlx_migrations";
/// Rows that are read: no program has so many.
const READ: usize = 10_000;

/// A migration that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    /// Its version.
    pub version: String,
    /// What it says of itself.
    pub description: String,
    /// Whether it ended.
    pub success: bool,
    /// The checksum of its text, in lower-case digits.
    pub checksum: String,
}

impl Workbench {
    /// The migrations of a database, by version; none if it has no table of them.
    ///
    /// # Errors
    /// `sqlite_failed`.
    pub async fn applied_migrations(&self, database: &DatabaseName) -> Result<Option<Vec<AppliedMigration>>> {
        if self.columns(database, TABLE).await?.is_empty() {
            return Ok(None);
        }
        let sql = format!(
            "SELECT version, description, success, lower(hex(checksum)) AS checksum FROM {TABLE} ORDER BY version LIMIT {READ}"
        );
        let rows = self.query(database, &sql).await?;
        let applied = |row: &super::query::Row| {
            Ok(AppliedMigration {
                version: row.text("version")?,
                description: row.text("description")?,
                success: row.text("success")? == "1",
                checksum: row.text("checksum")?,
            })
        };
        rows.iter().map(applied).collect::<Result<_>>().map(Some)
    }
}
