//! What the patterns of a template's keys must meet.

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::format::{Item, StrftimeItems};

use super::super::key_time;
use super::form::KeyForm;
use super::{KeyPattern, Template, USUAL_LAYER};
use crate::model::names::DatabaseName;

/// What a `*` is filled in with to see whose key it makes.
const ANY_TEXT: &str = "x";

/// Checks them; an error is a sentence for a person.
pub(in super::super) fn validate(template: &Template, names: &BTreeSet<&DatabaseName>) -> Result<(), String> {
    let store = &template.store;
    readable_times("store.timestamp", &store.timestamp)?;
    let counts = form("store.key", &store.key, &store.timestamp)?.counts();
    if counts != (1, 1) {
        return Err(format!("store.key `{}` must hold {{database}} and {{timestamp}}, each once", store.key));
    }
    for database in &template.databases {
        let place = |key: &str| format!("database {}: {key}", database.name);
        if let Some(timestamp) = &database.timestamp {
            readable_times(&place("timestamp"), timestamp)?;
        }
        if let Some(key) = &database.key {
            own_key(&place("key"), key, database.timestamp.as_deref())?;
        }
    }
    for (server, globals) in &template.globals_patterns {
        let is_of_store = *globals == store.globals && template.source_server().as_ref() == Some(server);
        let place =
            if is_of_store { "store.globals".to_owned() } else { format!("{}.globals", server.section()) };
        let form = form(&place, globals, &store.timestamp)?;
        if form.counts() != (0, 1) {
            return Err(format!("{place} `{globals}` must hold {{timestamp}} once, and no {{database}}"));
        }
        if form.has_wildcards() {
            return Err(format!("{place} `{globals}` must hold no `*`"));
        }
    }
    let pattern = template.key_pattern_below("");
    keys_can_be_written(template, &pattern)?;
    manifests_are_apart(template, &pattern, names)?;
    globals_are_apart(template, &pattern, names)?;
    databases_are_apart(template, &pattern, names)
}

fn form(place: &str, key: &str, timestamp: &str) -> Result<KeyForm, String> {
    let form = KeyForm::parse(key, timestamp).map_err(|wrong| format!("{place} `{key}` {wrong}"))?;
    if form.ends_openly() {
        // A checksum beside a backup would be its newest recovery point.
        return Err(format!(
            "{place} `{key}` must not end in `*`: what lies beside a backup, such as its checksum, would be taken for one"
        ));
    }
    Ok(form)
}

fn own_key(place: &str, key: &str, timestamp: Option<&str>) -> Result<(), String> {
    let (databases, times) = form(place, key, "%s")?.counts();
    if databases > 1 || times > 1 {
        return Err(format!("{place} `{key}` must hold {{database}} and {{timestamp}} once at most"));
    }
    match timestamp {
        Some(_) if times == 0 => {
            Err(format!("{place} `{key}` holds no {{timestamp}}, so leave `timestamp` out"))
        }
        _ => Ok(()),
    }
}

/// A format that cannot be read back would find no recovery point, and blame the backup job.
fn readable_times(place: &str, format: &str) -> Result<(), String> {
    if StrftimeItems::new(format).any(|item| item == Item::Error) || !key_time::is_readable(format) {
        return Err(format!("{place} `{format}` must be a strftime format that names a day, at least"));
    }
    Ok(())
}

/// A backup needs to know how a key is written.
fn keys_can_be_written(template: &Template, pattern: &KeyPattern) -> Result<(), String> {
    let leaves_open = |name: &DatabaseName| {
        let form = pattern.form(name);
        form.has_wildcards() || !form.names_times()
    };
    match template.databases.iter().find(|database| leaves_open(&database.name)) {
        Some(database) if template.backup.is_some() => Err(format!(
            "{} leaves open how a key is written, and [backup] must know: write {{timestamp}}, and alternatives such as \
             {{age,gpg}} in place of `*`",
            shown(template, &database.name)
        )),
        _ => Ok(()),
    }
}

/// A manifest that could be listed as a dump would be drilled as one.
fn manifests_are_apart(
    template: &Template,
    pattern: &KeyPattern,
    names: &BTreeSet<&DatabaseName>,
) -> Result<(), String> {
    // Where backups are made here, no pattern has a `*`; a file of another system is what its keys say.
    let is_taken =
        |name: &&&DatabaseName| !pattern.form(name).has_wildcards() && pattern.confuses_manifests_with(name);
    match names.iter().find(is_taken) {
        None => Ok(()),
        Some(name) => Err(format!(
            "{} gives dumps of the database {name} the keys of manifests: choose another pattern",
            shown(template, name)
        )),
    }
}

/// Globals that could be listed as a dump would be drilled as one, and a dump must not be read as globals.
fn globals_are_apart(
    template: &Template,
    pattern: &KeyPattern,
    names: &BTreeSet<&DatabaseName>,
) -> Result<(), String> {
    for (server, globals) in &template.globals_patterns {
        let is_of_store =
            *globals == template.store.globals && template.source_server().as_ref() == Some(server);
        let place =
            if is_of_store { "store.globals".to_owned() } else { format!("{}.globals", server.section()) };
        let taken = names
            .iter()
            .find(|name| !pattern.form(name).has_wildcards() && pattern.confuses_globals_with(server, name));
        if let Some(name) = taken {
            return Err(format!(
                "{place} `{globals}` gives globals the key of the manifest, or of a dump of {name}: choose another pattern"
            ));
        }
    }
    Ok(())
}

/// A key that is of two databases would be drilled as both.
fn databases_are_apart(
    template: &Template,
    pattern: &KeyPattern,
    names: &BTreeSet<&DatabaseName>,
) -> Result<(), String> {
    // The databases of a cluster are in one file.
    let cluster =
        |name: &DatabaseName| template.database(name).and_then(|database| database.cluster.as_ref());
    let has_own = |name: &DatabaseName| pattern.own.contains_key(name) || pattern.form(name).has_wildcards();
    for name in names {
        let may_be_of = |other: &&&DatabaseName| {
            *other != name
                && (cluster(name).is_none() || cluster(name) != cluster(other))
                && (has_own(other) || has_own(name))
        };
        for key in sample_keys(pattern, name) {
            let is_of = |other: &&&DatabaseName| pattern.form(other).is_key_of(other, &key);
            if let Some(other) = names.iter().filter(may_be_of).find(is_of) {
                return Err(format!(
                    "the keys of {name} and {other} cannot be told apart: {key} would be of both; give each a `key` of its own"
                ));
            }
        }
    }
    Ok(())
}

/// A key of this database for each of the alternatives of its pattern.
fn sample_keys(pattern: &KeyPattern, name: &DatabaseName) -> Vec<String> {
    let form = pattern.form(name);
    let wanted = form.alternatives().chain([USUAL_LAYER]);
    let key = |wanted| form.fill(name, DateTime::UNIX_EPOCH, wanted).replace('*', ANY_TEXT);
    wanted.map(key).collect()
}

fn shown(template: &Template, name: &DatabaseName) -> String {
    match template.database(name).and_then(|database| database.key.as_ref()) {
        Some(key) => format!("database {name}: key `{key}`"),
        None => format!("store.key `{}`", template.store.key),
    }
}
