//! A world with a source server of its own, for backups.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use restore_drill::clock::Clock;
use restore_drill::demo::source::Source;
use restore_drill::model::names::{DatabaseName, DrillId, ProjectName};
use restore_drill::sandbox::docker::Engine;
use restore_drill::sandbox::labels::Ownership;
use restore_drill::sandbox::owner::Owner;
use restore_drill::target::postgres::session::Session;

use super::world::{Outcome, RUNTIME, World, docker, image};

/// A world and its source server, which goes with it: it carries the template's label.
pub struct Site {
    /// The world.
    pub world: World,
    /// The server.
    pub source: Source,
}

impl Site {
    /// A source with these databases, each with a table `t` of three rows.
    pub fn new(name: &str, databases: &[&str]) -> Self {
        let sql = "CREATE TABLE t AS SELECT generate_series(1, 3) AS id";
        let filled: Vec<_> = databases.iter().map(|name| (*name, None, sql)).collect();
        let mut site = Self::filled(name, "DRILL_POSTGRES_17_IMAGE", &filled);
        for name in databases {
            site.world.rows(&format!("rows of {name}"), name, "t", "exact = 3");
        }
        site
    }

    /// A source of the image that the variable names, with these databases: each has a name, an encoding, and the SQL
    /// that fills it.
    pub fn filled(name: &str, variable: &str, databases: &[(&str, Option<&str>, &str)]) -> Self {
        let mut world = World::new(name);
        let image = image(variable);
        let now = Clock::system().now();
        let prefix = format!("{}-src", world.name);
        let mut ownership = Ownership {
            drill_id: DrillId::random(),
            project: ProjectName::new(&prefix.parse().unwrap(), now),
            template: world.name.clone(),
            purpose: "demo",
            owner: Owner::this_process(),
            lease_expires: now + TimeDelta::hours(1),
            kept: false,
        };
        let source = RUNTIME.block_on(async {
            let engine = Engine::connect().await?;
            let source = Source::start(&engine, &image, &mut ownership).await?;
            for (name, encoding, sql) in databases {
                let name: DatabaseName = name.parse().unwrap();
                source.server.create_database(&name, *encoding, false).await?;
                source.server.session(&name).await?.execute(sql, "filling").await?;
            }
            Ok::<_, restore_drill::model::failure::Failure>(source)
        });
        let source = source.unwrap();
        let password = source.server.password.expose().to_owned();
        world.environment.insert("PGPASSWORD".to_owned(), password.clone());
        world.secrets.push(password);
        for (name, ..) in databases {
            world.database(name, &[]);
        }
        let mut site = Self { world, source };
        site.aim("postgres");
        site
    }

    /// Has backups connect to this host.
    pub fn aim(&mut self, host: &str) {
        self.world.template.more = format!(
            "[backup]\nrecipients = [\"{}\"]\nhost = \"{host}\"\npassword = \"${{PGPASSWORD:-}}\"\nnetwork = \"{}\"\n",
            self.world.recipient, self.source.network
        );
    }

    /// Runs a backup to its end.
    pub fn backup(&self, arguments: &[&str]) -> Outcome {
        self.world.write_template();
        self.world.run(&[&["backup", "-t", "./template.toml"], arguments].concat())
    }

    /// Everything in the store, by key.
    pub fn objects(&self) -> BTreeMap<String, PathBuf> {
        let bucket = self.world.path(&self.world.folder);
        let mut found = BTreeMap::new();
        let mut open = vec![bucket.clone()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.insert(path.strip_prefix(&bucket).unwrap().display().to_string(), path);
                }
            }
        }
        found
    }

    /// What unfinished uploads occupy: the server keeps it beside the bucket, and a directory holds it.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.world.path("s3")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path()).chain(self.objects().into_values());
        paths.filter(|path| path.to_string_lossy().contains("upload")).collect()
    }

    /// A connection to a database of the source.
    pub fn session(&self, database: &str) -> Session {
        RUNTIME.block_on(self.source.server.session(&database.parse().unwrap())).unwrap()
    }

    /// Containers on the engine for this world, but the source's own.
    pub fn containers(&self) -> Vec<String> {
        let label = format!("label=io.restore-drill.template={}", self.world.name);
        let purpose = "label=io.restore-drill.purpose=backup";
        let ids = docker(&["ps", "-aq", "--filter", &label, "--filter", purpose]);
        ids.lines().map(str::to_owned).collect()
    }

    /// Fails if a backup left anything, in the store or on the engine.
    pub fn assert_nothing_uploaded(&self, outcome: &Outcome) {
        assert_eq!(self.objects().keys().collect::<Vec<_>>(), Vec::<&String>::new(), "{outcome}");
        assert_eq!(self.leftovers(), Vec::<PathBuf>::new(), "{outcome}");
        assert_eq!(self.containers(), Vec::<String>::new(), "{outcome}");
    }
}

/// Decrypts an object with the world's key, by the library that other age programs have too.
pub fn opened(world: &World, object: &Path) -> Vec<u8> {
    let key = std::fs::read_to_string(world.path("age.key")).unwrap();
    let line = key.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    let identity: age::x25519::Identity = line.parse().unwrap();
    age::decrypt(&identity, &std::fs::read(object).unwrap()).unwrap()
}
