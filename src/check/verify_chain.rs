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

mod content;
mod extents;
mod fold;
mod heads;
mod jsonl;
mod layout;
mod limits;
mod links;
mod place;
mod read;
mod recent;
mod remarks;
mod runs;
mod search;
mod sightings;
mod since;
mod tree;
mod value;

use super::{Context, Outcome};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::target::postgres::Database;
use crate::template;

pub use extents::Extents;
pub use fold::{Order, RowFold, Step, Verified};
pub use heads::{Head, Heads, Sighted, Watch};
pub use jsonl::verify_jsonl;
pub use layout::Layout;
pub use limits::Limits;
pub use read::{verify, verify_within};
pub use search::{FoundParents, Wanted};
pub use since::HEADS_NOT_COMPARED;

/// Verifies the chains of a restored table.
///
/// # Errors
/// If it cannot be judged.
pub async fn run(check: &template::VerifyChain, context: &Context<'_>) -> Result<Outcome> {
    let chain = check.chain().map_err(|why| Failure::config(codes::TEMPLATE_INVALID, why))?;
    let database = Database::InStack(context.tools.server.clone(), check.database.clone());
    let tools = context.tools;
    // One holds the snapshot that the others read.
    let _permits = tools.connections.hold(tools.jobs + 1).await;
    let before = tools.earlier.heads_before(&check.name, &check.database, context.taken_at(&check.database));
    let watch = since::watch(before);
    let verified = verify(&database, &check.table, &chain, tools.jobs, &watch).await?;
    Ok(since::compare(check, verified, before, &tools.earlier))
}
