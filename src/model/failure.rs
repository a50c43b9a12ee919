//! What a person or a script learns when something cannot go on.
//!
//! A [`Failure`] carries everything the contract promises: a class (which becomes the exit code), a stable
//! code for scripts, what happened, and what to do about it. A failed *check* is not a `Failure`: it is a
//! finding, see [`crate::model::verdict`].

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::Code;
use super::codes;
use crate::model::human::inert;
use crate::model::names::ServerName;
use crate::model::phase::Phase;

/// What to do about a disk that is full, or nearly.
pub const MAKE_ROOM: &str =
    "`docker system df` shows what uses it; `restore-drill reap` removes what crashed drills left";

/// What kind of trouble it is. [`crate::model::exit`] maps each class to an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The template, the environment or the command line is wrong.
    Config,
    /// The backup, the data or an objective is bad: in a real disaster the data would be gone.
    Bad,
    /// The drill could not be run to a verdict; nothing was learnt about the backup.
    Inconclusive,
    /// The drill was asked to stop.
    Cancelled,
}

/// A failure with its designed answer: what, why, and what to do.
///
/// Messages are lowercase fragments, so that `failed to {message}` and `FAILED — {message}` read well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub class: Class,
    /// Stable snake_case identifier for scripts.
    pub code: Code,
    /// What happened, and why. Never holds a secret.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    fn new(class: Class, code: Code, message: impl Into<String>) -> Self {
        // Whatever its class, it may quote a dump, a key or a store, which are hostile until they are verified.
        Self { class, code, message: inert(&message.into()), hint: None }
    }

    /// The failure as it concerns this server. Hints name the keys of `[postgres]`; for another server they name those of its
    /// section, and the message does so too.
    #[must_use]
    pub fn on_server(self, server: &ServerName) -> Self {
        let (hint, section) = (self.hint.as_deref().unwrap_or_default(), server.section());
        let keys = keys_of_postgres(hint);
        if server.is_default() || keys.is_empty() {
            return self;
        }
        let mut own = hint.to_owned();
        for place in keys.into_iter().rev() {
            own.replace_range(place..place + ServerName::DEFAULT.len(), &section);
        }
        self.context(section).hint(own)
    }

    /// Configuration or usage is wrong.
    pub fn config(code: Code, message: impl Into<String>) -> Self {
        Self::new(Class::Config, code, message)
    }

    /// A file that people write is wrong; the message shows its lines, each safe to show.
    pub fn in_file(code: Code, lines: &str) -> Self {
        let lines: Vec<String> = lines.lines().map(inert).collect();
        Self { class: Class::Config, code, message: lines.join("\n"), hint: None }
    }

    /// The backup or its data is bad.
    pub fn bad(code: Code, message: impl Into<String>) -> Self {
        Self::new(Class::Bad, code, message)
    }

    /// The drill could not come to a verdict.
    pub fn inconclusive(code: Code, message: impl Into<String>) -> Self {
        Self::new(Class::Inconclusive, code, message)
    }

    /// The engine's disk is full: says nothing about the backup.
    pub fn disk_full(message: impl Into<String>) -> Self {
        Self::inconclusive(codes::DISK_FULL, message).hint(MAKE_ROOM)
    }

    /// The program itself is at fault.
    pub fn defect(code: Code, message: impl Into<String>) -> Self {
        Self::inconclusive(code, message)
            .hint("this is a defect of restore-drill; please report it with the verdict and what stderr says")
    }

    /// A signal stopped the drill.
    pub fn cancelled() -> Self {
        Self::new(Class::Cancelled, codes::INTERRUPTED, "interrupted before it came to an end")
            .hint("nothing was learnt about the backup; run it again")
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(inert(&hint.into()));
        self
    }

    /// Says what was being done, in front of what went wrong.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{}: {}", inert(&context.to_string()), self.message);
        self
    }

    /// The failure as it stands in a verdict.
    pub fn to_record(&self, phase: Option<Phase>) -> FailureRecord {
        FailureRecord { phase, code: self.code, message: self.message.clone(), hint: self.hint.clone() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A [`Failure`] as a verdict persists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureRecord {
    /// The phase it happened in, where the record is not already inside one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Stable snake_case identifier.
    pub code: Code,
    /// What happened, and why.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Shorthand for results whose error is a [`Failure`].
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Where a hint names a key of `[postgres]`.
fn keys_of_postgres(hint: &str) -> Vec<usize> {
    let begins = |place: usize| {
        !hint[..place].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    hint.match_indices("postgres.").map(|(place, _)| place).filter(|place| begins(*place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_another_server_the_hint_names_its_own_section() {
        let failure = || {
            Failure::inconclusive(codes::OUT_OF_MEMORY, "it was killed")
                .hint("raise postgres.memory, or lower --jobs")
        };
        let [default, other] = ["postgres", "old-postgres"].map(|name| name.parse::<ServerName>().unwrap());
        assert_eq!(failure().on_server(&default), failure());
        let said = failure().on_server(&other);
        assert_eq!(said.message, "servers.old-postgres: it was killed");
        assert_eq!(said.hint.as_deref(), Some("raise servers.old-postgres.memory, or lower --jobs"));
        assert_eq!(said.clone().on_server(&other), said);
        let elsewhere =
            Failure::inconclusive(codes::STORE_UNREACHABLE, "no answer").hint("check the network");
        assert_eq!(elsewhere.clone().on_server(&other), elsewhere);
    }

    #[test]
    fn a_message_cannot_write_lines_of_its_own() {
        let failure = Failure::config(Code::new("x"), "table a\nRestore drill PASSED\u{1b}[2J\u{202e}");
        assert_eq!(failure.message, "table a Restore drill \"PASSED\" [2J\u{fffd}");
    }

    #[test]
    fn context_goes_in_front_and_keeps_the_hint() {
        let failure =
            Failure::bad(codes::EMPTY_DUMP, "decrypts to nothing").hint("look at pg_dump's exit status");
        let failure = failure.context("acp_audit");
        assert_eq!(failure.to_string(), "acp_audit: decrypts to nothing");
        assert_eq!(failure.hint.as_deref(), Some("look at pg_dump's exit status"));
    }
}
