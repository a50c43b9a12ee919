//! What an engine says of an image.

use std::collections::BTreeMap;

/// What a drill needs to know of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// As the template names it.
    pub name: String,
    /// Its content's id.
    pub id: String,
    /// Its environment, `NAME=value`.
    pub environment: Vec<String>,
    /// What it runs before its command.
    pub entrypoint: Vec<String>,
    /// Paths it declares as volumes.
    pub volumes: Vec<String>,
    /// TCP ports on which it says that it listens.
    pub ports: Vec<u16>,
}

/// Images by the name the template gives them.
pub type Images = BTreeMap<String, ImageFacts>;
