//! What holds for every chain of a check, and how its rows are shown to people.

use super::limits::Limits;
use super::place;
use crate::model::human;

/// Characters of a hash that are shown.
const HASH_SHOWN: usize = 140;
/// Characters of a row's id and of a chain's columns that are shown.
const KEY_SHOWN: usize = 64;

/// What holds for every chain of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How much is remembered.
    pub limits: Limits,
    /// The link of a chain's first row; none for null.
    pub genesis: Option<Vec<u8>>,
    /// Whether a chain that begins in the middle is an error.
    pub require_genesis: bool,
    /// Whether the order column counts without gaps.
    pub contiguous: bool,
    /// Whether links are followed as they are, so that a chain may fork. Otherwise each row must name the one before it
    /// in the order of the chain.
    pub follows_links: bool,
    /// Forks beyond which there is an error; none for any number.
    pub max_forks: Option<u64>,
    /// The column that numbers rows as they are written, where links are followed.
    pub number_name: String,
    /// The column with a row's own hash.
    pub hash_name: String,
    /// The column with the hash of the row before.
    pub link_name: String,
    /// What orders a chain.
    pub order_name: String,
    /// What the columns that tell chains apart are called.
    pub partition_names: Vec<String>,
    /// Whether hashes are raw bytes, to be shown as hexadecimal digits.
    pub raw_hashes: bool,
}

impl Rules {
    /// The row and its chain, for people.
    pub fn subject(&self, id: &str, chain: &[u8]) -> String {
        format!("row {} of {}", human::one_line(id, KEY_SHOWN), self.chain(chain))
    }

    /// A chain, for people.
    pub fn chain(&self, chain: &[u8]) -> String {
        let mut subject = "the chain".to_owned();
        for (index, (name, value)) in self.partition_names.iter().zip(place::partitions(chain)).enumerate() {
            let value = human::one_line(value.unwrap_or("none"), KEY_SHOWN);
            subject.push_str(&format!("{} {name} {value}", if index == 0 { " of" } else { "," }));
        }
        subject
    }

    /// Whether nothing is missing between two places, the second after the first.
    pub fn adjoins(&self, before: &[u8], here: &[u8]) -> bool {
        if !self.contiguous {
            return true;
        }
        match (place::number(before), place::number(here)) {
            (Some(before), Some(here)) => before.checked_add(1) == Some(here),
            // A place that is no number is next to none.
            _ => false,
        }
    }

    /// A hash for people.
    pub fn show(&self, hash: Option<&[u8]>) -> String {
        match hash {
            None => "null".to_owned(),
            Some(bytes) if self.raw_hashes => human::one_line(&hex::encode(bytes), HASH_SHOWN),
            Some(bytes) => human::one_line(&String::from_utf8_lossy(bytes), HASH_SHOWN),
        }
    }
}
