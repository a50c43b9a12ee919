//! The program as its users run it, where it needs no Docker engine: templates, plans, stores, health, evidence.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, and not in what they share"
)]

mod contract;
mod directory;
mod doctor;
mod errors;
mod evidence;
mod faults;
mod fetch;
mod fetch_globals;
mod fixtures;
mod globals;
mod health;
mod layers;
mod network;
mod odd_stores;
mod planning;
mod store;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the tests with an engine use the rest")]
mod support;
mod verify_chain;
mod words;
