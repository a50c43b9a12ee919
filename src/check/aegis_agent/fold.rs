//! Chains of rows, one for each tenant, in the order of their rowids: what is in a row, and that it follows the row before.
//!
//! Judging works on stored hashes alone, so after a break it goes on with the row it has: one edited row is one finding. Where
//! a row does not follow the one before, whether its parent is elsewhere is asked afterwards.

use std::collections::{BTreeMap, HashSet};

use super::code::receipts as code;
use crate::check::chain::HexDigest;
use crate::check::findings::Findings;
use crate::model::code::Code;
use crate::model::human;
use crate::model::verdict::{Finding, Severity};
use crate::target::sqlite::Place;

/// Links that do not hold and are asked for; more are counted.
const ASKED: usize = 100;

/// A row of a chain.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// Its rowid.
    pub rowid: i64,
    /// Whose chain it is in.
    pub tenant: &'a str,
    /// Its id.
    pub id: &'a str,
    /// The hash that it has.
    pub hash: &'a str,
    /// The hash of its parent.
    pub link: &'a str,
    /// The hash of what is in it; none where it is not known how it was hashed.
    pub computed: Option<HexDigest>,
}

/// The newest row of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Its hash.
    pub hash: String,
    /// Rows of the chain.
    pub rows: u64,
}

#[derive(Debug)]
struct Broken {
    rowid: i64,
    tenant: String,
    link: String,
    subject: String,
}

/// The chains of a table.
#[derive(Debug)]
pub struct ChainFold {
    /// What is wrong.
    pub findings: Findings,
    /// Rows so far.
    pub rows: u64,
    /// The newest row of each chain, by tenant.
    pub tips: BTreeMap<String, Tip>,
    /// Hashes to look out for, and those that were seen.
    watched: HashSet<String>,
    seen: HashSet<String>,
    noun: &'static str,
    broken: Vec<Broken>,
    unasked: u64,
}

impl ChainFold {
    /// Chains without a row, of rows called so, that looks out for these hashes.
    pub fn new(noun: &'static str, watched: HashSet<String>) -> Self {
        Self {
            findings: Findings::default(),
            rows: 0,
            tips: BTreeMap::new(),
            watched,
            seen: HashSet::new(),
            noun,
            broken: Vec::new(),
            unasked: 0,
        }
    }

    /// What a row is called.
    pub fn subject(&self, tenant: &str, id: &str) -> String {
        format!("{} {} of tenant {}", self.noun, human::one_line(id, 80), human::one_line(tenant, 80))
    }

    /// Adds an error about a row.
    pub fn error(&mut self, code: Code, subject: String, expected: String, actual: String) {
        self.findings.push(Finding { severity: Severity::Error, code, subject, expected, actual });
    }

    /// Takes the next row.
    pub fn push(&mut self, row: &Row<'_>) {
        self.rows += 1;
        if self.watched.contains(row.hash) {
            self.seen.insert(row.hash.to_owned());
        }
        if let Some(computed) = row.computed.as_ref().filter(|computed| computed.as_str() != row.hash) {
            let actual = format!(
                "the stored hash is {}, not that of the row's content",
                human::one_line(row.hash, 70)
            );
            let expected = format!("the hash {}", computed.as_str());
            self.error(code::HASH_MISMATCH, self.subject(row.tenant, row.id), expected, actual);
        }
        let before = self.tips.get(row.tenant);
        if before.map_or("", |tip| &tip.hash) != row.link {
            self.keep_broken(row);
        }
        match self.tips.get_mut(row.tenant) {
            Some(tip) => *tip = Tip { hash: row.hash.to_owned(), rows: tip.rows + 1 },
            None => {
                self.tips.insert(row.tenant.to_owned(), Tip { hash: row.hash.to_owned(), rows: 1 });
            }
        }
    }

    fn keep_broken(&mut self, row: &Row<'_>) {
        if self.broken.len() == ASKED {
            self.unasked += 1;
            return;
        }
        self.broken.push(Broken {
            rowid: row.rowid,
            tenant: row.tenant.to_owned(),
            link: row.link.to_owned(),
            subject: self.subject(row.tenant, row.id),
        });
    }

    /// The parents that rows name and do not follow: where they are decides what is wrong.
    pub fn wanted(&self) -> Vec<&str> {
        self.broken.iter().map(|broken| &*broken.link).filter(|link| !link.is_empty()).collect()
    }

    /// Judges the links that do not hold.
    pub fn judge_links(&mut self, places: &[Place]) {
        for broken in std::mem::take(&mut self.broken) {
            let there = |place: &&Place| {
                place.value == broken.link && place.owner.as_deref().unwrap_or_default() == broken.tenant
            };
            let shown = human::one_line(&broken.link, 70);
            let (code, actual) = match places.iter().find(there) {
                _ if broken.link.is_empty() => {
                    (code::FORK, "it names none, as only the first row of a chain does".to_owned())
                }
                None => {
                    (code::MISSING_PARENT, format!("no row of the chain has the hash {shown} that it names"))
                }
                Some(place) if place.rowid < broken.rowid => {
                    (code::FORK, format!("it names {shown}, which another row follows"))
                }
                Some(place) => (
                    code::OUT_OF_ORDER,
                    format!("it names {shown}, which the later rowid {} has", place.rowid),
                ),
            };
            self.error(code, broken.subject, "the row before it as its parent".to_owned(), actual);
        }
        self.findings.count_unnamed(self.unasked);
    }

    /// Whether a hash that it looked out for was seen.
    pub fn saw(&self, hash: &str) -> bool {
        self.seen.contains(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(rowid: i64, tenant: &'a str, id: &'a str, link: &'a str) -> Row<'a> {
        Row { rowid, tenant, id, hash: id, link, computed: None }
    }

    fn codes(rows: &[Row<'_>], places: &[Place]) -> Vec<(String, String)> {
        let mut fold = ChainFold::new("receipt", HashSet::new());
        rows.iter().for_each(|row| fold.push(row));
        fold.judge_links(places);
        let outcome = fold.findings.into_outcome(fold.rows, String::new());
        outcome
            .findings
            .into_iter()
            .map(|finding| (finding.code.as_str().to_owned(), finding.subject))
            .collect()
    }

    fn place(value: &str, owner: &str, rowid: i64) -> Place {
        Place { value: value.to_owned(), owner: Some(owner.to_owned()), rowid }
    }

    fn found(code: &str, id: &str) -> Vec<(String, String)> {
        vec![(code.to_owned(), format!("receipt {id} of tenant t"))]
    }

    #[test]
    fn chains_of_tenants_are_apart_and_each_begins_with_no_parent() {
        let rows = [row(1, "t", "a", ""), row(2, "u", "x", ""), row(5, "t", "b", "a"), row(9, "u", "y", "x")];
        assert!(codes(&rows, &[]).is_empty());
        let other = [row(1, "u", "x", ""), row(2, "t", "a", "x")];
        assert_eq!(codes(&other, &[place("x", "u", 1)]), found("missing_parent", "a"));
    }

    #[test]
    fn a_link_that_does_not_hold_is_told_by_where_the_parent_is() {
        let gone = [row(1, "t", "a", ""), row(3, "t", "c", "b"), row(4, "t", "d", "c")];
        assert_eq!(codes(&gone, &[]), found("missing_parent", "c"));
        assert_eq!(codes(&[row(2, "t", "b", "a")], &[]), found("missing_parent", "b"));
        let fork = [row(1, "t", "a", ""), row(2, "t", "b", "a"), row(3, "t", "c", "a")];
        assert_eq!(codes(&fork, &[place("a", "t", 1)]), found("fork", "c"));
        assert_eq!(codes(&[row(1, "t", "a", ""), row(2, "t", "b", "")], &[]), found("fork", "b"));
        let turned = [row(1, "t", "b", "a"), row(2, "t", "a", "")];
        assert_eq!(codes(&turned, &[place("a", "t", 2)])[0], found("out_of_order", "b")[0]);
    }

    #[test]
    fn a_row_that_was_edited_is_one_finding() {
        let rows = [
            row(1, "t", "a", ""),
            Row { computed: Some(HexDigest::of(b"other")), ..row(2, "t", "b", "a") },
            row(3, "t", "c", "b"),
        ];
        assert_eq!(codes(&rows, &[]), found("hash_mismatch", "b"));
    }
}
