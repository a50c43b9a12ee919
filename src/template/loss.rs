//! What a recovery point may have lost since the one before it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::human;
use crate::model::manifest::ObjectKind;

/// A kind of thing in a dump's table of contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Schemas.
    Schemas,
    /// Extensions.
    Extensions,
    /// Types and domains.
    Types,
    /// Functions, procedures and aggregates.
    Functions,
    /// Tables.
    Tables,
    /// Sequences.
    Sequences,
    /// Views, materialized ones too.
    Views,
    /// Defaults of columns that a dump lists by themselves.
    Defaults,
    /// Indexes.
    Indexes,
    /// Primary keys, foreign keys, and other constraints.
    Constraints,
    /// Triggers, event triggers too.
    Triggers,
    /// Rules.
    Rules,
    /// Row-level security policies.
    Policies,
    /// Extended statistics.
    Statistics,
    /// Publications.
    Publications,
    /// Privileges, all of them at once.
    Acls,
}

impl LossKind {
    /// The kind that an object counts as.
    pub fn of(kind: ObjectKind) -> Option<Self> {
        Some(match kind {
            ObjectKind::Schema => Self::Schemas,
            ObjectKind::Extension => Self::Extensions,
            ObjectKind::Type | ObjectKind::Domain => Self::Types,
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => Self::Functions,
            ObjectKind::Table => Self::Tables,
            ObjectKind::Sequence => Self::Sequences,
            ObjectKind::View | ObjectKind::MaterializedView => Self::Views,
            ObjectKind::Default => Self::Defaults,
            ObjectKind::Index => Self::Indexes,
            ObjectKind::Constraint => Self::Constraints,
            ObjectKind::Trigger | ObjectKind::EventTrigger => Self::Triggers,
            ObjectKind::Rule => Self::Rules,
            ObjectKind::Policy => Self::Policies,
            ObjectKind::Statistics => Self::Statistics,
            ObjectKind::Publication => Self::Publications,
            ObjectKind::Other => return None,
        })
    }

    /// So many of them, for people.
    pub fn things(self, number: u64) -> String {
        match (self, number) {
            (_, 1) => human::things(number, self.word()),
            (Self::Policies, _) => format!("{} policies", human::count(number)),
            (Self::Indexes, _) => format!("{} indexes", human::count(number)),
            _ => human::things(number, self.word()),
        }
    }

    /// One of them, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Schemas => "schema",
            Self::Extensions => "extension",
            Self::Types => "type",
            Self::Functions => "function",
            Self::Tables => "table",
            Self::Sequences => "sequence",
            Self::Views => "view",
            Self::Defaults => "default",
            Self::Indexes => "index",
            Self::Constraints => "constraint",
            Self::Triggers => "trigger",
            Self::Rules => "rule",
            Self::Policies => "policy",
            Self::Statistics => "statistics object",
            Self::Publications => "publication",
            Self::Acls => "privilege",
        }
    }
}
