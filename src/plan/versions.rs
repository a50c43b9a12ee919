//! Members of a recovery set against each other: from which major version of PostgreSQL each was dumped. Pure.

use std::collections::BTreeMap;

use super::code;
use super::contents::Contents;
use super::finding;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::template::Template;

/// Members of one server that were dumped from different major versions: right in the middle of an upgrade, or a server that
/// was forgotten. Servers of a template may differ on purpose.
pub fn differ(template: &Template, all: &BTreeMap<&DatabaseName, &Contents>) -> Vec<Finding> {
    let on_one = template.servers().filter_map(|server| {
        let members = template.databases_on(&server.name).filter_map(|name| Some((name, *all.get(name)?)));
        differ_on(members, || match template.has_only_the_default_server() {
            true => "recovery set".to_owned(),
            false => server.name.section(),
        })
    });
    on_one.collect()
}

pub(super) fn differ_on<'a>(
    members: impl Iterator<Item = (&'a DatabaseName, &'a Contents)>,
    subject: impl Fn() -> String,
) -> Option<Finding> {
    let mut majors: BTreeMap<u32, Vec<&DatabaseName>> = BTreeMap::new();
    for (name, contents) in members {
        if let Some(major) = contents.server_major {
            majors.entry(major).or_default().push(name);
        }
    }
    (majors.len() > 1).then(|| {
        let shown: Vec<String> = majors
            .iter()
            .map(|(major, databases)| format!("PostgreSQL {major}: {}", super::inside::names(databases)))
            .collect();
        finding(
            Severity::Warning,
            code::set::SERVER_VERSIONS_DIFFER,
            subject(),
            "members of one major version",
            shown.join("; "),
        )
    })
}
