//! The stage of a demo of Aegis: a source server, a store, a key, and a backup of the one in the other, broken as asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::breakage::{self, Breakage, Edit, How, objects};
use super::data::{DataSet, data_set, tampered_data_set};
use super::s3::S3Server;
use super::source::Source;
use super::staging::{self, no_directory};
use super::system::{Kind, System, SystemStage};
use crate::backup::{self, BackupReport, Job};
use crate::clock::Clock;
use crate::layer::{self, Identities, Recipients, generate_key};
use crate::model::failure::Result;
use crate::model::manifest::FingerprintKey;
use crate::model::names::{DatabaseName, ServerName};
use crate::model::secret::Secret;
use crate::sandbox::docker::Engine;
use crate::sandbox::labels::Ownership;
use crate::store::{S3Store, Store};
use crate::template::{self, Environment, Purpose, Template};

/// The template that is drilled.
const TEMPLATE: &str = "aegis";
/// The store.
const BUCKET: &str = "backups";
const PREFIX: &str = "nightly";
/// The file with the key that signs the sample data's roots.
const PUBLIC_KEY: &str = "transparency-public-key.pem";
/// A dump without indexes, keys and triggers.
const WITHOUT_POST_DATA: [&str; 3] = ["--format=custom", "--section=pre-data", "--section=data"];
/// Every demo has the same data set.
const SEED: u64 = 1;

/// The Aegis platform.
pub const AEGIS: System = System {
    name: TEMPLATE,
    about: "nine databases in an S3 bucket, encrypted with age",
    kinds: || {
        let kinds = breakage::all().map(|breakage| Kind { name: breakage.name, about: breakage.about });
        kinds.collect()
    },
    set: |setting| {
        Box::pin(async move {
            let breakage = setting.kind.and_then(Breakage::named);
            let stage = Stage::set(setting.rows, breakage, setting.narrate).await?;
            Ok(Box::new(stage) as Box<dyn SystemStage>)
        })
    },
};

/// A stage. Its files and its S3 server go with it.
pub struct Stage {
    directory: TempDir,
    s3: S3Server,
    template: Template,
    data: DataSet,
    clock: Clock,
    breakage: Option<&'static Breakage>,
    narrate: fn(&str),
}

impl Stage {
    /// An empty store, a fresh key, and sample data with this many audit rows.
    pub async fn set(rows: u64, breakage: Option<&'static Breakage>, narrate: fn(&str)) -> Result<Self> {
        let directory =
            tempfile::Builder::new().prefix("restore-drill-demo-").tempdir().map_err(no_directory)?;
        fs::create_dir(directory.path().join(BUCKET)).map_err(no_directory)?;
        let s3 = S3Server::start(directory.path()).await?;
        let template = template(&environment(&s3, directory.path())?)?;
        let system = Clock::system();
        let (data, clock) = match breakage.map(|breakage| &breakage.how) {
            Some(How::Data(tampering)) => (tampered_data_set(rows, SEED, system.now(), *tampering), system),
            Some(How::Aged { hours }) => {
                let then = system.now() - chrono::TimeDelta::hours(*hours);
                (data_set(rows, SEED, then), Clock::fixed(then))
            }
            _ => (data_set(rows, SEED, system.now()), system),
        };
        fs::write(directory.path().join(PUBLIC_KEY), &data.active_public_key_pem).map_err(no_directory)?;
        Ok(Self { directory, s3, template, data, clock, breakage, narrate })
    }

    /// The store.
    async fn connect(&self) -> Result<S3Store> {
        S3Store::connect_with(&self.template.store, self.s3.access_key(), self.s3.secret_key()).await
    }

    async fn fill(&self, engine: &Engine, ownership: &mut Ownership) -> Result<Source> {
        self.say("starting a source server");
        let source = staging::start_source(engine, &self.template, ownership).await?;
        self.say(&format!("filling it with {} sample databases", self.data.databases.len()));
        source.fill(&self.data, |name| self.say(&format!("{name}: loading"))).await?;
        Ok(source)
    }

    /// Returns the time of a sound backup that is older than the broken one, if there is one.
    async fn dump_and_break(
        &self,
        source: &Source,
        cancel: &CancellationToken,
    ) -> Result<Option<DateTime<Utc>>> {
        let how = self.breakage.map(|breakage| &breakage.how);
        if let Some(breakage) = self.breakage {
            self.say(&format!("breaking the backup: {}", breakage.about));
        }
        if let Some(tampered) = &self.data.tampered {
            self.say(&format!("broken: {tampered}"));
        }
        if let Some(How::Source(edits)) = how {
            self.edit(source, edits).await?;
        }
        let manifest = !matches!(how, Some(How::Later(_) | How::WithoutPostData(_)));
        let report = self.dump(source, manifest, cancel).await?;
        match how {
            Some(How::Dump(edit)) => {
                self.edit(source, std::slice::from_ref(edit)).await?;
                // The manifest and the globals of the sound dump stay.
                let clock = Clock::fixed(report.taken_at);
                let job = self.job(source, vec![edit.database()], clock, false, false).await?;
                // Nothing is ever overwritten in a store, so the sound dump goes first.
                fs::remove_file(self.path_of(&report, &edit.database())?).map_err(no_directory)?;
                let report = job.run(cancel, &self.narrate).await?;
                report.failure().cloned().map_or(Ok(()), Err)?;
            }
            Some(How::Later(edits)) => {
                self.edit(source, edits).await?;
                self.dump(source, manifest, cancel).await?;
                return Ok(Some(report.taken_at));
            }
            Some(How::WithoutPostData(database)) => {
                let name: DatabaseName = database.parse().expect("the sample data's names are names");
                let dump = source.dump(&name, &WITHOUT_POST_DATA).await?;
                let sealed = layer::seal_whole(&dump, &self.recipients()?)?;
                fs::write(self.path_of(&report, &name)?, sealed).map_err(no_directory)?;
                self.say(&format!("broken: {name}"));
            }
            Some(How::Objects(change)) => {
                let recovery_points = self.directory.path().join(BUCKET).join(PREFIX);
                let hit =
                    objects::apply(*change, &recovery_points, &self.identities()?, &self.recipients()?)?;
                self.say(&format!("broken: {hit}"));
            }
            Some(How::Data(_) | How::Source(_) | How::Aged { .. }) | None => {}
        }
        Ok(None)
    }

    async fn edit(&self, source: &Source, edits: &[Edit]) -> Result<()> {
        for edit in edits {
            self.say(&format!("broken: {}", source.edit(edit).await?));
        }
        Ok(())
    }

    async fn dump(
        &self,
        source: &Source,
        manifest: bool,
        cancel: &CancellationToken,
    ) -> Result<BackupReport> {
        let everything = self.template.database_names();
        let job = self.job(source, everything, self.clock.clone(), manifest, true).await?;
        let report = job.run(cancel, &self.narrate).await?;
        report.failure().cloned().map_or(Ok(report), Err)
    }

    /// The path of a database's object.
    fn path_of(&self, report: &BackupReport, database: &DatabaseName) -> Result<PathBuf> {
        let dump = report.dumps.iter().find(|dump| dump.database == *database);
        let key = dump.ok_or_else(|| no_directory(std::io::Error::from(std::io::ErrorKind::NotFound)))?;
        Ok(self.directory.path().join(BUCKET).join(key.key.as_str()))
    }

    async fn job(
        &self,
        source: &Source,
        databases: Vec<DatabaseName>,
        clock: Clock,
        manifest: bool,
        globals: bool,
    ) -> Result<Job> {
        let mut template = self.template.clone();
        if let Some(backup) = &mut template.backup {
            backup.host = ServerName::DEFAULT.to_owned();
            backup.network.clone_from(&source.network);
            backup.password = source.server.password.clone();
        }
        Ok(Job {
            databases,
            recipients: Arc::new(self.recipients()?),
            verify_with: Some(Arc::new(self.identities()?)),
            template: Arc::new(template),
            store: self.store().await?,
            manifest: manifest.then(FingerprintKey::random),
            globals,
            clock,
        })
    }

    fn recipients(&self) -> Result<Recipients> {
        Recipients::parse(&backup::settings(&self.template)?.recipients)
    }

    fn say(&self, line: &str) {
        (self.narrate)(line);
    }
}

#[async_trait(?Send)]
impl SystemStage for Stage {
    fn template(&self) -> &Template {
        &self.template
    }

    async fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(self.connect().await?))
    }

    fn identities(&self) -> Result<Identities> {
        Identities::of(&self.template)
    }

    async fn back_up(&self, cancel: &CancellationToken) -> Result<Option<DateTime<Utc>>> {
        let engine = Engine::connect().await?;
        let mut ownership = staging::ownership(&self.template);
        let filled = staging::unless_cancelled(cancel, self.fill(&engine, &mut ownership)).await;
        let outcome = match filled {
            Ok(source) => self.dump_and_break(&source, cancel).await,
            Err(failure) => Err(failure),
        };
        staging::remove_source(&engine, &ownership, outcome).await
    }
}

/// The template under a name of its own.
fn template(environment: &Environment) -> Result<Template> {
    let template = template::load(TEMPLATE, environment, Purpose::Backup)?;
    Ok(staging::renamed(template, "acp_demo"))
}

/// The environment the template asks for, with a fresh key.
fn environment(s3: &S3Server, directory: &Path) -> Result<Environment> {
    let (secret, recipient) = generate_key();
    let identity = directory.join("identity.txt");
    write_private(&identity, &secret).map_err(no_directory)?;
    let mut environment = Environment::of_process();
    environment.extend(
        [
            ("ACP_BACKUP_S3_BUCKET", format!("s3://{BUCKET}/{PREFIX}")),
            ("ACP_BACKUP_S3_ENDPOINT", s3.endpoint()),
            ("ACP_BACKUP_AGE_RECIPIENT", recipient),
            ("ACP_BACKUP_AGE_IDENTITY", identity.display().to_string()),
            ("ACP_TRANSPARENCY_PUBLIC_KEY", directory.join(PUBLIC_KEY).display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Ok(environment)
}

fn write_private(path: &Path, secret: &Secret) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(path)?, "{}", secret.expose())
}
