//! From a name or a path to a validated template.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use toml::de::DeTable;

use super::interpolate::{Environment, MissingVariable, expand_all};
use super::schema::Template;
use super::source::Source;
use super::statements::Statements;
use super::{Purpose, validate};
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// Where templates are looked up by name, relative to the working directory.
const TEMPLATE_DIRECTORY: &str = "drill-templates";

/// Templates that come with the program, for when there is no file of that name.
const SHIPPED: [(&str, &str); 3] = [
    ("aegis", include_str!("../../drill-templates/aegis.toml")),
    ("immutable-backups", include_str!("../../drill-templates/immutable-backups.toml")),
    ("aegis-agent", include_str!("../../drill-templates/aegis-agent.toml")),
];

/// Reads, expands and validates a template.
///
/// `name_or_path` is a path if it has a separator or ends in `.toml`; otherwise it names a template in
/// `drill-templates/`, or one that comes with the program.
///
/// # Errors
/// `template_not_found`, `template_invalid`, `variable_missing`: all configuration errors.
pub fn load(name_or_path: &str, environment: &Environment, purpose: Purpose) -> Result<Template> {
    let (origin, text) = read(name_or_path)?;
    parse(&text, &origin, environment, purpose)
}

/// Expands and validates a template's text. `origin` names it in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, origin: &str, environment: &Environment, purpose: Purpose) -> Result<Template> {
    let source = Arc::new(Source::new(origin, text));
    let mut table = DeTable::parse(text).map_err(|error| source.invalid(&error))?;
    let missing = expand_all(table.get_mut(), environment).map_err(|malformed| {
        let line = 1 + text[..malformed.span.start.min(text.len())].matches('\n').count();
        Failure::config(codes::TEMPLATE_INVALID, format!("{origin}, line {line}: {}", malformed.message))
    })?;
    let template = Template::deserialize(toml::Deserializer::from(table));
    // A variable that is missing may also make a value invalid; the variable is the cause to report.
    require(origin, missing, purpose)?;
    let mut template = template.map_err(|error| source.invalid(&error))?;
    template.sections.iter_mut().for_each(|section| section.source = Arc::clone(&source));
    template.source = source;
    keep_texts_of_hooks(&mut template, text);
    template.take_databases_of_clusters();
    template.assign_ports();
    template.assign_globals();
    validate::validate(&template).map_err(|message| template.inconsistent(&message))?;
    Ok(template)
}

/// Verdicts have the hash of what the file says: that of a text with a short secret would tell the secret.
fn keep_texts_of_hooks(template: &mut Template, text: &str) {
    #[derive(Deserialize)]
    struct Written {
        #[serde(default)]
        databases: Vec<Hooks>,
    }
    #[derive(Deserialize)]
    struct Hooks {
        #[serde(default)]
        before_restore: Statements,
        #[serde(default)]
        after_restore: Statements,
    }
    // It was read before, so it can be read again.
    let written = toml::from_str::<Written>(text).map(|written| written.databases).unwrap_or_default();
    for (database, hooks) in template.databases.iter_mut().zip(written) {
        database.before_restore.take_texts_of(hooks.before_restore);
        database.after_restore.take_texts_of(hooks.after_restore);
    }
}

fn read(name_or_path: &str) -> Result<(String, String)> {
    let is_path = name_or_path.contains(std::path::is_separator) || name_or_path.ends_with(".toml");
    let path = if is_path {
        PathBuf::from(name_or_path)
    } else {
        Path::new(TEMPLATE_DIRECTORY).join(format!("{name_or_path}.toml"))
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_path => SHIPPED
            .iter()
            .find(|(name, _)| *name == name_or_path)
            .map(|(name, text)| (format!("shipped template {name}"), (*text).to_owned()))
            .ok_or_else(|| not_found(name_or_path)),
        Err(error) => Err(Failure::config(
            codes::TEMPLATE_NOT_FOUND,
            format!("the template {} cannot be read: {error}", path.display()),
        )
        .hint("-t takes a path, or the name of a template in drill-templates/")),
    }
}

fn not_found(name: &str) -> Failure {
    let mut known: Vec<String> = std::fs::read_dir(TEMPLATE_DIRECTORY)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            entry.ok()?.file_name().into_string().ok()?.strip_suffix(".toml").map(str::to_owned)
        })
        .chain(SHIPPED.iter().map(|(name, _)| (*name).to_owned()))
        .collect();
    known.sort();
    known.dedup();
    Failure::config(
        codes::TEMPLATE_NOT_FOUND,
        format!("there is no template {name} in {TEMPLATE_DIRECTORY}/"),
    )
    .hint(format!("known templates: {}; or give a path to -t", known.join(", ")))
}

fn require(origin: &str, missing: Vec<MissingVariable>, purpose: Purpose) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    let needed: Vec<MissingVariable> = missing
        .into_iter()
        .filter(|variable| purpose.needs(&variable.section) && seen.insert(variable.name.clone()))
        .collect();
    let names: Vec<&str> = needed.iter().map(|variable| variable.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let hints: Vec<String> = needed
        .iter()
        .map(|variable| match &variable.message {
            Some(message) => format!("{}: {message}", variable.name),
            None => format!("set {}", variable.name),
        })
        .collect();
    let noun = if names.len() == 1 { "variable" } else { "variables" };
    Err(Failure::config(
        codes::VARIABLE_MISSING,
        format!("{origin} needs the environment {noun} {}", names.join(", ")),
    )
    .hint(hints.join("; ")))
}

#[cfg(test)]
mod tests;
