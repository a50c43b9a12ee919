//! The program as its users run it: the real binary, a real Docker engine and Postgres, S3 over HTTP, age files.
//!
//! `make test` builds the images and names them in the environment. Without them these tests fail: a suite that skips
//! what it cannot run would be green on a machine that proves nothing.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, and not in what they share"
)]

mod access;
mod aegis_agent;
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
mod extensions;
mod fingerprint;
mod fixtures;
mod formats;
mod hangs;
mod immutable_backups;
mod isolation;
mod layers;
mod leaving_out;
mod plans;
mod proxy;
mod real_server;
mod rechecks;
mod redteam;
mod restoring;
mod roles;
mod servers;
mod site;
mod soak;
mod sqlite;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the tests without an engine use the rest")]
mod support;
mod verification;
mod world;
