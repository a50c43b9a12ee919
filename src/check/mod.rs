//! Checks: what must hold on the restored data.
//!
//! Each type is a file: the keys of its section, a pure judgement over what was read, and a thin `run` that reads it. A
//! check that fails yields findings; `Err` means that it could not be judged. To add one: its file here, and its entry in
//! [`CHECKS`].

mod access;
mod aegis;
mod aegis_agent;
mod amcheck;
pub mod chain;
mod command;
mod constraints;
mod context;
mod entry;
mod findings;
mod fingerprint;
mod http;
mod left_out;
mod list;
mod migrations;
mod not_verified;
mod objects;
mod reconcile;
mod required_tables;
mod row_counts;
mod sequences;
mod sql;
mod sqlite_integrity;
mod stored;
mod valid;
pub mod verify_chain;

pub use aegis::transparency_roots::RootFold;
pub use context::{Context, Restored, Stack, Tools};
pub use entry::{Check, Entry};
pub use findings::{FINDINGS_KEPT, Findings, NOTHING_VERIFIED, Outcome, Verified};
pub use left_out::blame_the_template;
pub use list::{CHECKS, Checks, DrillTemplate, load};
pub use not_verified::{in_plain_words, looked_at_by_no_check};
