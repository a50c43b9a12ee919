//! `demo`: everything, on sample data, with nothing but Docker.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::common::{self, EvidenceArgs, Format};
use super::{backup as backup_command, signals};
use crate::backup::{self, Job};
use crate::clock::Clock;
use crate::crypt::{Identities, Recipients, generate_key};
use crate::demo::data::{self, DEFAULT_ROWS, DataSet};
use crate::demo::s3::S3Server;
use crate::demo::source::Source;
use crate::engine::{Drill, Options, teardown};
use crate::exit::ExitCode;
use crate::failure::{Failure, Result};
use crate::names::{DrillId, ProjectName};
use crate::secret::Secret;
use crate::stack::docker::Engine;
use crate::stack::labels::Ownership;
use crate::stack::owner::Owner;
use crate::store::S3Store;
use crate::template::{self, Environment, Purpose, Template};
use crate::verdict::TeardownStatus;

const EXAMPLES: &str = "\
Starts a Postgres with nine Aegis-shaped databases, an S3 server in this process, backs the one up into the other with
a fresh key, and drills the backup with the template `aegis`. Everything but the evidence is removed afterwards.

Examples:
  restore-drill demo
  restore-drill demo --rows 1000000
  DRILL_POSTGRES_IMAGE=restore-drill/postgres:17 DRILL_REDIS_IMAGE=restore-drill/redis:7 restore-drill demo";

const TEMPLATE: &str = "aegis";
const BUCKET: &str = "backups";
/// The file with the key that signs the sample data's roots.
const PUBLIC_KEY: &str = "transparency-public-key.pem";
/// After this long `reap` may remove the source server.
const LEASE: chrono::TimeDelta = chrono::TimeDelta::hours(6);
/// The data set is the same for everybody.
const SEED: u64 = 1;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Rows of the audit log; the other tables follow
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ROWS)]
    rows: u64,
    /// Leave the drill's stack standing
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    evidence: EvidenceArgs,
    /// What stdout is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the demo.
pub async fn run(args: Args) -> Result<ExitCode> {
    let cancel = signals::cancel_on_signal();
    let directory = tempfile::Builder::new()
        .prefix("restore-drill-demo-")
        .tempdir()
        .map_err(|error| no_directory(&error))?;
    std::fs::create_dir(directory.path().join(BUCKET)).map_err(|error| no_directory(&error))?;
    let s3 = S3Server::start(directory.path()).await?;
    let (environment, identity) = environment(&s3, directory.path())?;
    let data = data::data_set(args.rows, SEED, Clock::system().now());
    std::fs::write(directory.path().join(PUBLIC_KEY), &data.active_public_key_pem)
        .map_err(|error| no_directory(&error))?;
    back_up(&data, &environment, &s3, &cancel).await?;

    backup_command::narrate("the source server is gone; what follows has only the backups");
    let template = load(&environment, Purpose::Drill)?;
    let drill = Drill {
        store: Arc::new(store(&template, &s3).await?),
        template: Arc::new(template),
        options: Options {
            at: None,
            only: Vec::new(),
            jobs: None,
            keep: args.keep,
            concurrent: false,
            operator: "demo".to_owned(),
        },
        identities: Arc::new(Identities::load(&[identity])?),
        clock: Clock::system(),
    };
    common::run_drill(&drill, &args.evidence, args.format, &cancel).await
}

/// Starts the source, fills it, backs it up, and removes it, whatever happens between.
async fn back_up(
    data: &DataSet,
    environment: &Environment,
    s3: &S3Server,
    cancel: &CancellationToken,
) -> Result<()> {
    let clock = Clock::system();
    let engine = Engine::connect().await?;
    let template = load(environment, Purpose::Backup)?;
    let now = clock.now();
    let ownership = Ownership {
        drill_id: DrillId::random(),
        project: ProjectName::of(&template.project_prefix, "source", now),
        template: TEMPLATE.to_owned(),
        purpose: "demo",
        owner: Owner::this_process(),
        lease_expires: now + LEASE,
        kept: false,
    };
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Failure::cancelled()),
        source = fill(&engine, &template, &ownership, data) => source,
    };
    let outcome = match outcome {
        Ok(source) => dump(template, source, s3, cancel).await,
        Err(failure) => Err(failure),
    };
    let removed = teardown(&engine, ownership.drill_id, false).await;
    outcome?;
    if removed.status == TeardownStatus::Leaked {
        return Err(Failure::inconclusive(
            "demo_leaked",
            format!("the source server could not be removed: {}", removed.leaked.join("; ")),
        )
        .hint("`restore-drill reap` removes it once this command has ended"));
    }
    Ok(())
}

async fn fill(engine: &Engine, template: &Template, ownership: &Ownership, data: &DataSet) -> Result<Source> {
    backup_command::narrate("starting a source server");
    let source = Source::start(engine, &template.postgres.image, ownership).await?;
    backup_command::narrate(&format!("filling it with {} sample databases", data.databases.len()));
    source.fill(data, |name| backup_command::narrate(&format!("{name}: loading"))).await?;
    Ok(source)
}

async fn dump(
    mut template: Template,
    source: Source,
    s3: &S3Server,
    cancel: &CancellationToken,
) -> Result<()> {
    let store = Arc::new(store(&template, s3).await?);
    if let Some(backup) = &mut template.backup {
        backup.host = crate::stack::spec::POSTGRES.to_owned();
        backup.network = source.network;
        backup.password = source.server.password;
    }
    let recipients = Recipients::parse(&backup::settings(&template)?.recipients)?;
    let identities = Identities::load(&template.encryption.identities)?;
    let job = Job {
        databases: template.databases.iter().map(|database| database.name.clone()).collect(),
        template: Arc::new(template),
        store,
        recipients: Arc::new(recipients),
        verify_with: Some(Arc::new(identities)),
        clock: Clock::system(),
    };
    let report = job.run(cancel, &backup_command::narrate).await?;
    report.failure().cloned().map_or(Ok(()), Err)
}

fn load(environment: &Environment, purpose: Purpose) -> Result<Template> {
    template::load(TEMPLATE, environment, purpose)
}

async fn store(template: &Template, s3: &S3Server) -> Result<S3Store> {
    S3Store::connect_with(&template.store, s3.access_key(), s3.secret_key()).await
}

/// The environment the template asks for, and the path of the fresh key.
fn environment(s3: &S3Server, directory: &Path) -> Result<(Environment, std::path::PathBuf)> {
    let (secret, recipient) = generate_key();
    let identity = directory.join("identity.txt");
    write_private(&identity, &secret).map_err(|error| no_directory(&error))?;
    let mut environment = Environment::of_process();
    environment.extend(
        [
            ("ACP_BACKUP_S3_BUCKET", format!("s3://{BUCKET}/nightly")),
            ("ACP_BACKUP_S3_ENDPOINT", s3.endpoint()),
            ("ACP_BACKUP_AGE_RECIPIENT", recipient),
            ("ACP_BACKUP_AGE_IDENTITY", identity.display().to_string()),
            ("ACP_TRANSPARENCY_PUBLIC_KEY", directory.join(PUBLIC_KEY).display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Ok((environment, identity))
}

fn write_private(path: &Path, secret: &Secret) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(path)?, "{}", secret.expose())
}

fn no_directory(error: &std::io::Error) -> Failure {
    Failure::inconclusive(
        "demo_directory_failed",
        format!("the demo cannot write to its temporary directory: {error}"),
    )
    .hint("TMPDIR names another place")
}
