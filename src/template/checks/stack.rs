//! Checks that ask the stack: a service that must answer, a program that must succeed.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use super::data::positive;
use crate::model::names::DatabaseName;
use crate::model::secret::Secret;
use crate::template::Template;

/// A service of the stack that must answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The check's name.
    pub name: String,
    /// The databases that must be restored before it is asked.
    pub databases: Vec<DatabaseName>,
    /// The service.
    pub service: String,
    /// Its port.
    pub port: u16,
    /// What is asked for.
    #[serde(default = "root")]
    pub path: String,
    /// The status codes that are right. Empty: 200 to 299.
    #[serde(default)]
    pub expect_status: Vec<u16>,
    /// Text that the answer's body must have in its first 64 KiB.
    #[serde(default)]
    pub contains: Option<String>,
    /// Whether the beginning of the body of a wrong answer may be shown.
    #[serde(default)]
    pub show_body: bool,
    /// How long one request may take.
    #[serde(with = "humantime_serde", default = "request_timeout")]
    pub timeout: Duration,
    /// It is asked again until it answers rightly, for so long.
    #[serde(with = "humantime_serde", default = "patience")]
    pub within: Duration,
}

impl Http {
    pub(in crate::template) fn validate(&self, template: &Template) -> Result<(), String> {
        let place = format!("check {}", self.name);
        if !template.services.contains_key(&self.service) {
            return Err(format!("{place} asks the service {}, which is not among [services]", self.service));
        }
        if self.port == 0 {
            return Err(format!("{place}: port must be 1 to 65535"));
        }
        if !self.path.starts_with('/')
            || self.path.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii())
        {
            return Err(format!(
                "{place}: path `{}` must begin with / and hold no spaces; encode others as %XX",
                self.path.escape_debug()
            ));
        }
        if let Some(status) = self.expect_status.iter().find(|status| !(100..=599).contains(*status)) {
            return Err(format!("{place}: {status} is not an HTTP status"));
        }
        positive(self.timeout, &place)
    }
}

/// A program that must succeed, in a container of its own on the drill's network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The check's name.
    pub name: String,
    /// The databases that must be restored before it runs.
    pub databases: Vec<DatabaseName>,
    /// Its image.
    pub image: String,
    /// Replaces the image's entrypoint. Default: the image's own.
    #[serde(default)]
    pub entrypoint: Vec<String>,
    /// The command. Default: the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// The user it runs as. Default: the image's own.
    #[serde(default)]
    pub user: Option<String>,
    /// Its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, Secret>,
    /// Whether it is told how to reach the drill's Postgres: `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, and
    /// `PGDATABASE`, which is the first of `databases`.
    #[serde(default)]
    pub postgres: bool,
    /// The container's memory limit.
    #[serde(default = "memory")]
    pub memory: ByteSize,
    /// How long it may run.
    #[serde(with = "humantime_serde", default = "run_timeout")]
    pub timeout: Duration,
    /// The last lines of its output that are kept.
    #[serde(default = "output_lines")]
    pub output_lines: usize,
}

/// The most lines of output that can be kept.
const MOST_OUTPUT_LINES: usize = 200;

impl Command {
    pub(in crate::template) fn validate(&self) -> Result<(), String> {
        let place = format!("check {}", self.name);
        if self.image.is_empty() {
            return Err(format!("{place}: image is empty"));
        }
        if let Some(name) = self.environment.keys().find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return Err(format!("{place}: `{}` is not the name of a variable", name.escape_debug()));
        }
        if self.output_lines > MOST_OUTPUT_LINES {
            return Err(format!(
                "{place}: output_lines is {}, and at most {MOST_OUTPUT_LINES} are kept",
                self.output_lines
            ));
        }
        if let Some(name) = self.environment.keys().find(|name| self.postgres && name.starts_with("PG")) {
            return Err(format!(
                "{place}: postgres = true sets the PG variables; take {name} out of environment, or postgres = true"
            ));
        }
        positive(self.timeout, &place)
    }
}

fn root() -> String {
    "/".to_owned()
}

fn request_timeout() -> Duration {
    Duration::from_secs(5)
}

fn patience() -> Duration {
    Duration::from_secs(30)
}

fn memory() -> ByteSize {
    ByteSize::mib(512)
}

fn run_timeout() -> Duration {
    Duration::from_secs(5 * 60)
}

fn output_lines() -> usize {
    20
}
