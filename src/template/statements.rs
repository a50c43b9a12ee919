//! SQL of a template: one text, or a list of them.

use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};

/// Statements to run one after the other.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Statements(Vec<String>);

impl Deref for Statements {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

/// A variable may have put a secret into one.
impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} statements", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Statements {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Statements;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text with SQL, or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Statements, E> {
                Ok(Statements(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Statements, A::Error> {
                let mut all = Vec::new();
                while let Some(text) = texts.next_element()? {
                    all.push(text);
                }
                Ok(Statements(all))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_or_a_list_of_them() {
        #[derive(Deserialize)]
        struct Keys {
            sql: Statements,
        }
        let read = |value: &str| toml::from_str::<Keys>(&format!("sql = {value}")).map(|keys| keys.sql);
        assert_eq!(read("'SELECT 1'").unwrap().to_vec(), ["SELECT 1"]);
        assert_eq!(read("['a', 'b']").unwrap().to_vec(), ["a", "b"]);
        assert!(read("1").is_err_and(|error| error.message().contains("a text with SQL")));
        assert_eq!(format!("{:?}", read("'PASSWORD x'").unwrap()), "1 statements");
    }
}
