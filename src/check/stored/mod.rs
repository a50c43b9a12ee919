//! Checks of the store's objects rather than of restored rows: how many recovery points are kept, whether they can be changed,
//! and whether what lies beside them and the backups' own log agree with them.

pub mod history;
pub mod immutable;
mod key_glob;
mod reading;
pub mod retention;
pub mod sidecars;
