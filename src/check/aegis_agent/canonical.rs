//! `aegis-jcs-1`: JSON with keys sorted by code point, no spaces, raw UTF-8, and escapes as `serde_json` writes them.

use std::collections::BTreeMap;

use crate::check::chain::HexDigest;

/// The hash of what these keys have: a text, or null.
pub fn hash<'a>(members: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> HexDigest {
    // Texts in UTF-8 sort as their code points do.
    let sorted: BTreeMap<&str, Option<&str>> = members.into_iter().collect();
    let json = serde_json::to_string(&sorted).expect("texts and nulls have a JSON form");
    HexDigest::of(json.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const VECTORS: &str = include_str!("../../../tests/vectors/aegis_agent_receipts.json");
    const HASHED: [&str; 13] = [
        "ts",
        "agent_id",
        "user_id",
        "run_id",
        "trace_id",
        "tool",
        "action",
        "resource",
        "source_trust",
        "decision",
        "approver",
        "action_hash",
        "prev_receipt_hash",
    ];

    #[test]
    fn the_hash_is_that_of_the_vectors() {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        for vector in vectors["rows"].as_array().unwrap() {
            let row = &vector["row"];
            assert_eq!(
                HexDigest::of(vector["hashed_text"].as_str().unwrap().as_bytes()).as_str(),
                row["receipt_hash"].as_str().unwrap()
            );
            let members = HASHED.map(|key| (key, row[key].as_str()));
            let found = hash(members.into_iter().chain([("event_id", row["id"].as_str())]));
            assert_eq!(found.as_str(), row["receipt_hash"].as_str().unwrap());
        }
    }
}
