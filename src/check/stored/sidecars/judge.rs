//! What lies beside objects, against the objects. Pure.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{CHECKSUM_MISMATCH, Fields, SIDECAR_DISAGREES, SIDECAR_MISSING, SIDECAR_ORPHAN};
use crate::check::findings::{Findings, Outcome, Verified};
use crate::check::stored::key_glob::KeyGlob;
use crate::check::stored::reading::{SmallFile, checksum_line, field, file_name};
use crate::model::human;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::{RecoveryPoint, Severity, finding};

/// Orphans that are named one by one.
const NAMED: usize = 20;

/// An object, and what lies beside it.
#[derive(Debug)]
pub struct Looked<'a> {
    /// Its key below the prefix.
    pub key: &'a str,
    pub shown: &'a ObjectKey,
    pub size: u64,
    pub is_recent: bool,
    /// The drill has restored it.
    pub is_point: bool,
    /// The SHA-256 of its content, if that was read.
    pub content: Option<String>,
    pub sha256: Option<(ObjectKey, SmallFile)>,
    pub manifest: Option<(ObjectKey, SmallFile)>,
    /// The time in its key, and the pattern that reads such times.
    pub time: Option<(&'a KeyGlob, &'a str)>,
    pub taken_at: Option<DateTime<Utc>>,
    pub database: Option<&'a DatabaseName>,
}

/// A file whose object is not there.
pub struct Orphan<'a> {
    pub shown: &'a ObjectKey,
    /// The key of the object.
    pub of: &'a str,
}

/// Judges objects one after another.
pub struct Judging<'a> {
    fields: &'a Fields,
    findings: Findings,
    objects: u64,
    judged: u64,
    contents: u64,
}

impl<'a> Judging<'a> {
    /// None yet.
    pub fn new(fields: &'a Fields) -> Self {
        Self { fields, findings: Findings::default(), objects: 0, judged: 0, contents: 0 }
    }

    /// What it comes to; `lost` are recovery points that are not listed any more.
    pub fn finish(mut self, orphans: &[Orphan<'_>], lost: &[&RecoveryPoint]) -> Outcome {
        for point in lost {
            let (expected, actual) = ("the recovery point that was restored", "it was removed meanwhile");
            self.findings.push(finding(Severity::Error, SIDECAR_DISAGREES, &point.key, expected, actual));
        }
        let expected = "the object it belongs to";
        for Orphan { shown, of } in orphans.iter().take(NAMED) {
            let actual = format!("there is no {}", human::one_line(file_name(of), 200));
            self.findings.push(finding(Severity::Warning, SIDECAR_ORPHAN, shown, expected, actual));
        }
        if orphans.len() > NAMED {
            let actual = format!("{} more like these", orphans.len() - NAMED);
            self.findings.push(finding(Severity::Warning, SIDECAR_ORPHAN, "others", expected, actual));
        }
        let objects = human::things(self.objects, "object");
        let summary =
            format!("{objects} with what belongs beside them, {} of these by their content", self.contents);
        self.findings.into_outcome(Verified::things(self.judged, 0), summary)
    }

    /// Judges an object.
    pub fn object(&mut self, object: &Looked<'_>) {
        let mut hashes: Vec<(String, String)> = Vec::new();
        let mut read = false;
        if let Some((key, file)) = &object.sha256 {
            let name = name_of(key);
            if let Some(text) = self.text(object, &name, file) {
                read = true;
                match checksum_line(text, file_name(object.key)) {
                    Ok(hash) => hashes.push((name, hash)),
                    Err(why) => self.disagrees(object, "a checksum of it", format!("{name}: {why}")),
                }
            }
        }
        if let Some((key, file)) = &object.manifest {
            let name = name_of(key);
            if let Some(text) = self.text(object, &name, file) {
                read = true;
                match serde_json::from_slice::<Value>(text).ok().filter(Value::is_object) {
                    Some(manifest) => {
                        hashes.extend(self.manifest(object, &manifest).map(|hash| (name, hash)))
                    }
                    None => self.disagrees(object, "a manifest of it", format!("{name} is no JSON object")),
                }
            }
        }
        match &object.content {
            Some(content) if !hashes.is_empty() => {
                self.contents += 1;
                for (name, hash) in hashes.iter().filter(|(_, hash)| hash != content) {
                    let hash = human::one_line(hash, 64);
                    let actual = format!("{name} has {hash}, and the content has {content}");
                    let expected = "the SHA-256 of its content";
                    let found = finding(Severity::Error, CHECKSUM_MISMATCH, object.shown, expected, actual);
                    self.findings.push(found);
                }
            }
            Some(_) if read && object.is_point => {
                let actual = "nothing beside it has its SHA-256".to_owned();
                self.disagrees(object, "its SHA-256", actual);
            }
            _ => {}
        }
        if let [(first, one), (second, other)] = &hashes[..]
            && one != other
        {
            let (one, other) = (human::one_line(one, 64), human::one_line(other, 64));
            self.disagrees(object, "one SHA-256", format!("{first} has {one}, and {second} has {other}"));
        }
        self.objects += 1;
        self.judged += u64::from(read);
    }

    fn disagrees(&mut self, object: &Looked<'_>, expected: &str, actual: String) {
        self.findings.push(finding(Severity::Error, SIDECAR_DISAGREES, object.shown, expected, actual));
    }

    /// What is in a file beside an object.
    fn text<'f>(&mut self, object: &Looked<'_>, name: &str, file: &'f SmallFile) -> Option<&'f [u8]> {
        match file {
            SmallFile::Is(text) => return Some(text),
            SmallFile::TooLarge => self.disagrees(object, "a small file", format!("{name} is over 1 MiB")),
            SmallFile::Missing => {
                let severity = if object.is_recent { Severity::Warning } else { Severity::Error };
                let actual = format!("there is no {name}");
                self.findings.push(finding(severity, SIDECAR_MISSING, object.shown, name, actual));
            }
        }
        None
    }

    /// Compares a manifest; the SHA-256 that it has.
    fn manifest(&mut self, object: &Looked<'_>, manifest: &Value) -> Option<String> {
        let fields = self.fields;
        let name = file_name(object.key);
        let is_name = |value: &Value| value == name || value == object.key || value == object.shown.as_str();
        self.compare(object, manifest, &fields.filename, Some("filename"), is_name, || {
            format!("its name is {name}")
        });
        let is_size = |value: &Value| value.as_u64() == Some(object.size);
        let has_size = || format!("it has {} bytes", object.size);
        self.compare(object, manifest, &fields.size, Some("size_bytes"), is_size, has_size);
        let folder = object.key.rsplit('/').nth(1).unwrap_or_default();
        let in_folder = || format!("it lies in the folder `{folder}`");
        self.compare(object, manifest, &fields.kind, None, |value| value == folder, in_folder);
        if let Some(database) = object.database {
            let is_of = || format!("its database is {database}");
            self.compare(object, manifest, &fields.database, None, |value| value == database.as_str(), is_of);
        }
        let is_time = |value: &Value| value.as_str().is_some_and(|text| is_time_of(object, text));
        let at = || match (object.time, object.taken_at) {
            (Some((_, text)), _) => format!("its key has {text}"),
            (None, Some(at)) => format!("its key has {}", human::moment(at)),
            (None, None) => "its key has no time".to_owned(),
        };
        if object.time.is_some() || object.taken_at.is_some() {
            self.compare(object, manifest, &fields.timestamp, None, is_time, at);
        }
        let is_hash = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        let hash = self.compare(object, manifest, &fields.sha256, Some("sha256"), is_hash, || {
            "that is no SHA-256 in hex".to_owned()
        })?;
        hash.as_str().map(str::to_ascii_lowercase)
    }

    /// Compares a field with what is known of the object; its value, if it agrees.
    fn compare<'m>(
        &mut self,
        object: &Looked<'_>,
        manifest: &'m Value,
        named: &Option<String>,
        usual: Option<&str>,
        agrees: impl Fn(&Value) -> bool,
        known: impl Fn() -> String,
    ) -> Option<&'m Value> {
        let path = named.as_deref().or(usual)?;
        match field(manifest, path) {
            Some(value) if agrees(value) => return Some(value),
            Some(value) => {
                let value = human::one_line(&value.to_string(), 100);
                let actual = format!("`{path}` of its manifest is {value}, and {}", known());
                self.disagrees(object, "a manifest of it", actual);
            }
            None if named.is_some() => {
                self.disagrees(object, "a manifest of it", format!("its manifest has no `{path}`"));
            }
            None => {}
        }
        None
    }
}

/// Whether a text is the time in the object's key: as it is written there, or in RFC 3339, to the second.
fn is_time_of(object: &Looked<'_>, text: &str) -> bool {
    let moment = DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.timestamp());
    if let Some((glob, written)) = object.time {
        let time = glob.read_time(written);
        return text == written || moment.is_some() && moment == time.map(|time| time.timestamp());
    }
    let at = object.taken_at;
    moment.is_some() && moment == at.map(|at| at.timestamp())
}

fn name_of(key: &ObjectKey) -> String {
    human::one_line(file_name(key.as_str()), 200)
}

#[cfg(test)]
mod tests;
