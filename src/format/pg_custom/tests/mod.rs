//! Against archives that `pg_dump` made, archives made here in every version, and what is neither.

mod damaged;
mod encode;
mod real;
mod versions;

use std::{fs, path::PathBuf};

/// Archives of the whole fixture database.
const WHOLE: [&str; 8] =
    ["pg15-gzip", "pg15-none", "pg15-pipe", "pg17-gzip", "pg17-lz4", "pg17-none", "pg17-pipe", "pg17-zstd"];
/// Archives of its schema `public`.
const PUBLIC: [&str; 2] = ["pg15-public", "pg17-public"];

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/archive").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dump(name: &str) -> Vec<u8> {
    fixture(&format!("{name}.dump"))
}
