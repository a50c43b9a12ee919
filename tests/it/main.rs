//! The program as its users run it: the real binary, a real Docker engine and Postgres, S3 over HTTP, age files.
//!
//! `make test` builds the images and names them in the environment. Without them these tests fail: a suite that skips
//! what it cannot run would be green on a machine that proves nothing.

mod backup;
mod cancel;
mod compose;
mod drills;
mod errors;
mod fixtures;
mod isolation;
mod store;
mod verification;
mod world;
