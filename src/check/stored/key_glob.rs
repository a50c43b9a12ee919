//! Patterns of keys: `*` stands for any text within a part of a path, `**` for any parts, `{timestamp}` for a time.

use chrono::format::{Item, Numeric, Pad, StrftimeItems};
use chrono::{DateTime, Utc};
use regex::Regex;
use serde::Deserialize;

use crate::template::{is_time_format, read_time};

/// Where a time stands in a pattern.
const TIMESTAMP: &str = "{timestamp}";

/// A pattern of keys below the store's prefix.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyGlob {
    text: String,
    regex: Regex,
    /// How its time is written, if it has one.
    format: Option<String>,
}

impl TryFrom<String> for KeyGlob {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.contains(TIMESTAMP) {
            return Err(format!("`{text}` has a {TIMESTAMP}, and no key says how it is written"));
        }
        Self::new(&text, None)
    }
}

impl KeyGlob {
    /// A pattern with one `{timestamp}`, written in this strftime format.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn timed(text: &str, format: &str) -> Result<Self, String> {
        if text.matches(TIMESTAMP).count() != 1 {
            return Err(format!("`{text}` must hold {TIMESTAMP} once"));
        }
        if StrftimeItems::new(format).any(|item| item == Item::Error) || !is_time_format(format) {
            return Err(format!("`{format}` must be a strftime format that names a day, at least"));
        }
        Self::new(text, Some(format))
    }

    /// A pattern with a `{timestamp}`, or without one.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn maybe_timed(text: &str, format: &str) -> Result<Self, String> {
        if text.contains(TIMESTAMP) { Self::timed(text, format) } else { Self::new(text, None) }
    }

    fn new(text: &str, format: Option<&str>) -> Result<Self, String> {
        if text.is_empty() || text.starts_with('/') {
            return Err(format!(
                "`{text}` is no pattern of keys: it is below store.url, without a / in front"
            ));
        }
        let mut regex = r"(?s)\A".to_owned();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let starts_part = rest.len() == text.len() || text[..text.len() - rest.len()].ends_with('/');
            if let (Some(behind), Some(format)) = (rest.strip_prefix(TIMESTAMP), format) {
                regex.push_str(&format!("(?P<time>{})", time_regex(format)));
                rest = behind;
            } else if let (Some(behind), true) = (rest.strip_prefix("**/"), starts_part) {
                regex.push_str("(?:[^/]*/)*");
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix("**") {
                regex.push_str(".*");
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix('*') {
                regex.push_str("[^/]*");
                rest = behind;
            } else {
                regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
                rest = &rest[c.len_utf8()..];
            }
        }
        regex.push_str(r"\z");
        let regex = Regex::new(&regex).map_err(|_| format!("`{text}` is too long for a pattern of keys"))?;
        Ok(Self { text: text.to_owned(), regex, format: format.map(str::to_owned) })
    }

    /// What every key of it begins with.
    pub fn prefix(&self) -> &str {
        let ends = ["*", TIMESTAMP].into_iter().filter_map(|end| self.text.find(end));
        &self.text[..ends.min().unwrap_or(self.text.len())]
    }

    /// The folder that all keys of it lie in, with its slash; empty for the store itself.
    pub fn folder(&self) -> &str {
        let prefix = self.prefix();
        &prefix[..prefix.rfind('/').map_or(0, |slash| slash + 1)]
    }

    /// Whether keys of it lie in folders below that one.
    pub fn has_folders(&self) -> bool {
        let rest = &self.text[self.folder().len()..];
        rest.contains('/')
            || rest.contains("**")
            || self.format.as_deref().is_some_and(|format| format.contains('/'))
    }

    /// Whether a key fits it: its time, if it has one, is a time.
    pub fn fits(&self, key: &str) -> bool {
        if self.format.is_some() { self.time(key).is_some() } else { self.regex.is_match(key) }
    }

    /// The time in a key.
    pub fn time(&self, key: &str) -> Option<DateTime<Utc>> {
        read_time(self.time_text(key)?, self.format.as_deref()?)
    }

    /// The time in a key as it is written there.
    pub fn time_text<'a>(&self, key: &'a str) -> Option<&'a str> {
        Some(self.regex.captures(key)?.name("time")?.as_str())
    }

    /// A time that is written as in keys.
    pub fn read_time(&self, text: &str) -> Option<DateTime<Utc>> {
        read_time(text, self.format.as_deref()?)
    }
}

/// What times of this format look like.
fn time_regex(format: &str) -> String {
    let mut regex = String::new();
    for item in StrftimeItems::new(format) {
        let digits = match item {
            Item::Literal(text) | Item::Space(text) => {
                regex.push_str(&regex::escape(text));
                continue;
            }
            Item::Numeric(Numeric::Year, Pad::Zero) => "4",
            Item::Numeric(Numeric::Ordinal, Pad::Zero) => "3",
            Item::Numeric(
                Numeric::Month
                | Numeric::Day
                | Numeric::Hour
                | Numeric::Hour12
                | Numeric::Minute
                | Numeric::Second,
                Pad::Zero,
            ) => "2",
            Item::Numeric(Numeric::Timestamp, _) => "1,20",
            _ => {
                regex.push_str("[^/]+?");
                continue;
            }
        };
        regex.push_str(&format!("[0-9]{{{digits}}}"));
    }
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_in_their_part_and_two_of_them_do_not() {
        for (pattern, key, fits) in [
            ("a/*.tmp", "a/b.tmp", true),
            ("a/*.tmp", "a/b/c.tmp", false),
            ("**/*.tmp", "c.tmp", true),
            ("**/*.tmp", "a/b/c.tmp", true),
            ("**/*.tmp", "a/b/c.tmpx", false),
            ("active/**", "active/hourly/x", true),
            ("active/**", "activex", false),
            ("a**z", "a/b/z", true),
            ("a.b", "axb", false),
            ("a[1]+(x)?", "a[1]+(x)?", true),
            ("*.sql.gz", "*.sql.gz", true),
        ] {
            let glob = KeyGlob::try_from(pattern.to_owned()).unwrap();
            assert_eq!(glob.fits(key), fits, "{pattern} {key}");
        }
    }

    #[test]
    fn a_time_is_read_between_stars() {
        let glob = KeyGlob::timed("active/*/{timestamp}.sql.gz", "%Y-%m-%d_%H-%M-%S").unwrap();
        let time = |key| glob.time(key).map(|time| time.to_rfc3339());
        assert_eq!(
            time("active/hourly/2026-05-17_08-31-11.sql.gz").as_deref(),
            Some("2026-05-17T08:31:11+00:00")
        );
        for other in [
            "active/hourly/2026-02-30_08-31-11.sql.gz",
            "active/hourly/*.sql.gz",
            "active/2026-05-17_08-31-11.sql.gz",
            "active/hourly/2026-05-17_08-31-11.sql.gz.sha256",
        ] {
            assert!(!glob.fits(other), "{other}");
        }
        assert_eq!((glob.prefix(), glob.folder(), glob.has_folders()), ("active/", "active/", true));
        let glob = KeyGlob::timed("**/shop_{timestamp}*.age", "%Y%m%dT%H%M%SZ").unwrap();
        assert!(glob.time("x/y/shop_20260517T083111Z.dump.age").is_some());
        let flat = KeyGlob::timed("n/shop_{timestamp}", "%s").unwrap();
        assert_eq!((flat.prefix(), flat.folder(), flat.has_folders()), ("n/shop_", "n/", false));
        assert!(flat.time("n/shop_1779006671").is_some());
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert!(KeyGlob::try_from("/a".to_owned()).unwrap_err().contains("without a / in front"));
        assert!(KeyGlob::try_from("a_{timestamp}".to_owned()).unwrap_err().contains("how it is written"));
        assert!(KeyGlob::timed("a", "%F").unwrap_err().contains("once"));
        assert!(KeyGlob::timed("a_{timestamp}", "%H").unwrap_err().contains("strftime"));
    }
}
