//! A dump of a whole server in the scratch volume becomes its roles, and each of its databases.
//!
//! The roles are made by statements of our own, without passwords and without the right to log in: no verifier of production
//! reaches the server, and nothing of the dump can lock the drill out. The server's own superuser is not dropped or altered
//! either, so not one error is to be expected of what `psql` runs then: each database's own script, in one transaction.

use tokio::time::Instant;

use super::postgres::server::Server;
use crate::format::pg_plain::cluster::{ClusterDatabase, ClusterDump};
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

/// What became of a dump of a whole server.
#[derive(Debug, Default)]
pub struct RestoredCluster {
    /// What of the roles was not restored, in words.
    pub roles_left_out: Vec<String>,
    /// The databases that are restored.
    pub databases: Vec<DatabaseName>,
    /// Those that are not, by their names in the dump: `template1`, and those whose name no template can write.
    pub not_restored: Vec<String>,
}

/// Restores all of a dump that lies in the scratch volume as that of `file`; `locale` is that for a database whose own the image
/// lacks.
///
/// # Errors
/// The first of a database, by its name.
pub async fn restore(
    server: &Server,
    file: &DatabaseName,
    cluster: &ClusterDump,
    locale: Option<&str>,
) -> Result<RestoredCluster> {
    let roles_left_out = server.restore_globals(&cluster.globals).await?.all;
    let mut restored = RestoredCluster { roles_left_out, ..RestoredCluster::default() };
    for database in &cluster.databases {
        match database.name.parse() {
            Ok(name) => {
                let done = restore_database(server, file, &name, database, locale).await;
                done.map_err(|failure| failure.context(&name))?;
                restored.databases.push(name);
            }
            Err(_) => restored.not_restored.push(database.name.clone()),
        }
    }
    Ok(restored)
}

async fn restore_database(
    server: &Server,
    file: &DatabaseName,
    name: &DatabaseName,
    ClusterDatabase { dump, .. }: &ClusterDatabase,
    locale: Option<&str>,
) -> Result<()> {
    let _ = server.require_psql_for(dump).await?;
    if !dump.tablespaces.is_empty() {
        server.create_tablespaces(&dump.tablespaces).await?;
    }
    server.create_as_dumped(name, &dump.toc, locale, true).await?;
    server.restore_database_access(name, &dump.toc).await?;
    let began = Instant::now();
    let run = server.run_script(name, file, dump).await?;
    if run.is_clean() {
        return Ok(());
    }
    Err(server.explain_script(name, &run, dump, began).await?)
}
