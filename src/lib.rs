//! Proves that encrypted Postgres backups can be restored.
//!
//! ```text
//! template + env ─► plan ─► preflight ─► stack up ─► prove isolation
//!                                                       │
//!       for each database, parents before children:     ▼
//!         store ─► decrypt ─► scratch volume ─► pg_restore ─► checks that need it
//!                                                       │
//!                            verdict ◄── teardown ◄─────┘ ─► sinks: JSON, drill log, terminal
//! ```
//!
//! - [`plan`] is pure and decides alone what is restored; `--dry-run` prints it.
//! - [`engine`] runs the phases, and emits [`engine::Event`]s; everything shown or written is made from those.
//! - [`store`], [`crypt`], [`stack`] and [`postgres`] are the adapters to the outside; each library is imported by
//!   one of them only.
//! - A failed check is a finding in the [`verdict`]; a [`failure::Failure`] means "could not go on", and carries the
//!   exit code, a stable code for scripts, and what to do.

pub mod archive;
pub mod backup;
pub mod chain;
pub mod check;
pub mod cli;
pub mod clock;
pub mod crypt;
pub mod demo;
pub mod disk;
pub mod doctor;
pub mod engine;
pub mod exit;
pub mod failure;
pub mod foreign;
pub mod health;
pub mod human;
pub mod manifest;
pub mod names;
pub mod plan;
pub mod postgres;
pub mod report;
pub mod secret;
pub mod stack;
pub mod store;
pub mod survey;
pub mod template;
pub mod verdict;
