//! Plans, and what they are made of, for tests.

use chrono::{DateTime, TimeDelta, Utc};

use super::{DrillPlan, FreeDisk, Listing, Look, Survey, UnnamedDatabase};
use crate::model::names::ObjectKey;
use crate::model::past::{PastDatabase, PastDrill};
use crate::model::phase::Phase;
use crate::model::verdict::PlanCost;
use crate::store::{BucketFacts, BucketLock, Fact, ObjectFacts, ObjectLock, ObjectMeta, StoreFacts};
use crate::template::{Environment, KeyPattern, Purpose, Template, parse};

pub(crate) const PREFIX: &str = "nightly";

pub(crate) fn template() -> Template {
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

pub(crate) fn pattern() -> KeyPattern {
    let store = template().store;
    KeyPattern::new(PREFIX, &store.key, &store.timestamp)
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-05-17T08:31:11Z".parse().unwrap()
}

pub(crate) fn hours_ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

pub(crate) fn object(key: &str, size_bytes: u64, uploaded: DateTime<Utc>) -> ObjectMeta {
    ObjectMeta {
        key: ObjectKey::new(key),
        size_bytes,
        last_modified: Some(uploaded),
        storage_class: "STANDARD".to_owned(),
        etag: Some("\"e\"".to_owned()),
    }
}

/// A recovery point taken so long ago, uploaded a minute later.
pub(crate) fn taken(database: &str, hours: i64) -> ObjectMeta {
    let key = pattern().key(&database.parse().unwrap(), hours_ago(hours));
    object(key.as_str(), 1_000_000, hours_ago(hours) + TimeDelta::minutes(1))
}

pub(crate) fn listing<const N: usize>(objects: [(&str, Vec<ObjectMeta>); N]) -> Listing {
    objects.map(|(name, objects)| (name.parse().unwrap(), objects)).into()
}

/// Every database has a recovery point of four hours ago.
pub(crate) fn good() -> Listing {
    listing(["shop", "shop_orders", "stock"].map(|name| (name, vec![taken(name, 4)])))
}

/// A plan from a listing alone.
pub(crate) fn plan_of_listing(
    template: &Template,
    pattern: &KeyPattern,
    listing: &Listing,
    at: DateTime<Utc>,
) -> DrillPlan {
    super::plan(template, pattern, &Survey { listing: listing.clone(), ..Survey::default() }, at)
}

pub(crate) fn planned(listing: &Listing) -> DrillPlan {
    plan_of_listing(&template(), &pattern(), listing, now())
}

/// One of everything: a good point, an empty one, an old one, a missing one.
pub(crate) fn troubled() -> DrillPlan {
    let mut empty = taken("shop", 1);
    empty.size_bytes = 0;
    let listing = listing([("shop", vec![empty]), ("shop_orders", vec![taken("shop_orders", 51)])]);
    planned(&listing)
}

/// A survey in which everything is known, and much is wrong.
pub(crate) fn rich() -> Survey {
    let days = |name: &str, n: i64| (0..n).rev().map(|day| taken(name, day * 24 + 4)).collect::<Vec<_>>();
    let mut stock = days("stock", 6);
    stock[5].size_bytes = 100_000;
    stock.remove(2);
    let mut survey = Survey {
        listing: listing([
            ("shop", days("shop", 9)),
            ("shop_orders", vec![taken("shop_orders", 6)]),
            ("stock", stock),
        ]),
        read_at: Some(now()),
        ..Survey::default()
    };
    let facts = |class: &str| {
        Fact::known(ObjectFacts {
            storage_class: class.to_owned(),
            server_side_encryption: Some("AES256".to_owned()),
            ..ObjectFacts::default()
        })
    };
    let inside = |name: &str, hours| super::inside::tests::sound(name, hours_ago(hours));
    let mut stock = inside("stock", 4);
    stock.extensions.insert("timescaledb".to_owned());
    stock.server_major = Some(15);
    let locked = Fact::known(ObjectFacts {
        storage_class: "STANDARD".to_owned(),
        lock: Some(ObjectLock { mode: "COMPLIANCE".to_owned(), retain_until: Some(hours_ago(-24 * 90)) }),
        ..ObjectFacts::default()
    });
    for (name, facts, contents) in [
        ("shop", locked, Some(Ok(inside("shop", 4)))),
        ("shop_orders", facts("DEEP_ARCHIVE"), None),
        ("stock", facts("STANDARD_IA"), Some(Ok(stock))),
    ] {
        survey.looks.insert(name.parse().unwrap(), Look { facts, contents, ..Look::default() });
    }
    survey.unnamed.databases.push(UnnamedDatabase {
        database: "billing".parse().unwrap(),
        key: "nightly/billing_20260517T043111Z.dump.age".to_owned(),
        recent: true,
    });
    survey.facts = Some(StoreFacts::Bucket(BucketFacts {
        versioning: Fact::known("Enabled".to_owned()),
        object_lock: Fact::known(BucketLock {
            enabled: true,
            mode: Some("COMPLIANCE".to_owned()),
            days: Some(90),
        }),
        encryption: Fact::known("aws:kms".to_owned()),
        lifecycle: Fact::unknown("access denied; it needs s3:GetLifecycleConfiguration"),
    }));
    let past = |name: &str, restore| {
        let stages = [Some(1.5), Some(0.5), Some(restore)];
        (
            name.parse().unwrap(),
            PastDatabase { size_bytes: 1_000_000, restored_bytes: Some(7_000_000), stages },
        )
    };
    survey.past.push(PastDrill {
        timestamp: "20260516T083111Z".to_owned(),
        complete: true,
        phases: [(Phase::Stack, 4.0), (Phase::Isolation, 3.0), (Phase::Restore, 700.0)].into(),
        verification_seconds: Some(30.0),
        databases: [past("shop", 90.0), past("shop_orders", 500.0), past("stock", 60.0)].into(),
        ..PastDrill::default()
    });
    survey.disk =
        Some(FreeDisk { free_bytes: 10_000_000, basis: "/var/lib/docker on this machine, now".to_owned() });
    survey.cost = PlanCost { requests: 31, bytes: 912_345, objects_listed: 16, seconds: 0.8 };
    survey
}

/// A template that demands what it can.
pub(crate) fn demanding() -> Template {
    let mut template = template();
    template.recovery_set.schedule = Some(std::time::Duration::from_secs(86_400));
    template.recovery_set.max_skew = Some(std::time::Duration::from_secs(3600));
    template.recovery_set.require_object_lock = true;
    template.recovery_set.min_retention = Some(std::time::Duration::from_secs(30 * 86_400));
    template.objectives.rto = Some(std::time::Duration::from_secs(600));
    template
}
