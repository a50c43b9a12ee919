//! `transparency-roots`: every day's root is linked to the day before, signed by a known key, and counts its rows.
//!
//! A pure fold over roots in the order of tenant and day.

pub mod code;
mod leaves;
mod links;
mod snapshot;
mod snapshot_objects;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value;

use crate::check::chain::{KeyRing, same_fingerprint, verify_receipt};
use crate::check::context::{Context, Restored};
use crate::check::entry::{Check, Entry, keys, read};
use crate::check::findings::{Findings, Outcome};
use crate::model::code::Code;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::SharedServer;
use crate::target::postgres::root_rows::RootRow;
use crate::template::{NeededTable, TableName, Template};
use leaves::Tails;
use links::EarlierRoots;
use snapshot::Snapshot;

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "transparency-roots",
    read: read::<TransparencyRoots>,
    keys: keys::<TransparencyRoots>,
    skipped: "no signed root was verified",
    findings: code::FINDINGS,
};

/// Daily signed roots of an Aegis audit database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransparencyRoots {
    /// The check's name.
    pub name: String,
    /// The audit database.
    pub database: DatabaseName,
    /// Path of the public key that signs roots today, in PEM form: it is not in the database. Empty for none.
    #[serde(default)]
    pub active_public_key: Option<PathBuf>,
    /// Where the store keeps snapshots of the roots: a prefix of the bucket, whole. Empty for none.
    #[serde(default)]
    pub snapshot: Option<String>,
    /// Whether pruned days fail the check. Otherwise they are warnings.
    #[serde(default)]
    pub require_genesis: bool,
    /// Whether no root may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
}

#[async_trait]
impl Check for TransparencyRoots {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        [&self.database].into()
    }

    fn allow_empty(&self) -> bool {
        self.allow_empty
    }

    fn tables(&self) -> Vec<NeededTable> {
        let needed = |name: &str| NeededTable {
            check: self.name.clone(),
            database: self.database.clone(),
            table: table(name),
            view_suffices: false,
            rows: 0,
        };
        TABLES.into_iter().map(needed).collect()
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        if self.snapshot.as_ref().is_some_and(|prefix| prefix.contains("://")) {
            let name = &self.name;
            return Err(format!("check {name}: snapshot is a prefix of the store's bucket, not a URL"));
        }
        Ok(())
    }

    fn public_key(&self) -> Option<&Path> {
        self.active_public_key.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// Verifies roots.
pub struct RootFold {
    keys: KeyRing,
    unreadable_keys: u64,
    findings: Findings,
    roots: u64,
    earlier: EarlierRoots,
    require_genesis: bool,
    audit_rows: u64,
    /// Rows that were written after the last time their root was computed.
    tails: Tails,
    /// What roots are held against, and the day from which on it may know more than the database.
    snapshot: Option<(Snapshot, NaiveDate)>,
}

impl RootFold {
    /// A fold with the keys that are known. A tenant's first root may have one before it that was pruned, and its first
    /// days may have lost their rows, unless `require_genesis`.
    pub fn new(keys: KeyRing, audit_rows: u64, require_genesis: bool) -> Self {
        let findings = Findings::default();
        Self {
            keys,
            unreadable_keys: 0,
            findings,
            roots: 0,
            earlier: EarlierRoots::default(),
            require_genesis,
            audit_rows,
            tails: Tails::default(),
            snapshot: None,
        }
    }

    /// Takes a key of the table, under the fingerprint that is written beside it.
    pub fn add_key(&mut self, fingerprint: &str, pem: &str) {
        let (code, expected, actual) = match self.keys.insert(pem) {
            Ok(own) if same_fingerprint(own.as_str(), fingerprint) => return,
            Ok(own) => (
                code::SIGNING_KEY_DIFFERS,
                "a key of that fingerprint".to_owned(),
                format!("another key, of the fingerprint {}", own.as_str()),
            ),
            Err(error) => {
                self.unreadable_keys += 1;
                let expected = "an Ed25519 public key in PEM form".to_owned();
                (code::SIGNING_KEY_UNREADABLE, expected, human::one_line(&error.to_string(), 200))
            }
        };
        let subject = format!("key {}", human::one_line(fingerprint, 64));
        self.findings.push(Finding { severity: Severity::Error, code, subject, expected, actual });
    }

    /// Reports a day on which a tenant has audit rows, and no root, though there has been time to compute one.
    pub fn day_without_root(&mut self, tenant: &str, date: NaiveDate, leaves: i64) {
        self.findings.push(Finding {
            severity: Severity::Error,
            code: code::MISSING_ROOT,
            subject: format!("root of tenant {} for {date}", human::one_line(tenant, 64)),
            expected: format!("a root over {leaves} audit rows"),
            actual: "no root".to_owned(),
        });
    }

    /// Reports roots or audit rows of a tenant that belong to no day: no root counts them.
    pub fn without_day(&mut self, what: &str, tenant: &str, count: i64) {
        self.findings.push(Finding {
            severity: Severity::Error,
            code: code::NO_DAY,
            subject: format!("{what} of tenant {}", human::one_line(tenant, 64)),
            expected: "a day in the years 1 to 9999".to_owned(),
            actual: format!("{count} of them without one"),
        });
    }

    /// Takes the next root.
    pub fn push(&mut self, root: RootRow) {
        self.roots += 1;
        if let Some((snapshot, until)) = &mut self.snapshot {
            snapshot.compare(&root, *until, &mut self.findings);
        }
        self.check_link(&root);
        self.check_leaves(&root);
        self.check_receipt(&root);
        // Without any key every signature would be a finding that says the same.
        if !self.keys.is_empty() {
            self.check_signature(&root);
        }
    }

    /// The outcome.
    pub fn finish(mut self) -> Outcome {
        if self.keys.is_empty() && (self.roots > 0 || self.audit_rows > 0) {
            self.findings.push(Finding {
                severity: Severity::Error,
                code: code::NO_SIGNING_KEYS,
                subject: "transparency_historical_keys".to_owned(),
                expected: "the keys that signed the roots".to_owned(),
                actual: format!(
                    "{} audit rows and {} roots, and no key to verify them with: {}, and no active public key is given",
                    human::count(self.audit_rows),
                    human::count(self.roots),
                    match self.unreadable_keys {
                        0 => "the table is empty (was it left out of the backup?)",
                        _ => "none in the table can be read",
                    }
                ),
            });
        }
        self.findings.extend(self.tails.finding());
        let mut held = format!(
            "{}, {}",
            human::things(self.roots, "root"),
            human::things(self.keys.len() as u64, "key")
        );
        if let Some((snapshot, until)) = self.snapshot {
            let compared = snapshot.finish(until, self.require_genesis, &mut self.findings);
            held.push_str(&format!(", {} equal to the snapshot", human::count(compared)));
        }
        self.findings.into_outcome(self.roots, held)
    }

    fn check_receipt(&mut self, root: &RootRow) {
        let receipt: Option<Value> = root.receipt.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let Some(receipt) = receipt else {
            self.find(
                root,
                Severity::Error,
                code::RECEIPT_MISSING,
                "a signed receipt".to_owned(),
                "none that can be read".to_owned(),
            );
            return;
        };
        let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::String);
        let columns = [
            ("tenant_id", Value::String(root.tenant.clone())),
            ("root_date", Value::String(root.date.to_string())),
            ("root_hash", Value::String(root.root_hash.clone())),
            ("prev_root_hash", text(&root.prev_root_hash)),
            ("leaf_count", Value::from(root.leaf_count)),
            ("leaf_range_start_id", text(&root.leaf_range_start)),
            ("leaf_range_end_id", text(&root.leaf_range_end)),
        ];
        for (name, column) in columns {
            let signed = receipt.get(name).unwrap_or(&Value::Null);
            if *signed != column {
                let actual = format!("the row has {name} {}", human::one_line(&column.to_string(), 100));
                let expected = format!("{name} {} as signed", human::one_line(&signed.to_string(), 100));
                self.find(root, Severity::Error, code::RECEIPT_DIFFERS, expected, actual);
            }
        }
        let signed_by = root.payload_fingerprint.as_deref();
        if !signed_by.is_some_and(|signed_by| same_fingerprint(signed_by, &root.fingerprint)) {
            let expected =
                format!("signing_key_fingerprint {}", root.payload_fingerprint.as_deref().unwrap_or("null"));
            let actual = format!("signing_key_fingerprint {}", root.fingerprint);
            self.find(root, Severity::Error, code::RECEIPT_DIFFERS, expected, actual);
        }
    }

    fn check_signature(&mut self, root: &RootRow) {
        let Some(key) = self.keys.find(&root.fingerprint) else {
            let expected =
                "the fingerprint of a key in transparency_historical_keys, or of the active public key"
                    .to_owned();
            let actual = format!("signed by an unknown key {}", human::one_line(&root.fingerprint, 64));
            self.find(root, Severity::Error, code::UNKNOWN_SIGNING_KEY, expected, actual);
            return;
        };
        let Some(signature) = &root.signature else {
            self.find(
                root,
                Severity::Error,
                code::BAD_SIGNATURE,
                "a signature over the receipt".to_owned(),
                "none".to_owned(),
            );
            return;
        };
        // Without a receipt there is a finding already.
        let Some(receipt) = &root.receipt else { return };
        if let Err(error) = verify_receipt(key, receipt, signature) {
            self.find(
                root,
                Severity::Error,
                code::BAD_SIGNATURE,
                "a signature over the receipt".to_owned(),
                error.to_string(),
            );
        }
    }

    fn find(&mut self, root: &RootRow, severity: Severity, code: Code, expected: String, actual: String) {
        let subject = format!("root of tenant {} for {}", human::one_line(&root.tenant, 64), root.date);
        self.findings.push(Finding { severity, code, subject, expected, actual });
    }
}

/// What roots are verified with.
const TABLES: [&str; 3] = ["audit_logs", "transparency_roots", "transparency_historical_keys"];

fn table(name: &str) -> TableName {
    name.parse().expect("a table's name")
}

fn missing_tables<'a>(
    check: &'a TransparencyRoots,
    restored: &'a Restored<'_>,
) -> impl Iterator<Item = Finding> + 'a {
    let there = |name: &str| {
        restored.get(&check.database).is_some_and(|contents| contents.rows.contains_key(&table(name)))
    };
    TABLES.into_iter().filter(move |name| !there(name)).map(|name| Finding {
        severity: Severity::Error,
        code: code::TABLE_MISSING,
        subject: format!("{}.{}", check.database, table(name)),
        expected: "the table".to_owned(),
        actual: "it is not in the restored database: was it left out of the backup?".to_owned(),
    })
}

/// Gathers the keys, then streams the roots.
///
/// # Errors
/// If it cannot be judged.
async fn run(check: &TransparencyRoots, context: &Context<'_>) -> Result<Outcome> {
    let mut findings = Findings::default();
    missing_tables(check, &context.restored).for_each(|finding| findings.push(finding));
    if !findings.is_empty() {
        return Ok(findings.into_outcome(0, String::new()));
    }
    let SharedServer { server, connections } = context.tools.servers.of(&check.database);
    let _permit = connections.hold(1).await;
    let audit_rows = context.restored[&check.database].rows.get(&table(TABLES[0])).copied();
    let mut keys = KeyRing::new();
    if let Some(path) = check.active_public_key.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        let unusable = |why: String| {
            Failure::config(
                codes::PUBLIC_KEY_UNREADABLE,
                format!("the active public key {} cannot be used: {why}", path.display()),
            )
            .hint("it must be an Ed25519 public key in PEM form")
        };
        let pem = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        keys.insert(&pem).map_err(|error| unusable(error.to_string()))?;
    }
    let mut fold = RootFold::new(keys, audit_rows.unwrap_or(0), check.require_genesis);
    for (fingerprint, pem) in server.signing_keys(&check.database).await? {
        fold.add_key(&fingerprint, &pem);
    }
    // A day's root is computed after it has ended; the day before the dump's own may still be waiting for its.
    let until = context.taken_at(&check.database).date_naive() - chrono::Days::new(1);
    if let Some(prefix) = check.snapshot.as_ref().filter(|prefix| !prefix.is_empty()) {
        let (store, identities) = (&context.tools.store, &context.tools.identities);
        let snapshot = snapshot_objects::read(store, identities, prefix, &mut fold.findings).await?;
        fold.snapshot = Some((snapshot, until));
    }
    let outside = |what: &str, tenant: &str, count| fold.without_day(what, tenant, count);
    server.rows_without_day(&check.database, outside).await?;
    server.root_rows(&check.database, |root| fold.push(root)).await?;
    let found = |tenant: &str, day, leaves| fold.day_without_root(tenant, day, leaves);
    server.days_without_root(&check.database, until, found).await?;
    Ok(fold.finish())
}

#[cfg(test)]
mod tests;
