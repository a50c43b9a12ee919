//! Text that came out of a restored database, a dump, or a store: whoever wrote it may be hostile.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::model::human;

/// Text from outside. Shown, it is inert: it stays on its line, and neither controls a terminal nor hides. In JSON it is
/// what it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foreign(String);

impl Foreign {
    /// Takes it in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it is: to compare, to send back, to write as data. Never to show.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&human::inert(&self.0))
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", human::inert(&self.0))
    }
}

impl Serialize for Foreign {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shown_it_does_nothing_and_in_json_it_is_what_it_is(text in any::<String>()) {
            let foreign = Foreign::new(text.clone());
            for shown in [format!("{foreign}"), format!("{foreign:?}")] {
                prop_assert!(!shown.chars().any(human::is_active));
            }
            prop_assert_eq!(serde_json::to_value(&foreign).unwrap(), serde_json::json!(text));
        }
    }
}
