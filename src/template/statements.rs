//! SQL of a template: one text, or a list of them.

use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};

/// SQL to run.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// The SQL.
    pub sql: String,
    /// The same as it is written in the template, without values of variables.
    pub written: String,
}

impl From<String> for Statement {
    fn from(sql: String) -> Self {
        Self { written: sql.clone(), sql }
    }
}

/// Statements to run one after the other.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Statements(Vec<Statement>);

impl Statements {
    /// These, with the texts that the template has for them.
    pub(super) fn take_texts_of(&mut self, written: Self) {
        for (statement, written) in self.0.iter_mut().zip(written.0) {
            statement.written = written.sql;
        }
    }
}

impl Deref for Statements {
    type Target = [Statement];

    fn deref(&self) -> &[Statement] {
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
                Ok(Statements(vec![text.to_owned().into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Statements, A::Error> {
                let mut all = Vec::new();
                while let Some(text) = texts.next_element::<String>()? {
                    all.push(text.into());
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
        let texts = |value: &str| -> Vec<String> {
            read(value).unwrap().iter().map(|statement| statement.sql.clone()).collect()
        };
        assert_eq!(texts("'SELECT 1'"), ["SELECT 1"]);
        assert_eq!(texts("['a', 'b']"), ["a", "b"]);
        assert!(read("1").is_err_and(|error| error.message().contains("a text with SQL")));
        assert_eq!(format!("{:?}", read("'PASSWORD x'").unwrap()), "1 statements");
    }
}
