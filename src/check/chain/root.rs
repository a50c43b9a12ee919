//! A day's root: one hash for one tenant and UTC day, chained to the day before and signed.

use chrono::NaiveDate;
use serde::Serialize;

use super::digest::HexDigest;

/// How the root of a day without rows is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyRootVersion {
    /// Covers the previous root only.
    V1,
    /// Covers the previous root and the date.
    V2,
}

/// The root of a day on which the tenant has no rows. `prev_root_hash` is null on a tenant's first day.
pub fn empty_day_root(
    version: EmptyRootVersion,
    prev_root_hash: Option<&str>,
    root_date: NaiveDate,
) -> HexDigest {
    let previous = prev_root_hash.unwrap_or_default();
    let text = match version {
        EmptyRootVersion::V1 => format!("{previous}\ntransparency_empty_epoch_v1\n"),
        EmptyRootVersion::V2 => format!("{previous}|{root_date}|transparency_empty_epoch_v2"),
    };
    HexDigest::of(text.as_bytes())
}

/// What is signed of a day: the `receipt` of a `signed_root_payload`. Its fields must equal the row's columns.
// The fields are in alphabetical order: serialised as they stand, they are the canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt<'a> {
    /// What kind of receipt it is.
    pub kind: &'a str,
    /// How many rows the tenant has that day.
    pub leaf_count: i64,
    /// The last of them; null on an empty day.
    pub leaf_range_end_id: Option<&'a str>,
    /// The first of them; null on an empty day.
    pub leaf_range_start_id: Option<&'a str>,
    /// The root of the day before; null on the tenant's first.
    pub prev_root_hash: Option<&'a str>,
    /// The day, in UTC.
    pub root_date: NaiveDate,
    /// Its root.
    pub root_hash: &'a str,
    /// Whose day it is.
    pub tenant_id: &'a str,
    /// Of the receipt's form.
    pub version: u32,
    /// The moment the day ends.
    pub window_end: &'a str,
}

impl Receipt<'_> {
    /// The bytes that are signed: compact JSON with sorted keys and raw UTF-8.
    pub fn canonical_json(&self) -> String {
        serde_json::to_string(self).expect("a struct of strings, numbers and a date has a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::chain::Canonicalizer;

    fn may_first() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 5, 1).unwrap()
    }

    /// The expected values come from Python's `hashlib`.
    #[test]
    fn empty_days_hash_as_documented() {
        let previous = "ab".repeat(32);
        let root = |version, previous| empty_day_root(version, previous, may_first()).to_string();
        assert_eq!(root(EmptyRootVersion::V2, None), EMPTY_V2_FIRST);
        assert_eq!(root(EmptyRootVersion::V2, Some(&previous)), EMPTY_V2_LATER);
        assert_eq!(root(EmptyRootVersion::V1, None), EMPTY_V1_FIRST);
        assert_eq!(root(EmptyRootVersion::V1, Some(&previous)), EMPTY_V1_LATER);
    }

    #[test]
    fn a_receipt_serialises_into_its_canonical_form() {
        let receipt = Receipt {
            kind: "é\u{7f}\n\u{1}",
            leaf_count: 3,
            leaf_range_end_id: Some("b"),
            leaf_range_start_id: None,
            prev_root_hash: None,
            root_date: may_first(),
            root_hash: "c",
            tenant_id: "d",
            version: 2,
            window_end: "2026-05-02T00:00:00+00:00",
        };
        let json = receipt.canonical_json();
        assert!(json.starts_with("{\"kind\":\"é\u{7f}\\n\\u0001\",\"leaf_count\":3,"), "{json}");
        assert!(json.contains("\"root_date\":\"2026-05-01\""), "{json}");
        assert_eq!(Canonicalizer::new().canonicalize(&json).unwrap(), json.as_bytes());
    }

    const EMPTY_V2_FIRST: &str = "81cdc64fd6977fa05d626f41596df428807080a0a448893a546740799c6ab251";
    const EMPTY_V2_LATER: &str = "06ec71c47e6bbec110c1279b3376a244280b778a551d6dac022f1ad5b44f5d3c";
    const EMPTY_V1_FIRST: &str = "fcd29670ccd6870c9d0359006f923668fb10e63d5e8d50f4c8fa4a2cb40447e0";
    const EMPTY_V1_LATER: &str = "7d8dc1da60db9f5cd7270b07cef8c7437d3b5640179092e8e62f960f47ec9c53";
}
