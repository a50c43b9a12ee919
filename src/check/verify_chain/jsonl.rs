//! Rows from an export: one JSON object a line, its keys the columns.
//!
//! The order of the lines is the order of the rows; several chains may be interleaved. Of each chain its last row is
//! remembered, and one line at a time.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, Read};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::fold::RowFold;
use super::layout::{ContentAt, Layout};
use super::order::Order;
use super::value::Value;
use crate::check::Outcome;
use crate::check::verify_chain::settings::{Chain, Content, Preimage, Scheme};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::target::postgres::chain_rows::{FieldKind, FieldQuery};

/// The longest line that is read. An audit row with its metadata is a few kilobytes.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;
/// Columns of an audit row that may be null, and that exporters therefore leave out: of any row, the first one too.
const NULLABLE: [&str; 8] =
    ["tenant_id", "agent_id", "tool", "request_id", "reason", "metadata_json", "hash_version", "chain_shard"];

/// Verifies every chain of an export.
///
/// # Errors
/// `chain_columns_missing`, `jsonl_malformed`; `jsonl_preimage` if the scheme needs a database.
pub fn verify_jsonl(mut input: impl BufRead, chain: &Chain) -> Result<Outcome> {
    let mut line = Vec::new();
    let mut number = 0;
    let mut folding: Option<Folding> = None;
    while read_line(&mut input, &mut line, number)? {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row: HashMap<String, &RawValue> = serde_json::from_slice(&line).map_err(|error| {
            malformed(number, &format!("it is no JSON object, column {}", error.column()))
        })?;
        let folding = match &mut folding {
            Some(folding) => folding,
            none => none.insert(Folding::new(chain, &row)?),
        };
        folding.push(&row).map_err(|why| {
            malformed(number, &why)
                .hint("leave contiguous out, or name a column of whole numbers in order_by (--order-by)")
        })?;
    }
    Ok(match folding {
        Some(mut folding) => {
            if !folding.fold.follow_to_the_end() && !folding.fold.has_errors() {
                return Err(disordered());
            }
            folding.fold.finish().outcome
        }
        None => crate::check::Findings::default().into_outcome(0, "0 rows in 0 chains".to_owned()),
    })
}

fn disordered() -> Failure {
    let message = "the links of the export cannot be followed: too many rows stand far from their parents";
    Failure::inconclusive(codes::CHAIN_DISORDERED, message)
        .hint("export the rows in the order of their timestamps")
}

fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>, number: u64) -> Result<bool> {
    line.clear();
    let read = input.take(LONGEST_LINE).read_until(b'\n', line);
    let length = read.map_err(|error| {
        Failure::inconclusive(codes::JSONL_UNREADABLE, format!("the export cannot be read on: {error}"))
    })?;
    if length as u64 == LONGEST_LINE {
        return Err(malformed(number + 1, "it is longer than 64 MiB"));
    }
    Ok(length > 0)
}

fn malformed(number: u64, why: &str) -> Failure {
    Failure::bad(codes::JSONL_MALFORMED, format!("line {number} of the export cannot be read: {why}"))
        .hint("an export has one JSON object a line; one that ends in the middle of a line was cut off")
}

struct Folding {
    layout: Arc<Layout>,
    fold: RowFold,
    raw_hashes: bool,
    fields: Vec<Option<Vec<u8>>>,
}

impl Folding {
    fn new(chain: &Chain, first: &HashMap<String, &RawValue>) -> Result<Self> {
        let layout = Arc::new(layout(chain, first)?);
        let raw_hashes = layout.rules.raw_hashes;
        let kinds: Vec<FieldKind> = layout
            .wanted
            .iter()
            .enumerate()
            .map(|(index, want)| match want {
                _ if raw_hashes && (index == layout.hash || index == layout.link) => FieldKind::Bytes,
                FieldQuery::Column(_) => FieldKind::Loose,
                FieldQuery::Text(_) | FieldQuery::Sql(_) => FieldKind::Text,
            })
            .collect();
        let fold = RowFold::new(Arc::clone(&layout), kinds.into(), Order::Interleaved);
        Ok(Self { layout, fold, raw_hashes, fields: Vec::new() })
    }

    fn push(&mut self, row: &HashMap<String, &RawValue>) -> Result<(), String> {
        self.fields.clear();
        for (index, want) in self.layout.wanted.iter().enumerate() {
            let (FieldQuery::Column(name) | FieldQuery::Text(name) | FieldQuery::Sql(name)) = want;
            let mut field = row.get(name).and_then(|value| text(value));
            if self.raw_hashes && (index == self.layout.hash || index == self.layout.link) {
                field = field.map(raw_bytes);
            }
            self.fields.push(field);
        }
        let fields: Vec<Option<&[u8]>> = self.fields.iter().map(Option::as_deref).collect();
        self.require_countable(&fields)?;
        self.fold.push(&fields);
        Ok(())
    }

    /// Between places that are no whole numbers no gap could be seen.
    fn require_countable(&self, fields: &[Option<&[u8]>]) -> Result<(), String> {
        let Layout { order, rules, .. } = &*self.layout;
        let countable = |raw| Value { kind: FieldKind::Loose, raw }.int().is_some();
        if rules.contiguous && !order.iter().all(|index| countable(fields[*index])) {
            return Err(format!("{} is no whole number, which contiguous needs", rules.order_name));
        }
        Ok(())
    }
}

/// The layout for rows that have the columns of the first one, and those that it may lack because they are null.
fn layout(chain: &Chain, first: &HashMap<String, &RawValue>) -> Result<Layout> {
    let mut columns: BTreeSet<String> = first.keys().cloned().collect();
    match &chain.scheme {
        Scheme::AegisAudit => columns.extend(NULLABLE.map(str::to_owned)),
        Scheme::HashChain(scheme) => {
            let preimages: Vec<&Preimage> = match &scheme.content {
                Content::One(preimage) => vec![preimage],
                Content::Versions { column, preimages } => {
                    columns.insert(column.clone());
                    preimages.values().collect()
                }
            };
            for preimage in preimages {
                match preimage {
                    Preimage::Columns(names, _) => columns.extend(names.iter().cloned()),
                    Preimage::Sql(_) => {
                        return Err(Failure::config(
                            codes::JSONL_PREIMAGE,
                            "the check's preimage is SQL, which only a database can compute",
                        )
                        .hint("verify the table in a database, or describe what is hashed by columns"));
                    }
                }
            }
            columns.insert(chain.link_column.clone());
        }
    }
    let layout = Layout::new(chain, &columns).map_err(|missing| {
        Failure::bad(
            codes::CHAIN_COLUMNS_MISSING,
            format!("the first row of the export lacks the columns {}", missing.join(", ")),
        )
        .hint("is it an export of the right table? the scheme needs them all")
    })?;
    debug_assert!(!matches!(layout.content, ContentAt::None));
    Ok(layout)
}

/// A value as the text that Postgres would print: strings without quotes, everything else as it stands.
fn text(value: &RawValue) -> Option<Vec<u8>> {
    let raw = value.get();
    match raw.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => serde_json::from_str::<String>(raw).ok().map(String::into_bytes),
        _ => Some(raw.as_bytes().to_vec()),
    }
}

/// What Postgres prints a `bytea` as in JSON: `\x` and digits.
fn raw_bytes(text: Vec<u8>) -> Vec<u8> {
    let digits = text.strip_prefix(b"\\x").unwrap_or(&text);
    hex::decode(digits).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::chain::{Encoding, HashFunction, Join};
    use crate::check::verify_chain::settings::VerifyChain;
    use crate::model::verdict::CheckStatus;

    /// How a hash of this encoding stands in an export.
    fn written(encoding: Encoding, bytes: &[u8]) -> String {
        match encoding {
            Encoding::Bytea => format!("\\x{}", hex::encode(bytes)),
            _ => String::from_utf8(bytes.to_vec()).expect("other encodings are text"),
        }
    }

    fn chain(keys: &str) -> Chain {
        let text = format!("name = \"c\"\ndatabase = \"d\"\ntable = \"t\"\n{keys}");
        toml::from_str::<VerifyChain>(&text).unwrap().chain().unwrap()
    }

    fn vectors() -> Vec<serde_json::Value> {
        let path = format!("{}/tests/vectors/aegis_audit_chain.json", env!("CARGO_MANIFEST_DIR"));
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut rows = file["rows"].as_array().unwrap().clone();
        for (number, row) in rows.iter_mut().enumerate() {
            row["id"] = format!("row-{number}").into();
            row["chain_sequence"] = (number + 1).into();
        }
        rows
    }

    fn lines(rows: &[serde_json::Value]) -> String {
        rows.iter().map(|row| format!("{row}\n")).collect()
    }

    fn codes(outcome: &Outcome) -> Vec<&'static str> {
        outcome.findings.iter().map(|finding| finding.code.as_str()).collect()
    }

    #[test]
    fn the_platforms_own_vectors_hold_and_every_edit_is_seen() {
        let aegis = chain("scheme = \"aegis-audit\"\nrequire_genesis = true");
        let held = verify_jsonl(lines(&vectors()).as_bytes(), &aegis).unwrap();
        assert_eq!((held.status, held.summary.as_str()), (CheckStatus::Pass, "5 rows in 1 chain"));
        let mut rows = vectors();
        rows[2]["metadata_json"]["risk_score"] = 0.06.into();
        let edited = verify_jsonl(lines(&rows).as_bytes(), &aegis).unwrap();
        assert_eq!(codes(&edited), ["hash_mismatch", "wrong_shard"]);
        assert!(edited.findings[0].subject.starts_with("row row-2 of the chain of tenant 5f0c3c1e"));
        rows.swap(3, 4);
        let swapped = verify_jsonl(lines(&rows).as_bytes(), &aegis).unwrap();
        assert_eq!(codes(&swapped), codes(&edited), "links are followed in any order of the rows");
        rows.remove(3);
        rows.swap(0, 2);
        rows.remove(1);
        let missing = verify_jsonl(lines(&rows).as_bytes(), &aegis).unwrap();
        assert!(codes(&missing).contains(&"broken_link"), "{:?}", missing.findings);
    }

    #[test]
    fn interleaved_chains_of_a_general_scheme_are_told_apart_in_every_encoding() {
        for encoding in ["hex", "base64", "base64url", "bytea"] {
            let keys = format!(
                "scheme = \"hash-chain\"\npartition_by = [\"account\"]\norder_by = [\"n\"]\nhash = \"blake3\"\n\
                 encoding = \"{encoding}\"\nhash_column = \"h\"\nlink_column = \"p\"\ncolumns = [\"n\", \"note\"]"
            );
            let chain = chain(&keys);
            let Scheme::HashChain(scheme) = &chain.scheme else { panic!("another scheme") };
            let mut heads: [Option<Vec<u8>>; 3] = [None, None, None];
            let mut rows = Vec::new();
            for n in 0..30usize {
                let note = (n % 4 != 0).then(|| format!("note {n} ☕"));
                let mut preimage = heads[n % 3].clone().unwrap_or_default();
                let texts = [Some(n.to_string().into_bytes()), note.clone().map(String::into_bytes)];
                Join::Json.push(&mut preimage, texts.iter().map(Option::as_deref));
                let hash = scheme.encoding.write(&HashFunction::Blake3.digest(&preimage));
                rows.push(serde_json::json!({
                    "account": n % 3, "n": n, "note": note, "h": written(scheme.encoding, &hash),
                    "p": heads[n % 3].as_ref().map(|link| written(scheme.encoding, link)),
                }));
                heads[n % 3] = Some(hash);
            }
            let held = verify_jsonl(lines(&rows).as_bytes(), &chain).unwrap();
            assert_eq!(
                (held.status, held.summary.as_str()),
                (CheckStatus::Pass, "30 rows in 3 chains"),
                "{encoding}"
            );
            rows[10]["note"] = "edited".into();
            rows.remove(20);
            let broken = verify_jsonl(lines(&rows).as_bytes(), &chain).unwrap();
            assert_eq!(codes(&broken), ["hash_mismatch", "broken_link"], "{encoding}");
            assert_eq!(broken.findings[0].subject, "row 10 of the chain of account 1");
            rows[0]["p"] = "00".into();
            rows[4]["h"] = serde_json::Value::Null;
            let broken = verify_jsonl(lines(&rows).as_bytes(), &chain).unwrap();
            assert!(codes(&broken).contains(&"null_hash"), "{encoding}");
            assert!(codes(&broken).contains(&"missing_genesis"), "{encoding}");
        }
    }

    #[test]
    fn what_is_null_in_the_first_row_may_be_left_out_of_it() {
        let aegis = chain("scheme = \"aegis-audit\"\nrequire_genesis = true");
        let mut rows = vectors();
        for column in ["hash_version", "reason", "metadata_json", "chain_shard"] {
            rows[0].as_object_mut().unwrap().remove(column);
        }
        let held = verify_jsonl(lines(&rows).as_bytes(), &aegis).unwrap();
        assert_eq!((held.status, held.summary.as_str()), (CheckStatus::Pass, "5 rows in 1 chain"));
    }

    #[test]
    fn only_whole_numbers_can_be_counted() {
        let chain = chain(
            "scheme = \"hash-chain\"\norder_by = [\"n\"]\nhash_column = \"h\"\nlink_column = \"p\"\ncolumns = [\"n\"]\n\
             contiguous = true",
        );
        for n in ["1.5", "\"one\"", "null", "99999999999999999999"] {
            let text = format!("{{\"n\": 7, \"h\": \"x\"}}\n{{\"n\": {n}, \"h\": \"x\"}}\n");
            let failure = verify_jsonl(text.as_bytes(), &chain).unwrap_err();
            assert_eq!(failure.code.as_str(), "jsonl_malformed");
            assert!(
                failure.message.contains("line 2") && failure.message.contains("n is no whole number"),
                "{failure}"
            );
        }
    }

    #[test]
    fn an_export_that_cannot_be_read_is_told_by_its_line() {
        let aegis = chain("scheme = \"aegis-audit\"");
        let cut = lines(&vectors());
        let failure = verify_jsonl(&cut.as_bytes()[..cut.len() - 30], &aegis).unwrap_err();
        assert_eq!(failure.code.as_str(), "jsonl_malformed");
        assert!(failure.message.contains("line 5"), "{failure}");
        let failure = verify_jsonl("{\"id\": 1}\n".as_bytes(), &aegis).unwrap_err();
        assert_eq!(failure.code.as_str(), "chain_columns_missing");
        let sql = chain(
            "scheme = \"hash-chain\"\norder_by = [\"n\"]\nhash_column = \"h\"\nlink_column = \"p\"\npreimage = \"n::text\"",
        );
        assert_eq!(
            verify_jsonl("{\"n\": 1}\n".as_bytes(), &sql).unwrap_err().code.as_str(),
            "jsonl_preimage"
        );
        assert_eq!(verify_jsonl("\n".as_bytes(), &aegis).unwrap().rows_verified, 0);
    }
}
