//! TimescaleDB has to know that a dump is being restored, or it takes rows of its own tables for new data.
//!
//! By its documentation ("Logical backup with pg_dump and pg_restore"): the extension is created first, then
//! `timescaledb_pre_restore()` is called, then everything is restored, and `timescaledb_post_restore()` is called.

use super::quote::quote_relation;
use crate::format::pg_custom::Toc;

/// The extension's name.
pub const NAME: &str = "timescaledb";
/// The schema that its functions are in, where the archive does not say.
const SCHEMA: &str = "public";

/// The archive's entries, in the two parts in which they are restored.
#[derive(Debug, PartialEq, Eq)]
pub struct Stages {
    /// The extension, and what it needs.
    pub first: Vec<i32>,
    /// All others.
    pub rest: Vec<i32>,
    /// The schema that the extension's functions are in.
    pub schema: String,
}

/// How an archive with TimescaleDB is restored; none for any other.
pub fn stages(toc: &Toc) -> Option<Stages> {
    let extension = toc.entries.iter().find(|entry| entry.desc == "EXTENSION" && entry.tag == NAME)?;
    let needed = toc.needed_by([extension.dump_id]);
    let ids = toc.entries.iter().map(|entry| entry.dump_id);
    let (first, rest) = ids.partition(|id| needed.contains(id));
    let schema = toc.extension_schema(NAME).unwrap_or_else(|| SCHEMA.to_owned());
    Some(Stages { first, rest, schema })
}

/// What is run before the rest is restored.
pub fn before(schema: &str) -> String {
    format!("SELECT {}()", quote_relation(schema, "timescaledb_pre_restore"))
}

/// What is run once all is restored.
pub fn after(schema: &str) -> String {
    format!("SELECT {}()", quote_relation(schema, "timescaledb_post_restore"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::pg_custom::{Entry, read_toc};

    fn toc(entries: Vec<Entry>) -> Toc {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
        Toc { entries, ..read_toc(&std::fs::read(path).unwrap()).unwrap() }
    }

    fn entry(dump_id: i32, desc: &str, tag: &str, dependencies: &[i32]) -> Entry {
        let defn = match desc {
            "EXTENSION" => format!("CREATE EXTENSION IF NOT EXISTS {tag} WITH SCHEMA \"Time\";\n"),
            _ => String::new(),
        };
        Entry {
            dump_id,
            desc: desc.to_owned(),
            tag: tag.to_owned(),
            dependencies: dependencies.to_vec(),
            defn,
            ..Entry::default()
        }
    }

    #[test]
    fn the_extension_and_its_schema_come_first() {
        let toc = toc(vec![
            entry(3, "SCHEMA", "Time", &[]),
            entry(9, "SCHEMA", "other", &[]),
            entry(5, "EXTENSION", "timescaledb", &[3]),
            entry(6, "COMMENT", "EXTENSION timescaledb", &[5]),
            entry(7, "TABLE DATA", "hypertable", &[5]),
        ]);
        let stages = stages(&toc).unwrap();
        assert_eq!(stages, Stages { first: vec![3, 5], rest: vec![9, 6, 7], schema: "Time".to_owned() });
        assert_eq!(before(&stages.schema), "SELECT \"Time\".\"timescaledb_pre_restore\"()");
        assert_eq!(after("public"), "SELECT \"public\".\"timescaledb_post_restore\"()");
    }

    #[test]
    fn any_other_archive_is_restored_in_one_go() {
        assert_eq!(stages(&toc(vec![entry(5, "EXTENSION", "timescaledb_toolkit", &[])])), None);
        assert_eq!(stages(&toc(vec![entry(5, "TABLE", "timescaledb", &[])])), None);
    }
}
