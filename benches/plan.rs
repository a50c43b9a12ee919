//! What a plan costs: nine dumps of up to 10 GB, their manifest and globals in a bucket of 100,000 objects, over HTTP.
//!
//! `make bench BENCH=plan` runs it, and with ARGS=--show prints the plan too. The store is in memory, so that it is the plan that is measured; add the latency of your own
//! store for each request that waits for another.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its figures and ends where it fails"
)]

#[path = "../tests/support/memory_s3.rs"]
mod memory_s3;

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use memory_s3::{MemoryS3, Object};
use restore_drill::clock::Clock;
use restore_drill::demo::s3::S3Server;
use restore_drill::layer::{self, Identities, Recipients, encrypt, generate_key};
use restore_drill::model::earlier::EarlierDrills;
use restore_drill::model::manifest::{
    ALGORITHM, Content, Database, FingerprintKey, Globals, Manifest, SCHEMA_VERSION,
};
use restore_drill::model::names::{ObjectKey, compact};
use restore_drill::store::{S3Store, Store};
use restore_drill::survey::{self, Manifests};
use restore_drill::template::{Environment, Purpose, parse};
use restore_drill::view::plan_text;
use sha2::{Digest, Sha256};

const DATABASES: [&str; 9] = [
    "acp_identity",
    "acp_registry",
    "acp_audit",
    "acp_usage",
    "acp_api",
    "acp_behavior",
    "acp_identity_graph",
    "acp_flight_recorder",
    "acp_autonomy",
];
/// Objects in the bucket.
const OBJECTS: usize = 100_000;
/// What the requirement allows.
const MOST_BYTES: u64 = 20_000_000;
const MOST_SECONDS: f64 = 5.0;
const RUNS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(measure());
}

async fn measure() {
    let (secret, public) = generate_key();
    let key = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(key.path(), secret.expose()).expect("it can be written");
    let now = Clock::system().now();
    let s3 = filled(&public, now);
    let server = S3Server::serve(s3.clone()).await.expect("S3 starts");
    let databases: Vec<String> = DATABASES.iter().map(|name| format!("{{ name = \"{name}\" }}")).collect();
    let text = format!(
        "schema_version = 1\nname = \"bench\"\nproject_prefix = \"bench\"\ndatabases = [{}]\n\
         checks = [{{ type = \"required-tables\", name = \"tables\", tables = {{ acp_audit = [\"app.account\"] }} }}]\n\
         [store]\nurl = \"s3://backups/nightly\"\nendpoint = \"{}\"\n[encryption]\nidentities = []\n\
         [postgres]\nimage = \"postgres:17\"\n[recovery_set]\nschedule = \"24h\"\nmax_skew = \"1h\"\n",
        databases.join(", "),
        server.endpoint()
    );
    let template = parse(&text, "bench", &Environment::default(), Purpose::Drill).expect("a template");
    let identities = Arc::new(Identities::load(&[key.path().to_owned()]).expect("a key"));
    let mut slowest = 0.0f64;
    let mut shown = String::new();
    println!(
        "{} objects, {} dumps of 100 MB to 10 GB",
        s3.objects.lock().expect("whole").len(),
        DATABASES.len()
    );
    for run in 1..=RUNS {
        // A store of its own for each run: no connection is open yet.
        let store = S3Store::connect_with(&template.store, server.access_key(), server.secret_key());
        let store: Arc<dyn Store> = Arc::new(store.await.expect("a store"));
        let keys = template.key_pattern().expect("a pattern");
        let manifests = Arc::new(Manifests::new(store, Arc::clone(&identities), keys));
        let began = Instant::now();
        let plan = survey::make_plan(&template, &manifests, now, now, Vec::new(), &EarlierDrills::default())
            .await
            .expect("a plan");
        let seconds = began.elapsed().as_secs_f64();
        let cost = plan.cost;
        println!(
            "run {run}: {seconds:.2} s, {} requests, {:.2} MB moved, {} objects listed",
            cost.requests,
            cost.bytes as f64 / 1e6,
            cost.objects_listed
        );
        assert!(cost.bytes < MOST_BYTES, "{} bytes were moved", cost.bytes);
        assert!(plan.points.iter().all(|point| point.contents.is_some()), "a dump was not read");
        let globals = &plan.globals[0];
        assert!(globals.in_manifest && globals.roles == Some(1), "the globals were not read: {globals:?}");
        slowest = slowest.max(seconds);
        shown = plan_text(&plan);
    }
    assert!(slowest < MOST_SECONDS, "the slowest took {slowest:.2} s");
    if std::env::args().any(|argument| argument == "--show") {
        println!("\n{shown}");
    }
}

/// When the backup of so many nights ago was made.
fn taken(now: DateTime<Utc>, night: usize) -> DateTime<Utc> {
    now - TimeDelta::hours(24 * i64::try_from(night).expect("few") + 4)
}

/// The manifest of a night, as far as a plan reads it.
fn manifest(taken_at: DateTime<Utc>, globals_key: &str, globals: &[u8]) -> Manifest {
    let database = |name: &&str| Database {
        name: name.parse().expect("a name"),
        key: ObjectKey::new(format!("nightly/{name}_{}.dump.age", compact(taken_at))),
        size_bytes: 1,
        ciphertext_sha256: String::new(),
        plaintext_bytes: 1,
        plaintext_sha256: String::new(),
        source: None,
        content: Content::Unread { reason: "for a plan".to_owned() },
        access: None,
        objects: None,
        collations: None,
    };
    Manifest {
        schema_version: SCHEMA_VERSION,
        template: "bench".to_owned(),
        taken_at,
        tool_version: String::new(),
        algorithm: ALGORITHM.to_owned(),
        fingerprint_key: FingerprintKey::random(),
        globals: Some(Globals {
            key: ObjectKey::new(globals_key),
            size_bytes: globals.len() as u64,
            ciphertext_sha256: hex::encode(Sha256::digest(globals)),
            plaintext_bytes: 1,
            plaintext_sha256: String::new(),
            server_version: None,
        }),
        databases: DATABASES.iter().map(database).collect(),
        roles: None,
    }
}

/// Nights of nine dumps until the bucket is half full, and other objects beside them for the other half.
fn filled(public: &str, now: DateTime<Utc>) -> MemoryS3 {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
    let mut dump = std::fs::read(path).expect("a fixture");
    dump.resize(1 << 20, 7);
    let recipients = Recipients::parse(&[public.to_owned()]).expect("a recipient");
    let mut sealed = Vec::new();
    let mut writer = encrypt(&mut sealed, &recipients).expect("a writer");
    writer.write_all(&dump).expect("writing to memory");
    writer.finish().expect("writing to memory");
    let head = bytes::Bytes::from(sealed);
    let s3 = MemoryS3::default();
    let seal = |plain: &[u8]| layer::seal_whole(plain, &recipients).expect("it can be sealed");
    let globals = seal(b"CREATE ROLE app;\nALTER ROLE app WITH LOGIN;\n");
    // With the globals and the manifest of each night.
    let nights = OBJECTS / 2 / (DATABASES.len() + 2);
    for night in 0..nights {
        let taken = taken(now, night);
        let key = format!("nightly/globals_{}.sql.age", compact(taken));
        s3.put(&key, globals.clone());
        let manifest = manifest(taken, &key, &globals).to_json();
        // Sealing takes its time, and a plan reads the newest one only.
        let manifest = if night < 2 { seal(&manifest) } else { manifest };
        s3.put(&format!("nightly/manifest_{}.json.age", compact(taken)), manifest);
    }
    for (index, name) in DATABASES.iter().enumerate() {
        for night in 0..nights {
            let taken = taken(now, night);
            let size = if index == 2 { 10_000_000_000 } else { 100_000_000 * (index as u64 + 1) };
            let object = Object { head: head.clone(), size, ..Object::default() };
            s3.put_object(&format!("nightly/{name}_{}.dump.age", compact(taken)), object);
        }
    }
    for number in 0..OBJECTS - nights * (DATABASES.len() + 2) {
        s3.put(&format!("nightly/receipts/{:03}/{number:06}.json", number % 997), &b"{}"[..]);
    }
    s3
}
