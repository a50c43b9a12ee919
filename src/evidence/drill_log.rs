//! The drill log: a row for every drill, under `## Drill Log` in a markdown file that people also edit.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::export::{Export, Exporter, Stage};
use super::log_file::{self, LOCK_WAIT};
use super::runbook_template::RUNBOOK;
use super::time_limited::MayAct;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::verdict::{CheckStatus, Status, Verdict};
use crate::template::Template;

const HEADING: &str = "## Drill Log";
const HEADER: &str = "| Date | Operator | Backup Date | Duration | Row Counts | Result |";
const RULE: &str = "|------|----------|-------------|----------|------------|--------|";

/// The drill log among the exporters. `LOCK_WAIT` is less than its limit.
pub const EXPORTER: Exporter = Exporter {
    name: "drill-log",
    stage: Stage::Seal,
    limit: Duration::from_secs(60),
    build: |to| Some(Box::new(DrillLog::new(to.log.clone(), Arc::clone(&to.template)))),
};

/// A drill log that gets a row when a verdict is final.
#[derive(Debug)]
pub struct DrillLog {
    path: PathBuf,
    template: Arc<Template>,
}

impl DrillLog {
    /// A log at this path; the template says what a row counts.
    pub fn new(path: PathBuf, template: Arc<Template>) -> Self {
        Self { path, template }
    }
}

impl Export for DrillLog {
    fn subject(&self) -> String {
        format!("the drill log {}", self.path.display())
    }

    /// Makes a log where there is none.
    fn try_out(&mut self, _: &Verdict, may: &MayAct) -> Result<()> {
        log_file::try_out(&self.path, RUNBOOK, LOCK_WAIT, may).map_err(|error| {
            Failure::config(codes::LOG_UNWRITABLE, format!("cannot write {}: {error}", self.subject()))
                .hint("--log names another file; with --log /dev/null there is none")
        })
    }

    /// Adds the drill's row. On an error the file is as it was.
    fn export(&mut self, verdict: &Verdict, may: &MayAct) -> io::Result<()> {
        append_row(&self.path, &row(verdict, &self.template), may)
    }
}

/// A drill's row.
pub fn row(verdict: &Verdict, template: &Template) -> String {
    let date = |time: DateTime<Utc>| time.format("%Y-%m-%d").to_string();
    let counts = template.log.counts.iter().filter_map(|count| {
        let database = verdict.databases.iter().find(|database| database.name == count.database)?;
        let rows = database.table_rows.get(&count.table.key())?;
        Some(format!("{}={rows}", count.label))
    });
    // An auditor must see at once that a row stands for a part only.
    let only: Vec<&str> = verdict.only.iter().map(crate::model::names::DatabaseName::as_str).collect();
    let partial = (!only.is_empty()).then(|| format!("(only {})", only.join(", ")));
    let cells = [
        date(verdict.started_at),
        verdict.operator.clone(),
        verdict.recovery_set.oldest.map_or_else(String::new, date),
        coarse_duration(verdict.duration_seconds.unwrap_or_default()),
        partial.into_iter().chain(skipped(verdict)).chain(counts).collect::<Vec<_>>().join(" "),
        verdict.status.word().to_owned(),
    ];
    format!("| {} |", cells.map(|cell| cell_text(&cell)).join(" | "))
}

/// What a PASS did not prove: how many checks were not possible. Other outcomes claim nothing.
fn skipped(verdict: &Verdict) -> Option<String> {
    let skipped = verdict.checks.iter().filter(|check| check.status == CheckStatus::Skipped).count();
    (skipped > 0 && verdict.status == Status::Pass)
        .then(|| format!("({skipped} of {} checks skipped)", verdict.checks.len()))
}

/// Nothing, or text that can neither end its cell or its line nor be markup: a backslash takes the meaning of what
/// follows it (CommonMark, "Backslash escapes").
fn cell_text(text: &str) -> String {
    let mut cell = String::new();
    for c in crate::model::human::one_line(text.trim(), 200).chars() {
        if matches!(c, '\\' | '|' | '`' | '<' | '>' | '[' | ']' | '*' | '&' | '~' | '!') {
            cell.push('\\');
        }
        cell.push(c);
    }
    if cell.is_empty() { "—".to_owned() } else { cell }
}

/// `41s`, `8m`, `1h 5m`.
fn coarse_duration(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "durations are small and not negative"
    )]
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..60 => format!("{whole}s"),
        60..3570 => format!("{}m", (whole + 30) / 60),
        _ => format!("{}h {}m", (whole + 30) / 3600, (whole + 30) / 60 % 60),
    }
}

fn append_row(path: &std::path::Path, row: &str, may: &MayAct) -> io::Result<()> {
    let with_row =
        |text: &[u8]| with_row(if text.trim_ascii().is_empty() { RUNBOOK.as_bytes() } else { text }, row);
    log_file::change(path, &format!("{row}\n"), with_row, LOCK_WAIT, may)
}

/// The text with a row at the end of the log's table; everything else stays as it is, also what is no UTF-8.
fn with_row(text: &[u8], row: &str) -> Vec<u8> {
    let newline = if memchr::memmem::find(text, b"\r\n").is_some() { "\r\n" } else { "\n" };
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let is_heading = |line: &&[u8]| line.trim_ascii_end().eq_ignore_ascii_case(HEADING.as_bytes());
    let heading = lines.iter().position(is_heading);
    let Some(heading) = heading else {
        let gap = if text.ends_with(b"\n") { newline.to_owned() } else { newline.repeat(2) };
        let section =
            format!("{gap}{HEADING}{newline}{newline}{HEADER}{newline}{RULE}{newline}{row}{newline}");
        return [text, section.as_bytes()].concat();
    };
    let section_end = lines[heading + 1..]
        .iter()
        .position(|line| line.starts_with(b"# ") || line.starts_with(b"## "))
        .map_or(lines.len(), |offset| heading + 1 + offset);
    let is_row = |line: &[u8]| line.trim_ascii_start().starts_with(b"|");
    let table = lines[heading + 1..section_end]
        .iter()
        .position(|line| is_row(line))
        .map(|offset| heading + 1 + offset);
    let (at, insertion) = match table {
        Some(start) => {
            let end = lines[start..section_end]
                .iter()
                .position(|line| !is_row(line))
                .map_or(section_end, |n| start + n);
            (end, format!("{row}{newline}"))
        }
        None => (heading + 1, format!("{newline}{HEADER}{newline}{RULE}{newline}{row}{newline}")),
    };
    let (before, after) = (lines[..at].concat(), lines[at..].concat());
    // The last line of a file may lack its end.
    let gap = if before.is_empty() || before.ends_with(b"\n") { "" } else { newline };
    [&before, gap.as_bytes(), insertion.as_bytes(), &after].concat()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn with_row(text: &str, row: &str) -> String {
        String::from_utf8(super::with_row(text.as_bytes(), row)).unwrap()
    }

    const ROW: &str = "| 2026-05-17 | system | 2026-05-16 | 8m | audit=12450 | PASS |";

    #[test]
    fn rows_go_to_the_end_of_the_table_and_nothing_else_changes() {
        let text = format!(
            "# Mine\n\n| a | b |\n|---|---|\n\n{HEADING}\n\nWords.\n\n{HEADER}\n{RULE}\n| old |\n\nMore.\n\n## Next\n\n| x |\n"
        );
        let expected = text.replace("| old |\n", &format!("| old |\n{ROW}\n"));
        assert_eq!(with_row(&text, ROW), expected);
    }

    #[test]
    fn a_missing_table_or_heading_is_added() {
        let table = format!("{HEADER}\n{RULE}\n{ROW}\n");
        assert_eq!(with_row(&format!("{HEADING}\n"), ROW), format!("{HEADING}\n\n{table}"));
        assert_eq!(with_row("# Mine", ROW), format!("# Mine\n\n{HEADING}\n\n{table}"));
        assert_eq!(
            with_row(&format!("{HEADING}\n\n## Next\n"), ROW),
            format!("{HEADING}\n\n{table}\n## Next\n")
        );
    }

    #[test]
    fn line_ends_are_kept_and_a_missing_one_is_made_up_for() {
        let text = format!("{HEADING}\r\n\r\n{HEADER}\r\n{RULE}");
        assert_eq!(with_row(&text, ROW), format!("{text}\r\n{ROW}\r\n"));
    }

    #[test]
    fn a_cell_cannot_break_the_table() {
        assert_eq!(cell_text("a|b\nc\\"), "a\\|b c\\\\");
        assert_eq!(cell_text(" "), "—");
        assert_eq!(
            cell_text("![x](y) <b> `c` &#10; ci_runner"),
            "\\!\\[x\\](y) \\<b\\> \\`c\\` \\&#10; ci_runner"
        );
    }

    proptest! {
        #[test]
        fn a_row_is_one_line_of_six_cells_whatever_stands_in_it(operator in any::<String>(), forged in any::<bool>()) {
            let mut verdict = crate::model::testing::passing();
            let more = if forged { "\n| 2026-05-17 | x | x | 1s | x | PASS |\n## Drill Log\n" } else { "" };
            verdict.operator = format!("{operator}{more}{operator}");
            let row = row(&verdict, &crate::template::testing::template());
            prop_assert!(!row.chars().any(crate::model::human::is_active), "{row}");
            let plain = row.replace("\\\\", "").replace("\\|", "");
            prop_assert_eq!(plain.matches('|').count(), 7, "{}", row);
            let text = with_row(RUNBOOK, &row);
            prop_assert_eq!(text.lines().count(), RUNBOOK.lines().count() + 1);
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8_stay_and_the_row_is_added() {
        let text =
            [HEADING.as_bytes(), b"\n\n", HEADER.as_bytes(), b"\n", RULE.as_bytes(), b"\n| J\xfcrgen |\n"]
                .concat();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.md");
        fs::write(&path, &text).unwrap();
        let mut log = DrillLog::new(path.clone(), Arc::new(crate::template::testing::template()));
        log.try_out(&crate::model::testing::passing(), &MayAct::default()).unwrap();
        append_row(&path, ROW, &MayAct::default()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [&text, ROW.as_bytes(), b"\n"].concat());
    }

    #[test]
    fn the_row_of_a_pass_tells_how_many_checks_were_skipped() {
        use crate::model::testing::{check, passing};
        use crate::template::testing::template;
        let mut verdict = passing();
        verdict.status = Status::Pass;
        assert!(!row(&verdict, &template()).contains("skipped"));
        verdict.checks = vec![check(CheckStatus::Pass), check(CheckStatus::Skipped)];
        verdict.only = vec!["a".parse().unwrap()];
        assert!(row(&verdict, &template()).contains("| (only a) (1 of 2 checks skipped)"));
        verdict.status = Status::Fail;
        assert!(!row(&verdict, &template()).contains("skipped"));
    }

    #[test]
    fn durations_are_coarse() {
        for (seconds, text) in
            [(0.2, "0s"), (59.4, "59s"), (60.0, "1m"), (478.0, "8m"), (3599.0, "1h 0m"), (3900.0, "1h 5m")]
        {
            assert_eq!(coarse_duration(seconds), text);
        }
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("runbooks/restore_drill.md");
        std::thread::scope(|scope| {
            for n in 0..16 {
                let path = &path;
                scope.spawn(move || append_row(path, &format!("| row {n} |"), &MayAct::default()).unwrap());
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(RUNBOOK), "created from the runbook's text");
        let mut rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| row")).collect();
        rows.sort_by_key(|row| row.len());
        assert_eq!(rows.len(), 16);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    }
}
