//! A world of its own for each test: a store, a key, a template, and the real binary to run on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use restore_drill::clock::Clock;
use restore_drill::demo::s3::S3Server;
use restore_drill::layer;
use restore_drill::model::names::compact;
use restore_drill::model::secret::Secret;
use restore_drill::template;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::schema;

/// The bucket of every world.
pub const BUCKET: &str = "backups";
/// The prefix of its recovery points.
pub const PREFIX: &str = "nightly";
/// The address of an engine that is not there.
pub const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

/// For what is asynchronous in the library; the S3 servers run on it.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime starts"));

/// The store of a template: a bucket at this endpoint.
pub fn store_settings(bucket: &str, endpoint: &str) -> template::Store {
    template::Store {
        url: format!("s3://{bucket}"),
        globals: String::new(),
        endpoint: endpoint.to_owned(),
        region: String::new(),
        key: String::new(),
        timestamp: String::new(),
    }
}

/// Now, and before.
pub fn ago(minutes: i64) -> DateTime<Utc> {
    Clock::system().now() - TimeDelta::minutes(minutes)
}

/// The SHA-256 of these bytes, as verdicts and manifests write it.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Encrypts for these recipients, by the library that `age` files of other programs come from too.
pub fn seal(plaintext: &[u8], recipients: &[&str]) -> Vec<u8> {
    let keys: Vec<Box<dyn age::Recipient + Send>> = recipients
        .iter()
        .map(|text| match text.parse::<age::x25519::Recipient>() {
            Ok(native) => Box::new(native) as Box<dyn age::Recipient + Send>,
            Err(_) => Box::new(text.parse::<age::ssh::Recipient>().expect("a recipient")),
        })
        .collect();
    age_file(
        age::Encryptor::with_recipients(keys.iter().map(|key| &**key as &dyn age::Recipient)).expect("one"),
        plaintext,
    )
}

/// Encrypts with this encryptor.
pub fn age_file(encryptor: age::Encryptor, plaintext: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed).expect("writing to memory");
    writer.write_all(plaintext).expect("writing to memory");
    writer.finish().expect("writing to memory");
    sealed
}

/// What a template says; rendered anew for every run.
pub struct Template {
    /// The image of the server; empty for a template without one.
    pub image: String,
    /// Identity files.
    pub identities: Vec<PathBuf>,
    /// `store.url`.
    pub url: String,
    /// `store.endpoint`.
    pub endpoint: String,
    /// Databases and their parents.
    pub databases: Vec<(String, Vec<String>)>,
    /// More keys of a database, by its name.
    pub database_keys: BTreeMap<String, String>,
    /// Each the body of one `[[checks]]`.
    pub checks: Vec<String>,
    /// The body of `[objectives]`.
    pub objectives: String,
    /// More lines below `[postgres]`.
    pub postgres: String,
    /// More lines below `[store]`.
    pub store: String,
    /// More lines below `[encryption]`.
    pub encryption: String,
    /// More keys at the top.
    pub top: String,
    /// More sections at the end.
    pub more: String,
}

/// A test's own world.
pub struct World {
    /// The template's name. Drills of one template exclude each other, so it is the test's own.
    pub name: String,
    /// What stands in the template.
    pub template: Template,
    /// The program's environment. It inherits `PATH` alone.
    pub environment: BTreeMap<String, String>,
    /// The recipient of the world's key.
    pub recipient: String,
    /// Texts that must not show up anywhere.
    pub secrets: Vec<String>,
    /// What every key begins with.
    pub prefix: String,
    /// The folder of the working directory that objects lie in, by key.
    pub folder: String,
    /// What happens when the world ends.
    pub at_end: fn(&World),
    /// Serves for as long as the world lasts.
    _s3: S3Server,
    directory: TempDir,
}

impl World {
    /// An empty store, a fresh key, a template without databases, and no engine.
    pub fn offline(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        fs::create_dir_all(directory.path().join("s3").join(BUCKET)).expect("the bucket can be made");
        let s3 = RUNTIME.block_on(S3Server::start(&directory.path().join("s3"))).expect("S3 starts");
        Self::on(name, s3, directory)
    }

    /// As [`World::offline`], with a store of the test's own.
    pub fn stored_in(name: &str, s3: impl s3s::S3) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let s3 = RUNTIME.block_on(S3Server::serve(s3)).expect("S3 starts");
        Self::on(name, s3, directory)
    }

    fn on(name: &str, s3: S3Server, directory: TempDir) -> Self {
        let (secret, recipient) = layer::generate_key();
        let password = Secret::random();
        let template = Template {
            image: "postgres:17".to_owned(),
            identities: Vec::new(),
            url: format!("s3://{BUCKET}/{PREFIX}"),
            endpoint: s3.endpoint(),
            databases: Vec::new(),
            database_keys: BTreeMap::new(),
            checks: Vec::new(),
            objectives: String::new(),
            postgres: String::new(),
            store: String::new(),
            encryption: String::new(),
            top: String::new(),
            more: String::new(),
        };
        let mut environment: BTreeMap<String, String> = [
            ("AWS_ACCESS_KEY_ID", s3.access_key()),
            ("AWS_SECRET_ACCESS_KEY", s3.secret_key().expose()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_REGION", "us-east-1"),
            ("RESTORE_DB_PASSWORD", password.expose()),
            ("DOCKER_HOST", NO_ENGINE),
            // The AWS SDK finds no settings of the machine's user.
            ("HOME", &directory.path().display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        environment.extend(std::env::var("PATH").ok().map(|value| ("PATH".to_owned(), value)));
        let secrets = vec![
            secret.expose().to_owned(),
            s3.secret_key().expose().to_owned(),
            password.expose().to_owned(),
        ];
        let mut world = Self {
            name: format!("{name}-{}", std::process::id()),
            template,
            environment,
            recipient,
            secrets,
            prefix: format!("{PREFIX}/"),
            folder: format!("s3/{BUCKET}"),
            at_end: |_| {},
            _s3: s3,
            directory,
        };
        let identity = world.write("age.key", format!("# a test's key\n{}\n", secret.expose()));
        world.template.identities.push(identity);
        world
    }

    /// Makes a directory the store, from now on. Its path.
    pub fn in_directory(&mut self) -> PathBuf {
        (self.prefix, self.folder) = (String::new(), "backups".to_owned());
        let directory = self.path(&self.folder);
        fs::create_dir_all(&directory).expect("it can be made");
        self.template.url = format!("file://{}", directory.display());
        self.template.endpoint = String::new();
        self.environment.retain(|name, _| !name.starts_with("AWS_"));
        directory
    }

    /// The program's working directory, where reports and the drill log go.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// Writes a file below the working directory.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("it is below the directory")).expect("it can be made");
        fs::write(&path, content).expect("the file can be written");
        path
    }

    /// Adds a database to the template.
    pub fn database(&mut self, name: &str, after: &[&str]) -> &mut Self {
        self.template
            .databases
            .push((name.to_owned(), after.iter().map(|name| (*name).to_owned()).collect()));
        self
    }

    /// Adds keys to a database of the template.
    pub fn keys(&mut self, database: &str, keys: &str) -> &mut Self {
        self.template.database_keys.insert(database.to_owned(), keys.to_owned());
        self
    }

    /// Adds a `sql` check; `expected` is such as `expect = 1`.
    pub fn sql(&mut self, name: &str, database: &str, query: &str, expected: &str) -> &mut Self {
        self.template.checks.push(format!(
            "type = \"sql\"\nname = \"{name}\"\ndatabase = \"{database}\"\nquery = \"\"\"{query}\"\"\"\n{expected}\n"
        ));
        self
    }

    /// Adds a `row-counts` check of one table; `bounds` is such as `min = 1`.
    pub fn rows(&mut self, name: &str, database: &str, table: &str, bounds: &str) -> &mut Self {
        self.template.checks.push(format!(
            "type = \"row-counts\"\nname = \"{name}\"\nrules = [{{ database = \"{database}\", table = '{table}', {bounds} }}]\n"
        ));
        self
    }

    /// Adds a `required-tables` check of one database.
    pub fn tables(&mut self, name: &str, database: &str, tables: &[&str]) -> &mut Self {
        let tables: Vec<String> = tables.iter().map(|table| format!("'{table}'")).collect();
        self.template.checks.push(format!(
            "type = \"required-tables\"\nname = \"{name}\"\ntables = {{ {database} = [{}] }}\n",
            tables.join(", ")
        ));
        self
    }

    /// The key of a dump taken at this time.
    pub fn key(&self, database: &str, taken_at: DateTime<Utc>) -> String {
        format!("{}{database}_{}.dump.age", self.prefix, compact(taken_at))
    }

    /// The key of the manifest of a backup taken at this time.
    pub fn manifest_key(&self, taken_at: DateTime<Utc>) -> String {
        format!("{}manifest_{}.json.age", self.prefix, compact(taken_at))
    }

    /// The key of the globals of a backup taken at this time.
    pub fn globals_key(&self, taken_at: DateTime<Utc>) -> String {
        format!("{}globals_{}.sql.age", self.prefix, compact(taken_at))
    }

    /// Puts an object into the store, as it is.
    pub fn put(&self, key: &str, bytes: &[u8]) -> PathBuf {
        self.write(&format!("{}/{key}", self.folder), bytes)
    }

    /// Puts a dump into the store, encrypted for the world's key. Returns the object as it lies there.
    pub fn put_dump(&self, database: &str, taken_at: DateTime<Utc>, dump: &[u8]) -> Vec<u8> {
        let sealed = seal(dump, &[&self.recipient]);
        self.put(&self.key(database, taken_at), &sealed);
        sealed
    }

    /// Adds a database and an hour-old dump of it.
    pub fn dumped(&mut self, name: &str, after: &[&str], dump: &[u8]) -> &mut Self {
        self.put_dump(name, ago(60), dump);
        self.database(name, after)
    }

    /// Writes the template as it is now.
    pub fn write_template(&self) -> PathBuf {
        self.write("template.toml", self.template_text())
    }

    /// The template's text.
    pub fn template_text(&self) -> String {
        let template = &self.template;
        // Two drills may begin in the same second; the prefix keeps their containers' names apart.
        let mut prefix: String =
            self.name.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        prefix.truncate(40);
        let mut text = format!(
            "schema_version = 1\nname = \"{}\"\nproject_prefix = \"{prefix}\"\ntimeout = \"20m\"\n{}\n",
            self.name, template.top
        );
        let _ = writeln!(
            text,
            "[store]
url = \"{}\"
endpoint = \"{}\"
{}
[encryption]
identities = {:?}
{}
[objectives]
{}",
            template.url,
            template.endpoint,
            template.store,
            template.identities,
            template.encryption,
            template.objectives
        );
        if !template.image.is_empty() {
            let _ = writeln!(
                text,
                "[postgres]\nimage = \"{}\"\npassword = \"${{RESTORE_DB_PASSWORD:-}}\"\nmemory = \"768MiB\"\n{}",
                template.image, template.postgres
            );
        }
        for (name, after) in &template.databases {
            // A dollar sign begins a variable unless it is doubled.
            let name = name.replace('$', "$$");
            let more = template.database_keys.get(&name).map(String::as_str).unwrap_or_default();
            let _ = writeln!(text, "[[databases]]\nname = \"{name}\"\nafter = {after:?}\n{more}");
        }
        for check in &template.checks {
            let _ = writeln!(text, "[[checks]]\n{check}");
        }
        text.push_str(&template.more);
        text
    }

    /// The program with these arguments, in the world's directory and environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restore-drill"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `restore-drill run -t TEMPLATE` with more arguments, to spawn.
    pub fn drill_command(&self, arguments: &[&str]) -> Command {
        self.write_template();
        let arguments: Vec<&str> =
            ["run", "-t", "./template.toml"].into_iter().chain(arguments.iter().copied()).collect();
        self.command(&arguments)
    }

    /// Runs a drill to its end.
    pub fn drill(&self, arguments: &[&str]) -> Outcome {
        let command = self.drill_command(arguments);
        self.finish(command)
    }

    /// Runs any command to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.finish(self.command(arguments))
    }

    fn finish(&self, mut command: Command) -> Outcome {
        let before = self.verdict_files();
        let output = command.output().expect("the program starts");
        self.outcome(&output, &before)
    }

    /// What a finished program left: its words, and the verdict that was not there `before`.
    /// Whatever the test is about, no secret may be in any of it.
    pub fn outcome(&self, output: &Output, before: &BTreeSet<PathBuf>) -> Outcome {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8");
        let verdict_text = self
            .verdict_files()
            .difference(before)
            .last()
            .map(|path| fs::read_to_string(path).expect("the verdict can be read"));
        let outcome = Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            verdict: verdict_text.as_deref().map(|text| {
                let verdict = serde_json::from_str(text).expect("it is JSON");
                schema::assert_kept(schema::VERDICT, &verdict);
                verdict
            }),
            verdict_text: verdict_text.unwrap_or_default(),
            log: fs::read_to_string(self.path("runbooks/restore_drill.md")).unwrap_or_default(),
        };
        for secret in &self.secrets {
            for (place, text) in [
                ("stdout", &outcome.stdout),
                ("stderr", &outcome.stderr),
                ("the verdict", &outcome.verdict_text),
                ("the drill log", &outcome.log),
            ] {
                let escaped = Value::from(secret.as_str()).to_string();
                let shown = text.contains(secret.as_str()) || text.contains(escaped.trim_matches('"'));
                assert!(!shown, "a secret is shown in {place}:\n{text}");
            }
        }
        outcome
    }

    /// The verdicts so far, the newest last.
    pub fn verdict_files(&self) -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(self.path("reports/restore_drill")).into_iter().flatten();
        entries
            .map(|entry| entry.expect("the directory can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect()
    }

    /// Fails if the program wrote anything: neither reports nor a drill log.
    pub fn assert_nothing_written(&self) {
        for place in ["reports", "runbooks"] {
            assert!(!self.path(place).exists(), "{place} was made");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        (self.at_end)(self);
    }
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// The result.
    pub stdout: String,
    /// The talk.
    pub stderr: String,
    /// The verdict file it wrote.
    pub verdict: Option<Value>,
    /// That file's text.
    pub verdict_text: String,
    /// The drill log.
    pub log: String,
}

impl Outcome {
    /// The verdict.
    pub fn verdict(&self) -> &Value {
        self.verdict.as_ref().unwrap_or_else(|| panic!("there is no verdict\n{self}"))
    }

    /// Asserts a PASS, and returns its verdict.
    pub fn passed(&self) -> &Value {
        assert_eq!(self.code, 0, "{self}");
        let verdict = self.verdict();
        assert_eq!(verdict["status"], "PASS", "{self}");
        assert_eq!(verdict["failure"], Value::Null, "{self}");
        assert_eq!(verdict["teardown"]["status"], "clean", "{self}");
        verdict
    }

    /// Asserts that a drill ended with this exit code, this `failure.code` and a hint; returns its verdict.
    pub fn failed(&self, code: i32, failure: &str) -> &Value {
        assert_eq!(self.code, code, "{self}");
        let verdict = self.verdict();
        let status = match code {
            1 => "FAIL",
            130 => "CANCELLED",
            _ => "INCONCLUSIVE",
        };
        assert_eq!(verdict["status"], status, "{self}");
        assert_eq!(verdict["failure"]["code"], failure, "{self}");
        let text = |key: &str| verdict["failure"][key].as_str().unwrap_or_default();
        assert!(!text("message").is_empty() && !text("hint").is_empty(), "a reason and a hint\n{self}");
        assert_eq!(verdict["teardown"]["status"], "clean", "{self}");
        if !self.stdout.starts_with('{') {
            let last = self.stdout.lines().last().unwrap_or_default();
            assert!(last.starts_with("Restore drill FAILED — "), "{self}");
            assert!(last.contains(text("message")), "{self}");
        }
        assert!(!self.stdout.contains("PASSED"), "{self}");
        verdict
    }

    /// Asserts that the program refused to begin, with a reason that holds these words, and a hint.
    pub fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self}");
        assert!(self.verdict.is_none(), "no drill began\n{self}");
        assert!(self.stdout.is_empty(), "stdout is for results\n{self}");
        assert!(self.stderr.contains("error: "), "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "no word of {word}\n{self}");
        }
    }

    /// What the verdict says of a database.
    pub fn database(&self, name: &str) -> &Value {
        self.one_of("databases", name)
    }

    /// What the verdict says of a check.
    pub fn check(&self, name: &str) -> &Value {
        self.one_of("checks", name)
    }

    /// The recovery point used for a database.
    pub fn point(&self, database: &str) -> &Value {
        let points = self.verdict()["recovery_set"]["points"].as_array().expect("an array");
        points
            .iter()
            .find(|point| point["database"] == database)
            .unwrap_or_else(|| panic!("no recovery point of {database}\n{self}"))
    }

    fn one_of(&self, list: &str, name: &str) -> &Value {
        let items = self.verdict()[list].as_array().expect("an array");
        items
            .iter()
            .find(|item| item["name"] == name)
            .unwrap_or_else(|| panic!("no {name} among {list}\n{self}"))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit {}\n--- stdout\n{}--- stderr\n{}--- verdict\n{}",
            self.code, self.stdout, self.stderr, self.verdict_text
        )
    }
}
