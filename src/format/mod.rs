//! Formats: what is inside a backup, once its layers are off.
//!
//! To add a format, write a file here with a [`FormatKind`], add that to [`FORMATS`], and add what it holds to
//! [`BackupContents`].

mod archive;
mod cluster;
mod inspector;
mod kind;
pub mod pg_custom;
pub mod pg_globals;
pub mod pg_plain;
pub mod pg_tar;
mod plain;
pub mod sqlite;
mod tar;

pub use inspector::{FORMATS, Inspector};
pub use kind::{BackupContents, FormatKind, Inspect, NoContents, Progress};
