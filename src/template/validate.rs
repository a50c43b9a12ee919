//! What the types cannot say about a template.

use std::collections::BTreeSet;
use std::time::Duration;

use super::schema::{Database, RecoverySetRules, Store, Template};
use super::store_url::StoreUrl;
use super::{clusters, key, order, servers};
use crate::model::names::DatabaseName;

/// Checks a template's inner consistency; an error is a sentence for a person.
pub(super) fn validate(template: &Template) -> Result<(), String> {
    if template.schema_version != 1 {
        return Err(format!(
            "schema_version is {}, and this program knows version 1",
            template.schema_version
        ));
    }
    servers::validate(template)?;
    validate_endpoint(&template.store.endpoint)?;
    validate_directory(&template.store)?;
    clusters::validate(template)?;
    let names = database_names(template)?;
    key::validate(template, &names)?;
    order::waves(&template.databases)?;
    template.databases.iter().try_for_each(validate_restore)?;
    if template.sections.is_empty() {
        return Err("there is no [[checks]] entry: a drill that verifies nothing proves nothing".to_owned());
    }
    validate_recovery_set(&template.recovery_set)?;
    if template.layers.max_expansion == 0 {
        return Err("layers.max_expansion is 0, and must be 1 at least".to_owned());
    }
    for count in &template.log.counts {
        template.require_database(&count.database, &format!("log count {}", count.label))?;
        if count.label.is_empty() || count.label.contains(['|', '=', '\n', ' ']) {
            return Err(format!("log label `{}`: must not be empty or hold | = or spaces", count.label));
        }
    }
    for target in &template.isolation.unreachable {
        split_target(target)?;
    }
    for name in template.services.keys() {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if name == "postgres" || name.is_empty() || !name.chars().all(plain) {
            return Err(format!("service `{name}`: use a-z 0-9 _ -; `postgres` is the drill's own"));
        }
    }
    Ok(())
}

/// Taken for what it is, an endpoint without its scheme would look like a store that does not answer.
fn validate_endpoint(endpoint: &str) -> Result<(), String> {
    let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    if endpoint.is_empty() || host.is_some_and(|host| !host.is_empty()) {
        return Ok(());
    }
    // What was written there instead may hold a password.
    Err("store.endpoint is not a URL: write https://HOST or http://HOST:PORT".to_owned())
}

/// What only a bucket has is refused of a directory: whoever wrote it means another store than the one that is read.
fn validate_directory(store: &Store) -> Result<(), String> {
    // Whether it is a URL at all is a failure of its own, which does not show it.
    if !StoreUrl::parse(&store.url).is_ok_and(|url| url.is_directory()) {
        return Ok(());
    }
    for (key, value) in [("endpoint", &store.endpoint), ("region", &store.region)] {
        if !value.is_empty() {
            return Err(format!(
                "store.{key} is of a store on the network, and store.url is a directory: leave it out or empty"
            ));
        }
    }
    for (key, pattern) in [("key", &store.key), ("globals", &store.globals)] {
        if pattern.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(format!(
                "store.{key} `{pattern}` is no path below the directory of store.url: it has an empty part, `.` or `..`"
            ));
        }
    }
    Ok(())
}

fn validate_recovery_set(rules: &RecoverySetRules) -> Result<(), String> {
    if !(0.0..=1.0).contains(&rules.shrunk_below) {
        return Err(format!("recovery_set.shrunk_below is {}, and must be from 0 to 1", rules.shrunk_below));
    }
    if !(1..=365).contains(&rules.history) {
        return Err(format!("recovery_set.history is {}, and must be from 1 to 365", rules.history));
    }
    if rules.schedule.is_some_and(|schedule| schedule < Duration::from_secs(60)) {
        return Err("recovery_set.schedule must be a minute at least".to_owned());
    }
    Ok(())
}

fn database_names(template: &Template) -> Result<BTreeSet<&DatabaseName>, String> {
    let mut names = BTreeSet::new();
    for database in &template.databases {
        if !names.insert(&database.name) {
            return Err(format!("database {} is listed twice", database.name));
        }
    }
    if names.is_empty() {
        return Err(
            "there is no [[databases]] or [[clusters]] entry, so there is nothing to drill".to_owned()
        );
    }
    Ok(names)
}

/// What is left out of a restore, and what is run around it.
fn validate_restore(database: &Database) -> Result<(), String> {
    let place = format!("database {}", database.name);
    if database.ignore_extensions.iter().any(|name| name.trim().is_empty()) {
        return Err(format!("{place}: ignore_extensions has an empty name"));
    }
    if database.ignore.iter().any(|rule| rule.kind.trim().is_empty() || rule.name.is_empty()) {
        return Err(format!("{place}: an entry of ignore needs a kind and a name; `*` stands for any text"));
    }
    for (hook, statements) in
        [("before_restore", &database.before_restore), ("after_restore", &database.after_restore)]
    {
        if statements.iter().any(|statement| statement.sql.trim().is_empty()) {
            return Err(format!("{place}: {hook} has an empty statement"));
        }
    }
    Ok(())
}

/// Splits `host:port`.
pub(crate) fn split_target(target: &str) -> Result<(&str, u16), String> {
    target
        .rsplit_once(':')
        .filter(|(host, _)| {
            !host.is_empty()
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))
        })
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        .ok_or_else(|| format!("isolation.unreachable `{target}` is not `host:port`"))
}
