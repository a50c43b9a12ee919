use chrono::TimeDelta;

use super::*;
use crate::failure::Class;
use crate::template::{Environment, Purpose, parse};

const PREFIX: &str = "nightly";

fn template() -> Template {
    let text = r#"
        schema_version = 1
        name = "shop"
        project_prefix = "shop_drill"
        store = { url = "s3://backups/nightly" }
        encryption = { identities = ["key.txt"] }
        postgres = { image = "postgres:17" }
        objectives = { rpo = "24h" }
        databases = [
            { name = "shop_orders", after = ["shop"] },
            { name = "shop" },
            { name = "stock" },
        ]
        checks = [{ type = "required-tables", name = "tables", tables = { shop = ["t"] } }]
    "#;
    parse(text, "shop.toml", &Environment::default(), Purpose::Drill).unwrap()
}

fn pattern() -> KeyPattern {
    let store = template().store;
    KeyPattern::new(PREFIX, &store.key, &store.timestamp)
}

fn now() -> DateTime<Utc> {
    "2026-05-17T08:31:11Z".parse().unwrap()
}

fn hours_ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

fn object(key: &str, size_bytes: u64, uploaded: DateTime<Utc>) -> ObjectMeta {
    ObjectMeta {
        key: ObjectKey::new(key),
        size_bytes,
        last_modified: Some(uploaded),
        storage_class: "STANDARD".to_owned(),
        etag: Some("\"e\"".to_owned()),
    }
}

/// A recovery point taken so long ago, uploaded a minute later.
fn taken(database: &str, hours: i64) -> ObjectMeta {
    let key = pattern().key(&database.parse().unwrap(), hours_ago(hours));
    object(key.as_str(), 1_000_000, hours_ago(hours) + TimeDelta::minutes(1))
}

fn listing<const N: usize>(objects: [(&str, Vec<ObjectMeta>); N]) -> Listing {
    objects.map(|(name, objects)| (name.parse().unwrap(), objects)).into()
}

/// Every database has a recovery point of four hours ago.
fn good() -> Listing {
    listing(["shop", "shop_orders", "stock"].map(|name| (name, vec![taken(name, 4)])))
}

fn planned(listing: &Listing) -> DrillPlan {
    plan(&template(), &pattern(), listing, now())
}

fn age_hours(plan: &DrillPlan, database: &str) -> i64 {
    (now() - plan.point(&database.parse().unwrap()).unwrap().taken_at).num_hours()
}

fn codes(plan: &DrillPlan) -> Vec<(&str, &str)> {
    plan.findings.iter().map(|finding| (finding.code, finding.subject.as_str())).collect()
}

#[test]
fn a_complete_and_fresh_set_is_sound() {
    let plan = planned(&good());
    assert!(plan.sound && plan.missing.is_empty() && plan.findings.is_empty());
    assert_eq!(plan.obstacle(), None);
    assert_eq!(plan.rpo.met, Some(true));
}

#[test]
fn the_newest_by_its_key_is_chosen_though_an_older_one_was_uploaded_later() {
    let mut listing = good();
    let mut copied_again = taken("stock", 30);
    copied_again.last_modified = Some(now());
    listing.insert("stock".parse().unwrap(), vec![taken("stock", 5), copied_again, taken("stock", 29)]);
    assert_eq!(age_hours(&planned(&listing), "stock"), 5);
}

#[test]
fn nothing_younger_than_the_asked_for_moment_is_chosen() {
    let mut listing = good();
    listing.insert("stock".parse().unwrap(), vec![taken("stock", 2), taken("stock", 10), taken("stock", 20)]);
    let at = |hours| plan(&template(), &pattern(), &listing, hours_ago(hours));
    assert_eq!(age_hours(&at(3), "stock"), 10);
    assert_eq!(age_hours(&at(10), "stock"), 10, "the moment itself counts");
    assert_eq!(age_hours(&at(11), "stock"), 20);
    // A key from a clock that runs ahead is not of the past either.
    listing.insert("stock".parse().unwrap(), vec![taken("stock", -1), taken("stock", 6)]);
    assert_eq!(age_hours(&planned(&listing), "stock"), 6);
}

#[test]
fn a_database_without_any_recovery_point_is_missing_and_named() {
    let mut listing = good();
    listing.remove(&"stock".parse().unwrap());
    let plan = planned(&listing);
    assert!(!plan.sound);
    assert_eq!(plan.missing, ["stock".parse().unwrap()]);
    assert_eq!(codes(&plan), [("no_recovery_point", "stock")]);
    let obstacle = plan.obstacle().unwrap();
    assert_eq!((obstacle.class, obstacle.code), (Class::Bad, "no_recovery_point"));
    assert_eq!(obstacle.message, "stock: no recovery point: nothing in the store begins with nightly/stock_");
}

#[test]
fn a_database_with_only_younger_recovery_points_is_told_apart_from_one_with_none() {
    let plan = plan(&template(), &pattern(), &good(), hours_ago(5));
    assert_eq!(plan.missing.len(), 3);
    assert_eq!(
        plan.findings[0].actual,
        "no recovery point taken at or before 2026-05-17 03:31:11Z among 1 objects below nightly/shop_"
    );
    assert_eq!((plan.rpo.actual_seconds, plan.rpo.met), (None, None), "nothing was measured");
    assert_eq!(plan.rpo.target_seconds, Some(86_400.0));
}

#[test]
fn another_databases_keys_are_not_taken_though_they_begin_alike() {
    let mut listing = good();
    // What a listing by the prefix `nightly/shop_` really brings.
    listing.insert("shop".parse().unwrap(), vec![taken("shop_orders", 1), taken("shop", 9)]);
    assert_eq!(age_hours(&planned(&listing), "shop"), 9);
    listing.insert("shop".parse().unwrap(), vec![taken("shop_orders", 1)]);
    assert_eq!(codes(&planned(&listing)), [("no_recovery_point", "shop")]);
}

#[test]
fn a_newest_object_without_bytes_is_an_error_and_not_passed_over() {
    let mut listing = good();
    let mut empty = taken("stock", 1);
    empty.size_bytes = 0;
    listing.insert("stock".parse().unwrap(), vec![taken("stock", 25), empty]);
    let plan = planned(&listing);
    // To fall back on yesterday's silently would hide that last night's backup failed.
    assert_eq!(age_hours(&plan, "stock"), 1);
    assert_eq!(codes(&plan), [("empty_object", "stock")]);
    let obstacle = plan.obstacle().unwrap();
    assert_eq!((obstacle.class, obstacle.code), (Class::Bad, "empty_object"));
    assert!(obstacle.hint.unwrap().contains("--at"));
}

#[test]
fn the_rpo_is_that_of_the_oldest_recovery_point() {
    let mut listing = good();
    for (hours, met) in [(23, true), (24, true), (25, false)] {
        listing.insert("stock".parse().unwrap(), vec![taken("stock", hours)]);
        let plan = planned(&listing);
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let seconds = (hours * 3600) as f64;
        assert_eq!((plan.rpo.actual_seconds, plan.rpo.met), (Some(seconds), Some(met)), "{hours} h");
        assert_eq!(plan.sound, met);
    }
    assert_eq!(codes(&planned(&listing)), [("rpo_missed", "stock")]);
}

#[test]
fn a_missed_rpo_does_not_forbid_the_drill() {
    let mut listing = good();
    listing.insert("stock".parse().unwrap(), vec![taken("stock", 400)]);
    assert_eq!(planned(&listing).obstacle(), None);
}

#[test]
fn without_a_target_the_rpo_is_measured_and_not_judged() {
    let mut template = template();
    template.objectives.rpo = None;
    let plan = plan(&template, &pattern(), &good(), now());
    assert_eq!((plan.rpo.target_seconds, plan.rpo.met), (None, None));
    assert_eq!(plan.rpo.actual_seconds, Some(4.0 * 3600.0));
}

#[test]
fn the_first_database_in_restore_order_that_lacks_a_recovery_point_is_the_obstacle() {
    let mut listing = good();
    let mut empty = taken("shop", 1);
    empty.size_bytes = 0;
    listing.insert("shop".parse().unwrap(), vec![empty]);
    listing.insert("stock".parse().unwrap(), vec![taken("stock", 100)]);
    assert_eq!(planned(&listing).obstacle().unwrap().code, "empty_object", "before the missed RPO");
    listing.remove(&"shop_orders".parse().unwrap());
    listing.remove(&"stock".parse().unwrap());
    let plan = planned(&listing);
    // `stock` stands in the first wave, `shop_orders` in the second.
    assert_eq!(plan.missing, ["stock", "shop_orders"].map(|name| name.parse().unwrap()));
    assert!(plan.obstacle().unwrap().message.starts_with("stock: no recovery point"));
}

#[test]
fn the_sets_extent_and_skew_are_those_of_its_points() {
    let mut listing = good();
    listing.insert("stock".parse().unwrap(), vec![taken("stock", 6)]);
    let set = planned(&listing).recovery_set;
    assert_eq!((set.oldest, set.newest), (Some(hours_ago(6)), Some(hours_ago(4))));
    assert_eq!(set.skew_seconds, Some(7200));
    let nothing = planned(&Listing::new()).recovery_set;
    assert_eq!((nothing.oldest, nothing.newest, nothing.skew_seconds), (None, None, None));
}

/// One of everything: a good point, an empty one, an old one, a missing one.
fn troubled() -> DrillPlan {
    let mut empty = taken("shop", 1);
    empty.size_bytes = 0;
    let listing = listing([("shop", vec![empty]), ("shop_orders", vec![taken("shop_orders", 51)])]);
    planned(&listing)
}

#[test]
fn a_plan_as_json_is_this() {
    let json = serde_json::to_string_pretty(&troubled()).unwrap();
    insta::assert_snapshot!(json, @r#"
    {
      "schema_version": 1,
      "template": "shop",
      "status": "DRY_RUN",
      "at": "2026-05-17T08:31:11Z",
      "store": "s3://backups/nightly",
      "sound": false,
      "recovery_set": {
        "oldest": "2026-05-15T05:31:11Z",
        "newest": "2026-05-17T07:31:11Z",
        "skew_seconds": 180000,
        "points": [
          {
            "database": "shop",
            "key": "nightly/shop_20260517T073111Z.dump.age",
            "size_bytes": 0,
            "taken_at": "2026-05-17T07:31:11Z",
            "last_modified": "2026-05-17T07:32:11Z",
            "storage_class": "STANDARD",
            "etag": "\"e\"",
            "ciphertext_sha256": null,
            "plaintext_sha256": null,
            "plaintext_bytes": null
          },
          {
            "database": "shop_orders",
            "key": "nightly/shop_orders_20260515T053111Z.dump.age",
            "size_bytes": 1000000,
            "taken_at": "2026-05-15T05:31:11Z",
            "last_modified": "2026-05-15T05:32:11Z",
            "storage_class": "STANDARD",
            "etag": "\"e\"",
            "ciphertext_sha256": null,
            "plaintext_sha256": null,
            "plaintext_bytes": null
          }
        ]
      },
      "waves": [
        [
          "shop",
          "stock"
        ],
        [
          "shop_orders"
        ]
      ],
      "missing": [
        "stock"
      ],
      "rpo": {
        "target_seconds": 86400.0,
        "actual_seconds": 183600.0,
        "met": false
      },
      "findings": [
        {
          "severity": "error",
          "code": "no_recovery_point",
          "subject": "stock",
          "expected": "an object like nightly/stock_20260517T083111Z.dump.age",
          "actual": "no recovery point: nothing in the store begins with nightly/stock_"
        },
        {
          "severity": "error",
          "code": "empty_object",
          "subject": "shop",
          "expected": "an encrypted dump",
          "actual": "the newest recovery point nightly/shop_20260517T073111Z.dump.age has no bytes at all"
        },
        {
          "severity": "error",
          "code": "rpo_missed",
          "subject": "shop_orders",
          "expected": "a recovery point not older than 1d",
          "actual": "its newest recovery point is 2d 3h old"
        }
      ]
    }
    "#);
}

#[test]
fn a_sound_plan_for_people_is_this() {
    insta::assert_snapshot!(crate::report::plan_text(&planned(&good())), @r"
    Plan of a restore drill of shop from s3://backups/nightly, as of 2026-05-17 08:31:11Z

    Order  Database     Taken                 Age  Uploaded                   Size  Class     Object
        1  shop         2026-05-17 04:31:11Z   4h  2026-05-17 04:32:11Z  976.6 KiB  STANDARD  nightly/shop_20260517T043111Z.dump.age
        1  stock        2026-05-17 04:31:11Z   4h  2026-05-17 04:32:11Z  976.6 KiB  STANDARD  nightly/stock_20260517T043111Z.dump.age
        2  shop_orders  2026-05-17 04:31:11Z   4h  2026-05-17 04:32:11Z  976.6 KiB  STANDARD  nightly/shop_orders_20260517T043111Z.dump.age

    3 recovery points, 2.9 MiB in all, taken within 0.0s of each other
    RPO 4h of 1d met

    The plan is sound: a drill would make sense
    ");
}

#[test]
fn an_unsound_plan_for_people_is_this() {
    insta::assert_snapshot!(crate::report::plan_text(&troubled()), @r"
    Plan of a restore drill of shop from s3://backups/nightly, as of 2026-05-17 08:31:11Z

    Order  Database     Taken                   Age  Uploaded                   Size  Class     Object
        1  shop         2026-05-17 07:31:11Z     1h  2026-05-17 07:32:11Z        0 B  STANDARD  nightly/shop_20260517T073111Z.dump.age
        1  stock        MISSING
        2  shop_orders  2026-05-15 05:31:11Z  2d 3h  2026-05-15 05:32:11Z  976.6 KiB  STANDARD  nightly/shop_orders_20260515T053111Z.dump.age

    2 recovery points, 976.6 KiB in all, taken within 2d 2h of each other
    RPO 2d 3h of 1d MISSED
    error: stock: no recovery point: nothing in the store begins with nightly/stock_ (expected an object like nightly/stock_20260517T083111Z.dump.age)
    error: shop: the newest recovery point nightly/shop_20260517T073111Z.dump.age has no bytes at all (expected an encrypted dump)
    error: shop_orders: its newest recovery point is 2d 3h old (expected a recovery point not older than 1d)

    The plan is NOT sound: a drill would fail
    ");
}
