//! The program as its users run it: the real binary, a real Docker engine and Postgres, S3 over HTTP, age files.
//!
//! `make test` builds the images and names them in the environment. Without them these tests fail: a suite that skips
//! what it cannot run would be green on a machine that proves nothing.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, and not in what they share"
)]

mod backup;
mod blame;
mod cancel;
mod chain;
mod checks;
mod compose;
mod corpus;
mod doctor;
mod drills;
mod engine_choice;
mod errors;
mod evidence;
#[path = "../support/fault_s3.rs"]
mod fault_s3;
mod faults;
mod fingerprint;
mod fixtures;
mod hangs;
mod health;
mod isolation;
#[path = "../support/memory_s3.rs"]
mod memory_s3;
mod network;
mod odd_stores;
mod planning;
mod proxy;
mod rechecks;
mod redteam;
mod restoring;
#[cfg(target_os = "linux")]
mod shortcut;
mod site;
mod soak;
mod store;
mod verification;
mod wait;
mod world;
