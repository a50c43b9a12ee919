//! `aegis-agent-policy-log`: every entry of the log of policies is what was hashed, and follows the one before it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::Deserialize;

use super::code::policy_log as code;
use super::fold::ChainFold;
use super::read::{self, Asked, Found, More, Shape};
use crate::check::context::Context;
use crate::check::entry::{Check, Entry, keys, read};
use crate::check::findings::Outcome;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::model::verdict::Finding;

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "aegis-agent-policy-log",
    read: read::<PolicyLog>,
    keys: keys::<PolicyLog>,
    skipped: "no entry of the log of policies was verified",
    findings: code::FINDINGS,
};

const SHAPE: Shape = Shape {
    table: "policy_audit_log",
    noun: "entry",
    hash: "entry_hash",
    link: "prev_hash",
    hashed: &[
        ("id", "id"),
        ("tenant_id", "tenant_id"),
        ("policy_id", "policy_id"),
        ("policy_key", "policy_key"),
        ("action", "action"),
        ("changed_by", "changed_by"),
        ("body_hash", "body_hash"),
        ("diff_summary", "diff_summary"),
        ("prev_hash", "prev_hash"),
    ],
    more: &[],
    joined: None,
};

/// The log of policies of an AegisAgent gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyLog {
    /// The check's name.
    pub name: String,
    /// The gateway's database.
    pub database: DatabaseName,
    /// Whether a head of an earlier drill may be gone.
    #[serde(default)]
    pub allow_missing_heads: bool,
    /// Whether there may be no entry at all.
    #[serde(default)]
    pub allow_empty: bool,
}

#[async_trait]
impl Check for PolicyLog {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        [&self.database].into()
    }

    fn works_on(&self, system: DatabaseSystem) -> bool {
        system == DatabaseSystem::Sqlite
    }

    fn allow_empty(&self) -> bool {
        self.allow_empty
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        let asked = Asked {
            check: &self.name,
            database: &self.database,
            allow_missing_heads: self.allow_missing_heads,
            table_missing: code::TABLE_MISSING,
        };
        read::run(&SHAPE, asked, context, &mut NoMore).await
    }
}

/// An entry has nothing that is not hashed.
struct NoMore;

impl More for NoMore {
    fn row(&mut self, _: &mut ChainFold, _: &Found<'_>) -> bool {
        true
    }

    fn finish(&mut self, _: &str) -> (String, Vec<Finding>) {
        (String::new(), Vec::new())
    }
}
