//! What checks work with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::format::pg_custom::{LeftOut, Promised};
use crate::layer::Identities;
use crate::model::earlier::EarlierDrills;
use crate::model::failure::Result;
use crate::model::names::{DatabaseName, ServerName};
use crate::model::verdict::RecoverySet;
use crate::sandbox::docker::Engine;
use crate::sandbox::labels::Ownership;
use crate::sandbox::spec::StackNetwork;
use crate::store::Store;
use crate::survey::{ManifestLookup, Manifests};
use crate::target::postgres::catalog::RestoredContents;
use crate::target::postgres::globals::RestoredRoles;
use crate::target::postgres::{Servers, SharedServer};
use crate::target::sqlite::Workbench;

/// What the restored databases hold.
pub type Restored<'a> = BTreeMap<&'a DatabaseName, &'a RestoredContents>;

/// What all checks of a drill work with.
pub struct Tools {
    /// The servers that databases were restored to, with the connections that checks may hold.
    pub servers: Servers,
    /// Where databases of SQLite are opened, if there are any.
    pub workbench: Option<Workbench>,
    /// The recovery points they were restored from.
    pub points: RecoverySet,
    /// The store they came from.
    pub store: Arc<dyn Store>,
    /// What opens objects of the store.
    pub identities: Arc<Identities>,
    /// Earlier drills that passed.
    pub earlier: Arc<EarlierDrills>,
    /// The manifests of the recovery points.
    pub manifests: Arc<Manifests>,
    /// Connections a check may work on at once.
    pub jobs: usize,
    /// The stack, for checks that ask it or join it.
    pub stack: Stack,
    /// The roles of each server's source, if they were restored there, and owners and privileges with each database. A role
    /// that only dumps name is on the server and not among them.
    pub roles: BTreeMap<ServerName, Arc<RestoredRoles>>,
}

/// The stack, as far as checks have to do with it.
pub struct Stack {
    /// The engine it runs on.
    pub engine: Engine,
    /// Whose what joins it is.
    pub ownership: Ownership,
    /// How its containers reach each other.
    pub network: StackNetwork,
    /// The containers of its services, by the service's name.
    pub services: BTreeMap<String, String>,
    /// Where all share one loopback: the ports on which something listened before there was any data.
    pub listening: Option<BTreeSet<u16>>,
}

/// What one check works with.
pub struct Context<'a> {
    /// What it shares with the others.
    pub tools: &'a Tools,
    /// What the databases hold that it names.
    pub restored: Restored<'a>,
    /// What their dumps promised.
    pub promised: BTreeMap<&'a DatabaseName, &'a Promised>,
    /// Their recovery points as they were read, with their hashes.
    pub fetched: RecoverySet,
}

/// Looks at several databases, so many at once as connections may be used, with a permit for one connection each;
/// results come in the order asked for.
pub(super) async fn each_database<'a, T: Send + 'a>(
    databases: &'a [DatabaseName],
    tools: &'a Tools,
    look: impl Fn(&'a DatabaseName, &'a SharedServer) -> BoxFuture<'a, Result<T>>,
) -> Result<Vec<(&'a DatabaseName, T)>> {
    let mut looks: Vec<BoxFuture<'a, Result<(&'a DatabaseName, T)>>> = Vec::new();
    for database in databases {
        let shared = tools.servers.of(database);
        let found = look(database, shared);
        looks.push(
            async move {
                let _permit = shared.connections.hold(1).await;
                Ok((database, found.await.map_err(|failure| failure.context(database))?))
            }
            .boxed(),
        );
    }
    stream::iter(looks).buffered(tools.jobs.max(1)).try_collect().await
}

impl Context<'_> {
    /// Where a database was opened, if it is of SQLite.
    pub fn workbench_of(&self, database: &DatabaseName) -> Option<&Workbench> {
        self.tools.workbench.as_ref().filter(|_| !self.tools.servers.has(database))
    }

    /// The source's roles, if owners and privileges of this database were restored.
    ///
    /// # Errors
    /// Why not.
    pub fn restored_roles(
        &self,
        database: &DatabaseName,
    ) -> std::result::Result<&RestoredRoles, &'static str> {
        let server = &self.tools.servers.of(database).server;
        let roles = self.tools.roles.get(&server.name).map(|roles| &**roles);
        roles.ok_or("the drill restored no roles, owners and privileges")
    }

    /// The entry of a database in the manifest of its recovery point.
    ///
    /// # Errors
    /// Those of the store; `manifest_unknown`, for a manifest of another version of this program.
    pub async fn manifest_entry(&self, database: &DatabaseName) -> Result<ManifestLookup> {
        self.tools.manifests.entry(database, self.taken_at(database)).await
    }

    /// What the template leaves out of a database that the check names.
    pub fn left_out(&self, database: &DatabaseName) -> &LeftOut {
        &self.restored[database].left_out
    }

    /// When a database's dump was taken. One without a recovery point is not restored, and no check sees it.
    pub fn taken_at(&self, database: &DatabaseName) -> DateTime<Utc> {
        let point = self.tools.points.point(database);
        point.map_or(DateTime::<Utc>::MAX_UTC, |point| point.taken_at)
    }
}
