//! Who exists in the sample data: organisations, tenants, users, agents.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::calendar::DAY_WITHOUT_ROOTS;

/// The actors, whose ids appear in every database.
#[derive(Debug)]
pub(super) struct World {
    pub(super) organizations: Vec<Organization>,
    pub(super) tenants: Vec<Tenant>,
    pub(super) users: Vec<Uuid>,
    pub(super) agents: Vec<Agent>,
}

#[derive(Debug)]
pub(super) struct Organization {
    pub(super) id: Uuid,
    pub(super) name: &'static str,
}

#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) id: Uuid,
    pub(super) organization: usize,
    pub(super) name: &'static str,
    /// How many of a hundred audit rows are its own.
    pub(super) share: u32,
    /// The days of the fortnight on which it did nothing.
    pub(super) quiet_days: &'static [u64],
}

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: Uuid,
    pub(super) tenant: usize,
}

/// How many agents each tenant has.
pub(super) const AGENTS_PER_TENANT: usize = 8;
const USERS_PER_TENANT: usize = 12;

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = stream(seed, Stream::World);
        let organizations: Vec<_> = ["Northwind Robotics", "Zürich Rück-Labor", "東京オートメーション"]
            .map(|name| Organization { id: random_uuid(&mut rng), name })
            .into();
        let tenants: Vec<_> = [
            (0, "production", 60, &[][..]),
            // One quiet day in each time of root version 1 and 2, and one without a root.
            (1, "prüfstand ☕", 28, &[4][..]),
            (2, "staging", 12, &[DAY_WITHOUT_ROOTS, 10][..]),
        ]
        .map(|(organization, name, share, quiet_days)| Tenant {
            id: random_uuid(&mut rng),
            organization,
            name,
            share,
            quiet_days,
        })
        .into();
        let users = (0..tenants.len() * USERS_PER_TENANT).map(|_| random_uuid(&mut rng)).collect();
        let agents = (0..tenants.len() * AGENTS_PER_TENANT)
            .map(|number| Agent { id: random_uuid(&mut rng), tenant: number / AGENTS_PER_TENANT })
            .collect();
        Self { organizations, tenants, users, agents }
    }

    /// Whose user it is.
    pub(super) fn tenant_of_user(&self, user: usize) -> &Tenant {
        &self.tenants[user / USERS_PER_TENANT]
    }
}

/// What random numbers are drawn for. Each has its own, so that one table does not depend on another's length.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    World = 1,
    Keys,
    Events,
    Usage,
    Satellites,
}

pub(super) fn stream(seed: u64, stream: Stream) -> StdRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = stream as u8;
    StdRng::from_seed(bytes)
}

/// A random (version 4) UUID.
pub(super) fn random_uuid(rng: &mut StdRng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid()
}
