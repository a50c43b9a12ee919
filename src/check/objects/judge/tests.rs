use super::*;
use crate::check::objects::tests::{codes, object};
use crate::model::manifest::Definition;

fn source() -> Vec<CatalogObject> {
    let mut objects = vec![
        CatalogObject {
            schema: String::new(),
            state: Some("1.6".to_owned()),
            ..object(ObjectKind::Extension, "", "pg_trgm")
        },
        object(ObjectKind::Function, "", "f(integer)"),
        CatalogObject {
            not_null: vec!["id".to_owned(), "n".to_owned()],
            ..object(ObjectKind::Table, "", "t")
        },
        object(ObjectKind::View, "", "v"),
        CatalogObject { state: Some(POPULATED.to_owned()), ..object(ObjectKind::MaterializedView, "", "m") },
        object(ObjectKind::Default, "t", "n"),
        object(ObjectKind::Index, "t", "i"),
        object(ObjectKind::Index, "m", "mi"),
        object(ObjectKind::Constraint, "t", "c"),
        CatalogObject { state: Some("O".to_owned()), ..object(ObjectKind::Trigger, "t", "g") },
    ];
    objects.sort();
    objects
}

fn judged(restored: &[CatalogObject], depth: Depth, ignored: &[Ignored]) -> Judged {
    Judge { database: &"shop".parse().unwrap(), ignored, depth, has_own_sql: false }
        .compare(&source(), restored)
}

/// What is found if one object is changed, or taken away.
fn told(kind: ObjectKind, name: &str, change: impl Fn(&mut CatalogObject) -> bool) -> Vec<(String, String)> {
    let mut restored = source();
    let place = restored.iter().position(|object| object.kind == kind && object.name == name).unwrap();
    if !change(&mut restored[place]) {
        restored.remove(place);
    }
    let judged = judged(&restored, Depth::Definitions, &[]);
    codes(&judged).into_iter().map(|(code, subject)| (code.to_owned(), subject.to_owned())).collect()
}

fn one(code: &str, subject: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), subject.to_owned())]
}

#[test]
fn the_same_objects_hold_at_any_depth() {
    for depth in [Depth::Definitions, Depth::Names] {
        let judged = judged(&source(), depth, &[]);
        assert_eq!((judged.objects, codes(&judged)), (10, vec![]));
    }
}

#[test]
fn each_kind_that_is_gone_has_a_code_and_a_subject() {
    let gone = |_: &mut CatalogObject| false;
    assert_eq!(told(ObjectKind::Index, "i", gone), one("index_missing", "shop: index public.t.i"));
    assert_eq!(
        told(ObjectKind::Extension, "pg_trgm", gone),
        one("extension_missing", "shop: extension pg_trgm")
    );
    assert_eq!(told(ObjectKind::Default, "n", gone), one("default_missing", "shop: default public.t.n"));
    assert_eq!(told(ObjectKind::View, "v", gone), one("view_missing", "shop: view public.v"));
    assert_eq!(told(ObjectKind::Trigger, "g", gone), one("trigger_missing", "shop: trigger public.t.g"));
}

#[test]
fn each_kind_that_is_another_has_a_code_and_a_subject() {
    let other = |object: &mut CatalogObject| {
        object.definition = Some(Definition::of("other"));
        true
    };
    let none = |object: &mut CatalogObject| {
        object.definition = None;
        true
    };
    assert_eq!(told(ObjectKind::View, "v", none), one("view_differs", "shop: view public.v"));
    assert_eq!(told(ObjectKind::View, "v", other), one("view_differs", "shop: view public.v"));
    assert_eq!(
        told(ObjectKind::Function, "f(integer)", other),
        one("function_differs", "shop: function public.f(integer)")
    );
    let state = |state: &'static str| {
        move |object: &mut CatalogObject| {
            object.state = Some(state.to_owned());
            true
        }
    };
    assert_eq!(
        told(ObjectKind::Trigger, "g", state("D")),
        one("trigger_disabled", "shop: trigger public.t.g")
    );
    assert_eq!(
        told(ObjectKind::Trigger, "g", state("A")),
        one("trigger_differs", "shop: trigger public.t.g")
    );
    let matview = "shop: materialized view public.m";
    assert_eq!(
        told(ObjectKind::MaterializedView, "m", state(NOT_POPULATED)),
        one("matview_not_populated", matview)
    );
    let extension = "shop: extension pg_trgm";
    assert_eq!(
        told(ObjectKind::Extension, "pg_trgm", state("1.7")),
        one("extension_version_differs", extension)
    );
    let nullable = |object: &mut CatalogObject| {
        object.not_null.retain(|column| column != "n");
        true
    };
    assert_eq!(told(ObjectKind::Table, "t", nullable), one("not_null_missing", "shop: table public.t"));
}

#[test]
fn what_belonged_to_a_lost_table_is_counted_and_not_told_one_by_one() {
    let mut restored = source();
    restored.retain(|object| object.table != "t" && object.name != "t");
    let judged = judged(&restored, Depth::Definitions, &[]);
    assert_eq!(codes(&judged), [("table_missing", "shop: table public.t")]);
    let actual = "the table is not in the restored database, nor 4 objects that belonged to it";
    assert_eq!(judged.findings[0].actual, actual);
}

#[test]
fn what_the_source_did_not_have_is_an_error_and_plpgsql_is_not() {
    let mut restored = source();
    restored.push(object(ObjectKind::Table, "", "u"));
    restored.push(object(ObjectKind::Index, "u", "ui"));
    for name in ["plpgsql", "amcheck"] {
        restored.push(CatalogObject { schema: String::new(), ..object(ObjectKind::Extension, "", name) });
    }
    let alone = judged(&restored, Depth::Names, &[]);
    assert_eq!(codes(&alone), [("object_added", "shop: table public.u")]);
    assert_eq!(alone.findings[0].severity, Severity::Error);
    let database = "shop".parse().unwrap();
    let beside_sql = Judge { database: &database, ignored: &[], depth: Depth::Names, has_own_sql: true };
    let by_the_template = beside_sql.compare(&source(), &restored);
    assert_eq!(codes(&by_the_template), codes(&alone));
    assert_eq!(by_the_template.findings[0].severity, Severity::Warning);
    assert!(by_the_template.findings[0].actual.contains("SQL of the template"));
}

#[test]
fn copies_of_triggers_that_another_major_version_lists_are_a_warning() {
    let name = source().into_iter().find(|object| object.kind == ObjectKind::Trigger).unwrap().name;
    for (depth, name, severity) in [
        (Depth::Names, name.as_str(), Severity::Warning),
        (Depth::Names, "another", Severity::Error),
        (Depth::Definitions, name.as_str(), Severity::Error),
    ] {
        let mut restored = source();
        restored.push(object(ObjectKind::Trigger, "partition", name));
        let judged = judged(&restored, depth, &[]);
        assert_eq!((judged.findings.len(), judged.findings[0].severity), (1, severity), "{name}");
    }
}

#[test]
fn another_major_version_is_compared_by_names_and_states() {
    let mut restored = source();
    for object in &mut restored {
        object.definition = Some(Definition::of("other"));
        if object.kind == ObjectKind::Extension {
            object.state = Some("2.0".to_owned());
        }
        if object.kind == ObjectKind::Trigger {
            object.state = Some("D".to_owned());
        }
    }
    let judged = judged(&restored, Depth::Names, &[]);
    assert_eq!(codes(&judged), [("trigger_disabled", "shop: trigger public.t.g")]);
}

#[test]
fn what_the_template_ignores_is_counted() {
    let ignored = [Ignored { kind: Some(ObjectKind::Index), name: Some("public.t.*".to_owned()) }];
    let restored: Vec<CatalogObject> = source().into_iter().filter(|object| object.name != "i").collect();
    let judged = judged(&restored, Depth::Definitions, &ignored);
    assert_eq!((judged.objects, judged.ignored, codes(&judged)), (9, 1, vec![]));
}

fn without_table() -> Vec<CatalogObject> {
    source().into_iter().filter(|object| object.table != "t" && object.name != "t").collect()
}

#[test]
fn what_belonged_to_a_lost_object_of_an_ignored_kind_is_told() {
    let ignored = [Ignored { kind: Some(ObjectKind::Table), name: None }];
    let judged = judged(&without_table(), Depth::Definitions, &ignored);
    let expected = [
        ("default_missing", "shop: default public.t.n"),
        ("index_missing", "shop: index public.t.i"),
        ("constraint_missing", "shop: constraint public.t.c"),
        ("trigger_missing", "shop: trigger public.t.g"),
    ];
    assert_eq!((judged.objects, judged.ignored, codes(&judged)), (9, 1, expected.to_vec()));
}

#[test]
fn what_belonged_to_a_lost_object_that_is_ignored_by_name_is_ignored_and_not_verified() {
    let ignored = [Ignored { kind: None, name: Some("public.t".to_owned()) }];
    let lost = judged(&without_table(), Depth::Definitions, &ignored);
    assert_eq!((lost.objects, lost.ignored, codes(&lost)), (5, 5, vec![]));
    let restored: Vec<CatalogObject> = source().into_iter().filter(|object| object.name != "i").collect();
    let there = judged(&restored, Depth::Definitions, &ignored);
    assert_eq!((there.ignored, codes(&there)), (1, vec![("index_missing", "shop: index public.t.i")]));
}

#[test]
fn what_was_added_to_an_ignored_kind_is_told() {
    let mut restored = source();
    restored.push(object(ObjectKind::Table, "", "u"));
    restored.push(object(ObjectKind::Trigger, "u", "ug"));
    let of = |kind, name: Option<&str>| [Ignored { kind, name: name.map(str::to_owned) }];
    let by_kind = judged(&restored, Depth::Names, &of(Some(ObjectKind::Table), None));
    assert_eq!(codes(&by_kind), [("object_added", "shop: trigger public.u.ug")]);
    assert_eq!(codes(&judged(&restored, Depth::Names, &of(None, Some("public.u")))), []);
}

#[test]
fn names_stay_on_their_line() {
    let judge =
        Judge { database: &"shop".parse().unwrap(), ignored: &[], depth: Depth::Names, has_own_sql: false };
    assert_eq!(judge.subject(ObjectKind::View, "public.a\nb"), "shop: view public.a b");
}
