//! The phases of a drill.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The phases of a drill. Restoring and checking overlap, and count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Choosing the recovery set.
    Plan,
    /// Checking whether the drill can be run.
    Preflight,
    /// Starting the stack.
    Stack,
    /// Proving that it can reach nothing.
    Isolation,
    /// Restoring and checking.
    Restore,
    /// Judging objectives.
    Objectives,
    /// Removing everything.
    Teardown,
}

impl Phase {
    /// The word that stands in verdicts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Preflight => "preflight",
            Self::Stack => "stack",
            Self::Isolation => "isolation",
            Self::Restore => "restore",
            Self::Objectives => "objectives",
            Self::Teardown => "teardown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
