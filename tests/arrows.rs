//! Which room may import which: the code is held to the table in `docs/design.md`, and no room or file imports in a circle.
//!
//! It reads the source as text: what stands behind `crate::`, and behind `super::` inside a room. Test code counts too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// An import: the file it stands in, and the path behind `crate::`.
struct Import {
    file: String,
    path: Vec<String>,
    in_tests: bool,
}

#[test]
fn imports_follow_the_arrows_of_the_design() {
    let allowed = arrows_of_the_design();
    let rooms: BTreeSet<String> = rooms();
    let drawn: BTreeSet<String> = allowed.keys().cloned().collect();
    assert_eq!(rooms, drawn, "the rooms of src/ are those of the table in docs/design.md");
    let mut refused = BTreeSet::new();
    for import in imports() {
        let (from, to) = (room_of(&import.file), &import.path[0]);
        if rooms.contains(to) && *to != from && !allowed[&from].contains(to) {
            refused.insert(format!(
                "{from} → {to}: {} imports crate::{}",
                import.file,
                import.path.join("::")
            ));
        }
    }
    assert!(refused.is_empty(), "imports that docs/design.md does not allow:\n{}", lines(&refused));
}

#[test]
fn the_arrows_of_the_design_make_no_circle() {
    let circles = circles(&arrows_of_the_design());
    assert!(circles.is_empty(), "circles in the table of docs/design.md:\n{}", lines(&circles));
}

/// Files of one room, or of one folder in it, do not import each other in a circle. A folder's `mod.rs` names its files and
/// shares what they all use, so it does not count as one of them.
#[test]
fn files_of_a_room_import_in_no_circle() {
    let exports = re_exports();
    let mut graphs: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for import in imports().filter(|import| !import.in_tests) {
        let from = module_of(&import.file);
        let to = followed(&import.path, &exports);
        let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        if common >= 1 && common < from.len() && common < to.len() {
            let folder = from[..common].join("/");
            let graph = graphs.entry(folder).or_default();
            graph.entry(from[common].clone()).or_default().insert(to[common].clone());
        }
    }
    let mut found = BTreeSet::new();
    for (folder, graph) in &graphs {
        found.extend(circles(graph).into_iter().map(|circle| format!("src/{folder}: {circle}")));
    }
    assert!(found.is_empty(), "files that import each other in a circle:\n{}", lines(&found));
}

/// The table: a room, and what it may import.
fn arrows_of_the_design() -> BTreeMap<String, BTreeSet<String>> {
    let design = fs::read_to_string(root().join("docs/design.md")).expect("the design is there");
    let row = Regex::new(r"(?m)^\| `(\w+)` \| [^|]* \| ([^|]*) \|$").expect("a pattern");
    let name = Regex::new(r"\w+").expect("a pattern");
    let rows = row.captures_iter(&design);
    rows.map(|row| {
        let imports = name.find_iter(&row[2]).map(|name| name.as_str().to_owned()).collect();
        (row[1].to_owned(), imports)
    })
    .collect()
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn rooms() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("src")).expect("there is source");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    names
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .filter(|name| name != "lib" && name != "main")
        .collect()
}

fn room_of(file: &str) -> String {
    module_of(file).into_iter().next().expect("a file of a room")
}

/// The module of a file below `src/`: `check/sql/tests.rs` is `check`, `sql`, `tests`.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// Every import below `src/`.
fn imports() -> impl Iterator<Item = Import> {
    sources().into_iter().flat_map(|(file, text)| {
        let tests_from = tests_begin(&file, &text);
        let here = module_of(&file);
        paths(&text).into_iter().filter_map(move |(at, path)| {
            let path = absolute(&here, path)?;
            Some(Import { file: file.clone(), path, in_tests: at >= tests_from })
        })
    })
}

/// Where the test code of a file begins.
fn tests_begin(file: &str, text: &str) -> usize {
    if file.contains("/tests") || file.contains("/testing") {
        return 0;
    }
    text.find("#[cfg(test)]\nmod tests").or_else(|| text.find("#[cfg(all(test")).unwrap_or(usize::MAX)
}

fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let file = path.strip_prefix(root().join("src")).expect("below src").display().to_string();
                if file != "lib.rs" && file != "main.rs" {
                    found.insert(file, without_comments(&path));
                }
            }
        }
    }
    assert!(found.len() > 100, "the source was found");
    found
}

fn without_comments(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    // What is left out leaves its place, so that positions stay.
    let comment = Regex::new(r"(?m)^\s*//.*$").expect("a pattern");
    comment.replace_all(&text, "").into_owned()
}

/// Every path that begins with `crate::` or `super::`, with its position; groups in braces are taken apart.
fn paths(text: &str) -> Vec<(usize, Vec<String>)> {
    let beginning = Regex::new(r"\b(?:crate|super)::").expect("a pattern");
    let mut found = Vec::new();
    for start in beginning.find_iter(text) {
        // The second `super` of `super::super` begins no path of its own.
        if text[..start.start()].ends_with("::") {
            continue;
        }
        let rest = &text[start.start()..];
        for path in taken_apart(rest).0 {
            found.push((start.start(), path));
        }
    }
    found
}

/// The paths that a text begins with, and how much of it they take: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn taken_apart(text: &str) -> (Vec<Vec<String>>, usize) {
    let mut path = Vec::new();
    let mut at = 0;
    loop {
        let word: String = text[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        at += word.len();
        if !word.is_empty() {
            path.push(word);
        }
        if !text[at..].starts_with("::") {
            return (vec![path], at);
        }
        at += 2;
        if !text[at..].starts_with('{') {
            continue;
        }
        at += 1;
        let mut all = Vec::new();
        loop {
            at += text[at..]
                .chars()
                .take_while(|c| c.is_whitespace() || *c == ',')
                .map(char::len_utf8)
                .sum::<usize>();
            if text[at..].starts_with('}') {
                return (all, at + 1);
            }
            let (inner, taken) = taken_apart(&text[at..]);
            if taken == 0 {
                return (all, at);
            }
            all.extend(inner.into_iter().map(|inner| [path.clone(), inner].concat()));
            at += taken;
            if let Some(renamed) = text[at..].strip_prefix(" as ") {
                at += 4 + renamed.chars().take_while(|c| c.is_alphanumeric() || *c == '_').count();
            }
        }
    }
}

/// A path from the crate's root.
fn absolute(here: &[String], path: Vec<String>) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    if ups == 0 {
        return Some(path[1..].to_vec()).filter(|path| !path.is_empty());
    }
    let base = here.get(..here.len().checked_sub(ups)?)?;
    Some([base, &path[ups..]].concat()).filter(|path| !path.is_empty())
}

/// What each folder's `mod.rs` hands on: the name, and the file it comes from.
fn re_exports() -> BTreeMap<Vec<String>, Vec<String>> {
    let export = Regex::new(r"(?s)\bpub(?:\([a-z ]+\))? use ([^;]+);").expect("a pattern");
    let mut found = BTreeMap::new();
    for (file, text) in sources() {
        let here = module_of(&file);
        for export in export.captures_iter(&text) {
            let text = export[1].trim_start_matches("self::");
            if text.starts_with("crate::") || text.starts_with("super::") {
                continue;
            }
            for path in taken_apart(text).0 {
                if let Some(name) = path.last() {
                    found.insert(
                        [&here[..], std::slice::from_ref(name)].concat(),
                        [&here[..], &path].concat(),
                    );
                }
            }
        }
    }
    found
}

/// Where a path leads, through what folders hand on.
fn followed(path: &[String], exports: &BTreeMap<Vec<String>, Vec<String>>) -> Vec<String> {
    let mut path = path.to_vec();
    for _ in 0..4 {
        let Some(known) = (1..=path.len()).find(|length| exports.contains_key(&path[..*length])) else {
            break;
        };
        path = [&exports[&path[..known]][..], &path[known..]].concat();
    }
    path
}

/// The circles of a graph, each by its shortest way round from its first name.
fn circles(graph: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for start in graph.keys() {
        if let Some(way) = way_back(graph, start)
            && way.iter().min() == Some(start)
        {
            found.insert(format!("{} → {start}", way.join(" → ")));
        }
    }
    found
}

fn way_back(graph: &BTreeMap<String, BTreeSet<String>>, start: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in graph.get(way.last()?).into_iter().flatten() {
                if next == start && way.len() > 1 {
                    return Some(way);
                }
                if next != start && seen.insert(next.clone()) {
                    longer.push([&way[..], std::slice::from_ref(next)].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

fn lines(found: &BTreeSet<String>) -> String {
    found.iter().map(|line| format!("  {line}\n")).collect()
}

#[test]
fn paths_are_read_as_they_are_written() {
    let text = "use crate::a::{b::C, d::{self, E as F}};\nlet x = super::g::h(super::super::i);";
    let found: Vec<String> = paths(text).into_iter().map(|(_, path)| path.join("::")).collect();
    let expected =
        ["crate::a::b::C", "crate::a::d::self", "crate::a::d::E", "super::g::h", "super::super::i"];
    assert_eq!(found, expected);
}

#[test]
fn a_circle_is_found() {
    let graph = |pairs: &[(&str, &str)]| {
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert!(circles(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    let round = circles(&graph(&[("b", "c"), ("c", "a"), ("a", "b"), ("c", "d")]));
    assert_eq!(round, BTreeSet::from(["a → b → c → a".to_owned()]));
}
