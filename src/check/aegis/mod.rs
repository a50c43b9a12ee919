//! Checks of what only the Aegis platform has.

pub mod transparency_roots;
