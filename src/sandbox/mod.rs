//! The stack: a drill's own Compose project, its containers and anonymous volumes, and the network namespace they share.
//!
//! [`spec`] says purely what is to be made, [`docker`] makes it (and is the only folder that imports bollard),
//! [`isolation`] proves that what was made can reach nothing, and [`tunnel`] and [`short_cut`] are the ways in.

pub mod disk;
pub mod docker;
pub mod exit_status;
pub mod http;
pub mod image;
pub mod isolation;
pub mod labels;
pub mod memory;
pub mod owner;
pub mod ports;
pub mod postgres_image;
pub mod probe;
pub mod proof;
pub mod removal;
pub mod scratch;
pub mod seccomp;
pub mod shared_ports;
pub mod short_cut;
pub mod spec;
pub mod stack;
pub mod teardown;
pub mod tunnel;
pub mod workbench;
