//! Recovery points made of the archives that lie in `tests/fixtures`.

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::support::memory_s3::MemoryS3;
use super::support::world::{World, ago, seal};

/// A real archive, of the schema `app` among others.
pub fn archive(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/archive/{name}.dump", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// The archive of PostgreSQL 17, as if it had been made at this time.
///
/// The time follows the head: magic, version, sizes, format and one byte for the compression. It has seven integers, each a
/// sign and four bytes: second, minute, hour, day, month from 0, year from 1900, whether it is summer.
pub fn made_at(at: DateTime<Utc>) -> Vec<u8> {
    let mut archive = archive("pg17-gzip");
    let (date, time) = (at.date_naive(), at.time());
    let year = u32::try_from(date.year()).unwrap();
    let fields = [time.second(), time.minute(), time.hour(), date.day(), date.month0(), year - 1900, 0];
    for (index, field) in fields.into_iter().enumerate() {
        let start = 12 + 5 * index;
        archive[start] = 0;
        archive[start + 1..start + 5].copy_from_slice(&field.to_le_bytes());
    }
    archive
}

/// The database those archives were made of.
pub const FIXTURE: &str = "archive_fixture";

/// A world with one sound recovery point of an hour ago.
pub fn backed_up(name: &str) -> World {
    let mut world = World::offline(name);
    world.dumped(FIXTURE, &[], &made_at(ago(60))).rows("rows", FIXTURE, "app.tenant", "exact = 2");
    world
}

/// The same in a store in memory, and the point's key.
pub fn sound(name: &str) -> (World, MemoryS3, String) {
    let s3 = MemoryS3::default();
    let mut world = World::stored_in(name, s3.clone());
    world.database(FIXTURE, &[]).tables("tables", FIXTURE, &["app.account"]);
    let sealed = seal(&archive("pg17-gzip"), &[&world.recipient]);
    let key = world.key(FIXTURE, ago(60));
    s3.put(&key, sealed);
    (world, s3, key)
}
