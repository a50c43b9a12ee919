//! What a key of a template is if it is absent.

use std::time::Duration;

use bytesize::ByteSize;

pub fn timeout() -> Duration {
    Duration::from_secs(2 * 60 * 60)
}

pub fn ready_timeout() -> Duration {
    Duration::from_secs(2 * 60)
}

pub fn service_memory() -> ByteSize {
    ByteSize::mib(512)
}

pub fn workbench_memory() -> ByteSize {
    ByteSize::mib(1024)
}

pub fn key() -> String {
    "{database}_{timestamp}.dump.age".to_owned()
}

pub fn timestamp() -> String {
    crate::model::names::COMPACT_TIMESTAMP.to_owned()
}

pub fn globals() -> String {
    "globals_{timestamp}.sql.age".to_owned()
}

pub fn privileges() -> bool {
    true
}

pub fn port() -> String {
    "5432".to_owned()
}

pub fn user() -> String {
    "postgres".to_owned()
}

pub fn network() -> String {
    "host".to_owned()
}
