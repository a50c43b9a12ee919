//! What is remembered of a chain, and of rows that wait for their parents.

use super::super::links::Link;
use super::super::recent::chain_key;

/// First rows of a chain whose hashes are compared with each other's.
pub const FIRST_ROWS: usize = 16;
/// Bytes that are kept of a key of a waiting row, and characters of its id: it is shown, and whoever wrote the dump chose
/// its length.
const KEPT: usize = 256;

fn beginning(bytes: &[u8]) -> Box<[u8]> {
    bytes[..bytes.len().min(KEPT)].into()
}

/// A row that names a parent which was not seen yet.
#[derive(Debug)]
pub struct Waiting {
    /// The row, for people.
    pub id: Box<str>,
    /// Its order key.
    pub order: Box<[u8]>,
    /// The key of its own hash.
    pub own: Option<u64>,
    /// Its number, if that must be above its parent's.
    pub number: Option<i64>,
}

/// Rows that wait for the same parent.
#[derive(Debug)]
pub struct Siblings {
    /// Where their chain is.
    pub chain: usize,
    /// The hash that they name.
    pub link: Box<[u8]>,
    pub rows: Vec<Waiting>,
}

impl Siblings {
    /// A row that waits for the parent it names.
    pub fn of(chain: usize, link: &[u8], row: &Link<'_>, own: Option<u64>) -> Self {
        let id: String = row.id.chars().take(KEPT).collect();
        let number = row.number.filter(|_| row.is_numbered_in_order);
        let waiting = Waiting { id: id.into(), order: beginning(row.order), own, number };
        Self { chain, link: beginning(link), rows: vec![waiting] }
    }
}

/// The latest row of a chain.
#[derive(Debug)]
pub struct Latest {
    pub order: Vec<u8>,
    pub hash: Vec<u8>,
    /// None: it has no hash.
    pub key: Option<u64>,
    pub number: Option<i64>,
    pub has_child: bool,
}

/// What is known of a chain.
#[derive(Debug)]
pub struct Chain {
    pub key: Box<[u8]>,
    pub hashed: u64,
    pub rows: u64,
    /// Rows that begin it.
    pub first_rows: u64,
    /// The keys of some of them.
    pub first_keys: Vec<u64>,
    /// Rows whose link says nothing: null, or their own hash.
    pub without_parent: u64,
    pub latest: Latest,
    /// The newest row by its order, and its hash; none if that is the latest.
    pub newest: Option<(Vec<u8>, Vec<u8>)>,
    /// The least order key of a row that is placed.
    pub earliest_placed: Option<Box<[u8]>>,
}

impl Chain {
    /// A chain without rows.
    pub fn new(key: &[u8]) -> Self {
        let latest =
            Latest { order: Vec::new(), hash: Vec::new(), key: None, number: None, has_child: false };
        Self {
            key: key.into(),
            hashed: chain_key(key),
            rows: 0,
            first_rows: 0,
            first_keys: Vec::new(),
            without_parent: 0,
            latest,
            newest: None,
            earliest_placed: None,
        }
    }

    /// Remembers that a row of this order key is placed.
    pub fn placed(&mut self, order: &[u8]) {
        if self.earliest_placed.as_deref().is_none_or(|earliest| order < earliest) {
            self.earliest_placed = Some(order.into());
        }
    }

    /// Goes on with another row as the latest. Reuses the buffers: this runs for every row.
    pub fn advance(&mut self, row: &Link<'_>, own: Option<u64>) {
        let latest = &mut self.latest;
        match &self.newest {
            None if *row.order < *latest.order => {
                self.newest = Some((latest.order.clone(), latest.hash.clone()));
            }
            Some((order, _)) if *row.order >= **order => self.newest = None,
            _ => {}
        }
        latest.order.clear();
        latest.order.extend_from_slice(row.order);
        latest.hash.clear();
        latest.hash.extend_from_slice(row.hash.unwrap_or_default());
        (latest.key, latest.number, latest.has_child) = (own, row.number, false);
        self.rows += 1;
    }

    /// The order key and the hash of the newest row.
    pub fn newest(&self) -> (&[u8], &[u8]) {
        match &self.newest {
            Some((order, hash)) => (order, hash),
            None => (&self.latest.order, &self.latest.hash),
        }
    }
}
