//! What a script knows a failure or a finding by.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A stable snake_case identifier of a failure or a finding. Codes are part of the contract: they are added, never
/// renamed. Each is a constant, of [`codes`](super::codes) or of the check that gives it, so none is written twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Code(#[schemars(with = "String")] &'static str);

/// A code and what the documentation says about it.
#[derive(Debug, Clone, Copy)]
pub struct CodeEntry {
    /// The code.
    pub code: Code,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Code {
    /// A code of this program.
    pub const fn new(code: &'static str) -> Self {
        Self(code)
    }

    /// As text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl PartialEq<str> for Code {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// Another version's verdict may hold codes that this version does not know. They are kept as they are.
impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = Cow::<str>::deserialize(deserializer)?;
        Ok(Self(interned(&code)))
    }
}

/// The one copy of a text that this process keeps. There are as many as there are different codes in what was read.
fn interned(text: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = known.get(text) {
        return text;
    }
    let text: &'static str = Box::leak(text.into());
    known.insert(text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_back_also_those_of_other_versions() {
        let read = |json: &str| serde_json::from_str::<Code>(json).unwrap();
        assert_eq!(read("\"disk_full\""), super::super::codes::DISK_FULL);
        let (first, second) = (read("\"of_tomorrow\""), read("\"of_tomorrow\""));
        assert_eq!(serde_json::to_string(&first).unwrap(), "\"of_tomorrow\"");
        assert!(std::ptr::eq(first.as_str(), second.as_str()));
    }
}
