//! What the tests with and without an engine share.

pub mod fault_s3;
pub mod layers;
pub mod memory_s3;
pub mod schema;
pub mod stdout;
pub mod verify_chain;
pub mod wait;
pub mod world;
