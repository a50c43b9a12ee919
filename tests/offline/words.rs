//! Plain English: phrases that the code, its messages and its documentation avoid. `make spelling` checks the spelling.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// What is read, below the crate's root.
const PLACES: [&str; 15] = [
    "src",
    "tests/it",
    "tests/offline",
    "tests/arrows.rs",
    "tests/support",
    "benches",
    "docker",
    "docs",
    "drill-templates",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "Makefile",
    "Cargo.toml",
];

/// A phrase to avoid.
struct Phrase {
    /// As a regular expression, of any case.
    pattern: &'static str,
    /// What reads better.
    better: &'static str,
    /// Lines that may have it: a part of the line, and the reason.
    right: &'static [(&'static str, &'static str)],
}

const PHRASES: &[Phrase] = &[
    Phrase { pattern: r"\blook(s|ed|ing)? whether\b", better: "check whether", right: &[] },
    Phrase { pattern: r"\bfor want of\b", better: "without, or: ran out of", right: &[] },
    Phrase { pattern: r"\b(go|goes|going|went|gone) by\b", better: "is based on, or: follows", right: &[] },
    Phrase { pattern: r"\b(go|goes|went) before\b", better: "takes precedence over", right: &[] },
    Phrase { pattern: r"\bmend(s|ed|ing)?\b", better: "fix, or: repair", right: &[] },
    Phrase {
        pattern: r"\b(is|are|was|were|be|been) told\b",
        better: "is reported",
        right: &[("told apart", "the usual word for distinguishing two things")],
    },
    Phrase {
        pattern: r"\b(program|server|engine|process|container|client|drill|check|store|command|machine|dump|restore)s? who\b",
        better: "that, or: which",
        right: &[],
    },
    Phrase {
        pattern: r"\bnobody (answers|listens|serves|asks|waits|removes|uses|takes)\b",
        better: "nothing, or: no process",
        right: &[],
    },
    Phrase {
        pattern: r"\bwhom\b",
        better: "which, or a name",
        right: &[("to-whom", "people, to whom a manifest proves something"), ("and to whom", "the same")],
    },
];

/// Every line of what is read, with its file and number.
fn lines() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> = PLACES.iter().map(|place| root.join(place)).collect();
    let mut lines = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.file_name().is_some_and(|name| name != "words.rs") {
            // What is no text has no words.
            let text = fs::read_to_string(&path).unwrap_or_default();
            let place = path.strip_prefix(root).unwrap().display().to_string();
            lines.extend(
                text.lines()
                    .enumerate()
                    .map(|(index, line)| (format!("{place}:{}", index + 1), line.to_owned())),
            );
        }
    }
    assert!(lines.len() > 10_000, "little is read: {}", lines.len());
    lines
}

#[test]
fn phrases_are_plain() {
    let lines = lines();
    let mut found = Vec::new();
    for Phrase { pattern, better, right } in PHRASES {
        let pattern = Regex::new(&format!("(?i){pattern}")).unwrap();
        let mut unused: Vec<&str> = right.iter().map(|(part, _)| *part).collect();
        for (place, line) in &lines {
            let Some(phrase) = pattern.find(line) else { continue };
            match right.iter().find(|(part, _)| line.contains(part)) {
                Some((part, _)) => unused.retain(|other| other != part),
                None => found.push(format!("{place}: `{}`: {better}", phrase.as_str())),
            }
        }
        found.extend(
            unused.iter().map(|part| format!("tests/offline/words.rs: no line has `{part}` any more")),
        );
    }
    found.sort();
    assert!(found.is_empty(), "{} to reword:\n{}", found.len(), found.join("\n"));
}
