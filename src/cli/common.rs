//! What several commands share.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::output::{Format, complain, delivered, print_json, print_summary};
use super::signals::Stop;
use crate::check::{self, DrillTemplate};
use crate::clock::{Clock, Timer};
use crate::drill::{Drill, Ended};
use crate::evidence::{Destinations, EXPORTERS, Exporters, VerdictFile};
use crate::layer::Identities;
use crate::model::codes;
use crate::model::event::Sink;
use crate::model::exit::ExitCode;
use crate::model::failure::{Class, Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::verdict::Verdict;
use crate::store::{self, Store};
use crate::template::{Environment, Purpose, Template};
use crate::view::stderr::Stderr;
use crate::view::{LiveProgress, PlainLog, last_line, summary};

/// Where reports go.
pub const DEFAULT_REPORTS: &str = "reports";

/// The template argument.
#[derive(Debug, Clone, clap::Args)]
pub struct TemplateArg {
    /// The template: a path, or the name of one in drill-templates/
    #[arg(short, long, value_name = "TEMPLATE")]
    pub template: String,
}

/// What a drill starts from. Commands that only examine it start from the same.
pub struct Opened {
    /// The template, narrowed.
    pub template: DrillTemplate,
    /// What opens recovery points.
    pub identities: Arc<Identities>,
    /// The store of the recovery points.
    pub store: Arc<dyn Store>,
}

impl TemplateArg {
    /// Loads the template, narrowed to these databases (none for all), and what it names. A drill without its key would
    /// stop at once, so the key is asked for even where nothing is decrypted.
    pub async fn open(&self, only: &[DatabaseName]) -> Result<Opened> {
        let template = check::load(&self.template, &Environment::of_process(), Purpose::Drill)?;
        let template = template.narrow(only)?;
        let identities = Identities::of(&template).map_err(|failure| template.hinted(failure))?;
        let store = store::connect(&template.store).await.map_err(|failure| template.hinted(failure))?;
        Ok(Opened { template, identities: Arc::new(identities), store })
    }
}

/// Where evidence is written.
#[derive(Debug, Clone, clap::Args)]
pub struct EvidenceArgs {
    /// Where reports go: the verdict is DIR/restore_drill/TIMESTAMP.json [default: reports]
    #[arg(long, value_name = "DIR")]
    pub reports: Option<PathBuf>,
    /// The drill log: a markdown file, created if it is missing
    #[arg(long, value_name = "FILE", default_value = "runbooks/restore_drill.md")]
    pub log: PathBuf,
}

impl EvidenceArgs {
    /// Where reports go.
    pub fn reports(&self) -> &Path {
        self.reports.as_deref().unwrap_or(Path::new(DEFAULT_REPORTS))
    }
}

/// A drill that has ended, with its evidence written.
pub struct Sealed {
    /// The verdict, as it was sealed.
    pub verdict: Verdict,
    /// The file of the verdict.
    path: PathBuf,
    /// The failure, for its class.
    failure: Option<Failure>,
}

/// Runs a drill with all its sinks, and seals its evidence.
///
/// # Errors
/// If the drill cannot even begin: configuration errors.
pub async fn sealed_drill(drill: &Drill, evidence: &EvidenceArgs, stop: &Stop) -> Result<Sealed> {
    let (file, timer) = claim_second(evidence, &drill.clock).await?;
    let destinations = Destinations {
        verdict: file.clone(),
        log: evidence.log.clone(),
        template: Arc::new(Template::clone(&drill.template)),
    };
    let mut exporters = Exporters::new(EXPORTERS, &destinations);
    let first = drill.first_verdict(timer.began());
    if let Err(failure) = exporters.try_out(&Arc::new(first.clone())).await {
        file.give_up();
        return Err(failure);
    }
    let path = file.path().to_owned();
    // First the one that writes nothing: another may wait for a slow disk or a lock.
    let sinks: Vec<Box<dyn Sink>> = vec![stop.watch(), Box::new(file), progress_sink()];
    let Ended { verdict, failure } = drill.run(first, sinks, timer, &stop.token).await;
    let (verdict, failed) = exporters.run(verdict).await;
    for message in failed {
        complain(&message, None);
    }
    Ok(Sealed { verdict, path, failure })
}

/// Runs a drill with all its sinks, seals its evidence, and prints its outcome.
///
/// # Errors
/// If the drill cannot even begin: configuration errors.
pub async fn run_drill(
    drill: &Drill,
    evidence: &EvidenceArgs,
    format: Format,
    stop: &Stop,
) -> Result<ExitCode> {
    let Sealed { verdict, path, failure } = sealed_drill(drill, evidence, stop).await?;
    let printed = match format {
        Format::Json => print_json(&verdict),
        Format::Human => print_summary(
            &summary(&verdict, &path, &evidence.log),
            &last_line(&verdict),
            verdict.failure.is_none(),
        ),
    };
    if let Some(lost) = verdict.failure.as_ref().filter(|failure| failure.code == codes::EVIDENCE_LOST) {
        complain(&lost.message, lost.hint.as_deref());
    }
    let code = match failure.map(|failure| failure.class) {
        Some(Class::Config) => ExitCode::Config,
        _ => ExitCode::from(&verdict),
    };
    Ok(delivered(printed, code))
}

/// Claims a second that no other drill with these reports has: it names the project and the verdict. The drill's time
/// runs from it.
async fn claim_second(evidence: &EvidenceArgs, clock: &Clock) -> Result<(VerdictFile, Timer)> {
    loop {
        let timer = Timer::start(clock);
        if let Some(file) = VerdictFile::claim(evidence.reports(), timer.began())? {
            return Ok((file, timer));
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
}

fn progress_sink() -> Box<dyn Sink> {
    if std::io::stderr().is_terminal() {
        Box::new(LiveProgress::default())
    } else {
        Box::new(PlainLog::new(Stderr))
    }
}

/// A point in time: RFC 3339, `2026-05-16T12:00Z`, `2026-05-16 12:00`, or a date (its end). Without a zone, UTC.
pub fn parse_time(text: &str) -> std::result::Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let plain = text.trim_end_matches(['Z', 'z']);
    for format in
        ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y%m%dT%H%M%S"]
    {
        if let Ok(time) = NaiveDateTime::parse_from_str(plain, format) {
            return Ok(time.and_utc());
        }
    }
    if let Some(end) =
        NaiveDate::parse_from_str(plain, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(23, 59, 59))
    {
        return Ok(end.and_utc());
    }
    Err("write it as 2026-05-16T12:00Z, or as 2026-05-16 for the end of that day (UTC)".to_owned())
}

/// The point in time that was asked for. A date that has begun means its end, which may not have come: what is younger
/// than now is no backup.
///
/// # Errors
/// `at_in_the_future`: the date has not begun.
pub fn point_in_time(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    match at {
        Some(at) if at.date_naive() > now.date_naive() => Err(Failure::config(
            codes::AT_IN_THE_FUTURE,
            format!("--at {} has not come yet", crate::model::human::moment(at)),
        )
        .hint("leave --at out for the newest recovery points")),
        at => Ok(at.map(|at| at.min(now))),
    }
}

/// A database's name.
pub fn parse_database(text: &str) -> std::result::Result<DatabaseName, String> {
    text.parse()
}

/// Who runs the drill: the login name, or `system` where there is none, as in most CI jobs.
pub fn default_operator() -> String {
    ["LOGNAME", "USER"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.trim().is_empty())
        .unwrap_or_else(|| "system".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in [
            ("2026-05-16T12:00Z", "2026-05-16T12:00:00+00:00"),
            ("2026-05-16T12:00:30+02:00", "2026-05-16T10:00:30+00:00"),
            ("2026-05-16 12:00", "2026-05-16T12:00:00+00:00"),
            ("20260516T120000Z", "2026-05-16T12:00:00+00:00"),
            ("2026-05-16", "2026-05-16T23:59:59+00:00"),
        ] {
            assert_eq!(parse_time(text).unwrap().to_rfc3339(), expected, "{text}");
        }
        assert!(parse_time("yesterday").is_err());
    }

    #[test]
    fn no_point_in_time_is_younger_than_now() {
        let time = |text: &str| parse_time(text).unwrap();
        let now = time("2026-05-17T08:31Z");
        let asked =
            |text: &str| point_in_time(Some(time(text)), now).map_err(|failure| failure.code.as_str());
        assert_eq!(asked("2026-05-16"), Ok(Some(time("2026-05-16"))));
        assert_eq!(asked("2026-05-17"), Ok(Some(now)), "the end of today has not come");
        assert_eq!(asked("2026-05-18"), Err("at_in_the_future"));
        assert_eq!(point_in_time(None, now).unwrap(), None);
    }
}
