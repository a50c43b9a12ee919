//! What a template leaves out is not missed, and everything else is.

use super::*;
use crate::format::pg_custom::{UnrestoredLargeObjects, testing};

const PUBLIC: Option<&str> = Some("public");

/// The codes and subjects of what is found when this is what was restored, without these entries.
fn restored(
    entries: &[(&str, Option<&str>, &str)],
    change: impl Fn(&mut Access),
) -> Vec<(&'static str, String)> {
    let mut access = sound();
    change(&mut access);
    told(&sound(), &access, &testing::without(entries))
}

fn left_out(subject: &str) -> Vec<(&'static str, String)> {
    one("access_left_out", subject)
}

#[test]
fn privileges_that_are_left_out_are_not_missed_and_may_not_be_more() {
    let all = [
        ("ACL", PUBLIC, "TABLE t"),
        ("ACL", PUBLIC, "FUNCTION f()"),
        ("ACL", PUBLIC, "COLUMN t.note"),
        ("ACL", None, "DATABASE shop"),
    ];
    let none = |access: &mut Access| {
        access.grants.clear();
        access.objects.iter_mut().for_each(|object| object.grants.clear());
        access.objects.remove(2);
    };
    let subjects = ["shop", "shop.public.t.note", "shop.public.f()", "shop.public.t"];
    let expected: Vec<_> =
        subjects.iter().map(|subject| ("access_left_out", (*subject).to_owned())).collect();
    assert_eq!(restored(&all, none), expected);
    // Each by itself, and the others fail.
    for (place, codes) in [
        (0, ["grant_added", "grant_missing", "grant_added", "access_left_out"]),
        (1, ["grant_added", "grant_missing", "access_left_out", "grant_missing"]),
        (2, ["grant_added", "access_left_out", "grant_added", "grant_missing"]),
        (3, ["access_left_out", "grant_missing", "grant_added", "grant_missing"]),
    ] {
        let expected: Vec<_> =
            codes.iter().zip(subjects).map(|(code, subject)| (*code, subject.to_owned())).collect();
        assert_eq!(restored(&all[place..=place], none), expected, "{:?}", all[place]);
    }
    let more = |access: &mut Access| access.objects[0].grants = vec![grant("app", &["DELETE"], &[])];
    assert_eq!(
        restored(&all, more),
        [
            &left_out("shop")[..],
            &left_out("shop.public.t.note"),
            &left_out("shop.public.f()"),
            &one("grant_added", "shop.public.t")
        ]
        .concat()
    );
    let owner = |access: &mut Access| access.objects[0].owner = Some("app".to_owned());
    assert!(restored(&all, owner).contains(&("owner_differs", "shop.public.t".to_owned())));
}

#[test]
fn objects_that_are_left_out_are_not_missed_and_others_are() {
    let table = [("TABLE", PUBLIC, "t")];
    let without = |access: &mut Access| {
        access.objects.retain(|object| !object.objects[0].starts_with("public.t"));
        access.row_security.clear();
    };
    let expected = [left_out("shop.public.t.note"), left_out("shop.public.t")].concat();
    assert_eq!(restored(&table, without), expected);
    let kept = restored(&[("TABLE", PUBLIC, "u")], without);
    assert_eq!(
        kept,
        [one("grant_missing", "shop.public.t.note"), one("object_not_compared", "shop.public.t")].concat()
    );
    let function = |access: &mut Access| drop(access.objects.remove(1));
    assert_eq!(restored(&[("FUNCTION", PUBLIC, "f()")], function), left_out("shop.public.f()"));
    assert_eq!(
        restored(&[("FUNCTION", PUBLIC, "f(integer)")], function),
        one("object_not_compared", "shop.public.f()")
    );
}

#[test]
fn what_is_left_out_and_there_all_the_same_may_be_the_templates_and_is_else_compared() {
    let entries = testing::without(&[
        ("TABLE", PUBLIC, "t"),
        ("ACL", PUBLIC, "TABLE t"),
        ("ACL", PUBLIC, "COLUMN t.note"),
    ]);
    let mut made = sound();
    made.objects[0] = object("table", "public.t", Some("postgres"), &[]);
    made.objects.remove(2);
    made.row_security.clear();
    let codes = |made: &Access, has_own_sql| -> Vec<&str> {
        let found = judged(&sound(), made, &entries, has_own_sql).findings;
        found.iter().map(|finding| finding.code.as_str()).collect()
    };
    assert_eq!(codes(&made, true), ["access_left_out", "access_left_out"]);
    assert_eq!(
        codes(&made, false),
        ["access_left_out", "owner_differs", "row_security_off", "policy_missing"]
    );
    made.objects[0].grants = vec![grant("public", &["SELECT"], &[])];
    assert_eq!(codes(&made, true), ["access_left_out", "grant_added"]);
}

#[test]
fn grants_on_what_an_extension_makes_go_with_it() {
    let with = |entries: &[(&str, Option<&str>, &str)]| {
        let mut source = sound();
        source.objects.push(object(
            "function",
            "public.akeys(public.hstore)",
            None,
            &[grant("app", &["EXECUTE"], &[])],
        ));
        told(&source, &sound(), &testing::without(entries))
    };
    let subject = "shop.public.akeys(public.hstore)";
    assert_eq!(with(&[]), one("grant_missing", subject));
    assert_eq!(with(&[("ACL", PUBLIC, "FUNCTION akeys(public.hstore)")]), left_out(subject));
    assert_eq!(with(&[("ACL", PUBLIC, "FUNCTION akeys(value public.hstore)")]), left_out(subject));
}

#[test]
fn default_privileges_that_are_left_out_are_not_missed_and_may_not_be_more() {
    let place = "shop: default privileges of owner for tables in public";
    let entry = [("DEFAULT ACL", PUBLIC, "DEFAULT PRIVILEGES FOR TABLES")];
    assert_eq!(restored(&entry, |access| access.default_privileges.clear()), left_out(place));
    let more = |access: &mut Access| {
        access.default_privileges[0].grants = vec![grant("public", &["SELECT"], &[])];
    };
    assert_eq!(restored(&entry, more), one("default_privileges_differ", place));
    for other in [
        ("DEFAULT ACL", None, "DEFAULT PRIVILEGES FOR TABLES"),
        ("DEFAULT ACL", PUBLIC, "DEFAULT PRIVILEGES FOR SEQUENCES"),
    ] {
        let found = restored(&[other], |access| access.default_privileges.clear());
        assert_eq!(found, one("default_privileges_differ", place), "{other:?}");
    }
}

#[test]
fn policies_and_row_security_that_are_left_out_are_not_missed_and_others_are() {
    let entries = UnrestoredAccess {
        policies: [("public.t".to_owned(), "own".to_owned())].into(),
        ..UnrestoredAccess::default()
    };
    let is_left_out = left_out("shop.public.t");
    let found = |left_out: &UnrestoredAccess, change: fn(&mut RowSecurity)| {
        let mut restored = sound();
        change(&mut restored.row_security[0]);
        told(&sound(), &restored, left_out)
    };
    assert_eq!(found(&entries, |table| table.policies.clear()), is_left_out);
    assert_eq!(found(&entries, |_| {}), [], "it is there all the same");
    assert_eq!(
        found(&entries, |table| table.policies[0].using = None),
        one("policy_differs", "shop.public.t")
    );
    assert_eq!(
        found(&entries, |table| table.policies = vec![policy("z")]),
        one("policy_added", "shop.public.t")
    );
    let off = |table: &mut RowSecurity| table.enabled = false;
    assert_eq!(found(&entries, off), one("row_security_off", "shop.public.t"));
    let of_another = UnrestoredAccess {
        policies: [("public.u".to_owned(), "own".to_owned())].into(),
        ..UnrestoredAccess::default()
    };
    assert_eq!(found(&of_another, |table| table.policies.clear()), one("policy_missing", "shop.public.t"));
    let entry = testing::without(&[("ROW SECURITY", PUBLIC, "t")]);
    assert_eq!(found(&entry, off), is_left_out);
    assert_eq!(found(&entry, |table| table.policies.clear()), one("policy_missing", "shop.public.t"));
    assert_eq!(
        found(&testing::without(&[("ROW SECURITY", PUBLIC, "u")]), off),
        one("row_security_off", "shop.public.t")
    );
}

#[test]
fn large_objects_that_are_left_out_are_not_missed_and_others_are() {
    let large = |owner: &str, grants: &[Grant], count| LargeObjects {
        owner: Some(owner.to_owned()),
        grants: grants.to_vec(),
        count,
    };
    let readable = [grant("app", &["SELECT"], &[])];
    let with = |large_objects: Vec<LargeObjects>| Access { large_objects, ..sound() };
    let source = with(vec![large("owner", &[], 2), large("owner", &readable, 3), large("app", &[], 1)]);
    let of = |number, lack_privileges, restored: Vec<LargeObjects>| {
        let unrestored = UnrestoredLargeObjects { number, lack_privileges };
        let left_out = UnrestoredAccess {
            large_objects: [(Some("owner".to_owned()), unrestored)].into(),
            ..UnrestoredAccess::default()
        };
        told(&source, &with(restored), &left_out)
    };
    let app = || large("app", &[], 1);
    let (subject, differs) = ("shop: large objects of owner", "large_object_access_differs");
    // Three are left out, whichever.
    assert_eq!(of(3, false, vec![large("owner", &[], 2), app()]), left_out(subject));
    assert_eq!(of(3, false, vec![large("owner", &readable, 2), app()]), left_out(subject));
    assert_eq!(of(3, false, vec![large("owner", &[], 1), app()]), one(differs, subject), "one is lost");
    assert_eq!(
        of(3, false, vec![large("owner", &[], 2)])[0],
        (differs, "shop: large objects of app".to_owned())
    );
    let public = [grant("public", &["SELECT"], &[])];
    assert_eq!(of(3, false, vec![large("owner", &public, 2), app()])[0].0, differs, "more may read it");
    // All are there, and privileges are left out.
    assert_eq!(of(0, true, vec![large("owner", &[], 5), app()]), left_out(subject));
    assert_eq!(of(0, false, vec![large("owner", &[], 5), app()])[0].0, differs);
    assert_eq!(of(0, true, vec![large("owner", &readable, 5), app()])[0].0, differs);
}
