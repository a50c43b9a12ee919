//! What a plan looks like to people.

use super::plan_text;
use crate::plan::plan;
use crate::plan::testing::{demanding, good, now, pattern, planned, rich, troubled};

#[test]
fn a_full_plan_for_people_is_this() {
    insta::assert_snapshot!(plan_text(&plan(&demanding(), &pattern(), &rich(), now())), @r#"
    Plan of a restore drill of shop from s3://backups/nightly, as of 2026-05-17 08:31:11Z

    Order  Database     Taken                 Age  Uploaded                   Size      Usual  Server  Tables    Restored     Time  Class
        1  shop         2026-05-17 04:31:11Z   4h  2026-05-17 04:32:11Z  976.6 KiB  976.6 KiB  17.2         2    ~6.7 MiB  ~1m 32s  STANDARD
        1  stock        2026-05-17 04:31:11Z   4h  2026-05-17 04:32:11Z   97.7 KiB  976.6 KiB  17.2         2  ~683.6 KiB    ~6.2s  STANDARD
        2  shop_orders  2026-05-17 02:31:11Z   6h  2026-05-17 02:32:11Z  976.6 KiB          —  —            —    ~6.7 MiB  ~8m 22s  STANDARD NOT READABLE

    shop  nightly/shop_20260517T043111Z.dump.age
      dump        PostgreSQL 17.2 by pg_dump 17.2, format 1.16, compression gzip, made 2026-05-17 04:31:11 (zone not recorded)
      extensions  pgcrypto
      tables      t → u
      kept        object lock COMPLIANCE until 2026-08-15 08:31:11Z
    stock  nightly/stock_20260517T043111Z.dump.age
      dump        PostgreSQL 17.2 by pg_dump 17.2, format 1.16, compression gzip, made 2026-05-17 04:31:11 (zone not recorded)
      extensions  pgcrypto, timescaledb
      tables      t → u
      kept        server-side encryption AES256
    shop_orders  nightly/shop_orders_20260517T023111Z.dump.age
      kept        server-side encryption AES256

    Set        3 recovery points, 2.0 MiB in all, taken within 2h of each other
    RPO        6h of 1d met
    Image      postgres:17: PostgreSQL 17, by the image's tag
    Store      versioning enabled · object lock COMPLIANCE for 90 days · encryption aws:kms · lifecycle not known (access denied; it needs s3:GetLifecycleConfiguration)
    Room       ~16.0 MiB needed (what earlier drills restored); 9.5 MiB free (/var/lib/docker on this machine, now)
    Forecast   ~8m 17s until verified, checks ~21s (the drill of 20260516T083111Z, by size)
    This plan  31 requests, 891.0 KiB moved, 16 objects listed, 0.8s

    info: rto: recovery would take about 8m 17s, based on the drill of 20260516T083111Z, by size (expected recovery within 10m) [objective_at_risk]
    warning: stock: nightly/stock_20260517T043111Z.dump.age is 97.7 KiB, 10 % of that median (expected at least 50 % of 976.6 KiB, the median of the 4 before it) [shrunken_point]
    warning: stock: no recovery point for 2d after 2026-05-13 04:31:11Z (expected a recovery point every 1d) [schedule_gap]
    warning: stock: the dump is of PostgreSQL 15: a drill shows that it restores into 17, and not into 15 (expected a dump of PostgreSQL 17, according to the image's tag) [dump_older_than_image]
    warning: stock: the dump needs timescaledb, and postgres:17 may not have it (expected extensions that come with PostgreSQL, or that postgres.extensions in the template names) [extension_not_known]
    warning: recovery set: PostgreSQL 15: stock; PostgreSQL 17: shop (expected members of one major version) [server_versions_differ]
    warning: disk: 9.5 MiB free: /var/lib/docker on this machine, now (expected about 16.0 MiB free (what earlier drills restored)) [disk_may_be_too_small]
    warning: billing: it is backed up and not drilled: nightly/billing_20260517T043111Z.dump.age (expected every database in the store among [[databases]]) [database_not_in_template]
    error: recovery set: stock was taken 2h after shop_orders (expected taken within 1h of each other) [skew_exceeded]
    error: stock: no lock is seen on nightly/stock_20260517T043111Z.dump.age (seeing one needs s3:GetObjectRetention) (expected an object lock, for recovery_set.require_object_lock) [object_lock_missing]
    error: shop_orders: no lock is seen on nightly/shop_orders_20260517T023111Z.dump.age (seeing one needs s3:GetObjectRetention) (expected an object lock, for recovery_set.require_object_lock) [object_lock_missing]
    error: shop_orders: nightly/shop_orders_20260517T023111Z.dump.age is in DEEP_ARCHIVE and cannot be read now. To make it readable: aws s3api restore-object --bucket backups --key nightly/shop_orders_20260517T023111Z.dump.age --restore-request '{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}', or this command with --request-restore (expected an object that can be read) [object_archived]
    error: bucket: lifecycle is not known: access denied; it needs s3:GetLifecycleConfiguration (expected kept for 30d, for recovery_set.min_retention) [storage_fact_not_known]

    The plan is NOT sound: a drill would fail
    "#);
}

#[test]
fn a_sound_plan_for_people_is_this() {
    insta::assert_snapshot!(plan_text(&planned(&good())), @r#"
    Plan of a restore drill of shop from s3://backups/nightly, as of 2026-05-17 08:31:11Z

    Order  Database     Taken                 Age  Uploaded                   Size  Usual  Server  Tables  Restored  Time  Class
        1  shop         2026-05-17 04:31:11Z   4h  2026-05-17 04:32:11Z  976.6 KiB      —  —            —  ~5.7 MiB     —  STANDARD
        1  stock        2026-05-17 04:31:11Z   4h  2026-05-17 04:32:11Z  976.6 KiB      —  —            —  ~5.7 MiB     —  STANDARD
        2  shop_orders  2026-05-17 04:31:11Z   4h  2026-05-17 04:32:11Z  976.6 KiB      —  —            —  ~5.7 MiB     —  STANDARD

    shop  nightly/shop_20260517T043111Z.dump.age
    stock  nightly/stock_20260517T043111Z.dump.age
    shop_orders  nightly/shop_orders_20260517T043111Z.dump.age

    Set        3 recovery points, 2.9 MiB in all, taken within 0.0s of each other
    RPO        4h of 1d met
    Image      postgres:17: PostgreSQL 17, by the image's tag
    Store      not asked
    Room       ~20.0 MiB needed (assumed: 6 times a compressed dump, 1.5 times another; no earlier drill measured it); what is free is not known without the engine
    Forecast   none: there is no earlier drill to base it on
    This plan  0 requests, 0 B moved, 0 objects listed, 0.0s

    The plan is sound: a drill would make sense
    "#);
}

#[test]
fn an_unsound_plan_for_people_is_this() {
    insta::assert_snapshot!(plan_text(&troubled()), @r#"
    Plan of a restore drill of shop from s3://backups/nightly, as of 2026-05-17 08:31:11Z

    Order  Database     Taken                   Age  Uploaded                   Size  Usual  Server  Tables  Restored  Time  Class
        1  shop         2026-05-17 07:31:11Z     1h  2026-05-17 07:32:11Z        0 B      —  —            —      ~0 B     —  STANDARD
        1  stock        MISSING
        2  shop_orders  2026-05-15 05:31:11Z  2d 3h  2026-05-15 05:32:11Z  976.6 KiB      —  —            —  ~5.7 MiB     —  STANDARD

    shop  nightly/shop_20260517T073111Z.dump.age
    shop_orders  nightly/shop_orders_20260515T053111Z.dump.age

    Set        2 recovery points, 976.6 KiB in all, taken within 2d 2h of each other
    RPO        2d 3h of 1d MISSED
    Image      postgres:17: PostgreSQL 17, by the image's tag
    Store      not asked
    Room       ~6.7 MiB needed (assumed: 6 times a compressed dump, 1.5 times another; no earlier drill measured it); what is free is not known without the engine
    Forecast   none: there is no earlier drill to base it on
    This plan  0 requests, 0 B moved, 0 objects listed, 0.0s

    error: stock: no recovery point: nothing in the store begins with nightly/stock_ (expected an object like nightly/stock_20260517T083111Z.dump.age) [no_recovery_point]
    error: shop: the newest recovery point nightly/shop_20260517T073111Z.dump.age has no bytes at all (expected an encrypted dump) [empty_object]
    error: shop_orders: its newest recovery point is 2d 3h old (expected a recovery point not older than 1d) [rpo_missed]

    The plan is NOT sound: a drill would fail
    "#);
}
