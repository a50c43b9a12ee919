//! The end of a drill: its verdict and its row in the drill log are written so that neither says PASS unless both are
//! there. A process that is killed between the two (SIGKILL, a power cut) cannot see to that: then the row says PASS, and
//! the verdict that is in its place says RUNNING, which `health` reports as a drill that broke off.

use super::drill_log::DrillLog;
use super::verdict_file::VerdictFile;
use crate::model::codes;
use crate::model::event::Sink;
use crate::model::failure::Failure;
use crate::model::verdict::{Status, Verdict};

/// Seals a verdict that is concluded. First its bytes are on the disk, beside the verdict of the drill that still says
/// RUNNING; then the row is in the log; then the verdict takes its place. What cannot be written is in the verdict that is
/// left, as far as one can be.
pub fn seal(verdict: &mut Verdict, file: &VerdictFile, log: &DrillLog) {
    let mut staged = file.stage(verdict);
    if let Err(error) = &staged {
        lose(verdict, &file.name(), error);
    }
    let logged = log.append(verdict);
    if let Err(error) = &logged {
        lose(verdict, &log.name(), error);
    }
    if staged.is_err() || logged.is_err() {
        // What was staged says more than there is.
        staged = file.stage(verdict);
    }
    if let Err(error) = staged.and_then(super::files::Staged::commit) {
        let told = verdict.status;
        lose(verdict, &file.name(), &error);
        if told != verdict.status && logged.is_ok() {
            // The row said PASS. Another follows it: rows are never taken away.
            let _ = log.append(verdict);
        }
    }
}

/// Evidence that is lost takes a PASS away: it proves nothing to anybody who was not there. Any other outcome is graver.
fn lose(verdict: &mut Verdict, what: &str, error: &std::io::Error) {
    let warning = format!("could not write {what}: {error}");
    if !verdict.warnings.contains(&warning) {
        verdict.warnings.push(warning);
    }
    if verdict.status == Status::Pass {
        let failure =
            Failure::inconclusive(codes::EVIDENCE_LOST, format!("evidence of the drill could not be written: {what}: {error}"))
                .hint("everything was restored and every check held; make room or set the permissions, and run it again");
        verdict.status = Status::Inconclusive;
        verdict.failure = Some(failure.to_record(None));
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::model::testing::{passing, start};
    use crate::template::testing::template;
    use crate::view::last_line;

    /// A drill that passed, sealed after `spoil` did something to its directory: the verdict, what the file says, and the
    /// results of the rows in the log.
    fn sealed(log: &str, status: Status, spoil: impl FnOnce(&Path)) -> (Verdict, String, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let log = if log.starts_with('/') { log.into() } else { directory.path().join(log) };
        let log = DrillLog::new(log, template());
        log.try_out().unwrap();
        let file = VerdictFile::claim(directory.path(), start()).unwrap().unwrap();
        let mut verdict = passing();
        verdict.status = Status::Running;
        file.stage(&verdict).unwrap().commit().unwrap();
        verdict.status = status;
        spoil(directory.path());
        seal(&mut verdict, &file, &log);
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
        assert!(
            last_line(verdict).starts_with("Restore drill FAILED — inconclusive: "),
            "{}",
            last_line(verdict)
        );
        assert_eq!(verdict.warnings.len(), 1, "one cause, one message: {:?}", verdict.warnings);
    }

    #[test]
    fn with_all_evidence_written_everything_says_pass() {
        let (verdict, file, rows) = sealed("log.md", Status::Pass, |_| {});
        assert_eq!((verdict.status, file.as_str(), rows), (Status::Pass, "PASS", vec!["PASS".to_owned()]));
        let (verdict, file, _) = sealed("/dev/null", Status::Pass, |_| {});
        assert_eq!((verdict.status, file.as_str()), (Status::Pass, "PASS"));
    }

    #[test]
    fn without_the_row_nothing_says_pass() {
        let (verdict, file, _) = sealed("/dev/full", Status::Pass, |_| {});
        is_lost(&verdict);
        assert_eq!(file, "INCONCLUSIVE");
        assert!(verdict.warnings[0].contains("/dev/full: No space left"), "{:?}", verdict.warnings);
    }

    #[test]
    fn without_the_verdict_nothing_says_pass() {
        // The directory that the verdict lies in is gone.
        let gone = |directory: &Path| fs::remove_dir_all(directory.join("restore_drill")).unwrap();
        let (verdict, file, rows) = sealed("log.md", Status::Pass, gone);
        is_lost(&verdict);
        assert_eq!((file.as_str(), rows), ("", vec!["INCONCLUSIVE".to_owned()]));
    }

    #[test]
    fn a_drill_whose_first_verdict_cannot_be_written_does_not_begin() {
        let directory = tempfile::tempdir().unwrap();
        let file = VerdictFile::claim(directory.path(), start()).unwrap().unwrap();
        file.begin(&passing()).unwrap();
        fs::remove_dir_all(directory.path().join("restore_drill")).unwrap();
        let failure = file.begin(&passing()).unwrap_err();
        assert_eq!(
            (failure.class, failure.code.as_str()),
            (crate::model::failure::Class::Config, "reports_unwritable")
        );
    }

    #[test]
    fn a_graver_outcome_stays_what_it_is() {
        let (verdict, file, _) = sealed("/dev/full", Status::Fail, |_| {});
        assert_eq!((verdict.status, file.as_str(), verdict.warnings.len()), (Status::Fail, "FAIL", 1));
    }
}
