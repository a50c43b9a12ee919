//! The drill: its phases, what is restored and checked in which order, and the fold of its events into the verdict.

mod access;
mod alone;
mod conclude;
mod database;
mod fetch;
mod isolation;
mod journal;
mod limit;
mod objectives;
mod plain;
mod record;
mod restore;
mod run;
mod servers;
mod sqlite;
mod stack;
mod task;
mod turn;

pub use run::Ended;
pub use task::{Drill, Options};
