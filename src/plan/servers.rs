//! The servers of a drill: what is known of their images, and what the dumps need of each.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::contents::Contents;
use super::forecast;
use super::image::{self, ImageFacts, is_supplied};
use crate::model::names::{DatabaseName, ServerName};
use crate::model::past::PastDrill;
use crate::template::Template;

/// One of several servers of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlannedServer {
    /// Name of the server.
    pub name: ServerName,
    /// Databases that are restored to it.
    pub databases: Vec<DatabaseName>,
    /// What is known of its image.
    pub image: ImageFacts,
    /// The major version that the image must have at least, by the dumps that could be read.
    pub needs_major: Option<u32>,
    /// Extensions in the dumps that do not come with PostgreSQL: the image must have them.
    pub needs_extensions: Vec<String>,
}

/// What is known of each server's image.
pub(super) fn images(template: &Template, past: &[PastDrill]) -> BTreeMap<ServerName, ImageFacts> {
    let facts = template.servers().map(|server| {
        let facts = image::facts(&server, forecast::version_seen(&server.image, past));
        (server.name, facts)
    });
    facts.collect()
}

/// The servers with what their dumps need; none if there is only that of `[postgres]`.
pub(super) fn planned(
    template: &Template,
    images: &BTreeMap<ServerName, ImageFacts>,
    contents: &BTreeMap<&DatabaseName, &Contents>,
) -> Vec<PlannedServer> {
    if template.has_only_the_default_server() {
        return Vec::new();
    }
    let planned = template.servers().map(|server| {
        let image = images[&server.name].clone();
        let databases: Vec<DatabaseName> = template.databases_on(&server.name).cloned().collect();
        let read: Vec<&&Contents> = databases.iter().filter_map(|name| contents.get(name)).collect();
        let extensions: BTreeSet<&String> = read.iter().flat_map(|contents| &contents.extensions).collect();
        let more = extensions.into_iter().filter(|name| !is_supplied(name, image.major));
        PlannedServer {
            needs_major: read.iter().filter_map(|contents| contents.needs_major).max(),
            needs_extensions: more.cloned().collect(),
            name: server.name,
            databases,
            image,
        }
    });
    planned.collect()
}
