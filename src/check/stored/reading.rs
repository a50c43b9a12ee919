//! What these checks read of a store, bounded.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::key_glob::KeyGlob;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::ObjectKey;
use crate::store::{ObjectMeta, Store, pump, whole};
use crate::template::{StoreUrl, Template};

/// The largest file beside a recovery point that is read.
const SIDECAR_BYTES: u64 = 1 << 20;
/// The longest line of a log that is read.
const LINE_BYTES: usize = 1 << 20;
/// Objects that are asked about at once.
pub const PARALLEL: usize = 8;
/// Objects whose requests are made ready at once.
pub const BATCH: usize = 256;
/// What stands for the key of the object that another one lies beside.
pub const KEY: &str = "{key}";

/// How long after an object was written what belongs to it may still be missing.
pub fn settling() -> TimeDelta {
    TimeDelta::minutes(10)
}

/// What keys of the store begin with, and how their times are written.
#[derive(Debug, Clone, Default)]
pub struct Place {
    prefix: String,
    timestamp: String,
}

impl Place {
    /// That of a template.
    pub fn of(template: &Template) -> Self {
        let prefix = StoreUrl::parse(&template.store.url).map(|url| url.prefix).unwrap_or_default();
        let prefix = if prefix.is_empty() { prefix } else { format!("{prefix}/") };
        Self { prefix, timestamp: template.store.timestamp.clone() }
    }

    /// A key without what every key begins with.
    pub fn below<'a>(&self, key: &'a ObjectKey) -> &'a str {
        key.as_str().strip_prefix(&self.prefix).unwrap_or(key.as_str())
    }

    /// The whole key of one below the prefix.
    pub fn key(&self, below: &str) -> ObjectKey {
        ObjectKey::new(format!("{}{below}", self.prefix))
    }

    /// Reads patterns, whose times are written so unless a section says otherwise.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn globs(
        &self,
        patterns: &[String],
        format: Option<&str>,
    ) -> std::result::Result<Vec<KeyGlob>, String> {
        let format = format.unwrap_or(&self.timestamp);
        patterns.iter().map(|pattern| KeyGlob::maybe_timed(pattern, format)).collect()
    }

    /// Reads a pattern with a time.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn timed(&self, pattern: &str, format: Option<&str>) -> std::result::Result<KeyGlob, String> {
        KeyGlob::timed(pattern, format.unwrap_or(&self.timestamp))
    }

    /// Every object whose key below the prefix begins with one of these, by that key.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(
        &self,
        store: &Arc<dyn Store>,
        prefixes: impl IntoIterator<Item = &str>,
    ) -> Result<BTreeMap<String, ObjectMeta>> {
        let mut objects = BTreeMap::new();
        for prefix in widest(prefixes) {
            for object in store.list(&format!("{}{prefix}", self.prefix)).await? {
                objects.insert(self.below(&object.key).to_owned(), object);
            }
        }
        Ok(objects)
    }
}

/// The prefixes that no other one begins.
fn widest<'a>(prefixes: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut prefixes: Vec<&str> = prefixes.into_iter().collect();
    prefixes.sort_unstable();
    let mut wide: Vec<&str> = Vec::new();
    for prefix in prefixes {
        if !wide.last().is_some_and(|wider| prefix.starts_with(wider)) {
            wide.push(prefix);
        }
    }
    wide
}

/// The failure of a section whose patterns are refused: it was validated, so only a template that changed meanwhile has one.
pub fn refused(why: String) -> Failure {
    Failure::config(codes::TEMPLATE_INVALID, why)
}

/// The first of these, and how many more there are.
pub fn some_of(names: &[String], kept: usize) -> String {
    let shown = names.iter().take(kept).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(kept) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The last part of a key.
pub fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Whether a pattern of what lies beside objects has `{key}` once.
///
/// # Errors
/// A sentence that says so.
pub fn validate_beside(pattern: &str) -> std::result::Result<(), String> {
    if pattern.matches(KEY).count() == 1 {
        return Ok(());
    }
    Err(format!("`{pattern}` must hold {KEY} once"))
}

/// A small file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmallFile {
    /// There is none.
    Missing,
    /// It is over the limit for such files, so it is something else.
    TooLarge,
    /// What is in it.
    Is(Vec<u8>),
}

/// Reads a small file.
///
/// # Errors
/// Those of the store.
pub async fn small(store: &Arc<dyn Store>, key: &ObjectKey) -> Result<SmallFile> {
    match whole(store, key, SIDECAR_BYTES).await {
        Ok(None) => Ok(SmallFile::Missing),
        Ok(Some(bytes)) => Ok(SmallFile::Is(bytes.to_vec())),
        Err(failure) if failure.code == codes::OBJECT_TOO_LARGE => Ok(SmallFile::TooLarge),
        Err(failure) => Err(failure),
    }
}

/// The value of a field: its name, or names with dots between them for fields in fields.
pub fn field<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    value.get(path).or_else(|| path.split('.').try_fold(value, |value, name| value.get(name)))
}

/// The hash that a file for `sha256sum -c` has for the file of this name; the reason, if it has none.
///
/// # Errors
/// Why `sha256sum -c` would not verify that file, as a sentence without its subject.
pub fn checksum_line(text: &[u8], name: &str) -> std::result::Result<String, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is no text".to_owned())?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err("it does not have one line, `HASH  NAME`".to_owned());
    };
    let hash = line.get(..64).filter(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let rest = line.get(64..).and_then(|rest| rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *")));
    let (Some(hash), Some(named)) = (hash, rest) else {
        return Err("its line is not `HASH  NAME`, as `sha256sum -c` reads it".to_owned());
    };
    if named != name {
        return Err(format!("it is about {}", human::one_line(named, 200)));
    }
    Ok(hash.to_ascii_lowercase())
}

/// The SHA-256 of an object, in hex.
///
/// # Errors
/// Those of the store.
pub async fn sha256_of(store: &Arc<dyn Store>, object: &ObjectMeta) -> Result<String> {
    let mut hash = Sha256::new();
    each_chunk(store, object, object.etag.clone(), |chunk| hash.update(chunk)).await?;
    Ok(hex::encode(hash.finalize()))
}

async fn each_chunk(
    store: &Arc<dyn Store>,
    object: &ObjectMeta,
    etag: Option<String>,
    mut take: impl FnMut(&[u8]),
) -> Result<()> {
    let (chunks, mut received) = mpsc::channel(2);
    let pumping = pump(Arc::clone(store), object.key.clone(), etag, object.size_bytes, chunks);
    let taking = async {
        while let Some(chunk) = received.recv().await {
            take(&chunk?);
        }
        Ok(())
    };
    let ((), taken) = tokio::join!(pumping, taking);
    taken
}

/// Hands on the lines of an object, numbered from 1; none in place of one that is too long.
///
/// # Errors
/// Those of the store.
pub async fn each_line(
    store: &Arc<dyn Store>,
    object: &ObjectMeta,
    etag: Option<String>,
    mut take: impl FnMut(u64, Option<&[u8]>),
) -> Result<()> {
    let mut lines = Lines::default();
    each_chunk(store, object, etag, |chunk| lines.push(chunk, &mut take)).await?;
    lines.end(&mut take);
    Ok(())
}

/// Cuts a stream into lines.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    too_long: bool,
    number: u64,
}

impl Lines {
    fn push(&mut self, mut chunk: &[u8], take: &mut impl FnMut(u64, Option<&[u8]>)) {
        while let Some(at) = chunk.iter().position(|byte| *byte == b'\n') {
            self.add(&chunk[..at]);
            self.hand_on(take);
            chunk = &chunk[at + 1..];
        }
        self.add(chunk);
    }

    fn add(&mut self, part: &[u8]) {
        if self.line.len() + part.len() > LINE_BYTES {
            self.too_long = true;
            self.line.clear();
        }
        if !self.too_long {
            self.line.extend_from_slice(part);
        }
    }

    fn hand_on(&mut self, take: &mut impl FnMut(u64, Option<&[u8]>)) {
        self.number += 1;
        if self.too_long || !self.line.trim_ascii().is_empty() {
            take(self.number, (!self.too_long).then_some(&*self.line));
        }
        self.line.clear();
        self.too_long = false;
    }

    fn end(mut self, take: &mut impl FnMut(u64, Option<&[u8]>)) {
        if self.too_long || !self.line.is_empty() {
            self.hand_on(take);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_object_is_listed_twice() {
        assert_eq!(widest(["b/", "a/x/", "a/", "b/", "ab"]), ["a/", "ab", "b/"]);
        assert_eq!(widest(["a", ""]), [""]);
    }

    #[test]
    fn a_checksum_is_read_as_sha256sum_reads_it() {
        let hash = "AB".repeat(32);
        let line = |text: String| checksum_line(text.as_bytes(), "x.gz");
        assert_eq!(line(format!("{hash}  x.gz\n")), Ok("ab".repeat(32)));
        assert_eq!(line(format!("{hash} *x.gz")), Ok("ab".repeat(32)));
        for (text, why) in [
            (format!("{hash} x.gz\n"), "not `HASH  NAME`"),
            (hash.clone(), "not `HASH  NAME`"),
            (format!("{hash}  /backups/x.gz\n"), "it is about /backups/x.gz"),
            (format!("{hash}  x.gz\n{hash}  y.gz\n"), "one line"),
            (String::new(), "one line"),
            (format!("{}  x.gz", "é".repeat(32)), "not `HASH  NAME`"),
        ] {
            assert!(line(text.clone()).unwrap_err().contains(why), "{text}");
        }
        assert_eq!(checksum_line(b"\xff", "x"), Err("it is no text".to_owned()));
    }

    #[test]
    fn lines_are_cut_wherever_chunks_end() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        let mut take = |number, line: Option<&[u8]>| seen.push((number, line.map(<[u8]>::to_vec)));
        for chunk in [&b"o"[..], b"ne\n\ntw", b"o\n", &vec![b'x'; LINE_BYTES], b"x\nthree"] {
            lines.push(chunk, &mut take);
        }
        lines.end(&mut take);
        let line = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(seen, [(1, line("one")), (3, line("two")), (4, None), (5, line("three"))]);
    }

    #[test]
    fn a_field_may_lie_in_another_one() {
        let value = serde_json::json!({"manifest": {"sha256": "a"}, "x.y": 1});
        assert_eq!(field(&value, "manifest.sha256"), Some(&"a".into()));
        assert_eq!(field(&value, "x.y"), Some(&1.into()));
        assert_eq!(field(&value, "manifest.size"), None);
    }
}
