//! What benchmarks share: arguments, figures, and a Postgres with sample data that is removed afterwards.

use std::panic::AssertUnwindSafe;

use chrono::TimeDelta;
use futures_util::FutureExt;
use restore_drill::clock::Clock;
use restore_drill::demo::data::DataSet;
use restore_drill::demo::source::Source;
use restore_drill::model::code::Code;
use restore_drill::model::failure::{Failure, Result};
use restore_drill::model::names::{DrillId, ProjectName};
use restore_drill::model::verdict::TeardownStatus;
use restore_drill::sandbox::docker::Engine;
use restore_drill::sandbox::labels::Ownership;
use restore_drill::sandbox::owner::Owner;
use restore_drill::sandbox::teardown::teardown;

/// How long a crashed benchmark's server stands before `restore-drill reap` removes it.
const LEASE: TimeDelta = TimeDelta::hours(2);

/// The number behind an option such as `--rows`, or a default. Other options are not this benchmark's to judge.
pub fn option(name: &str, default: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    match arguments.next() {
        Some(value) => {
            value.replace(['_', ','], "").parse().unwrap_or_else(|_| panic!("{name} needs a number"))
        }
        None => default,
    }
}

/// The most memory this process has had at once, in bytes.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kib: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0);
    kib * 1024
}

/// Starts a Postgres with this data, runs `work` on it, and removes it, whatever happens.
pub async fn with_source<T>(data: &DataSet, work: impl AsyncFnOnce(Source) -> Result<T>) -> Result<T> {
    let image = std::env::var("DRILL_POSTGRES_IMAGE").map_err(|_| {
        Failure::config(Code::new("image_missing"), "DRILL_POSTGRES_IMAGE is not set")
            .hint("run it with `make bench`")
    })?;
    let engine = Engine::connect().await?;
    let now = Clock::system().now();
    let mut ownership = Ownership {
        drill_id: DrillId::random(),
        project: ProjectName::of(&"drill_bench".parse().expect("a prefix"), "source", now),
        template: "bench".to_owned(),
        purpose: "bench",
        owner: Owner::this_process(),
        lease_expires: now + LEASE,
        kept: false,
    };
    // A figure that is refused panics, and the server must go all the same.
    let outcome = AssertUnwindSafe(async {
        let source = Source::start(&engine, &image, &mut ownership).await?;
        source.fill(data, |_| {}).await?;
        work(source).await
    })
    .catch_unwind()
    .await;
    let removed = teardown(&engine, ownership.drill_id, false).await;
    if removed.status == TeardownStatus::Leaked {
        eprintln!("left behind: {}", removed.leaked.join("; "));
    }
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
