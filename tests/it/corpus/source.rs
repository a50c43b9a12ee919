//! The source of the corpus: one server for all kinds, filled and backed up once. What a kind edits is a copy of one
//! database, and only that is dumped again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use restore_drill::backup::Job;
use restore_drill::clock::Clock;
use restore_drill::demo::breakage::Edit;
use restore_drill::demo::data::data_set;
use restore_drill::demo::s3::S3Server;
use restore_drill::demo::source::Source;
use restore_drill::layer::{self, Identities, Recipients, generate_key};
use restore_drill::model::manifest::{FingerprintKey, Manifest};
use restore_drill::model::names::{DatabaseName, ObjectKey};
use restore_drill::model::secret::Secret;
use restore_drill::sandbox::docker::Engine;
use restore_drill::store::S3Store;
use restore_drill::target::postgres::Server;
use restore_drill::template::{self, Environment, Purpose, Template};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::fixtures::wait_until_ready;
use super::super::world::{BUCKET, PREFIX, RUNTIME, docker, docker_with, image};

/// The databases that edits are about: each lies on the server a second time, as it was.
const EDITED: [&str; 6] =
    ["acp_audit", "acp_usage", "acp_identity", "acp_autonomy", "acp_api", "acp_behavior"];

static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(|| Mutex::new(Shared::start()));

/// A backup of the sample data, sound or not, to be put into the store of a world.
#[derive(Clone)]
pub struct Backup {
    /// The objects by their database.
    pub objects: BTreeMap<DatabaseName, Vec<u8>>,
    /// The roles of the server.
    pub globals: Vec<u8>,
    /// The manifest.
    pub manifest: Manifest,
    /// The key that opens it, as a file has it.
    pub identity: String,
    /// The recipient of that key.
    pub recipient: String,
    /// The key that signs the sample data's roots.
    pub active_key: String,
}

impl Backup {
    /// A sound one.
    pub fn sound() -> Self {
        shared(|shared| shared.sound.clone())
    }

    /// One of a source that was edited so, and what was hit.
    pub fn of_edited(edits: &[Edit]) -> (Self, String) {
        shared(|shared| {
            let (changed, mut hits) = shared.edited(&edits.iter().collect::<Vec<_>>());
            let mut backup = shared.sound.clone();
            backup.objects.extend(changed.objects);
            backup.globals = changed.globals;
            backup.manifest.globals = changed.manifest.globals;
            for database in changed.manifest.databases {
                let sound = backup.manifest.databases.iter_mut().find(|sound| sound.name == database.name);
                *sound.expect("all are in it") = database;
            }
            (backup, hits.swap_remove(0))
        })
    }

    /// A sound one in which the dumps of the edited databases were replaced by others, and what each edit hit.
    pub fn with_other_dumps(edits: &[&Edit]) -> (Self, Vec<String>) {
        shared(|shared| {
            let (changed, hits) = shared.edited(edits);
            let mut backup = shared.sound.clone();
            backup.objects.extend(changed.objects);
            (backup, hits)
        })
    }

    /// The manifest as an object, for a backup of this time of this template.
    pub fn sealed_manifest(
        &self,
        template: &str,
        taken_at: DateTime<Utc>,
        key: impl Fn(&str) -> String,
        globals_key: String,
    ) -> Vec<u8> {
        let mut manifest = self.manifest.clone();
        manifest.template = template.to_owned();
        manifest.taken_at = taken_at;
        if let Some(globals) = &mut manifest.globals {
            globals.key = ObjectKey::new(globals_key);
        }
        for database in &mut manifest.databases {
            database.key = ObjectKey::new(key(database.name.as_str()));
        }
        let recipients = Recipients::parse(std::slice::from_ref(&self.recipient)).expect("it is one");
        layer::seal_whole(&manifest.to_json(), &recipients).expect("it can be sealed")
    }
}

/// A kind that panics leaves databases that the next one makes anew.
fn shared<T>(work: impl FnOnce(&Shared) -> T) -> T {
    work(&SHARED.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Shared {
    source: Source,
    template: Template,
    identities: Identities,
    fingerprint_key: FingerprintKey,
    sound: Backup,
    s3: S3Server,
    directory: TempDir,
    /// The container ends when its stdin is closed: with this process, however that ends.
    _container: Child,
}

/// What a partial backup has.
struct Changed {
    objects: BTreeMap<DatabaseName, Vec<u8>>,
    globals: Vec<u8>,
    manifest: Manifest,
}

impl Shared {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        fs::create_dir(directory.path().join(BUCKET)).expect("the bucket can be made");
        let (secret, recipient) = generate_key();
        let identity = directory.path().join("age.key");
        fs::write(&identity, secret.expose()).expect("the key can be written");
        let identities = Identities::load(&[identity]).expect("it is a key");
        let s3 = RUNTIME.block_on(S3Server::start(directory.path())).expect("S3 starts");
        let (container, source) = server();
        let data = data_set(super::ROWS, 1, Clock::system().now());
        RUNTIME.block_on(source.fill(&data, |_| {})).expect("the sample data is loaded");
        let fingerprint_key = FingerprintKey::random();
        let manifest = Manifest {
            schema_version: 1,
            template: String::new(),
            taken_at: Clock::system().now(),
            tool_version: String::new(),
            algorithm: String::new(),
            fingerprint_key: fingerprint_key.clone(),
            globals: None,
            databases: Vec::new(),
            roles: None,
        };
        let sound = Backup {
            objects: BTreeMap::new(),
            globals: Vec::new(),
            manifest,
            identity: secret.expose().to_owned(),
            recipient: recipient.clone(),
            active_key: data.active_public_key_pem.clone(),
        };
        let template = template_of(&source, &recipient, &s3, directory.path());
        let mut shared = Self {
            source,
            template,
            identities,
            fingerprint_key,
            sound,
            s3,
            directory,
            _container: container,
        };
        let everything = shared.template.databases.iter().map(|database| database.name.clone()).collect();
        let whole = shared.back_up(everything);
        (shared.sound.objects, shared.sound.globals) = (whole.objects, whole.globals);
        shared.sound.manifest = whole.manifest;
        for name in EDITED {
            shared.sql(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';
                 ALTER DATABASE {name} RENAME TO sound_{name};"
            ));
        }
        shared
    }

    fn sql(&self, sql: &str) {
        let server = &self.source.server.container;
        let psql =
            ["exec", "-i", server, "psql", "-h127.0.0.1", "-Upostgres", "-qAt", "-v", "ON_ERROR_STOP=1"];
        let password = format!("--env=PGPASSWORD={}", self.source.server.password.expose());
        docker_with(&[&psql[..2], &[&password], &psql[2..]].concat(), sql.as_bytes());
    }

    /// Makes the databases anew, edits and dumps them. Returns what each edit hit.
    fn edited(&self, edits: &[&Edit]) -> (Changed, Vec<String>) {
        let databases: BTreeSet<DatabaseName> = edits.iter().map(|edit| edit.database()).collect();
        for name in &databases {
            self.sql(&format!(
                "DROP DATABASE IF EXISTS {name} WITH (FORCE); CREATE DATABASE {name} TEMPLATE sound_{name};
                 UPDATE pg_database copy SET datdba = sound.datdba, datacl = sound.datacl FROM pg_database sound
                     WHERE copy.datname = '{name}' AND sound.datname = 'sound_{name}';
                 INSERT INTO pg_db_role_setting SELECT copy.oid, s.setrole, s.setconfig
                     FROM pg_database copy, pg_database sound JOIN pg_db_role_setting s ON s.setdatabase = sound.oid
                     WHERE copy.datname = '{name}' AND sound.datname = 'sound_{name}';"
            ));
        }
        let edit = |edit: &&Edit| RUNTIME.block_on(self.source.edit(edit)).expect("something is hit");
        let hits = edits.iter().map(edit).collect();
        (self.back_up(databases.into_iter().collect()), hits)
    }

    /// Backs these databases up, and moves the objects out of the store.
    fn back_up(&self, databases: Vec<DatabaseName>) -> Changed {
        let report = RUNTIME.block_on(async {
            let store =
                S3Store::connect_with(&self.template.store, self.s3.access_key(), self.s3.secret_key())
                    .await?;
            let job = Job {
                template: Arc::new(self.template.clone()),
                databases,
                store: Arc::new(store),
                recipients: Arc::new(Recipients::parse(std::slice::from_ref(&self.sound.recipient))?),
                verify_with: None,
                manifest: Some(self.fingerprint_key.clone()),
                globals: true,
                clock: Clock::system(),
            };
            let report = job.run(&CancellationToken::new(), &|_| {}).await?;
            report.failure().cloned().map_or(Ok(report), Err)
        });
        let report = report.unwrap_or_else(|failure| panic!("the source is backed up: {failure}"));
        let path = |key: &str| self.directory.path().join(BUCKET).join(key);
        let taken = |path: PathBuf| {
            let bytes = fs::read(&path).expect("it was uploaded");
            fs::remove_file(path).expect("it can be removed");
            bytes
        };
        let objects =
            report.dumps.iter().map(|dump| (dump.database.clone(), taken(path(dump.key.as_str())))).collect();
        let globals = taken(path(report.globals.expect("there are some").key.as_str()));
        let manifest = report.manifest.expect("there is one");
        let manifest =
            layer::open_whole("the manifest", &taken(path(manifest.key.as_str())), &self.identities)
                .expect("it opens");
        Changed { objects, globals, manifest: Manifest::parse(&manifest).expect("it is a manifest") }
    }
}

/// A server, on the network that every engine has.
fn server() -> (Child, Source) {
    let name = format!("restore-drill-test-corpus-{}", std::process::id());
    let password = Secret::random();
    let container = Command::new("docker")
        .args([
            "run",
            "--interactive",
            "--rm",
            "--pull=never",
            "--name",
            &name,
            "--env=POSTGRES_INITDB_ARGS=--no-sync",
        ])
        .arg(format!("--env=POSTGRES_PASSWORD={}", password.expose()))
        .args(["--entrypoint=sh", &image("DRILL_POSTGRES_IMAGE")])
        .args(["-c", "docker-entrypoint.sh postgres -cfsync=off & exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("there is a docker client");
    wait_until_ready(&name);
    let id = docker(&["inspect", "--format={{.Id}}", &name]);
    let engine = RUNTIME.block_on(Engine::connect()).expect("the engine answers");
    (container, Source { server: Server::new(engine, id, password), network: "bridge".to_owned() })
}

/// The template `aegis`, with this source and this store.
fn template_of(source: &Source, recipient: &str, s3: &S3Server, directory: &Path) -> Template {
    let server = &source.server;
    let address = docker(&["inspect", "--format={{.NetworkSettings.IPAddress}}", &server.container]);
    let mut environment = Environment::of_process();
    environment.extend(
        [
            ("ACP_BACKUP_S3_BUCKET", format!("s3://{BUCKET}/{PREFIX}")),
            ("ACP_BACKUP_S3_ENDPOINT", s3.endpoint()),
            ("ACP_BACKUP_AGE_RECIPIENT", recipient.to_owned()),
            ("ACP_BACKUP_AGE_IDENTITY", directory.join("age.key").display().to_string()),
            ("POSTGRES_HOST", address),
            ("PGPASSWORD", server.password.expose().to_owned()),
            ("ACP_BACKUP_NETWORK", source.network.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let mut template = template::load("aegis", &environment, Purpose::Backup).expect("it is sound");
    template.name = format!("corpus-source-{}", std::process::id());
    template.project_prefix = "acp_corpus".parse().expect("letters and an underscore");
    template
}
