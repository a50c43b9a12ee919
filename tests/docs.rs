//! The tables of `docs/` that are made from code. A table stands between `<!-- made by make docs: NAME -->` and `<!-- end -->`.
//!
//! `make docs` writes them anew (it runs this test with `UPDATE_DOCS=1`); otherwise the test fails where they differ.

#[path = "support/template_keys.rs"]
mod template_keys;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use regex::{Captures, Regex};
use restore_drill::check::CHECKS;
use restore_drill::model::codes;
use restore_drill::model::finding_code::FindingCode;
use restore_drill::{cli, plan};
use template_keys::Sections;

#[test]
fn tables_are_those_of_the_code() {
    let marked = Regex::new(r"(?s)<!-- made by make docs: ([^\n]+) -->\n.*?<!-- end -->").expect("a pattern");
    let mut stale = Vec::new();
    for path in files(&root().join("docs"), "md") {
        let text = fs::read_to_string(&path).expect("documentation");
        let made = marked.replace_all(&text, |found: &Captures<'_>| {
            format!("<!-- made by make docs: {} -->\n{}<!-- end -->", &found[1], part(&found[1]))
        });
        if made != text {
            if std::env::var_os("UPDATE_DOCS").is_some() {
                fs::write(&path, made.as_bytes()).expect("documentation can be written");
            } else {
                stale.push(path);
            }
        }
    }
    assert!(stale.is_empty(), "`make docs` writes these anew: {stale:?}");
}

/// Every code in the source stands in a list, and each list has a table: so none is undocumented.
#[test]
fn every_code_of_the_source_stands_in_a_list() {
    let listed: BTreeSet<&str> = findings()
        .map(|finding| finding.code.as_str())
        .chain(codes::GROUPS.iter().flat_map(|group| group.entries).map(|entry| entry.code.as_str()))
        .collect();
    let written = Regex::new(r#"Code::new\(\s*"([a-z0-9_]+)""#).expect("a pattern");
    let mut missing = BTreeSet::new();
    for path in files(&root().join("src"), "rs") {
        let text = fs::read_to_string(&path).expect("source");
        let is_test = ["/tests", "/testing"].iter().any(|part| path.to_string_lossy().contains(part));
        let end = if is_test { 0 } else { text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len()) };
        missing.extend(
            written
                .captures_iter(&text[..end])
                .map(|found| found[1].to_owned())
                .filter(|code| !listed.contains(code.as_str())),
        );
    }
    assert!(missing.is_empty(), "codes without a meaning: {missing:?}");
    for name in CHECKS.iter().map(|entry| entry.kind) {
        let checks = fs::read_to_string(root().join("docs/checks.md")).expect("documentation");
        assert!(checks.contains(&format!("made by make docs: findings of {name} -->")), "{name}");
    }
}

/// Each section of a template has a table of its keys.
#[test]
fn every_section_of_a_template_has_its_table() {
    let templates = fs::read_to_string(root().join("docs/templates.md")).expect("documentation");
    let sections = Sections::read(&root());
    for name in sections.names().filter(|name| !["LogCount", "EntryRule"].contains(name)) {
        let line = format!("<!-- made by make docs: keys of {name} -->");
        assert!(templates.contains(&line), "docs/templates.md needs the lines `{line}` and `<!-- end -->`");
    }
}

/// A key that a section takes is explained, and no other is.
#[test]
fn every_key_of_a_check_is_explained() {
    let templates = fs::read_to_string(root().join("docs/templates.md")).expect("documentation");
    let first_cell = Regex::new(r"(?m)^\|([^|]*)\|").expect("a pattern");
    let name = Regex::new(r"`([a-z0-9_]+)`").expect("a pattern");
    for entry in CHECKS {
        let heading = format!("### `type = \"{}\"`\n", entry.kind);
        let (_, section) =
            templates.split_once(&heading).unwrap_or_else(|| panic!("docs/templates.md has {heading}"));
        let section = section.split("\n##").next().unwrap_or_default();
        let cells: Vec<&str> =
            first_cell.captures_iter(section).map(|row| row.get(1).expect("a cell").as_str()).collect();
        let explained: BTreeSet<&str> = cells
            .iter()
            .flat_map(|cell| name.captures_iter(cell))
            .map(|name| name.get(1).expect("a key").as_str())
            .collect();
        let keys = (entry.keys)();
        let taken: BTreeSet<&str> =
            keys.iter().map(String::as_str).filter(|key| !["name", "type"].contains(key)).collect();
        let missing: Vec<_> = taken.difference(&explained).collect();
        assert!(missing.is_empty(), "docs/templates.md does not explain {missing:?} of {}", entry.kind);
    }
}

fn findings() -> impl Iterator<Item = &'static FindingCode> {
    let of_checks = CHECKS.iter().flat_map(|entry| entry.findings);
    of_checks.chain(plan::code::GROUPS.iter().flat_map(|(_, findings)| *findings))
}

fn part(name: &str) -> String {
    if name == "command line" {
        return command_line();
    }
    if let Some(section) = name.strip_prefix("keys of ") {
        return Sections::read(&root()).table(section);
    }
    if name == "findings that fail a check" {
        return failing();
    }
    if let Some(title) = name.strip_prefix("findings of a plan: ") {
        let group = plan::code::GROUPS.iter().find(|(known, _)| *known == title);
        return table(group.unwrap_or_else(|| panic!("a plan has no findings {title}")).1);
    }
    if let Some(kind) = name.strip_prefix("findings of ") {
        let entry = CHECKS.iter().find(|entry| entry.kind == kind);
        return table(entry.unwrap_or_else(|| panic!("there is no check {kind}")).findings);
    }
    let title = name.strip_prefix("failures: ").unwrap_or_else(|| panic!("nothing makes `{name}`"));
    let group = codes::GROUPS.iter().find(|group| group.title == title);
    let mut out = "| Code | Meaning | What to do |\n|---|---|---|\n".to_owned();
    for entry in group.unwrap_or_else(|| panic!("there are no failures `{title}`")).entries {
        let _ =
            writeln!(out, "| `{}` | {} | {} |", entry.code.as_str(), cell(entry.meaning), cell(entry.remedy));
    }
    out
}

fn table(findings: &[FindingCode]) -> String {
    let mut out =
        "| Finding | Severity | What it means | What to do | Example |\n|---|---|---|---|---|\n".to_owned();
    for finding in findings {
        let cells = [finding.severity, finding.meaning, finding.remedy, finding.example].map(cell);
        let _ = writeln!(out, "| `{}` | {} |", finding.code.as_str(), cells.join(" | "));
    }
    out
}

/// The codes that a failed check gives the drill's failure.
fn failing() -> String {
    let mut out = "| Check | Findings that fail it |\n|---|---|\n".to_owned();
    for entry in CHECKS {
        let errors = entry.findings.iter().filter(|finding| finding.severity.contains("error"));
        let names: Vec<String> = errors.map(|finding| format!("`{}`", finding.code.as_str())).collect();
        let _ = writeln!(out, "| `{}` | {} |", entry.kind, names.join(", "));
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn command_line() -> String {
    let mut out = String::new();
    let command = cli::command_line().term_width(100);
    for subcommand in std::iter::once(&command).chain(command.get_subcommands()) {
        if subcommand.get_name() == "help" {
            continue;
        }
        let is_whole = subcommand.get_name() == command.get_name();
        let name = if is_whole {
            command.get_name().to_owned()
        } else {
            format!("{} {}", command.get_name(), subcommand.get_name())
        };
        let mut shown = subcommand.clone().bin_name(&name).term_width(100);
        let help = shown.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = write!(out, "## `{name}`\n\n```text\n{}\n```\n\n", lines.join("\n"));
    }
    out
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = entries
        .flat_map(|path| if path.is_dir() { files(&path, extension) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}
