//! Proves that backups can be restored.
//!
//! A backup lies in a [`store`], wrapped in [`layer`]s, in some [`mod@format`]; a drill restores it to a [`target`] inside a
//! [`sandbox`], [`check`]s it, and leaves [`evidence`].
//!
//! ```text
//! template + env ─► plan ─► preflight ─► stack up ─► prove isolation
//!                                                       │
//!       for each database, parents before children:     ▼
//!         store ─► decrypt ─► scratch volume ─► pg_restore ─► checks that need it
//!                                                       │
//!                            verdict ◄── teardown ◄─────┘ ─► evidence: JSON, drill log; view: terminal
//! ```
//!
//! - [`plan`] is pure and decides alone what is restored; `--dry-run` prints it.
//! - [`drill`] runs the phases, and emits [`model::event::Event`]s; everything shown or written is made from those.
//! - [`store`], [`layer`], [`sandbox`] and [`target`] are the adapters to the outside; each library is imported by
//!   one of them only.
//! - A failed check is a finding in the [`model::verdict`]; a [`model::failure::Failure`] means "could not go on", and
//!   carries the exit code, a stable code for scripts, and what to do.
//!
//! `docs/design.md` has the rooms in one table, with what each may import; `tests/arrows.rs` holds the code to it.

pub mod backup;
pub mod check;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod doctor;
pub mod drill;
pub mod evidence;
pub mod fetch;
pub mod format;
pub mod health;
pub mod layer;
pub mod model;
pub mod plan;
pub mod sandbox;
pub mod store;
pub mod survey;
pub mod target;
pub mod template;
pub mod view;
