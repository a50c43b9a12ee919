//! The demo: a source server with sample data, an S3 server, a backup of the one into the other, and a drill of it.

pub mod breakage;
pub mod data;
pub mod s3;
pub mod source;
pub mod stage;
