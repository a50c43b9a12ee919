//! The verdicts of a reports directory, read back.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::error::Category;

use super::files;
use super::tolerant::{self, Tolerated};
use super::verdict_file::report_directory;
use crate::model::human;
use crate::model::verdict::{StoreRecord, Verdict};

/// A verdict larger than this is not read.
const LARGEST: u64 = 64 << 20;

/// A file that is a verdict.
#[derive(Debug)]
pub struct VerdictRead {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub verdict: Verdict,
    /// What of it could not be read, because another version wrote it. It is as if it were not there.
    pub left_out: Vec<String>,
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
        /// Its store, if that could be read.
        store: Option<StoreRecord>,
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
            Ok((verdict, left_out)) => Ok(VerdictRead { path, verdict, left_out }),
            Err(reason) => Err(Unread { path, reason }),
        })
    }
}

fn read(path: &Path) -> Result<(Verdict, Vec<String>), UnreadReason> {
    let file = files::open_options().read(true).open(path).map_err(|_| UnreadReason::Refused)?;
    let metadata = file.metadata().map_err(|_| UnreadReason::Refused)?;
    match (metadata.is_file(), metadata.len()) {
        (false, _) => return Err(UnreadReason::Refused),
        (true, 0) => return Err(UnreadReason::Empty),
        _ => {}
    }
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).map_err(|_| UnreadReason::Refused)?;
    let (mut verdict, left_out) = match serde_json::from_slice(&text) {
        Ok(verdict) => (verdict, Vec::new()),
        Err(error) => match error.classify() {
            Category::Eof => return Err(UnreadReason::Cut),
            Category::Syntax => return Err(UnreadReason::NotJson),
            Category::Io => return Err(UnreadReason::Refused),
            Category::Data => match tolerant::read(&text) {
                Tolerated::Read(verdict, left_out) => (*verdict, left_out),
                Tolerated::Unread { template, store, what } => {
                    return Err(UnreadReason::OtherVersion { template, store, what });
                }
                Tolerated::NotOurs => return Err(UnreadReason::NotOurs),
            },
        },
    };
    // It stands in messages.
    verdict.timestamp = human::one_line(&verdict.timestamp, 40);
    Ok((verdict, left_out))
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
    use crate::model::testing::{any_verdict, check, passing};
    use crate::model::verdict::{CheckStatus, Status, Teardown};
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
        let UnreadReason::OtherVersion { template, store, .. } = &reason else { panic!("{reason:?}") };
        assert_eq!((template.as_str(), store), ("shop", &passing().plan.store));
        assert!(reason.to_string().contains("status: unknown variant `RESTING`"), "{reason}");
    }

    /// What a later version may write where this one knows all words.
    #[test]
    fn a_word_that_is_not_known_costs_its_piece_and_nothing_else() {
        let mut known = Verdict { status: Status::Fail, ..passing() };
        known.checks.push(check(CheckStatus::Fail));
        let mut json = serde_json::to_value(&known).unwrap();
        let mut of_later = json["checks"][0].clone();
        of_later["status"] = "amended".into();
        json["checks"].as_array_mut().unwrap().insert(0, of_later);
        let mut database = json["databases"][1].clone();
        database["status"] = "thawed".into();
        json["databases"].as_array_mut().unwrap().push(database);
        json["teardown"]["status"] = "postponed".into();
        json["plan"]["findings"] = serde_json::json!([{ "severity": "fatal", "code": "x" }]);
        json["schema_version"] = 2.into();
        json["invented"] = "later".into();
        known.schema_version = 2;
        known.teardown = Teardown::default();
        known.plan.findings.clear();
        let reports = tempfile::tempdir().unwrap();
        put_verdict(reports.path(), "20260516T000000Z.json", &json.to_string());
        let read = Verdicts::below(reports.path()).next().unwrap().unwrap();
        assert_eq!(read.verdict, known);
        for place in [
            "checks[0].status: unknown variant `amended`",
            "databases[2].status",
            "plan.findings[0].severity",
            "teardown.status",
        ] {
            assert!(
                read.left_out.iter().any(|piece| piece.starts_with(place)),
                "{place}: {:?}",
                read.left_out
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever is wrong in one place, reading comes to an end, and never says another status than the file.
        #[test]
        fn what_is_wrong_in_one_place_changes_no_status(verdict in any_verdict(), nth in any::<usize>()) {
            let mut json = serde_json::to_value(&verdict).unwrap();
            let mut places = 0;
            let last = spoil(&mut json, nth, &mut places);
            if !last {
                spoil(&mut json, nth % places, &mut 0);
            }
            if let Ok(read) = read_back(&json.to_string()) {
                prop_assert_eq!(read.status, verdict.status);
                prop_assert_eq!(read.only, verdict.only);
            }
        }
    }

    /// Puts something else in the place of the nth value that is no list and no map. False if there are fewer.
    fn spoil(json: &mut serde_json::Value, nth: usize, passed: &mut usize) -> bool {
        match json {
            serde_json::Value::Array(list) => list.iter_mut().any(|value| spoil(value, nth, passed)),
            serde_json::Value::Object(map) => map.values_mut().any(|value| spoil(value, nth, passed)),
            value if *passed == nth => {
                *value = serde_json::json!([{ "of": "another version" }]);
                true
            }
            _ => {
                *passed += 1;
                false
            }
        }
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
