use super::testing::*;
use super::*;
use crate::model::failure::{Class, Failure};
use crate::template::NeededTable;

mod shown;

fn age_hours(plan: &DrillPlan, database: &str) -> i64 {
    (now() - plan.point(&database.parse().unwrap()).unwrap().taken_at).num_hours()
}

fn codes(plan: &DrillPlan) -> Vec<(&str, &str)> {
    plan.findings.iter().map(|finding| (finding.code.as_str(), finding.subject.as_str())).collect()
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
    let at = |hours| plan_of_listing(&template(), &pattern(), &listing, hours_ago(hours));
    assert_eq!(age_hours(&at(3), "stock"), 10);
    assert_eq!(age_hours(&at(10), "stock"), 10, "the moment itself counts");
    assert_eq!(age_hours(&at(11), "stock"), 20);
    // A key from a clock that runs ahead is not of the past either.
    listing.insert("stock".parse().unwrap(), vec![taken("stock", -1), taken("stock", 6)]);
    assert_eq!(age_hours(&planned(&listing), "stock"), 6);
}

#[test]
fn the_newest_by_its_moment_is_chosen_whatever_the_offset_in_its_key() {
    let pattern = KeyPattern::new(PREFIX, "{database}_{timestamp}.age", "%Y%m%dT%H%M%S%z");
    let taken = |text: &str| object(&format!("nightly/stock_{text}.age"), 1, now());
    let march = taken("20260328T020000+0000");
    let mut listing = good();
    listing.insert(
        "stock".parse().unwrap(),
        vec![taken("20260517T040000+0200"), march, taken("20260516T040000+0200")],
    );
    let plan = plan_of_listing(&template(), &pattern, &listing, now());
    let chosen = plan.point(&"stock".parse().unwrap()).unwrap();
    assert_eq!(chosen.key.as_str(), "nightly/stock_20260517T040000+0200.age");
    assert_eq!(chosen.taken_at.to_rfc3339(), "2026-05-17T02:00:00+00:00");
}

#[test]
fn keys_that_are_passed_over_for_their_time_are_told_and_an_old_backup_is_not_taken_for_the_newest() {
    let odd = |text: &str, uploaded| object(&format!("nightly/stock_{text}.dump.age"), 1, uploaded);
    let judged = |objects: Vec<ObjectMeta>| {
        let mut listing = good();
        listing.insert("stock".parse().unwrap(), objects);
        let plan = planned(&listing);
        let told =
            plan.findings.iter().find(|finding| finding.code.as_str() == "key_time_unreadable").cloned();
        (told, plan.shortfall().map(|failure| failure.code.as_str()))
    };
    let (told, shortfall) = judged(vec![taken("stock", 4), odd("20260516-by-hand", hours_ago(1))]);
    let told = told.unwrap();
    assert_eq!((told.severity, told.subject.as_str(), shortfall), (Severity::Warning, "stock", None));
    assert!(told.actual.ends_with("the last: nightly/stock_20260516-by-hand.dump.age"), "{}", told.actual);
    let renamed = vec![
        taken("stock", 100),
        odd("20260515T100000+0200", hours_ago(48)),
        odd("20260517T100000+0200", hours_ago(1)),
    ];
    let (told, shortfall) = judged(renamed);
    let told = told.unwrap();
    assert_eq!((told.severity, shortfall), (Severity::Error, Some("key_time_unreadable")));
    assert!(told.actual.starts_with("2 objects passed over"), "{}", told.actual);
    assert!(told.actual.ends_with("that one is not the newest backup"), "{}", told.actual);
    assert_eq!(judged(vec![taken("stock", 4), odd("latest", now())]), (None, None), "no time was meant");
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
    assert_eq!((obstacle.class, obstacle.code.as_str()), (Class::Bad, "no_recovery_point"));
    assert_eq!(obstacle.message, "stock: no recovery point: nothing in the store begins with nightly/stock_");
}

#[test]
fn a_database_with_only_younger_recovery_points_is_told_apart_from_one_with_none() {
    let plan = plan_of_listing(&template(), &pattern(), &good(), hours_ago(5));
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
    assert_eq!((obstacle.class, obstacle.code.as_str()), (Class::Bad, "empty_object"));
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
    let plan = plan_of_listing(&template, &pattern(), &good(), now());
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
    assert_eq!(planned(&listing).obstacle().unwrap().code.as_str(), "empty_object", "before the missed RPO");
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

#[test]
fn what_was_read_of_the_store_is_judged() {
    let plan = super::plan(&demanding(), &pattern(), &rich(), now());
    let mut found = codes(&plan);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("database_not_in_template", "billing"),
            ("disk_may_be_too_small", "disk"),
            ("dump_older_than_image", "stock"),
            ("extension_not_known", "stock"),
            ("object_archived", "shop_orders"),
            ("object_lock_missing", "shop_orders"),
            ("object_lock_missing", "stock"),
            ("objective_at_risk", "rto"),
            ("schedule_gap", "stock"),
            ("server_versions_differ", "recovery set"),
            ("shrunken_point", "stock"),
            ("skew_exceeded", "recovery set"),
            ("storage_fact_not_known", "bucket"),
        ]
    );
    assert_eq!(plan.obstacle().unwrap().code.as_str(), "object_archived");
    assert_eq!(plan.shortfall().unwrap().code.as_str(), "skew_exceeded");
}

#[test]
fn a_table_left_out_of_the_dump_stops_the_drill_before_it_begins() {
    let mut template = template();
    let needed = ["t", "gone"].map(|table| NeededTable {
        check: "tables".to_owned(),
        database: "shop".parse().unwrap(),
        table: table.parse().unwrap(),
        view_suffices: false,
        rows: 0,
    });
    template.needed_tables = needed.into();
    let mut survey = Survey { listing: good(), ..Survey::default() };
    let contents = inside::tests::sound("shop", hours_ago(4));
    survey.looks.insert("shop".parse().unwrap(), Look { contents: Some(Ok(contents)), ..Look::default() });
    let plan = super::plan(&template, &pattern(), &survey, now());
    assert_eq!(codes(&plan), [("table_missing_in_dump", "shop.public.gone")]);
    assert_eq!(plan.obstacle().unwrap().code.as_str(), "table_missing_in_dump");
}

#[test]
fn contents_that_cannot_be_read_are_an_error_and_left_to_the_drill() {
    let mut survey = Survey { listing: good(), ..Survey::default() };
    let failure =
        Failure::bad(codes::NO_IDENTITY_FITS, "no identity opens the recovery point").hint("find it");
    survey.looks.insert("shop".parse().unwrap(), Look { contents: Some(Err(failure)), ..Look::default() });
    let plan = super::plan(&template(), &pattern(), &survey, now());
    assert_eq!(codes(&plan), [("no_identity_fits", "shop")]);
    assert!(!plan.sound && plan.obstacle().is_none() && plan.shortfall().is_none());
    assert_eq!(plan.points[0].error.as_ref().unwrap().code.as_str(), "no_identity_fits");
}
