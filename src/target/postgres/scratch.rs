//! Where a decrypted dump lies while it is restored: in the scratch volume of the server's container. `pg_restore --jobs` needs a
//! regular file, and this one exists only inside the drill's own anonymous volume.

use super::server::Server;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::sandbox::scratch;
use crate::sandbox::spec::SCRATCH;

/// The path of a list of entries of a database's dump inside the container.
pub fn list_path(database: &DatabaseName) -> String {
    format!("{SCRATCH}/{database}.list")
}

/// The path of a database's dump inside the container.
pub fn path(database: &DatabaseName) -> String {
    format!("{SCRATCH}/{database}.dump")
}

impl Server {
    /// Writes the list of entries that `pg_restore --use-list` is to restore, in the order of the archive. Numbers only:
    /// names would be words of the dump.
    ///
    /// # Errors
    /// `disk_full`, `scratch_failed`.
    pub(super) async fn write_list(
        &self,
        database: &DatabaseName,
        entries: impl IntoIterator<Item = i32>,
    ) -> Result<String> {
        let path = list_path(database);
        let list: String = entries.into_iter().map(|entry| format!("{entry};\n")).collect();
        scratch::write_whole(&self.engine, &self.container, &path, list.as_bytes()).await?;
        Ok(path)
    }

    /// Unpacks a tar file, of which the folder is then what lies in its place. Its members were looked at before: none leaves
    /// the folder, and there are no links among them.
    ///
    /// # Errors
    /// `disk_full`, `scratch_failed`.
    pub async fn unpack_scratch(&self, database: &DatabaseName, folder: &str) -> Result<()> {
        scratch::unpack(&self.engine, &self.container, &path(database), folder).await
    }

    /// Removes a database's dump from the scratch volume.
    pub async fn remove_scratch(&self, database: &DatabaseName) -> Result<()> {
        scratch::remove(&self.engine, &self.container, &[&path(database), &list_path(database)]).await
    }
}
