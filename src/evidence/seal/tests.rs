use std::fs;
use std::path::Path;

use super::*;
use crate::evidence::export::Destinations;
use crate::evidence::exporters::{EXPORTERS, Exporters};
use crate::evidence::verdict_file::VerdictFile;
use crate::model::testing::{passing, start};
use crate::template::testing::template;

/// A drill that passed, sealed after `spoil` did something to its directory: the verdict, what the file says, and the
/// results of the rows in the log.
async fn sealed(log: &str, status: Status, spoil: impl FnOnce(&Path)) -> (Verdict, String, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let log = if log.starts_with('/') { log.into() } else { directory.path().join(log) };
    let file = VerdictFile::claim(directory.path(), start()).unwrap().unwrap();
    let destinations = Destinations { verdict: file.clone(), log, template: Arc::new(template()) };
    let mut exporters: Vec<Running> =
        EXPORTERS.iter().filter_map(|entry| Running::build(entry, &destinations)).collect();
    let mut verdict = passing();
    verdict.status = Status::Running;
    for exporter in &mut exporters {
        exporter.try_out(&Arc::new(verdict.clone())).await.unwrap();
    }
    verdict.status = status;
    spoil(directory.path());
    seal(&mut verdict, &mut exporters).await;
    let text = fs::read_to_string(file.path()).unwrap_or_default();
    let written: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let rows = fs::read_to_string(directory.path().join("log.md")).unwrap_or_default();
    let result = |row: &str| row.trim_end_matches('|').rsplit('|').next().unwrap().trim().to_owned();
    let rows = rows.lines().filter(|line| line.starts_with("| 2026")).map(result).collect();
    (verdict, written["status"].as_str().unwrap_or_default().to_owned(), rows)
}

fn is_lost(verdict: &Verdict) {
    assert_eq!(verdict.status, Status::Inconclusive);
    assert_eq!(verdict.failure.as_ref().unwrap().code.as_str(), "evidence_lost");
    assert_eq!(verdict.warnings.len(), 1, "one cause, one message: {:?}", verdict.warnings);
}

#[tokio::test]
async fn with_all_evidence_written_everything_says_pass() {
    let (verdict, file, rows) = sealed("log.md", Status::Pass, |_| {}).await;
    assert_eq!((verdict.status, file.as_str(), rows), (Status::Pass, "PASS", vec!["PASS".to_owned()]));
    let (verdict, file, _) = sealed("/dev/null", Status::Pass, |_| {}).await;
    assert_eq!((verdict.status, file.as_str()), (Status::Pass, "PASS"));
}

#[tokio::test]
async fn without_the_row_nothing_says_pass() {
    let (verdict, file, _) = sealed("/dev/full", Status::Pass, |_| {}).await;
    is_lost(&verdict);
    assert_eq!(file, "INCONCLUSIVE");
    assert!(verdict.warnings[0].contains("/dev/full: No space left"), "{:?}", verdict.warnings);
}

#[tokio::test]
async fn without_the_verdict_nothing_says_pass() {
    // The directory that the verdict lies in is gone.
    let gone = |directory: &Path| fs::remove_dir_all(directory.join("restore_drill")).unwrap();
    let (verdict, file, rows) = sealed("log.md", Status::Pass, gone).await;
    is_lost(&verdict);
    assert_eq!((file.as_str(), rows), ("", vec!["INCONCLUSIVE".to_owned()]));
}

#[tokio::test]
async fn a_drill_whose_first_verdict_cannot_be_written_does_not_begin() {
    let directory = tempfile::tempdir().unwrap();
    let verdict = VerdictFile::claim(directory.path(), start()).unwrap().unwrap();
    let destinations = Destinations { verdict, log: "/dev/null".into(), template: Arc::new(template()) };
    let first = Arc::new(passing());
    Exporters::new(EXPORTERS, &destinations).try_out(&first).await.unwrap();
    fs::remove_dir_all(directory.path().join("restore_drill")).unwrap();
    let failure = Exporters::new(EXPORTERS, &destinations).try_out(&first).await.unwrap_err();
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (crate::model::failure::Class::Config, "reports_unwritable")
    );
}

#[tokio::test]
async fn a_graver_outcome_stays_what_it_is() {
    let (verdict, file, _) = sealed("/dev/full", Status::Fail, |_| {}).await;
    assert_eq!((verdict.status, file.as_str(), verdict.warnings.len()), (Status::Fail, "FAIL", 1));
}
