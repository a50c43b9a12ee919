//! Daily roots of the sample data, and the two keys that sign them.
//!
//! The platform does not document how a day's root follows from its rows, and no check relies on it. Here it is the
//! SHA-256 of the tenant's event hashes of that day, in the order they were recorded, joined by newlines.

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use rand::RngExt;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::calendar::{DAY, KEY_ROTATED_ON, ROOTS_V2_SINCE, WHOLE_FINGERPRINTS_SINCE, midnight};
use super::chained::ChainedEvents;
use super::copy::RowWriter;
use super::world::{Stream, random_uuid, stream};
use super::{DemoTable, Plan};
use crate::chain::{
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

/// The rows of one tenant and day.
#[derive(Clone, Default)]
struct Leaves {
    hash: Sha256,
    count: i64,
    first: Option<Uuid>,
    last: Option<Uuid>,
}

impl Leaves {
    fn add(&mut self, id: Uuid, event_hash: &HexDigest) {
        if self.count > 0 {
            self.hash.update(b"\n");
        }
        self.hash.update(event_hash.as_bytes());
        self.count += 1;
        self.first.get_or_insert(id);
        self.last = Some(id);
    }

    fn root(&self, plan: &Plan, previous: Option<&str>, day: u64) -> HexDigest {
        if self.count > 0 {
            return HexDigest::from_raw(self.hash.clone().finalize().into());
        }
        let version = if day < ROOTS_V2_SINCE { EmptyRootVersion::V1 } else { EmptyRootVersion::V2 };
        empty_day_root(version, previous, plan.calendar.day(day))
    }
}

pub(super) fn transparency_roots(plan: &Arc<Plan>) -> DemoTable {
    let columns = "tenant_id, root_date, root_hash, prev_root_hash, leaf_count, signed_root_payload, \
                   leaf_range_start_id, leaf_range_end_id, signing_key_fingerprint, computed_at";
    let plan = Arc::clone(plan);
    DemoTable::generated("transparency_roots", columns, move || {
        let plan = Arc::clone(&plan);
        move |out: &mut Vec<u8>| {
            // A few dozen rows, so one step writes them all.
            for (tenant, days) in leaves_by_tenant_and_day(&plan).iter().enumerate() {
                write_roots(&plan, tenant, days, out);
            }
            false
        }
    })
}

fn leaves_by_tenant_and_day(plan: &Arc<Plan>) -> Vec<Vec<Leaves>> {
    let days = plan.calendar.day_number(plan.calendar.end) + 1;
    let mut leaves = vec![vec![Leaves::default(); days as usize]; plan.world.tenants.len()];
    let mut rows = ChainedEvents::new(plan);
    while let Some(row) = rows.advance() {
        let day = plan.calendar.day_number(row.event.at);
        leaves[row.event.tenant][day as usize].add(row.event.id, &row.event_hash);
    }
    leaves
}

fn write_roots(plan: &Plan, tenant: usize, days: &[Leaves], out: &mut Vec<u8>) {
    let tenant = &plan.world.tenants[tenant];
    let mut previous: Option<HexDigest> = None;
    for ((day, computed_at), leaves) in plan.calendar.days_with_roots().zip(days) {
        let root_date = plan.calendar.day(day);
        let prev_root_hash = previous.as_ref().map(HexDigest::as_str);
        let root = leaves.root(plan, prev_root_hash, day);
        let [first, last] = [leaves.first, leaves.last].map(|id| id.map(|id| id.to_string()));
        let mut window_end = Vec::new();
        let is_in_range = push_iso_timestamp(&mut window_end, midnight(root_date) + DAY);
        debug_assert!(is_in_range, "the sample data lies within the years 1 to 9999");
        let receipt = Receipt {
            kind: "transparency_root",
            leaf_count: leaves.count,
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
        row.plain(leaves.count).text(&payload).optional_uuid(leaves.first).optional_uuid(leaves.last);
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
