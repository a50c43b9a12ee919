//! What `fetch` prints of the proofs of what it fetched, a dump or globals.

use crate::fetch::{ManifestComparison, ProvedBy};
use crate::model::human;
use crate::view::Page;

/// What shows that the bytes are the right ones, and what speaks against it.
pub fn proofs(
    out: &mut Page,
    proved_by: Option<&ProvedBy>,
    manifest: &ManifestComparison,
    warnings: &[String],
) {
    match proved_by {
        Some(drill) => writeln!(
            out,
            "Proved by       the drill of {}, {}",
            human::moment(drill.started_at),
            drill.verdict
        ),
        None => writeln!(out, "Proved by       no drill"),
    }
    match &manifest.not_compared {
        None => writeln!(out, "Manifest        the same digests, {}", manifest.key),
        Some(why) => writeln!(out, "Manifest        not compared: {why}"),
    }
    for warning in warnings {
        writeln!(out, "Warning         {warning}");
    }
}
