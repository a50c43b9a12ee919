//! `${VAR}`, `${VAR:-default}` and `${VAR:?message}` in a template's strings, as in Compose files.
//!
//! The syntax is the Compose specification's (12, Interpolation): `${VAR-default}` and `${VAR?message}` look only
//! at whether the variable is set, the forms with a colon also treat an empty value as absent, and `$$` is a `$`.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The variables a template may use. Handed in, so that tests need not touch the process's own environment.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's environment. Values that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable, unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl Extend<(String, String)> for Environment {
    fn extend<I: IntoIterator<Item = (String, String)>>(&mut self, variables: I) {
        self.0.extend(variables);
    }
}

/// A variable that a template requires and the environment lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingVariable {
    /// Its name.
    pub name: String,
    /// What the template says about it, after `:?`.
    pub message: Option<String>,
    /// The top-level key of the template it is used under.
    pub section: String,
}

/// Expands every string below `table` in place, and returns the required variables that are missing. A missing
/// variable expands to nothing, so that sections the command does not need can still be read.
///
/// # Errors
/// Malformed references, with the place in the source.
pub(super) fn expand_all(
    table: &mut DeTable<'_>,
    environment: &Environment,
) -> Result<Vec<MissingVariable>, Malformed> {
    let mut missing = Vec::new();
    for (key, value) in table.iter_mut() {
        let section = key.get_ref().to_string();
        expand_value(value, &mut |text| expand(text, environment, &section, &mut missing))?;
    }
    Ok(missing)
}

/// A reference that cannot be read.
#[derive(Debug)]
pub(super) struct Malformed {
    pub message: String,
    pub span: std::ops::Range<usize>,
}

type Expander<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

fn expand_value(value: &mut Spanned<DeValue<'_>>, expander: &mut Expander<'_>) -> Result<(), Malformed> {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) if text.contains('$') => {
            let expanded = expander(text).map_err(|message| Malformed { message, span })?;
            *text = expanded.into();
        }
        DeValue::Array(items) => {
            for item in items.iter_mut() {
                expand_value(item, expander)?;
            }
        }
        DeValue::Table(table) => {
            for (_, item) in table.iter_mut() {
                expand_value(item, expander)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn expand(
    text: &str,
    environment: &Environment,
    section: &str,
    missing: &mut Vec<MissingVariable>,
) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let Some(inner) = rest.strip_prefix('{') else {
            return Err("a lone `$`: write `${NAME}` for a variable or `$$` for a dollar sign".to_owned());
        };
        let end = inner.find('}').ok_or("`${` without its `}`")?;
        let reference = Reference::parse(&inner[..end])?;
        match reference.resolve(environment) {
            Ok(value) => out.push_str(value),
            Err(message) => missing.push(MissingVariable {
                name: reference.name.to_owned(),
                message,
                section: section.to_owned(),
            }),
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// What stands between `${` and `}`.
struct Reference<'a> {
    name: &'a str,
    empty_counts_as_unset: bool,
    fallback: Fallback<'a>,
}

enum Fallback<'a> {
    None,
    Default(&'a str),
    Required(&'a str),
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let name_len = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
        let (name, operator) = text.split_at(name_len);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("`${{{text}}}` does not begin with a variable's name"));
        }
        let (empty_counts_as_unset, rest) = match operator.strip_prefix(':') {
            Some(rest) => (true, rest),
            None => (false, operator),
        };
        let fallback = if operator.is_empty() {
            Fallback::None
        } else if let Some(default) = rest.strip_prefix('-') {
            Fallback::Default(default)
        } else if let Some(message) = rest.strip_prefix('?') {
            Fallback::Required(message)
        } else {
            return Err(format!(
                "`${{{text}}}` is not `${{VAR}}`, `${{VAR:-default}}` or `${{VAR:?message}}`"
            ));
        };
        Ok(Self { name, empty_counts_as_unset, fallback })
    }

    /// The value, or what the template says about the variable's absence.
    fn resolve<'b>(&self, environment: &'b Environment) -> Result<&'b str, Option<String>>
    where
        'a: 'b,
    {
        let value = environment.0.get(self.name).map(String::as_str);
        let value = value.filter(|value| !(self.empty_counts_as_unset && value.is_empty()));
        match (value, &self.fallback) {
            (Some(value), _) => Ok(value),
            (None, Fallback::Default(default)) => Ok(default),
            (None, Fallback::Required(message)) => {
                Err(Some((*message).to_owned()).filter(|message| !message.is_empty()))
            }
            // Compose warns and goes on with nothing; a drill of the wrong thing is worse than no drill.
            (None, Fallback::None) => Err(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> (Result<String, String>, Vec<MissingVariable>) {
        let environment = [("SET", "value"), ("EMPTY", "")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into_iter()
            .collect();
        let mut missing = Vec::new();
        (expand(text, &environment, "store", &mut missing), missing)
    }

    #[test]
    fn variables_and_defaults() {
        for (text, expected) in [
            ("${SET}", "value"),
            ("a${SET}b${SET}c", "avaluebvaluec"),
            ("${SET:-x}", "value"),
            ("${UNSET:-x y}", "x y"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY-x}", ""),
            ("${UNSET:-}", ""),
            ("${UNSET:-postgres:17-alpine}", "postgres:17-alpine"),
            ("$$5", "$5"),
            ("plain", "plain"),
        ] {
            assert_eq!(run(text), (Ok(expected.to_owned()), vec![]), "{text}");
        }
    }

    #[test]
    fn what_is_required_and_missing_is_reported_with_its_message() {
        let (text, missing) = run("${UNSET:?say where} ${EMPTY:?must not be empty} ${BARE}");
        assert_eq!(text.unwrap(), "  ");
        let seen: Vec<_> = missing.iter().map(|m| (m.name.as_str(), m.message.as_deref())).collect();
        let expected = [("UNSET", Some("say where")), ("EMPTY", Some("must not be empty")), ("BARE", None)];
        assert_eq!(seen, expected);
        assert!(missing.iter().all(|m| m.section == "store"));
    }

    #[test]
    fn malformed_references_are_errors() {
        for text in ["$SET", "${SET", "${}", "${1A}", "${SET!x}", "cost $"] {
            assert!(run(text).0.is_err(), "{text} must be refused");
        }
    }
}
