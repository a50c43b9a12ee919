//! What can happen to recovery points in a store.

use std::fs;
use std::io;
use std::path::Path;

use crate::layer::{self, Identities, Recipients, generate_key};
use crate::model::codes;
use crate::model::failure::{Failure, Result};

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
}

/// Changes objects in a directory that an S3 server serves as a bucket's prefix. Returns the keys' last parts.
///
/// # Errors
/// `demo_break_failed` if an object cannot be read, opened or written.
pub fn apply(
    change: ObjectChange,
    directory: &Path,
    identities: &Identities,
    recipients: &Recipients,
) -> Result<String> {
    if let ObjectChange::LoseRole(role) = change {
        return lose_role(role, directory, identities, recipients);
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
    | ObjectChange::LoseRole(database)) = change;
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
        ObjectChange::LoseRole(_) => unreachable!("it is no database's object"),
    };
    fs::write(&path, changed).map_err(|error| failed(&error))?;
    Ok(database.to_owned())
}

fn lose_role(
    role: &str,
    directory: &Path,
    identities: &Identities,
    recipients: &Recipients,
) -> Result<String> {
    let path = newest(directory, "globals")?;
    let object = fs::read(&path).map_err(|error| failed(&error))?;
    let file = layer::open_whole("the globals", &object, identities)?;
    let statement = format!("ROLE {role}");
    let lines = String::from_utf8_lossy(&file);
    let left: String =
        lines.lines().filter(|line| !line.contains(&statement)).map(|line| format!("{line}\n")).collect();
    fs::write(&path, layer::seal_whole(left.as_bytes(), recipients)?).map_err(|error| failed(&error))?;
    fs::remove_file(newest(directory, "manifest")?).map_err(|error| failed(&error))?;
    Ok(role.to_owned())
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
