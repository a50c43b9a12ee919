//! What a manifest costs a backup: the same nine databases, dumped and uploaded with one and without, by turns.
//!
//! `--rows N` sets how many audit rows there are, `--pairs N` how often each is measured. The source's processor time is
//! what the kernel counts for its container.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod common;

use std::sync::Arc;
use std::time::Instant;

use restore_drill::backup::Job;
use restore_drill::clock::Clock;
use restore_drill::demo::data::data_set;
use restore_drill::demo::s3::S3Server;
use restore_drill::demo::source::Source;
use restore_drill::layer::{Recipients, generate_key};
use restore_drill::model::failure::Result;
use restore_drill::model::human;
use restore_drill::model::manifest::FingerprintKey;
use restore_drill::model::names::ServerName;
use restore_drill::store::S3Store;
use restore_drill::template::{self, Environment, Purpose, Template};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use common::{option, peak_memory, with_source};

const BUCKET: &str = "backups";

#[tokio::main]
async fn main() -> Result<()> {
    let rows = option("--rows", 200_000);
    eprintln!("starting Postgres and loading {} audit rows", human::count(rows));
    let data = data_set(rows, 7, Clock::system().now());
    with_source(&data, async |source| measure(&source).await).await
}

async fn measure(source: &Source) -> Result<()> {
    let (mut without, mut with) = (Figures::default(), Figures::default());
    println!("{:<18} {:>9} {:>18} {:>14}", "", "seconds", "source CPU seconds", "uploaded");
    for _ in 0..option("--pairs", 5) {
        without.measure("without manifest", source, None).await?;
        with.measure("with manifest", source, Some(FingerprintKey::random())).await?;
    }
    let (seconds, cpu) = (with.seconds() / without.seconds(), with.cpu() / without.cpu());
    println!(
        "medians: {:.2} s and {:.2} s, {seconds:.2} times; source CPU {:.2} s and {:.2} s, {cpu:.2} times; peak memory {}",
        without.seconds(),
        with.seconds(),
        without.cpu(),
        with.cpu(),
        human::bytes(peak_memory())
    );
    Ok(())
}

/// What backups of one sort took.
#[derive(Default)]
struct Figures {
    seconds: Vec<f64>,
    cpu: Vec<f64>,
}

impl Figures {
    fn seconds(&self) -> f64 {
        median(&self.seconds)
    }

    fn cpu(&self) -> f64 {
        median(&self.cpu)
    }

    /// One backup into an empty store.
    async fn measure(&mut self, name: &str, source: &Source, manifest: Option<FingerprintKey>) -> Result<()> {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let (job, _s3) = job(source, &directory, manifest).await?;
        let (cpu, began) = (cpu_seconds(source), Instant::now());
        let report = job.run(&CancellationToken::new(), &|_| {}).await?;
        let seconds = began.elapsed().as_secs_f64();
        if let Some(failure) = report.failure() {
            return Err(failure.clone());
        }
        let cpu = cpu_seconds(source) - cpu;
        let bytes =
            report.dumps.iter().filter_map(|dump| dump.uploaded.as_ref()).map(|dump| dump.size_bytes).sum();
        println!("{name:<18} {seconds:>9.2} {cpu:>18.2} {:>14}", human::bytes(bytes));
        self.seconds.push(seconds);
        self.cpu.push(cpu);
        Ok(())
    }
}

/// The middle one of some figures.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn job(
    source: &Source,
    directory: &TempDir,
    manifest: Option<FingerprintKey>,
) -> Result<(Job, S3Server)> {
    std::fs::create_dir(directory.path().join(BUCKET)).expect("the bucket can be made");
    let s3 = S3Server::start(directory.path()).await?;
    let (_, recipient) = generate_key();
    let template = template(source, &s3, &recipient)?;
    let store = S3Store::connect_with(&template.store, s3.access_key(), s3.secret_key()).await?;
    let job = Job {
        databases: template.database_names(),
        template: Arc::new(template),
        store: Arc::new(store),
        recipients: Arc::new(Recipients::parse(&[recipient])?),
        verify_with: None,
        manifest,
        globals: true,
        clock: Clock::system(),
    };
    Ok((job, s3))
}

/// The template of the sample data, with this source and this store.
fn template(source: &Source, s3: &S3Server, recipient: &str) -> Result<Template> {
    let mut environment = Environment::of_process();
    environment.extend(
        [
            ("ACP_BACKUP_S3_BUCKET", format!("s3://{BUCKET}/nightly")),
            ("ACP_BACKUP_S3_ENDPOINT", s3.endpoint()),
            ("ACP_BACKUP_AGE_RECIPIENT", recipient.to_owned()),
            ("ACP_BACKUP_AGE_IDENTITY", "unused".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let mut template = template::load("aegis", &environment, Purpose::Backup)?;
    let backup = template.backup.as_mut().expect("the template has one");
    backup.host = ServerName::DEFAULT.to_owned();
    backup.network.clone_from(&source.network);
    backup.password = source.server.password.clone();
    Ok(template)
}

/// The processor time that the source's container has used.
fn cpu_seconds(source: &Source) -> f64 {
    let files = "cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpuacct/cpuacct.usage";
    let exec = ["exec", &source.server.container, "sh", "-c", files];
    let said = std::process::Command::new("docker").args(exec).output().expect("there is a docker client");
    let said = String::from_utf8_lossy(&said.stdout);
    let number = |text: &str, unit: f64| text.trim().parse::<f64>().expect("a number") / unit;
    match said.lines().find_map(|line| line.strip_prefix("usage_usec ")) {
        Some(microseconds) => number(microseconds, 1e6),
        None => number(&said, 1e9),
    }
}
