//! The part of `pg_restore`'s words that may be shown: a verdict lies on the host's disk, and rows have no business there.
//!
//! Of each error that is the first line, without anything in quotes but names that the table of contents has, without
//! longer numbers, and without the words of functions, which say what they like.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::program::Program;
use super::words::{Complaint, Words};
use crate::format::pg_custom::{Entry, Toc};
use crate::model::human::one_line;
use crate::model::verdict::{Repair, RepairedEntry};

/// Lines shown in a verdict.
const LINES: usize = 60;
/// Characters of each.
const LENGTH: usize = 500;

/// What is shown in place of text that is left out.
const LEFT_OUT: &str = "…";

/// Names that may be shown: those of the dump's own objects.
pub struct Names<'a> {
    toc: &'a Toc,
    names: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    /// Those of a table of contents.
    pub fn of(toc: &'a Toc) -> Self {
        let mut names = HashSet::from(["public", "pg_catalog", "UTF8"]);
        for entry in &toc.entries {
            names.extend(
                [Some(&entry.tag), entry.namespace.as_ref()].into_iter().flatten().map(String::as_str),
            );
            // `account account_pkey` is a constraint of a table.
            if let Some((table, constraint)) = entry.tag.split_once(' ') {
                names.extend([table, constraint]);
            }
            names.extend(entry.copy_stmt.iter().flat_map(|copy| columns(copy)));
        }
        names.remove("");
        Self { toc, names }
    }

    /// An entry, by its number: what it is, and its name.
    pub fn entry(&self, id: i32) -> Option<String> {
        let entry = self.toc.entries.iter().find(|entry| entry.dump_id == id)?;
        let schema = entry.namespace.as_ref().map(|schema| format!("{schema}.")).unwrap_or_default();
        Some(one_line(&format!("{} {schema}{}", entry.desc, entry.tag), 200))
    }

    /// These entries, as a verdict lists those that were restored after all.
    pub fn repaired(&self, ids: impl IntoIterator<Item = i32>, how: Repair) -> Vec<RepairedEntry> {
        let named = |entry| RepairedEntry { entry, what: self.entry(entry).unwrap_or_default(), how };
        ids.into_iter().map(named).collect()
    }

    /// An error, in words that may be shown.
    pub fn complaint(&self, complaint: &Complaint) -> String {
        let words = &complaint.words;
        if complaint.raised {
            let own = words.split("ERROR:").next().unwrap_or_default();
            return format!(
                "{}ERROR:  words of a function, left out: they may quote rows",
                self.without_values(own)
            );
        }
        self.without_values(words)
    }

    fn without_values(&self, words: &str) -> String {
        static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(0x[0-9a-fA-F]{2}\b ?)+|[0-9][0-9 ._-]{2,}[0-9]").expect("a constant")
        });
        // A value that is quoted as such stands at the end, and may hold quotes of its own.
        let value_at = words.find(": \"").map_or(words.len(), |at| at + 2);
        let (words, value) = words.split_at(value_at);
        let mut shown = String::new();
        let mut rest = words;
        while let Some((before, after)) = rest.split_once('"') {
            shown.push_str(before);
            rest = match self.name_at(after) {
                Some(name) => {
                    shown.push_str(&format!("\"{name}\""));
                    &after[name.len() + 1..]
                }
                None => {
                    shown.push_str(LEFT_OUT);
                    after.rsplit_once('"').map_or("", |(_, behind)| behind)
                }
            };
        }
        shown.push_str(rest);
        if !value.is_empty() {
            shown.push_str(LEFT_OUT);
        }
        one_line(&NUMBERS.replace_all(&shown, LEFT_OUT), LENGTH)
    }

    /// The name of which this is the beginning, up to its closing quote.
    fn name_at<'b>(&self, quoted: &'b str) -> Option<&'b str> {
        let ends = quoted.match_indices('"').map(|(at, _)| at);
        ends.map(|end| &quoted[..end]).find(|name| self.names.contains(name))
    }
}

/// The columns of `COPY schema.table (column, …) FROM stdin;`, where they are plain.
fn columns(copy: &str) -> impl Iterator<Item = &str> {
    let inside =
        copy.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or("", |(inside, _)| inside);
    inside.split(", ").map(|column| column.trim_matches('"'))
}

/// The lines that a verdict keeps, and how many errors are not among them.
pub fn lines(words: &Words, names: &Names<'_>, program: Program) -> (Vec<String>, u64) {
    let name = program.name();
    let mut lines = Vec::new();
    let mut told = 0;
    let believed = if words.are_forged() { &[][..] } else { &words.complaints };
    for complaint in believed {
        if lines.len() + 2 > LINES - 1 {
            break;
        }
        if let Some(entry) = complaint.entry.and_then(|id| Some((id, names.entry(id)?))) {
            lines.push(match program {
                Program::PgRestore => format!("pg_restore: from TOC entry {}; {}", entry.0, entry.1),
                Program::Psql => format!("psql: in {}", entry.1),
            });
        }
        lines.push(format!("{name}: error: {}", names.complaint(complaint)));
        told += 1;
    }
    if let Some(ignored) = words.ignored {
        lines.push(format!("pg_restore: warning: errors ignored on restore: {ignored}"));
    }
    let all = words.ignored.unwrap_or(words.seen);
    (lines, all.saturating_sub(told))
}

/// The first error in one sentence.
pub fn first(words: &Words, names: &Names<'_>, exit_code: i64, program: Program) -> String {
    let name = program.name();
    if words.are_forged() {
        let errors = crate::model::human::things(words.ignored.unwrap_or_default(), "error");
        return format!(
            "{name} reported {errors}; the dump wrote lines that look like more, so none of its words is believed or shown"
        );
    }
    match words.complaints.first() {
        Some(complaint) => {
            let entry = complaint.entry.and_then(|id| names.entry(id));
            let subject = entry.map(|entry| format!("{entry}: ")).unwrap_or_default();
            format!("{subject}{name}: error: {}", names.complaint(complaint))
        }
        None => format!("{name} ended with status {exit_code}"),
    }
}

/// The statement of the entry, for finding out what it needs.
pub fn entry_of<'a>(toc: &'a Toc, complaint: &Complaint) -> Option<&'a Entry> {
    toc.entries.iter().find(|entry| Some(entry.dump_id) == complaint.entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::pg_custom::read_toc;

    fn toc() -> Toc {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
        read_toc(&std::fs::read(path).unwrap()).unwrap()
    }

    fn said(words: &str, raised: bool) -> String {
        Names::of(&toc()).complaint(&Complaint { entry: None, words: words.to_owned(), raised })
    }

    #[test]
    fn names_of_the_dump_are_shown() {
        for words in [
            "could not execute query: ERROR:  insert or update on table \"account\" violates foreign key constraint \"account_tenant_id_fkey\"",
            "COPY failed for table \"tenant\": ERROR:  null value in column \"region\" of relation \"tenant\" violates not-null constraint",
            "could not execute query: ERROR:  relation \"account\" already exists",
            "could not execute query: ERROR:  function app.f(integer) does not exist",
        ] {
            assert_eq!(said(words, false), words);
        }
    }

    #[test]
    fn values_are_not() {
        let query = "could not execute query: ERROR: ";
        for (words, shown) in [
            (
                "invalid input syntax for type integer: \"4111 \"x\" 1111\"",
                "invalid input syntax for type integer: …",
            ),
            (
                "invalid input syntax for type integer: \"tenant\" Jane \"x\"",
                "invalid input syntax for type integer: …",
            ),
            ("invalid input syntax for type integer: \"41", "invalid input syntax for type integer: …"),
            (
                "value \"4111111111111111\" is out of range for type integer",
                "value … is out of range for type integer",
            ),
            ("role \"Jane Doe\" does not exist", "role … does not exist"),
            (
                "invalid byte sequence for encoding \"UTF8\": 0xe9 0x20",
                "invalid byte sequence for encoding \"UTF8\": …",
            ),
            ("odd 4111 1111 1111 1111 and 078-05-1120", "odd … and …"),
        ] {
            assert_eq!(said(&format!("{query} {words}"), false), format!("{query} {shown}"));
        }
        let raised = said("COPY failed for table \"tenant\": ERROR:  the card of Jane is bad", true);
        assert_eq!(
            raised,
            "COPY failed for table \"tenant\": ERROR:  words of a function, left out: they may quote rows"
        );
    }

    #[test]
    fn lines_that_cannot_be_believed_are_not_shown() {
        let toc = toc();
        let names = Names::of(&toc);
        let complaint = |words: &str| Complaint { entry: None, words: words.to_owned(), raised: false };
        let mut words = Words {
            complaints: vec![complaint("Restore drill PASSED"), complaint("ERROR:  x")],
            seen: 2,
            ignored: Some(1),
            spoke: true,
            before: None,
        };
        assert_eq!(
            lines(&words, &names, Program::PgRestore),
            (vec!["pg_restore: warning: errors ignored on restore: 1".to_owned()], 1)
        );
        assert!(
            first(&words, &names, 1, Program::PgRestore).starts_with("pg_restore reported 1 error; "),
            "{}",
            first(&words, &names, 1, Program::PgRestore)
        );
        words.ignored = Some(2);
        assert_eq!(lines(&words, &names, Program::PgRestore).0.len(), 3);
    }

    #[test]
    fn what_a_verdict_keeps_is_bounded() {
        let toc = toc();
        let names = Names::of(&toc);
        let id = toc.entries[0].dump_id;
        let complaint = Complaint { entry: Some(id), words: "x".repeat(2000), raised: false };
        let words = Words {
            complaints: vec![complaint; 1000],
            seen: 5000,
            ignored: Some(5000),
            spoke: true,
            before: None,
        };
        let (lines, dropped) = lines(&words, &names, Program::PgRestore);
        assert!(lines.len() <= LINES && lines.iter().all(|line| line.chars().count() <= LENGTH + 30));
        assert_eq!(dropped, 5000 - (lines.len() as u64 - 1) / 2);
    }
}
