//! The verdicts of a reports directory, read back.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::error::Category;

use super::files;
use super::verdict_file::report_directory;
use crate::model::human;
use crate::model::verdict::Verdict;

/// A verdict larger than this is not read.
const LARGEST: u64 = 64 << 20;

/// A file that is a verdict.
#[derive(Debug)]
pub struct VerdictRead {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub verdict: Verdict,
}

/// A file in the place of a verdict that was not read as one.
#[derive(Debug)]
pub struct Unread {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub reason: UnreadReason,
}

/// Why a file is not read as a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnreadReason {
    /// There is nothing in it.
    Empty,
    /// It ends before its JSON does.
    Cut,
    /// It is no JSON.
    NotJson,
    /// It is JSON, and another program's.
    NotOurs,
    /// It is a verdict of this template, in a form that this version does not know.
    OtherVersion {
        /// The template.
        template: String,
        /// What is not known.
        what: String,
    },
    /// It is no file, or the system refuses it.
    Refused,
}

impl fmt::Display for UnreadReason {
    /// Reads well behind `its verdict`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::Cut => f.write_str("is cut off"),
            Self::NotJson => f.write_str("is no JSON"),
            Self::NotOurs => f.write_str("is another program's"),
            Self::OtherVersion { what, .. } => write!(f, "is of a version that this one cannot read: {what}"),
            Self::Refused => f.write_str("cannot be read"),
        }
    }
}

/// The verdicts below a reports directory, the newest first. Each is opened when it comes to it.
#[derive(Debug)]
pub struct Verdicts(std::vec::IntoIter<PathBuf>);

impl Verdicts {
    /// Those that lie there now: their names are their times. A directory that is not there has none.
    pub fn below(reports: &Path) -> Self {
        let entries = std::fs::read_dir(report_directory(reports)).into_iter().flatten();
        let mut paths: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                name.strip_suffix(".json").is_some_and(|stem| !stem.contains('.'))
            })
            .collect();
        paths.sort_by(|a, b| b.cmp(a));
        Self(paths.into_iter())
    }

    /// How many are left to open.
    pub fn left(&self) -> usize {
        self.0.len()
    }
}

impl Iterator for Verdicts {
    type Item = Result<VerdictRead, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.0.next()?;
        Some(match read(&path) {
            Ok(verdict) => Ok(VerdictRead { path, verdict }),
            Err(reason) => Err(Unread { path, reason }),
        })
    }
}

fn read(path: &Path) -> Result<Verdict, UnreadReason> {
    let file = files::open_options().read(true).open(path).map_err(|_| UnreadReason::Refused)?;
    let metadata = file.metadata().map_err(|_| UnreadReason::Refused)?;
    match (metadata.is_file(), metadata.len()) {
        (false, _) => return Err(UnreadReason::Refused),
        (true, 0) => return Err(UnreadReason::Empty),
        _ => {}
    }
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).map_err(|_| UnreadReason::Refused)?;
    let mut verdict: Verdict = serde_json::from_slice(&text).map_err(|error| match error.classify() {
        Category::Eof => UnreadReason::Cut,
        Category::Syntax => UnreadReason::NotJson,
        Category::Data => of_other_shape(&text, &error),
        Category::Io => UnreadReason::Refused,
    })?;
    // It stands in messages.
    verdict.timestamp = human::one_line(&verdict.timestamp, 40);
    Ok(verdict)
}

/// JSON that is no verdict of this version: what every version writes tells whether it is one of another.
fn of_other_shape(text: &[u8], error: &serde_json::Error) -> UnreadReason {
    #[derive(Deserialize)]
    struct Known {
        schema_version: u64,
        drill_id: String,
        template: String,
    }
    match serde_json::from_slice(text) {
        Ok(Known { template, schema_version: 1.., drill_id }) if !drill_id.is_empty() => {
            UnreadReason::OtherVersion { template, what: human::one_line(&error.to_string(), 120) }
        }
        _ => UnreadReason::NotOurs,
    }
}

/// Puts a file among the verdicts below this directory.
#[cfg(test)]
pub fn put_verdict(reports: &Path, name: &str, text: &str) {
    let directory = report_directory(reports);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(name), text).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::json;
    use crate::model::testing::{any_verdict, passing};
    use proptest::prelude::*;

    /// What is read of a file with this text.
    fn read_back(text: &str) -> Result<Verdict, UnreadReason> {
        let reports = tempfile::tempdir().unwrap();
        put_verdict(reports.path(), "20260516T000000Z.json", text);
        let mut all = Verdicts::below(reports.path());
        assert_eq!(all.left(), 1);
        all.next().unwrap().map(|read| read.verdict).map_err(|unread| unread.reason)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_file_of_a_verdict_is_read_back_as_it_was(verdict in any_verdict()) {
            let mut read = read_back(&String::from_utf8(json(&verdict)).unwrap()).unwrap();
            prop_assert_eq!(&read.timestamp, &human::one_line(&verdict.timestamp, 40));
            read.timestamp.clone_from(&verdict.timestamp);
            prop_assert_eq!(read, verdict);
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let whole = serde_json::to_string(&passing()).unwrap();
        for (text, reason) in [
            ("", UnreadReason::Empty),
            (&whole[..whole.len() / 2], UnreadReason::Cut),
            ("\0\0\0", UnreadReason::NotJson),
            (r#"{"another": "document"}"#, UnreadReason::NotOurs),
            (r#"{"template": "shop", "st"#, UnreadReason::Cut),
        ] {
            assert_eq!(read_back(text).unwrap_err(), reason, "{text}");
        }
        let later =
            whole.replace(r#""schema_version":1"#, r#""schema_version":2"#).replace("RUNNING", "RESTING");
        let reason = read_back(&later).unwrap_err();
        assert!(
            matches!(&reason, UnreadReason::OtherVersion { template, .. } if template == "shop"),
            "{reason:?}"
        );
        assert!(reason.to_string().contains("unknown variant `RESTING`"), "{reason}");
    }

    #[test]
    fn plans_and_files_of_others_are_no_verdicts_and_the_newest_comes_first() {
        let reports = tempfile::tempdir().unwrap();
        for name in
            ["20260516T000000Z.json", "20260517T000000Z.json", "20260518T000000Z.plan.json", "notes.txt"]
        {
            put_verdict(reports.path(), name, "");
        }
        let names =
            |read: Result<VerdictRead, Unread>| read.unwrap_err().path.file_stem().unwrap().to_owned();
        let all: Vec<_> = Verdicts::below(reports.path()).map(names).collect();
        assert_eq!(all, ["20260517T000000Z", "20260516T000000Z"]);
        assert_eq!(Verdicts::below(&reports.path().join("nowhere")).left(), 0);
    }
}
