//! `verify-chain`: every row of a tamper-evident chain is unaltered, and none is missing between two others.
//!
//! Rows are read in the order they lie on disk, in parts and in parallel, and judged one by one: what is in a row needs
//! no other row. Its link needs its parent. A log that was only ever appended to lies nearly in the order of its chains,
//! so the links are judged on the way too: where they are followed as they are ([`tree`]), from the latest rows; where
//! there is an order of columns ([`runs`]), from pieces of chains that are joined as they come. Where that does not work
//! out, they are judged in a second reading, of narrow rows.
//!
//! Judging works on stored hashes alone, row by row, so after a break it goes on with the row it has: one edited row is
//! one finding, not a finding for every row after it.

pub mod code;
mod content;
mod extents;
mod fields;
mod fold;
mod followed;
mod heads;
mod jsonl;
mod layout;
mod limits;
mod links;
mod order;
mod place;
mod read;
mod recent;
mod remarks;
mod rules;
mod runs;
mod search;
mod settings;
mod sightings;
mod since;
mod tree;
mod value;

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::context::Context;
use super::entry::{Check, Entry};
use super::findings::Outcome;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::target::postgres::{DatabaseAddress, SharedServer};
use crate::template::{NeededTable, Template};

pub use self::read::{verify, verify_within};
pub use extents::Extents;
pub use fold::{RowFold, Step, Verified};
pub use heads::{Head, Heads, Sighted, Watch};
pub use jsonl::verify_jsonl;
pub use layout::Layout;
pub use limits::Limits;
pub use order::Order;
pub use search::{FoundParents, Wanted};
pub use settings::{
    Chain, ChainScheme, Content, ContentKeys, HashChain, JoinForm, Preimage, Scheme, VerifyChain,
};
pub(super) use since::digest as chain_digest;

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "verify-chain",
    read: super::entry::read::<VerifyChain>,
    keys: super::entry::keys::<VerifyChain>,
    skipped: "no row of the chain was verified",
    findings: code::FINDINGS,
};

#[async_trait]
impl Check for VerifyChain {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        [&self.database].into()
    }

    fn tables(&self) -> Vec<NeededTable> {
        vec![NeededTable {
            check: self.name.clone(),
            database: self.database.clone(),
            table: self.table.clone(),
            view_suffices: true,
            rows: 0,
        }]
    }

    fn allow_empty(&self) -> bool {
        self.allow_empty
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        self.chain().map(drop).map_err(|why| format!("check {}: {why}", self.name))
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// Verifies the chains of a restored table.
///
/// # Errors
/// If it cannot be judged.
async fn run(check: &VerifyChain, context: &Context<'_>) -> Result<Outcome> {
    let chain = check.chain().map_err(|why| Failure::config(codes::TEMPLATE_INVALID, why))?;
    let tools = context.tools;
    let SharedServer { server, connections } = tools.servers.of(&check.database);
    let database = DatabaseAddress::InStack(server.clone(), check.database.clone());
    // One holds the snapshot that the others read.
    let _permits = connections.hold(tools.jobs + 1).await;
    let before = tools.earlier.heads_before(&check.name, &check.database, context.taken_at(&check.database));
    let watch = since::watch(before);
    let verified = verify(&database, &check.table, &chain, tools.jobs, &watch).await?;
    Ok(since::compare(check, verified, before, &tools.earlier))
}
