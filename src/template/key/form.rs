//! How keys are written: the parts of a pattern such as `{database}_{timestamp}.dump.{age,gpg}`, and what they match.

use chrono::format::{Item, Numeric, Pad, StrftimeItems};
use chrono::{DateTime, Utc};

use super::super::key_time;
use crate::model::names::DatabaseName;

const DATABASE: &str = "database";
const TIMESTAMP: &str = "timestamp";

/// The keys of a dataset, below a prefix of the store.
#[derive(Debug, Clone)]
pub(super) struct KeyForm {
    parts: Vec<Part>,
    timestamp_format: String,
    /// How long every timestamp is, if their order as texts is that of time.
    width: Option<usize>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Database,
    Timestamp,
    /// `*`: any text within a folder, or none.
    Anything,
    /// `{age,gpg}`: one of these.
    OneOf(Vec<String>),
}

/// What stands in the places of a pattern in one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places<'a> {
    pub(super) database: &'a str,
    pub(super) time: &'a str,
}

impl KeyForm {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, to follow its name and text.
    pub(super) fn parse(pattern: &str, timestamp_format: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = pattern;
        while let Some(at) = rest.find(['{', '}', '*']) {
            text.push_str(&rest[..at]);
            let (part, after) = match rest.as_bytes()[at] {
                b'*' => (Part::Anything, &rest[at + 1..]),
                b'{' => {
                    let end = rest[at..].find('}').ok_or("has a `{` without its `}`")?;
                    (placeholder(&rest[at + 1..at + end])?, &rest[at + end + 1..])
                }
                _ => return Err("has a `}` without its `{`".to_owned()),
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(part);
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        let width = sorted_width(timestamp_format);
        Ok(Self { parts, timestamp_format: timestamp_format.to_owned(), width })
    }

    /// How often the database and the time stand in it.
    pub(super) fn counts(&self) -> (usize, usize) {
        let count = |wanted: Part| self.parts.iter().filter(|part| **part == wanted).count();
        (count(Part::Database), count(Part::Timestamp))
    }

    /// Whether a key says when its recovery point was taken.
    pub(super) fn names_times(&self) -> bool {
        self.counts().1 > 0
    }

    /// Whether it names the database, so that the keys of others show theirs.
    pub(super) fn names_databases(&self) -> bool {
        self.counts().0 > 0
    }

    /// Whether it has `*`, so that no key can be written by it.
    pub(super) fn has_wildcards(&self) -> bool {
        self.parts.contains(&Part::Anything)
    }

    /// Whether a key may end with anything.
    pub(super) fn ends_openly(&self) -> bool {
        self.parts.last() == Some(&Part::Anything)
    }

    /// All texts that stand among alternatives.
    pub(super) fn alternatives(&self) -> impl Iterator<Item = &str> {
        let texts = self.parts.iter().map(|part| match part {
            Part::OneOf(texts) => texts.as_slice(),
            _ => &[],
        });
        texts.flatten().map(String::as_str)
    }

    /// A time as it is written.
    pub(super) fn written(&self, time: DateTime<Utc>) -> String {
        time.format(&self.timestamp_format).to_string()
    }

    /// The time that this text names.
    pub(super) fn read_time(&self, text: &str) -> Option<DateTime<Utc>> {
        key_time::read(text, &self.timestamp_format)
    }

    /// The width of a time, if the order of a database's keys is that of time.
    pub(super) fn sorted_width(&self) -> Option<usize> {
        let before = self.parts.iter().take_while(|part| **part != Part::Timestamp);
        let mut before = before.filter(|part| !matches!(part, Part::Text(_) | Part::Database));
        self.width.filter(|_| before.next().is_none() && self.names_times())
    }

    /// What all keys of this database begin with.
    pub(super) fn beginning(&self, database: &str) -> String {
        let known = self.parts.iter().map_while(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Database => Some(database),
            Part::Timestamp | Part::Anything | Part::OneOf(_) => None,
        });
        known.collect()
    }

    /// What all keys begin with, whatever their database.
    pub(super) fn common_beginning(&self) -> String {
        match self.parts.first() {
            Some(Part::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    /// Whether a key goes into a folder behind its common beginning.
    pub(super) fn has_folders(&self) -> bool {
        let behind = self.parts.iter().skip(usize::from(!self.common_beginning().is_empty()));
        let has_slash = |part: &Part| match part {
            Part::Text(text) => text.contains('/'),
            Part::OneOf(texts) => texts.iter().any(|text| text.contains('/')),
            Part::Timestamp => self.timestamp_format.contains('/'),
            Part::Database | Part::Anything => false,
        };
        behind.into_iter().any(has_slash)
    }

    /// What stands between the database's name and the time, if they stand in this order.
    pub(super) fn separator(&self) -> Option<&str> {
        let at = self.parts.iter().position(|part| *part == Part::Database)?;
        match &self.parts[at + 1..] {
            [Part::Timestamp, ..] => Some(""),
            [Part::Text(text), Part::Timestamp, ..] => Some(text),
            _ => None,
        }
    }

    /// What stands between the time and the database's name, if they stand in this order.
    pub(super) fn separator_behind_time(&self) -> Option<&str> {
        let at = self.parts.iter().position(|part| *part == Part::Timestamp)?;
        match &self.parts[at + 1..] {
            [Part::Database, ..] => Some(""),
            [Part::Text(text), Part::Database, ..] => Some(text),
            _ => None,
        }
    }

    /// The key of this database and time. Of alternatives the one that `wanted` names is taken, or the first.
    pub(super) fn fill(&self, database: &DatabaseName, time: DateTime<Utc>, wanted: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Database => database.to_string(),
            Part::Timestamp => self.written(time),
            Part::Anything => "*".to_owned(),
            Part::OneOf(texts) => {
                let fits = texts.iter().find(|text| *text == wanted);
                fits.or(texts.first()).cloned().unwrap_or_default()
            }
        };
        self.parts.iter().map(part).collect()
    }

    /// Whether this text is a key of this database, its time included.
    pub(super) fn is_key_of(&self, database: &DatabaseName, text: &str) -> bool {
        let places = self.places(text, Some(database.as_str()));
        places.is_some_and(|places| !self.names_times() || self.read_time(places.time).is_some())
    }

    /// Whether this text is a key of this database, whatever its time. In a key that `*` makes ambiguous the time is whatever can
    /// be read as one, if anything can.
    pub(super) fn places<'a>(&self, text: &'a str, database: Option<&str>) -> Option<Places<'a>> {
        let mut first = None;
        // Only where the pattern leaves it open, how long a time is decides where it stands.
        let width = self.width.filter(|_| database.is_none() || self.has_wildcards());
        let mut search = Search {
            database,
            width,
            found: &mut |places: Places<'a>| {
                let reads = !self.names_times() || self.read_time(places.time).is_some();
                if reads || first.is_none() {
                    first = Some(places);
                }
                reads
            },
        };
        search.go_on(&self.parts, text, Places { database: "", time: "" });
        first
    }
}

/// What stands between braces.
fn placeholder(inside: &str) -> Result<Part, String> {
    match inside {
        DATABASE => Ok(Part::Database),
        TIMESTAMP => Ok(Part::Timestamp),
        _ if inside.contains(['{', '*']) => Err("has braces or `*` within braces".to_owned()),
        _ if inside.contains(',') => Ok(Part::OneOf(inside.split(',').map(str::to_owned).collect())),
        _ => Err(format!(
            "has {{{inside}}}, and only {{database}}, {{timestamp}} and alternatives such as {{age,gpg}} are known"
        )),
    }
}

/// All ways in which parts match a text, until one is good enough.
struct Search<'s, 'a> {
    database: Option<&'s str>,
    width: Option<usize>,
    /// Whether these places are good enough.
    found: &'s mut dyn FnMut(Places<'a>) -> bool,
}

impl<'a> Search<'_, 'a> {
    fn go_on(&mut self, parts: &[Part], text: &'a str, places: Places<'a>) -> bool {
        let Some((part, others)) = parts.split_first() else {
            return text.is_empty() && (self.found)(places);
        };
        match part {
            Part::Text(wanted) => {
                text.strip_prefix(wanted.as_str()).is_some_and(|rest| self.go_on(others, rest, places))
            }
            Part::OneOf(texts) => texts.iter().any(|wanted| {
                text.strip_prefix(wanted.as_str()).is_some_and(|rest| self.go_on(others, rest, places))
            }),
            Part::Database => match self.database {
                Some(database) => {
                    let rest = text.strip_prefix(database);
                    rest.is_some_and(|rest| self.go_on(others, rest, places))
                }
                None => self.each_end(text, |search, taken, rest| {
                    search.go_on(others, rest, Places { database: taken, ..places })
                }),
            },
            Part::Timestamp => match self.width {
                Some(width) => match (text.get(..width), text.get(width..)) {
                    (Some(time), Some(rest)) => self.go_on(others, rest, Places { time, ..places }),
                    _ => false,
                },
                None => self.each_end(text, |search, time, rest| {
                    search.go_on(others, rest, Places { time, ..places })
                }),
            },
            Part::Anything => {
                let folder = text.find('/').map_or(text, |end| &text[..end]);
                self.each_end(folder, |search, taken, _| search.go_on(others, &text[taken.len()..], places))
            }
        }
    }

    /// Tries each place at which a part can end, the nearest to the text's end first.
    fn each_end(
        &mut self,
        text: &'a str,
        mut attempt: impl FnMut(&mut Self, &'a str, &'a str) -> bool,
    ) -> bool {
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let ends: Vec<usize> = ends.collect();
        ends.into_iter().rev().any(|end| attempt(self, &text[..end], &text[end..]))
    }
}

/// The width of a time in this format, if all have the same and sort as time does: the largest unit first, none left
/// out, each with its zeros in front.
pub(super) fn sorted_width(format: &str) -> Option<usize> {
    let mut width = 0;
    let mut next = 0;
    for item in StrftimeItems::new(format) {
        let (first, last, digits) = match item {
            Item::Literal(text) | Item::Space(text) => {
                width += text.len();
                continue;
            }
            Item::Numeric(Numeric::Year, Pad::Zero) => (0, 0, 4),
            Item::Numeric(Numeric::Month, Pad::Zero) => (1, 1, 2),
            Item::Numeric(Numeric::Day, Pad::Zero) => (2, 2, 2),
            Item::Numeric(Numeric::Ordinal, Pad::Zero) => (1, 2, 3),
            Item::Numeric(Numeric::Hour, Pad::Zero) => (3, 3, 2),
            Item::Numeric(Numeric::Minute, Pad::Zero) => (4, 4, 2),
            Item::Numeric(Numeric::Second, Pad::Zero) => (5, 5, 2),
            // Of ten digits from 2001 to 2286.
            Item::Numeric(Numeric::Timestamp, _) => (0, 5, 10),
            _ => return None,
        };
        if first != next {
            return None;
        }
        (next, width) = (last + 1, width + digits);
    }
    (next > 0).then_some(width)
}
