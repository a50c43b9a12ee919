//! `transparency-roots`: every day's root is linked to the day before, signed by a known key, and counts its rows.
//!
//! A pure fold over roots in the order of tenant and day.

use chrono::{Days, NaiveDate};
use serde_json::Value;

use super::{Findings, Outcome};
use crate::chain::{EmptyRootVersion, KeyRing, empty_day_root, verify_receipt};
use crate::human;
use crate::verdict::{Finding, Severity};

/// One tenant's root of one UTC day, and what the audit rows say of that day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRow {
    /// Whose day it is.
    pub tenant: String,
    /// The day.
    pub date: NaiveDate,
    /// Its root.
    pub root_hash: String,
    /// The root of the day before.
    pub prev_root_hash: Option<String>,
    /// Rows of that day, as the root has it.
    pub leaf_count: i64,
    /// The first of them.
    pub leaf_range_start: Option<String>,
    /// The last of them.
    pub leaf_range_end: Option<String>,
    /// What was signed, as JSON.
    pub receipt: Option<String>,
    /// Its signature, in base64url.
    pub signature: Option<String>,
    /// The fingerprint in the payload.
    pub payload_fingerprint: Option<String>,
    /// The fingerprint in the column.
    pub fingerprint: String,
    /// Audit rows that the tenant really has that day.
    pub leaves: i64,
    /// The day of the tenant's oldest audit row.
    pub oldest_leaf: Option<NaiveDate>,
}

/// Verifies roots.
pub struct RootFold {
    keys: KeyRing,
    findings: Findings,
    roots: u64,
    last: Option<RootRow>,
    require_genesis: bool,
    audit_rows: u64,
}

impl RootFold {
    /// A fold with the keys that are known. A tenant's first root may have one before it that was pruned, and its first
    /// days may have lost their rows, unless `require_genesis`.
    pub fn new(keys: KeyRing, audit_rows: u64, require_genesis: bool) -> Self {
        Self { keys, findings: Findings::default(), roots: 0, last: None, require_genesis, audit_rows }
    }

    /// Reports a public key that cannot be read.
    pub fn bad_key(&mut self, fingerprint: &str, why: &str) {
        self.findings.push(Finding {
            severity: Severity::Error,
            code: "signing_key_unreadable",
            subject: format!("key {}", human::one_line(fingerprint, 64)),
            expected: "an Ed25519 public key in PEM form".to_owned(),
            actual: human::one_line(why, 200),
        });
    }

    /// Reports a day on which a tenant has audit rows, and no root, though there has been time to compute one.
    pub fn day_without_root(&mut self, tenant: &str, date: NaiveDate, leaves: i64) {
        self.findings.push(Finding {
            severity: Severity::Error,
            code: "missing_root",
            subject: format!("root of tenant {} for {date}", human::one_line(tenant, 64)),
            expected: format!("a root over {leaves} audit rows"),
            actual: "no root".to_owned(),
        });
    }

    /// Takes the next root.
    pub fn push(&mut self, root: RootRow) {
        self.roots += 1;
        self.check_link(&root);
        self.check_leaves(&root);
        self.check_receipt(&root);
        // Without any key every signature would be a finding that says the same.
        if !self.keys.is_empty() {
            self.check_signature(&root);
        }
        self.last = Some(root);
    }

    /// The outcome.
    pub fn finish(mut self) -> Outcome {
        if self.keys.is_empty() && (self.roots > 0 || self.audit_rows > 0) {
            self.findings.push(Finding {
                severity: Severity::Error,
                code: "no_signing_keys",
                subject: "transparency_historical_keys".to_owned(),
                expected: "the keys that signed the roots".to_owned(),
                actual: format!(
                    "{} audit rows and {} roots, and no key to verify them with: the table is empty (was it left out of \
                     the backup?), and no active public key is given",
                    human::count(self.audit_rows),
                    human::count(self.roots)
                ),
            });
        }
        let held = format!(
            "{}, {}",
            human::things(self.roots, "root"),
            human::things(self.keys.len() as u64, "key")
        );
        self.findings.into_outcome(self.roots, held)
    }

    fn check_link(&mut self, root: &RootRow) {
        let before = self.last.as_ref().filter(|last| last.tenant == root.tenant);
        let Some(before) = before else {
            if let Some(previous) = &root.prev_root_hash {
                let severity = if self.require_genesis { Severity::Error } else { Severity::Warning };
                let actual = format!("prev_root_hash {previous}");
                self.find(
                    root,
                    severity,
                    "missing_genesis_root",
                    "no prev_root_hash on the first day".to_owned(),
                    actual,
                );
            }
            return;
        };
        let (expected, next_day) = (before.root_hash.clone(), before.date.checked_add_days(Days::new(1)));
        if root.prev_root_hash.as_deref() != Some(&*expected) {
            let actual = format!("prev_root_hash {}", root.prev_root_hash.as_deref().unwrap_or("null"));
            self.find(
                root,
                Severity::Error,
                "broken_root_link",
                format!("prev_root_hash {expected}"),
                actual,
            );
        }
        if next_day != Some(root.date) {
            let expected = next_day.map_or_else(String::new, |day| format!("a root for {day}"));
            self.find(
                root,
                Severity::Error,
                "missing_root",
                expected,
                "no root for that day before this one".to_owned(),
            );
        }
    }

    fn check_leaves(&mut self, root: &RootRow) {
        if root.leaf_count != root.leaves {
            let pruned = root.leaves == 0 && root.oldest_leaf.is_some_and(|oldest| root.date < oldest);
            let severity = if pruned && !self.require_genesis { Severity::Warning } else { Severity::Error };
            let code = if pruned { "leaves_pruned" } else { "leaf_count_differs" };
            let expected = format!("{} audit rows that day", root.leaf_count);
            self.find(root, severity, code, expected, format!("{} audit rows", root.leaves));
        }
        if root.leaf_count == 0 {
            let empty = |version| empty_day_root(version, root.prev_root_hash.as_deref(), root.date);
            let (v1, v2) = (empty(EmptyRootVersion::V1), empty(EmptyRootVersion::V2));
            if root.root_hash != v1.as_str() && root.root_hash != v2.as_str() {
                let expected = format!("the root of an empty day, {}", v2.as_str());
                self.find(
                    root,
                    Severity::Error,
                    "empty_root_differs",
                    expected,
                    format!("root_hash {}", root.root_hash),
                );
            }
        }
    }

    fn check_receipt(&mut self, root: &RootRow) {
        let receipt: Option<Value> = root.receipt.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let Some(receipt) = receipt else {
            self.find(
                root,
                Severity::Error,
                "receipt_missing",
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
                self.find(root, Severity::Error, "receipt_differs", expected, actual);
            }
        }
        if root.payload_fingerprint.as_deref() != Some(&*root.fingerprint) {
            let expected =
                format!("signing_key_fingerprint {}", root.payload_fingerprint.as_deref().unwrap_or("null"));
            let actual = format!("signing_key_fingerprint {}", root.fingerprint);
            self.find(root, Severity::Error, "receipt_differs", expected, actual);
        }
    }

    fn check_signature(&mut self, root: &RootRow) {
        let Some(key) = self.keys.find(&root.fingerprint) else {
            let expected =
                "the fingerprint of a key in transparency_historical_keys, or of the active public key"
                    .to_owned();
            let actual = format!("signed by an unknown key {}", human::one_line(&root.fingerprint, 64));
            self.find(root, Severity::Error, "unknown_signing_key", expected, actual);
            return;
        };
        let Some(signature) = &root.signature else {
            self.find(
                root,
                Severity::Error,
                "bad_signature",
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
                "bad_signature",
                "a signature over the receipt".to_owned(),
                error.to_string(),
            );
        }
    }

    fn find(
        &mut self,
        root: &RootRow,
        severity: Severity,
        code: &'static str,
        expected: String,
        actual: String,
    ) {
        let subject = format!("root of tenant {} for {}", human::one_line(&root.tenant, 64), root.date);
        self.findings.push(Finding { severity, code, subject, expected, actual });
    }
}

#[cfg(test)]
mod tests;
