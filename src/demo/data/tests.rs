//! The sample data must hold under every check of the template, seen through the text that is loaded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use serde_json::Value;

use super::copy::CHUNK_BYTES;
use super::*;
use crate::check::chain::{
    AuditRow, EmptyRootVersion, GENESIS, HashVersion, KeyRing, RowHasher, SHARDS, chain_shard,
    empty_day_root, verify_receipt,
};

const ROWS: u64 = 6_000;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 5, 17, 8, 31, 11).unwrap()
}

/// A row by the names of its columns; null is absent.
type Row = HashMap<String, String>;

fn table<'a>(data: &'a DataSet, database: &str, table: &str) -> &'a DemoTable {
    let database = data.databases.iter().find(|each| each.name == database).unwrap();
    database.tables.iter().find(|each| each.name == table).unwrap()
}

fn rows(table: &DemoTable) -> Vec<Row> {
    let (_, columns) = table.copy.split_once('(').unwrap();
    let columns: Vec<_> =
        columns.split_once(')').unwrap().0.split(", ").map(|name| name.trim_matches('"')).collect();
    let text: Vec<u8> = table.chunks().flatten().collect();
    let mut rows = Vec::new();
    for line in str::from_utf8(&text).unwrap().lines() {
        let fields: Vec<_> = line.split('\t').collect();
        assert_eq!(fields.len(), columns.len(), "{}: {line}", table.name);
        let present = columns.iter().zip(fields).filter(|(_, field)| *field != "\\N");
        rows.push(present.map(|(name, field)| (name.to_string(), unescape(field))).collect());
    }
    rows
}

fn unescape(field: &str) -> String {
    let mut text = String::new();
    let mut rest = field.chars();
    while let Some(character) = rest.next() {
        text.push(match character {
            '\\' => match rest.next().unwrap() {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                other => other,
            },
            other => other,
        });
    }
    text
}

fn micros(timestamp: &str) -> i64 {
    DateTime::parse_from_rfc3339(timestamp).unwrap().timestamp_micros()
}

#[test]
fn there_are_nine_databases_with_parents_first() {
    let names: Vec<_> = data_set(10, 1, now()).databases.iter().map(|database| database.name).collect();
    let expected = [
        "acp_identity",
        "acp_registry",
        "acp_audit",
        "acp_usage",
        "acp_api",
        "acp_behavior",
        "acp_identity_graph",
        "acp_flight_recorder",
        "acp_autonomy",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |seed| -> Vec<Bytes> {
        let data = data_set(500, seed, now());
        data.databases.iter().flat_map(|database| &database.tables).flat_map(DemoTable::chunks).collect()
    };
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
    assert_eq!(data_set(0, 7, now()).active_public_key_pem, data_set(9, 7, now()).active_public_key_pem);
}

#[test]
fn chunks_are_bounded_and_end_with_a_row() {
    let data = data_set(ROWS, 1, now());
    for table in data.databases.iter().flat_map(|database| &database.tables) {
        for chunk in table.chunks() {
            assert!(chunk.len() < CHUNK_BYTES + 16_384, "{}: {}", table.name, chunk.len());
            assert_eq!(chunk.last(), Some(&b'\n'), "{}", table.name);
        }
        assert!(!rows(table).is_empty(), "{}", table.name);
    }
    assert!(table(&data, "acp_audit", "audit_logs").chunks().count() > 5);
}

#[test]
fn any_number_of_rows_will_do() {
    for count in [0, 1, 2, 7, 100] {
        let data = data_set(count, 3, now());
        assert_eq!(rows(table(&data, "acp_audit", "audit_logs")).len() as u64, count);
        for table in data.databases.iter().flat_map(|database| &database.tables) {
            rows(table);
        }
    }
}

#[test]
fn every_row_names_one_that_is_there_and_is_what_was_hashed() {
    let data = data_set(ROWS, 1, now());
    let mut children: BTreeMap<(String, String), BTreeMap<String, u32>> = BTreeMap::new();
    let mut hasher = RowHasher::new();
    let (mut forks, mut untimed, mut old_numbers) = (0, 0, Vec::new());
    for (index, row) in rows(table(&data, "acp_audit", "audit_logs")).iter().enumerate() {
        let field = |name: &str| row.get(name).map(String::as_str);
        let fields = |timestamp_micros| AuditRow {
            tenant_id: field("tenant_id"),
            agent_id: field("agent_id"),
            action: &row["action"],
            tool: field("tool"),
            decision: &row["decision"],
            request_id: field("request_id"),
            reason: field("reason"),
            metadata: field("metadata_json"),
            timestamp_micros,
        };
        let version =
            HashVersion::from_column(field("hash_version").map(|text| text.parse().unwrap())).unwrap();
        let chain = children.entry((row["tenant_id"].clone(), row["chain_shard"].clone())).or_default();
        if chain.is_empty() {
            chain.insert(GENESIS.to_owned(), 0);
        }
        let named = chain.get_mut(&row["prev_hash"]).expect("its parent is there");
        forks += u32::from(*named > 0);
        *named += 1;
        chain.insert(row["event_hash"].clone(), 0);
        let timed = fields(Some(micros(&row["timestamp"])));
        let is_timed = hasher.event_hash(&row["prev_hash"], &timed, version).unwrap() == *row["event_hash"];
        let without = hasher.event_hash(&row["prev_hash"], &fields(None), version).unwrap();
        assert!(is_timed || without == *row["event_hash"]);
        untimed += u32::from(!is_timed);
        match field("hash_version") {
            None => old_numbers.push(row["chain_sequence"].parse::<usize>().unwrap()),
            Some(_) => assert_eq!(row["chain_sequence"], (index + 1).to_string()),
        }
        if let (Some(request), Some(_)) = (field("request_id"), field("hash_version")) {
            assert_eq!(row["chain_shard"], chain_shard(request, SHARDS).to_string());
        }
    }
    assert_eq!(children.len(), 3 * 16, "three tenants with sixteen shards");
    assert!((400..800).contains(&forks), "about a tenth of {ROWS} rows: {forks}");
    assert_eq!(u64::from(untimed), ROWS / 2);
    assert!(!old_numbers.is_sorted(), "older rows got their numbers later");
    old_numbers.sort_unstable();
    assert!(old_numbers.into_iter().eq(1..=ROWS as usize / 10));
}

#[test]
fn audit_rows_hold_the_cases_that_matter() {
    let data = data_set(ROWS, 1, now());
    let rows = rows(table(&data, "acp_audit", "audit_logs"));
    let share =
        |holds: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| holds(row)).count() * 100 / rows.len();
    assert_eq!(share(&|row| row.get("hash_version").is_none()), 10);
    assert_eq!(share(&|row| row.get("hash_version").is_some_and(|version| version == "1")), 20);
    assert!((20..40).contains(&share(&|row| row.get("reason").is_none())));
    assert!((5..15).contains(&share(&|row| row.get("metadata_json").is_none())));
    assert!((15..35).contains(&share(&|row| micros(&row["timestamp"]) % 1_000_000 == 0)));
    assert!(share(&|row| row.get("tool").is_none()) > 3);
    assert!(rows.iter().any(|row| row.get("reason").is_some_and(String::is_empty)));

    let in_time = |pair: &[Row]| {
        (micros(&pair[0]["timestamp"]), &pair[0]["id"]) < (micros(&pair[1]["timestamp"]), &pair[1]["id"])
    };
    let out_of_order = rows.windows(2).filter(|pair| !in_time(pair)).count();
    assert!(out_of_order > 50, "only chain_sequence tells the order of {out_of_order} neighbours");

    let times: Vec<_> = rows.iter().map(|row| micros(&row["timestamp"])).collect();
    assert!(times.is_sorted());
    let (first, last) = (times[0], times[times.len() - 1]);
    let day = 86_400 * 1_000_000_i64;
    assert!((13 * day..=14 * day).contains(&(last - first)));
    assert!((300..900).contains(&((now().timestamp_micros() - last) / 1_000_000)));
}

#[test]
fn every_day_has_a_signed_root_that_follows_the_one_before() {
    let data = data_set(ROWS, 1, now());
    let mut leaves: BTreeMap<(String, String), Vec<Row>> = BTreeMap::new();
    for row in rows(table(&data, "acp_audit", "audit_logs")) {
        let day = row["timestamp"][..10].to_string();
        leaves.entry((row["tenant_id"].clone(), day)).or_default().push(row);
    }
    let mut ring = KeyRing::new();
    let historical = rows(table(&data, "acp_audit", "transparency_historical_keys"));
    for key in &historical {
        assert_eq!(ring.insert(&key["public_key_pem"]).unwrap(), *key["fingerprint"]);
    }
    let active = ring.insert(&data.active_public_key_pem).unwrap();

    let mut previous: BTreeMap<String, (NaiveDate, String)> = BTreeMap::new();
    let (mut empty_days, mut signers) = (Vec::new(), BTreeSet::new());
    let (mut tails, mut gaps) = (0, 0);
    for root in rows(table(&data, "acp_audit", "transparency_roots")) {
        let payload: Value = serde_json::from_str(&root["signed_root_payload"]).unwrap();
        let key_name = &root["signing_key_fingerprint"];
        assert_eq!(payload["public_key_fingerprint"], **key_name);
        assert_eq!(payload["algorithm"], "ed25519");
        let key = ring.find(key_name).unwrap();
        verify_receipt(key, &payload["receipt"].to_string(), payload["signature"].as_str().unwrap()).unwrap();
        signers.insert(key_name.clone());

        let receipt = &payload["receipt"];
        for column in [
            "tenant_id",
            "root_date",
            "root_hash",
            "prev_root_hash",
            "leaf_range_start_id",
            "leaf_range_end_id",
        ] {
            assert_eq!(receipt[column].as_str(), root.get(column).map(String::as_str), "{column}");
        }
        assert_eq!(receipt["leaf_count"].to_string(), root["leaf_count"]);

        let date: NaiveDate = root["root_date"].parse().unwrap();
        let mut day =
            leaves.remove(&(root["tenant_id"].clone(), root["root_date"].clone())).unwrap_or_default();
        day.sort_by_key(|row| (micros(&row["timestamp"]), row["id"].clone()));
        let until = micros(receipt["window_end"].as_str().unwrap());
        let covered = day.partition_point(|row| micros(&row["timestamp"]) <= until);
        tails += day.len() - covered;
        day.truncate(covered);
        assert_eq!(root["leaf_count"], day.len().to_string());
        assert_eq!(root.get("leaf_range_start_id"), day.first().map(|row| &row["id"]));
        assert_eq!(root.get("leaf_range_end_id"), day.last().map(|row| &row["id"]));
        let previous = previous.insert(root["tenant_id"].clone(), (date, root["root_hash"].clone()));
        assert_eq!(root.get("prev_root_hash"), previous.as_ref().map(|(_, hash)| hash));
        gaps += usize::from(previous.as_ref().is_some_and(|(day, _)| day.succ_opt() != Some(date)));
        if day.is_empty() {
            let hashes = [EmptyRootVersion::V1, EmptyRootVersion::V2]
                .map(|version| empty_day_root(version, root.get("prev_root_hash").map(String::as_str), date));
            empty_days.push(hashes.iter().position(|hash| *hash == *root["root_hash"]).unwrap() + 1);
        }
    }
    assert_eq!(empty_days, [1, 2], "one empty day of either version");
    assert!(leaves.is_empty(), "every day with rows has a root: {:?}", leaves.keys());
    assert_eq!(gaps, 1, "one day without rows has none");
    assert!(tails > 20, "the last rows of a day are not covered: {tails}");
    let lengths: Vec<_> = signers.iter().map(String::len).collect();
    assert!(
        lengths.contains(&32)
            && signers.contains(active.as_str())
            && signers.contains(&historical[0]["fingerprint"])
    );
}

#[test]
fn usage_and_audit_agree() {
    let data = data_set(ROWS, 1, now());
    let is_billable = |row: &Row| row["action"] == "execute_tool" && row["decision"] != "reject";
    let audit = rows(table(&data, "acp_audit", "audit_logs"));
    let billed: BTreeSet<_> =
        audit.iter().filter(|row| is_billable(row)).map(|row| row["request_id"].clone()).collect();
    let usage: Vec<_> = rows(table(&data, "acp_usage", "usage_records"));
    let named: BTreeSet<_> = usage.iter().map(|row| row["audit_id"].clone()).collect();
    assert_eq!(named.len(), usage.len());
    assert_eq!(named, billed);
    assert!(billed.len() > ROWS as usize / 2);
    let pending = rows(table(&data, "acp_audit", "pending_usage_events"));
    assert!(pending.iter().any(|row| row["status"] == "pending"));
    assert!(pending.iter().all(|row| billed.contains(&row["request_id"])));
}
