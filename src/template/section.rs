//! The `[[checks]]` of a template as they stand. What their keys mean is a matter of each check: see `check::Entry`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, Visitor};
use toml::de::{DeValue, ValueDeserializer};
use toml::{Spanned, Table, Value};

use super::source::Source;
use crate::model::failure::{Failure, Result};

/// One `[[checks]]` entry.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Spanned<BTreeMap<String, Spanned<Value>>>")]
pub struct CheckSection {
    /// What it checks: `row-counts`, for example.
    pub kind: String,
    kind_span: Range<usize>,
    /// All its keys but `type`.
    keys: Table,
    span: Range<usize>,
    pub(super) source: Arc<Source>,
}

impl TryFrom<Spanned<BTreeMap<String, Spanned<Value>>>> for CheckSection {
    type Error = String;

    fn try_from(table: Spanned<BTreeMap<String, Spanned<Value>>>) -> std::result::Result<Self, String> {
        let span = table.span();
        let mut keys = table.into_inner();
        let kind = keys.remove("type").ok_or("missing field `type`")?;
        let kind_span = kind.span();
        let Value::String(kind) = kind.into_inner() else {
            return Err("the type of a check is a string".to_owned());
        };
        let keys = keys.into_iter().map(|(key, value)| (key, value.into_inner())).collect();
        Ok(Self { kind, kind_span, keys, span, source: Arc::default() })
    }
}

/// Without its keys: their values may be secret.
impl fmt::Debug for CheckSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckSection").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl CheckSection {
    /// Reads the keys, but for `type`.
    ///
    /// # Errors
    /// `template_invalid`, with the section's line, if they are not those of a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(Value::Table(self.keys.clone()))
            .map_err(|error| self.invalid(&self.span, error.message()))
    }

    /// The failure of a section whose type is none of these.
    pub fn unknown_kind(&self, known: &[&str]) -> Failure {
        let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("unknown variant `{}`, expected one of {}", self.kind, known.join(", "));
        self.invalid(&self.kind_span, &message)
    }

    /// A failure that shows this place of the template.
    fn invalid(&self, span: &Range<usize>, message: &str) -> Failure {
        let place = ValueDeserializer::from(Spanned::new(span.clone(), DeValue::Boolean(false)));
        match Refused(message).deserialize(place) {
            Ok(()) => self.source.inconsistent(message),
            Err(error) => self.source.invalid(&error),
        }
    }
}

/// Refuses any value with this message: an error of `toml` gets its place from the value that is refused.
struct Refused<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Refused<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_bool(self)
    }
}

impl Visitor<'_> for Refused<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    fn visit_bool<E: Error>(self, _: bool) -> std::result::Result<(), E> {
        Err(E::custom(self.0))
    }
}
