//! The servers of a drill, and what its checks share on each.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::SemaphorePermit;

use super::connections::Connections;
use super::server::Server;
use crate::model::names::DatabaseName;

/// A server, and the connections that checks share on it.
#[derive(Debug)]
pub struct SharedServer {
    /// The server.
    pub server: Server,
    /// The connections that all checks together may hold.
    pub connections: Connections,
}

/// The servers of a drill.
#[derive(Debug)]
pub struct Servers {
    servers: Vec<SharedServer>,
    places: BTreeMap<DatabaseName, usize>,
}

impl Servers {
    /// These servers, each with the names of its databases. Checks work on so many connections to each.
    pub fn new(servers: impl IntoIterator<Item = (Server, Vec<DatabaseName>)>, jobs: usize) -> Self {
        let (mut shared, mut places) = (Vec::new(), BTreeMap::new());
        for (place, (server, databases)) in servers.into_iter().enumerate() {
            places.extend(databases.into_iter().map(|database| (database, place)));
            shared.push(SharedServer { server, connections: Connections::new(jobs) });
        }
        Self { servers: shared, places }
    }

    /// Whether a database was restored to one of them.
    pub fn has(&self, database: &DatabaseName) -> bool {
        self.places.contains_key(database)
    }

    /// The server that a database was restored to.
    pub fn of(&self, database: &DatabaseName) -> &SharedServer {
        &self.servers[self.place(database)]
    }

    /// The servers of these databases, each once. A database that is a file has none.
    pub fn of_all<'a>(&self, databases: impl IntoIterator<Item = &'a DatabaseName>) -> Vec<&Server> {
        let of_it = |database: &DatabaseName| self.places.get(database).copied();
        let places: BTreeSet<usize> = databases.into_iter().filter_map(of_it).collect();
        places.into_iter().map(|place| &self.servers[place].server).collect()
    }

    /// Waits until a connection may be made to each of these databases at the same time. Of several servers, permits are
    /// always taken in one order, so that no two checks wait for each other.
    pub async fn hold_one_each(&self, databases: &[&DatabaseName]) -> Vec<SemaphorePermit<'_>> {
        let mut wanted: BTreeMap<usize, usize> = BTreeMap::new();
        for database in databases {
            *wanted.entry(self.place(database)).or_default() += 1;
        }
        let mut held = Vec::new();
        for (place, connections) in wanted {
            held.push(self.servers[place].connections.hold(connections).await);
        }
        held
    }

    fn place(&self, database: &DatabaseName) -> usize {
        *self.places.get(database).expect("every database of a drill has its server")
    }
}
