use super::super::testing::{good, hours_ago, now, object, pattern, template};
use super::*;
use crate::model::manifest::Recorded;
use crate::model::manifest::tests::of_rows;
use crate::model::names::DatabaseName;
use crate::plan::{DrillPlan, Survey, plan};
use crate::template::testing::minimal_with;
use crate::template::{Environment, Purpose, parse};

const OLD: &str = "[servers.old]\nimage = \"postgres:15\"\n[[databases]]\nname = \"archive\"\nserver = \"old\"\n\n[[checks]]";

/// Of the databases `shop` and, on another server, `archive`.
fn two_servers() -> Template {
    parse(&minimal_with("[[checks]]", OLD), "t.toml", &Environment::default(), Purpose::Drill).unwrap()
}

fn globals(hours: i64) -> (DateTime<Utc>, ObjectMeta) {
    let key = pattern().globals_key(&ServerName::default(), hours_ago(hours));
    (hours_ago(hours), object(key.as_str(), 900, hours_ago(hours)))
}

fn named(key: &ObjectKey) -> manifest::Globals {
    manifest::Globals {
        key: key.clone(),
        size_bytes: 900,
        ciphertext_sha256: "c".to_owned(),
        plaintext_bytes: 800,
        plaintext_sha256: "p".to_owned(),
        server_version: None,
    }
}

fn promise(hours: i64) -> (DateTime<Utc>, Promise) {
    let (time, object) = globals(hours);
    (time, Promise::Globals(object.key.clone(), named(&object.key)))
}

/// The hours since the chosen ones, and whether a manifest names them.
fn chosen(dumps: &[i64], objects: &[i64], promises: Vec<(DateTime<Utc>, Promise)>) -> Option<(i64, bool)> {
    let survey = GlobalsSurvey {
        promises: promises.into_iter().collect(),
        objects: objects.iter().map(|hours| globals(*hours)).collect(),
        ..GlobalsSurvey::default()
    };
    match choose(&dumps.iter().map(|hours| hours_ago(*hours)).collect(), &survey, APART) {
        GlobalsChoice::Found { taken_at, promised, .. } => {
            Some(((now() - taken_at).num_hours(), promised.is_some()))
        }
        GlobalsChoice::Missing(key) => {
            assert!(key.as_str().contains("/globals_"));
            Some((-1, true))
        }
        GlobalsChoice::Absent => None,
    }
}

#[test]
fn those_of_the_newest_dump_that_has_any_are_chosen_or_else_the_nearest() {
    assert_eq!(chosen(&[4], &[4, 5], Vec::new()), Some((4, false)));
    assert_eq!(
        chosen(&[4, 6], &[6, 5], Vec::new()),
        Some((6, false)),
        "of a dump's time before those nearby"
    );
    assert_eq!(chosen(&[4], &[9, 2, 30], Vec::new()), Some((2, false)));
    assert_eq!(chosen(&[4], &[29], Vec::new()), None, "too far");
    assert_eq!(chosen(&[4], &[4], vec![promise(4)]), Some((4, true)));
    assert_eq!(chosen(&[4], &[5], vec![promise(4)]), Some((-1, true)), "no others take their place");
    assert_eq!(chosen(&[4, 6], &[6], vec![(hours_ago(4), Promise::Unknown), promise(6)]), Some((6, true)));
    // A backup that wrote none has none.
    let none = |hours| (hours_ago(hours), Promise::None);
    assert_eq!(chosen(&[4], &[5], vec![none(4)]), None);
    assert_eq!(chosen(&[4], &[4], vec![none(4)]), None, "nor one of its time");
    assert_eq!(chosen(&[4], &[5, 6], vec![none(5)]), Some((6, false)), "nor one of a time nearby");
    assert_eq!(chosen(&[4, 6], &[4, 6], vec![none(4), promise(6)]), Some((6, true)));
}

#[test]
fn those_of_another_source_are_not_taken() {
    let elsewhere = |hours| (hours_ago(hours), Promise::Elsewhere(Some(globals(hours).1.key)));
    assert_eq!(chosen(&[4], &[5], vec![elsewhere(5)]), None);
    assert_eq!(chosen(&[4], &[5, 6], vec![elsewhere(5)]), Some((6, false)));
    assert_eq!(chosen(&[4], &[4], vec![elsewhere(4)]), None);
    for other in [None, Some(ObjectKey::new("nightly/other.age"))] {
        let elsewhere = |hours| (hours_ago(hours), Promise::Elsewhere(other.clone()));
        assert_eq!(chosen(&[4], &[4], vec![elsewhere(4)]), None, "no manifest names it");
        assert_eq!(chosen(&[4], &[5, 6], vec![elsewhere(5)]), Some((6, false)));
    }
}

#[test]
fn a_manifest_says_which_globals_are_of_the_source_of_its_databases() {
    let (shop, other) = (&ServerName::default(), &"old".parse().unwrap());
    let (mut manifest, template) = (of_rows(&[]), two_servers());
    let of = |manifest: &Manifest, server| Promise::of(manifest, &template, server, &pattern());
    assert_eq!(of(&manifest, shop), Promise::Unknown, "an older version knew of none");
    manifest.databases[0].access = Some(Recorded::Unread { reason: "x".to_owned() });
    assert_eq!(of(&manifest, shop), Promise::None);
    assert_eq!(of(&manifest, other), Promise::Elsewhere(None));
    let key = ObjectKey::new("nightly/roles.age");
    manifest.globals = Some(named(&key));
    assert_eq!(of(&manifest, shop), Promise::Globals(key.clone(), named(&key)));
    assert_eq!(of(&manifest, other), Promise::Elsewhere(Some(key.clone())));
    // Databases that the template does not have may be of any source.
    manifest.databases[0].name = "unknown".parse().unwrap();
    assert_eq!((of(&manifest, shop), of(&manifest, other)), (Promise::Unknown, Promise::Unknown));
    manifest.databases[0].name = "shop".parse().unwrap();
    // The store was copied.
    manifest.databases[0].key = ObjectKey::new("was/shop_20260517T083111Z.dump.age");
    manifest.globals = Some(named(&ObjectKey::new("was/roles.age")));
    assert!(matches!(of(&manifest, shop), Promise::Globals(now, _) if now == key));
}

fn read(hours: i64) -> Result<Arc<ReadGlobals>, Failure> {
    let globals = Globals::read(b"CREATE ROLE app; CREATE ROLE owner;").unwrap();
    let (taken_at, object) = self::globals(hours);
    let record = GlobalsRecord {
        key: object.key,
        taken_at,
        size_bytes: 900,
        ciphertext_sha256: String::new(),
        plaintext_sha256: String::new(),
        in_manifest: true,
    };
    Ok(Arc::new(ReadGlobals { globals, record }))
}

/// A plan with dumps of four hours ago.
fn planned_with(template: &Template, survey: GlobalsSurvey) -> DrillPlan {
    let globals = [(ServerName::default(), survey)].into();
    plan(template, &pattern(), &Survey { listing: good(), globals, ..Survey::default() }, now())
}

#[test]
fn a_plan_says_where_the_roles_come_from() {
    let found = |hours, read| GlobalsSurvey {
        promises: [promise(hours)].into(),
        objects: vec![globals(hours)],
        read: Some(read),
        ..GlobalsSurvey::default()
    };
    let plan = planned_with(&template(), found(4, read(4)));
    assert!(plan.sound && plan.findings.is_empty(), "{:?}", plan.findings);
    assert_eq!(
        plan.globals[0].in_words(),
        "nightly/globals_20260517T043111Z.sql.age, 900 B, taken 2026-05-17 04:31:11Z, 2 roles; chosen by the manifest"
    );
    let near = GlobalsSurvey { objects: vec![globals(7)], read: Some(read(7)), ..GlobalsSurvey::default() };
    let plan = planned_with(&template(), near);
    assert!(plan.sound && plan.globals[0].in_words().ends_with("2 roles; chosen by its key alone"));
    let finding = &plan.findings[0];
    assert_eq!((finding.code.as_str(), finding.severity), ("globals_of_another_time", Severity::Info));
    assert!(finding.actual.starts_with("they are of 2026-05-17 01:31:11Z, older than a dump"), "{finding:?}");
    let plan = planned_with(&template(), found(4, Err(Failure::bad(codes::NO_IDENTITY_FITS, "no key"))));
    assert!(!plan.sound && plan.obstacle().is_none(), "the drill restores what it can");
    assert_eq!(
        (plan.findings[0].code.as_str(), plan.findings[0].subject.as_str()),
        ("no_identity_fits", "globals")
    );
    assert!(plan.globals[0].in_words().ends_with("which cannot be used: no key"));
    let archived = Failure::inconclusive(codes::OBJECT_ARCHIVED, "not now");
    let plan = planned_with(&template(), found(4, Err(archived)));
    assert!(!plan.sound && plan.obstacle().is_none());
    let silent = Failure::inconclusive(codes::STORE_UNREACHABLE, "no answer");
    let plan =
        planned_with(&template(), GlobalsSurvey { read: Some(Err(silent)), ..GlobalsSurvey::default() });
    assert!(plan.sound, "the store may answer the drill");
    assert_eq!(plan.globals[0].in_words(), "not known: no answer");
}

#[test]
fn without_globals_a_plan_says_what_a_drill_will_do() {
    let mut template = template();
    let plan = planned_with(&template, GlobalsSurvey::default());
    assert!(plan.sound && plan.findings.is_empty());
    assert_eq!(plan.globals[0].in_words(), "none: a drill restores without roles, owners and privileges");
    let barred = || GlobalsSurvey {
        promises: [(hours_ago(4), Promise::None)].into(),
        objects: vec![globals(4)],
        ..GlobalsSurvey::default()
    };
    let passed_over = "; nightly/globals_20260517T043111Z.sql.age was passed over: by the manifest of its time, the backup \
                       did not write it";
    let said = planned_with(&template, barred()).globals[0].in_words();
    assert_eq!(said, format!("none: a drill restores without roles, owners and privileges{passed_over}"));
    template.postgres.as_mut().unwrap().access = Some(Access::Restore);
    let said = planned_with(&template, barred()).findings[0].actual.clone();
    assert_eq!(said, format!("the recovery set has no globals{passed_over}"));
    let plan = planned_with(&template, GlobalsSurvey::default());
    assert_eq!((plan.sound, plan.findings[0].code.as_str()), (false, "globals_missing"));
    assert_eq!(plan.findings[0].actual, "the recovery set has no globals");
    template.postgres.as_mut().unwrap().access = Some(Access::Skip);
    let plan = planned_with(&template, GlobalsSurvey::default());
    assert_eq!(plan.globals[0].in_words(), "not looked for: access = \"skip\" in [postgres]");
    let gone = GlobalsSurvey { promises: [promise(4)].into(), ..GlobalsSurvey::default() };
    template.postgres.as_mut().unwrap().access = None;
    let plan = planned_with(&template, gone);
    assert_eq!((plan.sound, plan.findings[0].code.as_str()), (false, "globals_missing"));
    assert!(plan.globals[0].in_words().ends_with("is MISSING, and the manifest names it"));
}

#[test]
fn of_several_servers_each_is_named() {
    let text = minimal_with("[[checks]]", OLD)
        .replace("image = \"postgres:15\"", "image = \"postgres:15\"\naccess = \"restore\"");
    let template = parse(&text, "t.toml", &Environment::default(), Purpose::Drill).unwrap();
    let pattern = template.key_pattern().unwrap();
    let listing = ["shop", "archive"].map(|name| {
        let name: DatabaseName = name.parse().unwrap();
        let key = pattern.key(&name, hours_ago(4));
        (name, vec![object(key.as_str(), 1000, hours_ago(4))])
    });
    let globals = [
        (ServerName::default(), GlobalsSurvey::default()),
        ("old".parse().unwrap(), GlobalsSurvey::default()),
    ];
    let survey = Survey { listing: listing.into(), globals: globals.into(), ..Survey::default() };
    let plan = plan(&template, &pattern, &survey, now());
    let about: Vec<(&str, GlobalsStatus)> =
        plan.globals.iter().map(|one| (one.subject.as_str(), one.status)).collect();
    let expected =
        [("globals of postgres", GlobalsStatus::Absent), ("globals of old", GlobalsStatus::Absent)];
    assert_eq!(about, expected);
    assert_eq!(plan.findings.len(), 1, "{:?}", plan.findings);
    assert_eq!(plan.findings[0].actual, "servers.old: the recovery set has no globals");
    assert!(plan.findings[0].expected.contains("servers.old.access"), "{:?}", plan.findings);
}
