//! What is inside a backup, once its layers are off: one room for each format.

pub mod pg_custom;
