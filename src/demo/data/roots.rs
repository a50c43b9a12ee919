//! Daily roots of the sample data, and the two keys that sign them.
//!
//! On the platform a day's root is a Merkle tree over the signed receipts of its rows, which are not in the database, so
//! no check can recompute it. Here it is the SHA-256 of the event hashes that the root covers, joined by newlines.

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use rand::RngExt;
use serde::Serialize;
use uuid::Uuid;

use super::calendar::{
    DAY, DAY_WITHOUT_ROOTS, KEY_ROTATED_ON, ROOTS_V2_SINCE, SECOND, WHOLE_FINGERPRINTS_SINCE, midnight,
};
use super::chained::ChainedEvents;
use super::copy::RowWriter;
use super::world::{Stream, random_uuid, stream};
use super::{DemoTable, Plan};
use crate::check::chain::{
    EmptyRootVersion, HexDigest, Receipt, empty_day_root, fingerprint, push_iso_timestamp, sign_receipt,
};

/// The key in use and the one before it.
pub(super) struct SigningKeys {
    retired: SigningKey,
    retired_id: Uuid,
    active: SigningKey,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys(***)")
    }
}

impl SigningKeys {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = stream(seed, Stream::Keys);
        Self {
            retired: SigningKey::from_bytes(&rng.random()),
            active: SigningKey::from_bytes(&rng.random()),
            retired_id: random_uuid(&mut rng),
        }
    }

    pub(super) fn active_pem(&self) -> String {
        pem(&self.active)
    }

    fn signing_on(&self, day: u64) -> &SigningKey {
        if day < KEY_ROTATED_ON { &self.retired } else { &self.active }
    }
}

fn pem(key: &SigningKey) -> String {
    key.verifying_key().to_public_key_pem(LineEnding::LF).expect("a public key has a PEM form")
}

/// What a `signed_root_payload` holds.
#[derive(Serialize)]
struct SignedRoot<'a> {
    receipt: &'a Receipt<'a>,
    signature: String,
    algorithm: &'static str,
    public_key_fingerprint: &'a str,
}

/// A row of one tenant and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Leaf {
    at: i64,
    id: Uuid,
    event_hash: [u8; 64],
}

/// The rows that a root covers: those up to the moment it was computed, in the order of their time and id.
fn covered(leaves: &mut [Leaf], until: i64) -> &[Leaf] {
    leaves.sort_unstable();
    &leaves[..leaves.partition_point(|leaf| leaf.at <= until)]
}

fn root_hash(plan: &Plan, leaves: &[Leaf], previous: Option<&str>, day: u64) -> HexDigest {
    if leaves.is_empty() {
        let version = if day < ROOTS_V2_SINCE { EmptyRootVersion::V1 } else { EmptyRootVersion::V2 };
        return empty_day_root(version, previous, plan.calendar.day(day));
    }
    let hashes: Vec<&[u8]> = leaves.iter().map(|leaf| &leaf.event_hash[..]).collect();
    HexDigest::of(&hashes.join(&b'\n'))
}

pub(super) fn transparency_roots(plan: &Arc<Plan>) -> DemoTable {
    let columns = "tenant_id, root_date, root_hash, prev_root_hash, leaf_count, signed_root_payload, \
                   leaf_range_start_id, leaf_range_end_id, signing_key_fingerprint, computed_at";
    let plan = Arc::clone(plan);
    DemoTable::generated("transparency_roots", columns, move || {
        let plan = Arc::clone(&plan);
        move |out: &mut Vec<u8>| {
            // A few dozen rows, so one step writes them all.
            for (tenant, days) in leaves_by_tenant_and_day(&plan).iter_mut().enumerate() {
                write_roots(&plan, tenant, days, out);
            }
            false
        }
    })
}

fn leaves_by_tenant_and_day(plan: &Arc<Plan>) -> Vec<Vec<Vec<Leaf>>> {
    let days = plan.calendar.day_number(plan.calendar.end) + 1;
    let mut leaves = vec![vec![Vec::new(); days as usize]; plan.world.tenants.len()];
    let mut rows = ChainedEvents::new(plan);
    while let Some(row) = rows.advance() {
        let day = plan.calendar.day_number(row.event.at);
        let leaf = Leaf { at: row.event.at, id: row.event.id, event_hash: *row.event_hash.as_bytes() };
        leaves[row.event.tenant][day as usize].push(leaf);
    }
    leaves
}

fn write_roots(plan: &Plan, tenant: usize, days: &mut [Vec<Leaf>], out: &mut Vec<u8>) {
    let tenant = &plan.world.tenants[tenant];
    let mut previous: Option<HexDigest> = None;
    for ((day, computed_at), leaves) in plan.calendar.days_with_roots().zip(days) {
        let is_without = day == DAY_WITHOUT_ROOTS;
        if is_without && leaves.is_empty() {
            continue;
        }
        let root_date = plan.calendar.day(day);
        // A root that was made up for later covers the whole day.
        let end_of_day = midnight(root_date) + DAY - 1;
        let (until, computed_at) = if is_without {
            (end_of_day, end_of_day + 9 * 3_600 * SECOND)
        } else {
            (computed_at, computed_at)
        };
        let leaves = covered(leaves, until);
        let prev_root_hash = previous.as_ref().map(HexDigest::as_str);
        let root = root_hash(plan, leaves, prev_root_hash, day);
        let (first_leaf, last_leaf) = (leaves.first().map(|leaf| leaf.id), leaves.last().map(|leaf| leaf.id));
        let [first, last] = [first_leaf, last_leaf].map(|id| id.map(|id| id.to_string()));
        let mut window_end = Vec::new();
        let is_in_range = push_iso_timestamp(&mut window_end, until);
        debug_assert!(is_in_range, "the sample data lies within the years 1 to 9999");
        let receipt = Receipt {
            kind: "transparency_root",
            leaf_count: leaves.len() as i64,
            leaf_range_end_id: last.as_deref(),
            leaf_range_start_id: first.as_deref(),
            prev_root_hash,
            root_date,
            root_hash: root.as_str(),
            tenant_id: &tenant.id.to_string(),
            version: if day < ROOTS_V2_SINCE { 1 } else { 2 },
            window_end: &String::from_utf8_lossy(&window_end),
        };
        let key = plan.keys.signing_on(day);
        let key_name = fingerprint(&pem(key));
        let key_name =
            if day < WHOLE_FINGERPRINTS_SINCE { &key_name.as_str()[..32] } else { key_name.as_str() };
        let signed = SignedRoot {
            receipt: &receipt,
            signature: sign_receipt(key, &receipt.canonical_json()),
            algorithm: "ed25519",
            public_key_fingerprint: key_name,
        };
        let payload =
            serde_json::to_string(&signed).expect("a struct of strings and numbers has a JSON form");
        let mut row = RowWriter::new(out);
        row.uuid(tenant.id).plain(root_date).text(root.as_str()).optional_text(prev_root_hash);
        row.plain(leaves.len()).text(&payload).optional_uuid(first_leaf).optional_uuid(last_leaf);
        row.text(key_name).timestamp(computed_at).end();
        previous = Some(root);
    }
}

/// The retired key only: the active one is not in the database.
pub(super) fn transparency_historical_keys(plan: &Arc<Plan>) -> DemoTable {
    let columns = "id, fingerprint, public_key_pem, algorithm, rotated_at, retired_reason";
    let plan = Arc::clone(plan);
    DemoTable::counted("transparency_historical_keys", columns, 1, move |_, row| {
        let pem = pem(&plan.keys.retired);
        row.uuid(plan.keys.retired_id).text(fingerprint(&pem).as_str()).text(&pem).text("ed25519");
        row.timestamp(midnight(plan.calendar.day(KEY_ROTATED_ON))).text("scheduled rotation");
    })
}
