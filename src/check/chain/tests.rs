//! Against vectors: a chain of the platform's own, and what Python prints. `tests/vectors/make_python_vectors.py`
//! wrote the latter.

use std::fs;

use chrono::DateTime;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;

fn vector(name: &str) -> String {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn canonical(json: &str) -> Result<String, JsonError> {
    let mut canonicalizer = Canonicalizer::new();
    canonicalizer.canonicalize(json).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn the_platforms_chain_hashes_to_the_same_values() {
    #[derive(Deserialize)]
    struct File {
        genesis: String,
        rows: Vec<Row>,
    }
    #[derive(Deserialize)]
    struct Row {
        tenant_id: String,
        agent_id: String,
        hash_version: i16,
        action: String,
        tool: Option<String>,
        decision: String,
        request_id: Option<String>,
        reason: Option<String>,
        timestamp: String,
        metadata_json: Value,
        prev_hash: String,
        event_hash: String,
    }

    let file: File = serde_json::from_str(&vector("aegis_audit_chain.json")).unwrap();
    assert_eq!(file.genesis, GENESIS);
    let mut hasher = RowHasher::new();
    let mut previous = GENESIS.to_string();
    let mut versions = Vec::new();
    for row in &file.rows {
        let metadata = row.metadata_json.to_string();
        let at = DateTime::parse_from_rfc3339(&row.timestamp).unwrap();
        let fields = AuditRow {
            tenant_id: Some(&row.tenant_id),
            agent_id: Some(&row.agent_id),
            action: &row.action,
            tool: row.tool.as_deref(),
            decision: &row.decision,
            request_id: row.request_id.as_deref(),
            reason: row.reason.as_deref(),
            metadata: Some(&metadata),
            timestamp_micros: Some(at.timestamp_micros()),
        };
        let version = HashVersion::from_column(Some(row.hash_version)).unwrap();
        assert_eq!(row.prev_hash, previous);
        assert_eq!(hasher.event_hash(&previous, &fields, version).unwrap(), *row.event_hash);
        previous = row.event_hash.clone();
        versions.push(version);
    }
    assert!(versions.contains(&HashVersion::V1) && versions.contains(&HashVersion::V2));
}

#[test]
fn absent_metadata_hashes_as_an_empty_object() {
    let row = AuditRow {
        tenant_id: None,
        agent_id: None,
        action: "login",
        tool: None,
        decision: "allow",
        request_id: None,
        reason: None,
        metadata: None,
        timestamp_micros: None,
    };
    let hash = |metadata| {
        let row = AuditRow { metadata, ..row };
        RowHasher::new().event_hash(GENESIS, &row, HashVersion::V2).unwrap()
    };
    assert_eq!(hash(None), hash(Some("{}")));
    assert_eq!(hash(None), hash(Some("null")));
    assert_eq!(hash(None), hash(Some(" { } ")));
    assert_ne!(hash(None), hash(Some("[]")));
}

#[test]
fn what_cannot_be_hashed_is_named() {
    let row = AuditRow {
        tenant_id: None,
        agent_id: None,
        action: "",
        tool: None,
        decision: "",
        request_id: None,
        reason: None,
        metadata: Some("{\"a\": }"),
        timestamp_micros: Some(i64::MAX),
    };
    let mut hasher = RowHasher::new();
    assert!(hasher.event_hash(GENESIS, &row, HashVersion::V1).is_ok());
    let error = hasher.event_hash(GENESIS, &row, HashVersion::V2).unwrap_err();
    assert_eq!(error.to_string(), "metadata is not JSON: expected a value at byte 6");
    let row = AuditRow { metadata: None, ..row };
    let error = hasher.event_hash(GENESIS, &row, HashVersion::V2).unwrap_err();
    assert_eq!(error, HashError::TimestampOutOfRange(i64::MAX));
    let error = HashVersion::from_column(Some(3)).unwrap_err();
    assert_eq!(error.to_string(), "hash version 3 is not known, only 1 and 2 are");
    assert_eq!(HashVersion::from_column(None), Ok(HashVersion::V1));
}

#[test]
fn floats_print_as_python_prints_them() {
    let table = vector("python_floats.txt");
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (bits, expected) = line.split_once(' ').unwrap();
        let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
        let mut out = Vec::new();
        python::push_float(&mut out, value);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{bits}");
    }
    assert!(table.lines().count() > 300);
}

#[test]
fn strings_are_escaped_as_python_escapes_them() {
    #[derive(Deserialize)]
    struct Vector {
        text: String,
        ascii: String,
        raw: String,
    }
    let vectors: Vec<Vector> = serde_json::from_str(&vector("python_strings.json")).unwrap();
    assert!(vectors.len() > 20);
    for Vector { text, ascii, raw } in vectors {
        let mut out = Vec::new();
        python::push_ascii_string(&mut out, &text);
        assert_eq!(String::from_utf8(out).unwrap(), ascii);
        // The canonical form unescapes first: every spelling of a string must come out as the raw one.
        assert_eq!(canonical(&ascii).unwrap(), raw);
        assert_eq!(canonical(&raw).unwrap(), raw);
    }
}

#[test]
fn documents_take_the_form_python_gives_them() {
    #[derive(Deserialize)]
    struct Vector {
        jsonb: String,
        canonical: String,
    }
    let vectors: Vec<Vector> = serde_json::from_str(&vector("python_canonical.json")).unwrap();
    assert!(vectors.len() > 50);
    let mut canonicalizer = Canonicalizer::new();
    for Vector { jsonb, canonical } in vectors {
        let actual = canonicalizer.canonicalize(&jsonb).unwrap();
        assert_eq!(str::from_utf8(actual).unwrap(), canonical, "{jsonb}");
    }
}

#[test]
fn text_that_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[1,]",
        "[1 2]",
        "{}{}",
        "1 2",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "NaN",
        "nul",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"a\nb\"",
        "\"\\u00é0\"",
        "[}",
        "{\"a\":1]",
    ] {
        assert!(
            matches!(canonical(text), Err(JsonError::Malformed { .. })),
            "{text:?}: {:?}",
            canonical(text)
        );
    }
}

#[test]
fn a_key_given_twice_is_refused_however_it_is_spelled() {
    let error = canonical(r#"{"b": 1, "a": 2, "\u0062": 3}"#).unwrap_err();
    assert_eq!(error.to_string(), "an object has the key \"b\" twice");
    assert!(canonical(r#"{"a": {"b": 1}, "b": {"a": 1}}"#).is_ok());
}

#[test]
fn depth_is_bounded_without_using_the_call_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(canonical(&nested(MAX_DEPTH)).unwrap(), nested(MAX_DEPTH));
    assert_eq!(canonical(&nested(MAX_DEPTH + 1)), Err(JsonError::TooDeep));
    assert_eq!(canonical(&"{\"a\":".repeat(1_000_000)), Err(JsonError::TooDeep));
}

/// JSON values, with keys that need escaping and sorting.
fn any_json() -> impl Strategy<Value = Value> {
    let key = "[\\x00-\\x22a-cé\\\\☕🚀\\x7f]{0,4}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Value::from),
        key.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// `value` with its members in the order Postgres keeps them (by length, then bytes) or the reverse.
fn print_like_jsonb(value: &Value, reverse: bool) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| print_like_jsonb(item, reverse)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| (key.len(), key.as_str()));
            if reverse {
                members.reverse();
            }
            let print = |(key, value)| format!("{}: {}", Value::from(key), print_like_jsonb(value, reverse));
            let members: Vec<_> = members
                .into_iter()
                .map(|(key, value): (&String, &Value)| print((key.as_str(), value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

proptest! {
    #[test]
    fn the_canonical_form_is_one_fixed_point_for_every_order_of_members(value in any_json()) {
        let form = canonical(&print_like_jsonb(&value, false)).unwrap();
        prop_assert_eq!(&canonical(&print_like_jsonb(&value, true)).unwrap(), &form);
        prop_assert_eq!(&canonical(&form).unwrap(), &form);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:\\\\ud8c0-9eE.+\\-a ]{0,40}") {
        let _ = canonical(&text);
    }

    #[test]
    fn floats_read_back_as_themselves(value: f64) {
        prop_assume!(value.is_finite());
        let mut out = Vec::new();
        python::push_float(&mut out, value);
        let text = String::from_utf8(out).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{}", text);
    }
}

/// A document as some program may print it: with white space, escapes and numbers of every kind.
fn any_document() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?";
    let text = prop::collection::vec(
        prop_oneof![
            "[a-zA-Z0-9 é\u{1f980}\u{2028}]",
            "\\\\[nrtbf/\"\\\\]",
            "\\\\u00[0-7][0-9a-fA-F]",
            Just("\\ud83e\\udd80".to_owned()),
        ],
        0..6,
    )
    .prop_map(|parts| format!("\"{}\"", parts.concat()));
    let scalar = prop_oneof![number, text.clone(), "true|false|null"];
    scalar.prop_recursive(5, 40, 6, move |inner| {
        let member = (text.clone(), "[ \t\r\n]{0,2}", inner.clone())
            .prop_map(|(key, space, value)| format!("{space}{key}:{space}{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|values| format!("[{}]", values.join(" , "))),
            prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_json_and_what_it_says_is_what_serde_json_says(
        json in any_document(), cut in any::<prop::sample::Index>(), instead in "[\\[\\]{}\",:\\\\0-9eE.+tu \u{1}-]?"
    ) {
        // As it is, and with one character of it replaced.
        let at = cut.index(json.chars().count() + 1);
        let broken: String =
            json.chars().take(at).chain(instead.chars()).chain(json.chars().skip(at + 1)).collect();
        for text in [&json, &broken] {
            let ours = canonical(text);
            let refused = |error: &JsonError| !matches!(error, JsonError::Malformed { .. });
            let difference = agreement::disagreement(text, ours.as_deref().map_err(refused));
            prop_assert_eq!(difference, None, "{}", text);
            if let Ok(ours) = ours
                && !ours.contains("Infinity")
            {
                prop_assert_eq!(canonical(&ours), Ok(ours));
            }
        }
    }
}
