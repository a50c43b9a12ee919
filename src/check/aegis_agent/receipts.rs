//! `aegis-agent-receipts`: every receipt is what was hashed, follows the one before it, and fits its decision.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::Deserialize;

use super::code::receipts as code;
use super::fold::ChainFold;
use super::read::{self, Asked, Found, More, Shape};
use super::signatures::{self, Signatures, Signed};
use crate::check::context::Context;
use crate::check::entry::{Check, Entry, keys, read};
use crate::check::findings::Outcome;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::Finding;
use crate::target::sqlite::Joined;

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "aegis-agent-receipts",
    read: read::<Receipts>,
    keys: keys::<Receipts>,
    skipped: "no receipt was verified",
    findings: code::FINDINGS,
};

/// Versions of what is hashed; rows from before there was a column have none.
const VERSIONS: [&str; 2] = ["", "aegis-jcs-1"];
/// What both a receipt and its decision say. A receipt may say more, such as `tamper_attempt`.
const COMPARED: [&str; 3] = ["allow", "deny", "require_approval"];

const SHAPE: Shape = Shape {
    table: "action_receipts",
    noun: "receipt",
    hash: "receipt_hash",
    link: "prev_receipt_hash",
    hashed: &[
        ("event_id", "id"),
        ("ts", "ts"),
        ("agent_id", "agent_id"),
        ("user_id", "user_id"),
        ("run_id", "run_id"),
        ("trace_id", "trace_id"),
        ("tool", "tool"),
        ("action", "action"),
        ("resource", "resource"),
        ("source_trust", "source_trust"),
        ("decision", "decision"),
        ("approver", "approver"),
        ("action_hash", "action_hash"),
        ("prev_receipt_hash", "prev_receipt_hash"),
    ],
    more: &["canon_version", "signature", "signer_public_key", "decision_id"],
    joined: Some(Joined {
        table: "decisions",
        by: "decision_id",
        columns: &["id", "tenant_id", "agent_id", "decision"],
    }),
};

/// The receipts of an AegisAgent gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipts {
    /// The check's name.
    pub name: String,
    /// The gateway's database.
    pub database: DatabaseName,
    /// Keys that receipts are signed with: 64 digits, or a path. Empty ones are none.
    #[serde(default)]
    pub public_keys: Vec<String>,
    /// Whether a head of an earlier drill may be gone.
    #[serde(default)]
    pub allow_missing_heads: bool,
    /// Whether there may be no receipt at all.
    #[serde(default)]
    pub allow_empty: bool,
}

#[async_trait]
impl Check for Receipts {
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
        let named = self.public_keys.iter().filter(|key| !key.is_empty());
        let pinned = named.map(|key| signatures::pinned(key)).collect::<Result<_>>()?;
        let asked = Asked {
            check: &self.name,
            database: &self.database,
            allow_missing_heads: self.allow_missing_heads,
            table_missing: code::TABLE_MISSING,
        };
        let mut more = Receipt { signatures: Signatures::new(pinned) };
        read::run(&SHAPE, asked, context, &mut more).await
    }
}

/// What a receipt has besides its place in the chain.
struct Receipt {
    signatures: Signatures,
}

impl More for Receipt {
    fn row(&mut self, fold: &mut ChainFold, found: &Found<'_>) -> bool {
        let [version, signature, key] = [0, 1, 2].map(|number| found.more(number));
        let signed = Signed { hash: found.hash(), signature, key };
        self.signatures.push(fold, found.tenant(), found.id(), signed);
        judge_decision(fold, found);
        let version = version.unwrap_or_default();
        let is_known = VERSIONS.contains(&version);
        if !is_known {
            let actual = format!("canon_version {}", human::one_line(version, 40));
            let subject = fold.subject(found.tenant(), found.id());
            fold.error(code::UNKNOWN_VERSION, subject, "canon_version aegis-jcs-1".to_owned(), actual);
        }
        is_known
    }

    fn finish(&mut self, table: &str) -> (String, Vec<Finding>) {
        let (said, findings) = std::mem::take(&mut self.signatures).finish(table);
        (format!(", {said}"), findings)
    }
}

/// No hash covers which decision a receipt is of.
fn judge_decision(fold: &mut ChainFold, found: &Found<'_>) {
    let [id, there, tenant, agent, decision] = [3, 4, 5, 6, 7].map(|number| found.more(number));
    let Some(id) = id.map(|id| human::one_line(id, 80)) else { return };
    let mut wrong = |code, expected: &str, actual| {
        let subject = fold.subject(found.tenant(), found.id());
        fold.error(code, subject, expected.to_owned(), actual);
    };
    if there.is_none() {
        return wrong(code::DECISION_MISSING, "the decision that it names", format!("no decision {id}"));
    }
    let shown = |value: Option<&str>| human::one_line(value.unwrap_or("none"), 80).to_string();
    let (own_agent, own_decision) = (found.hashed("agent_id"), found.hashed("decision"));
    let compares = own_decision.is_some_and(|own| COMPARED.contains(&own));
    let pairs = [
        ("tenant", Some(found.tenant()), tenant, true),
        ("agent", own_agent, agent, own_agent.is_some()),
        ("decision", own_decision, decision, compares),
    ];
    for (what, own, other, _) in
        pairs.into_iter().filter(|(_, own, other, compares)| *compares && own != other)
    {
        let actual = format!(
            "the {what} of decision {id} is {}, and that of the receipt {}",
            shown(other),
            shown(own)
        );
        wrong(code::DECISION_DIFFERS, "what the decision says", actual);
    }
}
