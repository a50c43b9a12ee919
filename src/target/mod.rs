//! What backups are restored to: one room for each kind of target.

pub mod postgres;
