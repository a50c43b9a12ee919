//! What can happen to recovery points in a store.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::layer::{self, Identities, Recipients, generate_key};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::Manifest;

/// A change of objects in the store.
#[derive(Debug, Clone, Copy)]
pub enum ObjectChange {
    /// A database's recovery point loses its end, as when an upload broke off.
    Truncate(&'static str),
    /// One bit of a recovery point is inverted.
    FlipBit(&'static str),
    /// A recovery point has no bytes.
    Empty(&'static str),
    /// A recovery point is removed.
    Remove(&'static str),
    /// The dump in it loses its end, as when `pg_dump` broke off and was encrypted all the same.
    TruncateDump(&'static str),
    /// The dump in a recovery point is empty, as when `pg_dump` failed at once and was encrypted all the same.
    EmptyDump(&'static str),
    /// A terminal put a carriage return before every line feed of the dump, as `docker exec -t` does.
    Terminal(&'static str),
    /// A recovery point is encrypted to another key.
    OtherKey(&'static str),
    /// A recovery point is replaced by that of another database.
    Swap(&'static str, &'static str),
    /// A role is taken out of the globals, and the manifest that has their hash is removed.
    LoseRole(&'static str),
    /// Lines are taken out of the globals, and the manifest names what is left, as if the backup had lost them.
    LoseOfRole {
        /// The role.
        role: &'static str,
        /// What each of the lines has.
        lines: &'static str,
    },
}

/// Changes objects in a directory that an S3 server serves as a bucket's prefix. Returns what was hit.
///
/// # Errors
/// `demo_break_failed` if an object cannot be read, opened or written.
pub fn apply(
    change: ObjectChange,
    directory: &Path,
    identities: &Identities,
    recipients: &Recipients,
) -> Result<String> {
    match change {
        ObjectChange::LoseRole(role) => {
            rewrite_globals(directory, identities, recipients, &|line| {
                !line.contains(&format!("ROLE {role}"))
            })?;
            fs::remove_file(newest(directory, "manifest")?).map_err(|error| failed(&error))?;
            return Ok(role.to_owned());
        }
        ObjectChange::LoseOfRole { role, lines } => {
            let left = rewrite_globals(directory, identities, recipients, &|line| !line.contains(lines))?;
            name_globals(directory, identities, recipients, &left)?;
            return Ok(format!("role {role}"));
        }
        _ => {}
    }
    let (ObjectChange::Truncate(database)
    | ObjectChange::FlipBit(database)
    | ObjectChange::Empty(database)
    | ObjectChange::Remove(database)
    | ObjectChange::TruncateDump(database)
    | ObjectChange::EmptyDump(database)
    | ObjectChange::Terminal(database)
    | ObjectChange::OtherKey(database)
    | ObjectChange::Swap(database, _)
    | ObjectChange::LoseRole(database)
    | ObjectChange::LoseOfRole { role: database, .. }) = change;
    let path = newest(directory, database)?;
    let object = fs::read(&path).map_err(|error| failed(&error))?;
    let changed = match change {
        ObjectChange::Truncate(_) => object[..object.len() / 3 * 2].to_vec(),
        ObjectChange::FlipBit(_) => flipped(object),
        ObjectChange::Empty(_) => Vec::new(),
        ObjectChange::TruncateDump(_) => {
            let dump = layer::open_whole("the recovery point", &object, identities)?;
            layer::seal_whole(&dump[..dump.len() / 3 * 2], recipients)?
        }
        ObjectChange::EmptyDump(_) => layer::seal_whole(&[], recipients)?,
        ObjectChange::Terminal(_) => layer::seal_whole(
            &through_a_terminal(&layer::open_whole("the recovery point", &object, identities)?),
            recipients,
        )?,
        ObjectChange::OtherKey(_) => {
            let (_, stranger) = generate_key();
            layer::seal_whole(
                &layer::open_whole("the recovery point", &object, identities)?,
                &Recipients::parse(&[stranger])?,
            )?
        }
        ObjectChange::Swap(_, other) => {
            fs::read(newest(directory, other)?).map_err(|error| failed(&error))?
        }
        ObjectChange::Remove(_) => {
            fs::remove_file(&path).map_err(|error| failed(&error))?;
            return Ok(database.to_owned());
        }
        ObjectChange::LoseRole(_) | ObjectChange::LoseOfRole { .. } => {
            unreachable!("they are of no database")
        }
    };
    fs::write(&path, changed).map_err(|error| failed(&error))?;
    Ok(database.to_owned())
}

/// Globals that were written anew.
struct Rewritten {
    object: Vec<u8>,
    sql: String,
}

/// Writes the globals anew, with the lines that are kept.
fn rewrite_globals(
    directory: &Path,
    identities: &Identities,
    recipients: &Recipients,
    is_kept: &dyn Fn(&str) -> bool,
) -> Result<Rewritten> {
    let path = newest(directory, "globals")?;
    let object = fs::read(&path).map_err(|error| failed(&error))?;
    let file = layer::open_whole("the globals", &object, identities)?;
    let lines = String::from_utf8_lossy(&file);
    let sql: String = lines.lines().filter(|line| is_kept(line)).map(|line| format!("{line}\n")).collect();
    if sql.len() == file.len() {
        return Err(failed(&io::Error::from(io::ErrorKind::NotFound)));
    }
    let object = layer::seal_whole(sql.as_bytes(), recipients)?;
    fs::write(&path, &object).map_err(|error| failed(&error))?;
    Ok(Rewritten { object, sql })
}

/// Writes the manifest anew, with these globals.
fn name_globals(
    directory: &Path,
    identities: &Identities,
    recipients: &Recipients,
    globals: &Rewritten,
) -> Result<()> {
    let path = newest(directory, "manifest")?;
    let object = fs::read(&path).map_err(|error| failed(&error))?;
    let file = layer::open_whole("the manifest", &object, identities)?;
    let mut manifest =
        Manifest::parse(&file).map_err(|error| failed(&io::Error::other(error.to_string())))?;
    if let Some(named) = &mut manifest.globals {
        named.size_bytes = globals.object.len() as u64;
        named.ciphertext_sha256 = hex::encode(Sha256::digest(&globals.object));
        named.plaintext_bytes = globals.sql.len() as u64;
        named.plaintext_sha256 = hex::encode(Sha256::digest(&globals.sql));
    }
    fs::write(&path, layer::seal_whole(&manifest.to_json(), recipients)?).map_err(|error| failed(&error))
}

/// One bit in the middle, behind the header, is inverted.
fn flipped(mut object: Vec<u8>) -> Vec<u8> {
    let middle = object.len() / 2;
    object[middle] ^= 1;
    object
}

/// These bytes after a terminal: a carriage return before every line feed.
pub fn through_a_terminal(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 64);
    for byte in bytes {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

/// A database's newest object: keys sort by their time.
fn newest(directory: &Path, database: &str) -> Result<std::path::PathBuf> {
    let prefix = format!("{database}_2");
    let entries = fs::read_dir(directory).map_err(|error| failed(&error))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
        .max()
        .ok_or_else(|| failed(&io::Error::from(io::ErrorKind::NotFound)))
}

fn failed(error: &io::Error) -> Failure {
    Failure::inconclusive(codes::DEMO_BREAK_FAILED, format!("the recovery point cannot be broken: {error}"))
}
