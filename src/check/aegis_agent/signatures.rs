//! Signatures of receipts: Ed25519 over the 64 digits of the hash.
//!
//! The key stands beside the signature. Whoever writes the one writes the other, so only a key that is known from elsewhere
//! proves anything.

use std::collections::BTreeMap;

use ed25519_dalek::{Signature, VerifyingKey};

use super::code::receipts as code;
use super::fold::ChainFold;
use crate::check::chain::parse_public_key;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::verdict::{Finding, Severity};

/// What a row has of a signature.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// What was signed.
    pub hash: &'a str,
    /// The signature, in digits.
    pub signature: Option<&'a str>,
    /// The key that it is said to be made with, in digits.
    pub key: Option<&'a str>,
}

/// Rows without a signature after rows with one.
#[derive(Debug)]
struct Unsigned {
    rows: u64,
    after: String,
}

/// The signatures of a table.
#[derive(Debug, Default)]
pub struct Signatures {
    pinned: Vec<VerifyingKey>,
    /// Signatures that hold.
    pub held: u64,
    /// Rows without one.
    pub unsigned: u64,
    /// The last signed row of each tenant, by its id.
    last_signed: BTreeMap<String, String>,
    gaps: BTreeMap<String, Unsigned>,
}

impl Signatures {
    /// With keys that are known from elsewhere: none, if there are none.
    pub fn new(pinned: Vec<VerifyingKey>) -> Self {
        Self { pinned, ..Self::default() }
    }

    /// Judges the signature of a row.
    pub fn push(&mut self, fold: &mut ChainFold, tenant: &str, id: &str, signed: Signed<'_>) {
        let Some(signature) = signed.signature.filter(|signature| !signature.is_empty()) else {
            self.unsigned += 1;
            if let Some(after) = self.last_signed.get(tenant) {
                let gap = self
                    .gaps
                    .entry(tenant.to_owned())
                    .or_insert_with(|| Unsigned { rows: 0, after: after.clone() });
                gap.rows += 1;
            }
            return;
        };
        self.last_signed.insert(tenant.to_owned(), id.to_owned());
        let expected = "a signature over the hash".to_owned();
        let digits = signed.key.unwrap_or_default();
        let Some(key) = key_of(digits) else {
            let actual = "the key beside it is no Ed25519 key of 64 digits".to_owned();
            return fold.error(code::BAD_SIGNATURE, fold.subject(tenant, id), expected, actual);
        };
        if !self.pinned.is_empty() && !self.pinned.contains(&key) {
            let (expected, actual) = (
                "a key of public_keys".to_owned(),
                format!("signed with the key {}", human::one_line(digits, 64)),
            );
            return fold.error(code::UNKNOWN_SIGNING_KEY, fold.subject(tenant, id), expected, actual);
        }
        let parsed = hex::decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        let held = parsed.is_some_and(|parsed| key.verify_strict(signed.hash.as_bytes(), &parsed).is_ok());
        if held {
            self.held += 1;
        } else {
            let actual = "the signature does not belong to the hash and the key".to_owned();
            fold.error(code::BAD_SIGNATURE, fold.subject(tenant, id), expected, actual);
        }
    }

    /// What the signatures prove, and what only part of them has.
    pub fn finish(self, table: &str) -> (String, Vec<Finding>) {
        let mut findings = Vec::new();
        let warning = |code, subject, expected: &str, actual| Finding {
            severity: Severity::Warning,
            code,
            subject,
            expected: expected.to_owned(),
            actual,
        };
        for (tenant, Unsigned { rows, after }) in &self.gaps {
            findings.push(warning(
                code::UNSIGNED_AFTER_SIGNED,
                format!("the chain of tenant {} in {table}", human::one_line(tenant, 80)),
                "signatures, once there are some",
                format!(
                    "{} without a signature, the first after {}",
                    human::things(*rows, "row"),
                    human::one_line(after, 80)
                ),
            ));
        }
        let said = match (self.held, self.pinned.is_empty()) {
            (0, _) => "none signed".to_owned(),
            (held, false) => format!("{} signed with a known key", human::count(held)),
            (held, true) => {
                let actual = format!(
                    "{} fit the keys beside them, which proves that they are consistent and no more",
                    human::things(held, "signature")
                );
                findings.push(warning(code::SIGNATURES_NOT_PINNED, table.to_owned(), "public_keys", actual));
                format!("{} signed with the key beside the signature", human::count(held))
            }
        };
        (said, findings)
    }
}

fn key_of(digits: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = hex::decode(digits).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}

/// A key of the template: its 64 digits, or the path of a file that has them, or has it as PEM.
///
/// # Errors
/// `public_key_unreadable`, a configuration error.
pub fn pinned(named: &str) -> Result<VerifyingKey> {
    if let Some(key) = key_of(named) {
        return Ok(key);
    }
    let unusable = |why: String| {
        Failure::config(codes::PUBLIC_KEY_UNREADABLE, format!("the public key {named} cannot be used: {why}"))
            .hint("public_keys has keys of 64 hexadecimal digits, or paths of files with one, in digits or as PEM")
    };
    let text = std::fs::read_to_string(named).map_err(|error| unusable(error.to_string()))?;
    match key_of(text.trim()) {
        Some(key) => Ok(key),
        None => parse_public_key(&text).map_err(|error| unusable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    const VECTORS: &str = include_str!("../../../tests/vectors/aegis_agent_receipts.json");

    fn judged(
        pinned: Vec<VerifyingKey>,
        change: impl Fn(usize, &mut Value),
    ) -> (Vec<String>, String, Vec<Finding>) {
        let mut vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let mut fold = ChainFold::new("receipt", HashSet::new());
        let mut signatures = Signatures::new(pinned);
        for (number, vector) in vectors["rows"].as_array_mut().unwrap().iter_mut().enumerate() {
            change(number, &mut vector["row"]);
            let row = &vector["row"];
            let signed = Signed {
                hash: row["receipt_hash"].as_str().unwrap(),
                signature: row["signature"].as_str(),
                key: row["signer_public_key"].as_str(),
            };
            signatures.push(&mut fold, "t", row["id"].as_str().unwrap(), signed);
        }
        let (said, warnings) = signatures.finish("gateway.action_receipts");
        let errors = fold.findings.into_outcome(1, String::new()).findings;
        (errors.iter().map(|finding| finding.code.as_str().to_owned()).collect(), said, warnings)
    }

    fn key() -> VerifyingKey {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        pinned(vectors["public_key_hex"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn signatures_hold_under_a_known_key_and_are_only_consistent_without() {
        let (errors, said, warnings) = judged(vec![key()], |_, _| ());
        assert_eq!((errors.len(), said.as_str()), (0, "2 signed with a known key"));
        // The second row has none, after one that has.
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].code.as_str(), "unsigned_after_signed");
        let (errors, said, warnings) = judged(Vec::new(), |_, _| ());
        assert_eq!((errors.len(), said.as_str()), (0, "2 signed with the key beside the signature"));
        assert_eq!(warnings[1].code.as_str(), "signatures_not_pinned");
    }

    #[test]
    fn what_is_unsigned_throughout_is_healthy() {
        let (errors, said, warnings) = judged(vec![key()], |_, row| row["signature"] = Value::Null);
        assert_eq!((errors.len(), said.as_str(), warnings.len()), (0, "none signed", 0));
    }

    #[test]
    fn another_key_and_another_signature_are_told_apart() {
        let other = VerifyingKey::from_bytes(
            &ed25519_dalek::SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes(),
        );
        let (errors, _, _) = judged(vec![other.unwrap()], |_, _| ());
        assert_eq!(errors, ["unknown_signing_key", "unknown_signing_key"]);
        let (errors, _, _) = judged(vec![key()], |number, row| {
            if number == 0 {
                row["signature"] = "00".repeat(64).into();
            }
        });
        assert_eq!(errors, ["bad_signature"]);
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        assert_eq!(pinned("/nonexistent").unwrap_err().code.as_str(), "public_key_unreadable");
    }
}
