mod leaving_out;
mod source_roles;
mod template_rules;

use super::*;
use crate::format::pg_custom::UnrestoredAccess;
use crate::model::manifest::{
    DefaultPrivileges, Grant, Grantee, LargeObjects, ObjectGroup, Policy, RowSecurity,
};
use crate::target::postgres::privileges::Privilege;

fn grant(to: &str, privileges: &[&str], revoked: &[&str]) -> Grant {
    let to = match to {
        "public" => Grantee::Public,
        "owner" => Grantee::Owner,
        role => Grantee::Role(role.to_owned()),
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Grant { to, privileges: set(privileges), revoked: set(revoked) }
}

fn object(kind: &str, name: &str, owner: Option<&str>, grants: &[Grant]) -> ObjectGroup {
    ObjectGroup {
        kind: kind.to_owned(),
        owner: owner.map(str::to_owned),
        made_by: None,
        grants: grants.to_vec(),
        objects: vec![name.to_owned()],
    }
}

fn policy(name: &str) -> Policy {
    Policy {
        name: name.to_owned(),
        command: "SELECT".to_owned(),
        permissive: true,
        roles: vec!["app".to_owned()],
        using: Some("(tenant = 1)".to_owned()),
        check: None,
        unread: false,
    }
}

/// A database in which `app` may read and add rows of one table, under a policy.
fn sound() -> Access {
    Access {
        major: 17,
        owner: Some("owner".to_owned()),
        grants: vec![grant("public", &[], &["CONNECT"])],
        objects: vec![
            object("table", "public.t", Some("owner"), &[grant("app", &["SELECT", "INSERT"], &[])]),
            object("function", "public.f()", Some("owner"), &[grant("public", &[], &["EXECUTE"])]),
            object("column", "public.t.note", None, &[grant("app", &["UPDATE"], &[])]),
        ],
        large_objects: vec![LargeObjects { owner: Some("owner".to_owned()), grants: Vec::new(), count: 2 }],
        default_privileges: vec![DefaultPrivileges {
            role: "owner".to_owned(),
            schema: Some("public".to_owned()),
            kind: "tables".to_owned(),
            grants: vec![grant("app", &["SELECT"], &[])],
        }],
        row_security: vec![RowSecurity {
            table: "public.t".to_owned(),
            enabled: true,
            forced: false,
            policies: vec![policy("own")],
        }],
    }
}

/// The codes and subjects of what is found when this is what was restored.
fn found(change: impl Fn(&mut Access)) -> Vec<(&'static str, String)> {
    let mut restored = sound();
    change(&mut restored);
    between(&sound(), &restored)
}

fn between(source: &Access, restored: &Access) -> Vec<(&'static str, String)> {
    told(source, restored, &UnrestoredAccess::default())
}

/// The codes and subjects of what is found if the template leaves something out.
fn told(source: &Access, restored: &Access, left_out: &UnrestoredAccess) -> Vec<(&'static str, String)> {
    let judged = judged(source, restored, left_out, false);
    judged.findings.into_iter().map(|finding| (finding.code.as_str(), finding.subject)).collect()
}

fn judged(source: &Access, restored: &Access, left_out: &UnrestoredAccess, has_own_sql: bool) -> Judged {
    let database = &"shop".parse().unwrap();
    judge::database(&Sides { database, source, restored, left_out, has_own_sql })
}

fn one(code: &'static str, subject: &str) -> Vec<(&'static str, String)> {
    vec![(code, subject.to_owned())]
}

#[test]
fn what_is_as_in_the_source_holds() {
    assert_eq!(found(|_| {}), []);
    let judged = judged(&sound(), &sound(), &UnrestoredAccess::default(), false);
    assert_eq!(
        judged.same, 7,
        "the database, three objects, large objects, default privileges, a table's policies"
    );
}

#[test]
fn a_grant_less_and_a_grant_more_are_told_with_the_object() {
    let table = |grants: &'static [(&str, &[&str], &[&str])]| {
        move |access: &mut Access| {
            access.objects[0].grants =
                grants.iter().map(|(to, given, taken)| grant(to, given, taken)).collect();
        }
    };
    assert_eq!(found(table(&[("app", &["SELECT"], &[])])), one("grant_missing", "shop.public.t"));
    assert_eq!(found(table(&[])), one("grant_missing", "shop.public.t"));
    assert_eq!(
        found(table(&[("app", &["SELECT", "INSERT", "DELETE"], &[])])),
        one("grant_added", "shop.public.t")
    );
    assert_eq!(
        found(table(&[("app", &["SELECT", "INSERT"], &[]), ("public", &["SELECT"], &[])])),
        one("grant_added", "shop.public.t")
    );
    let with_option = table(&[("app", &["SELECT WITH GRANT OPTION", "INSERT"], &[])]);
    let codes: Vec<_> = found(with_option).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["grant_missing", "grant_added"], "another privilege than the plain one");
    assert_eq!(
        found(table(&[("app", &["SELECT", "INSERT"], &[]), ("owner", &[], &["DELETE"])])),
        one("grant_missing", "shop.public.t")
    );
}

#[test]
fn a_default_that_was_revoked_in_the_source_and_is_back_is_more_access() {
    assert_eq!(found(|access| access.objects[1].grants.clear()), one("grant_added", "shop.public.f()"));
    assert_eq!(found(|access| access.grants.clear()), one("grant_added", "shop"));
}

#[test]
fn grants_of_columns_are_compared_though_the_column_is_listed_on_one_side_only() {
    let without = |access: &mut Access| drop(access.objects.remove(2));
    assert_eq!(found(without), one("grant_missing", "shop.public.t.note"));
    let with = |access: &mut Access| {
        access.objects.push(object("column", "public.t.id", None, &[grant("app", &["UPDATE"], &[])]));
    };
    assert_eq!(found(with), one("grant_added", "shop.public.t.id"));
    let of_the_system = |access: &mut Access| {
        let grants = [grant("app", &["EXECUTE"], &[])];
        access.objects.push(object("function", "pg_catalog.pg_read_file(text)", None, &grants));
    };
    assert_eq!(found(of_the_system), one("grant_added", "shop.pg_catalog.pg_read_file(text)"));
}

#[test]
fn owners_are_compared() {
    let postgres = || Some("postgres".to_owned());
    assert_eq!(found(|access| access.objects[0].owner = postgres()), one("owner_differs", "shop.public.t"));
    assert_eq!(found(|access| access.owner = postgres()), one("owner_differs", "shop"));
}

#[test]
fn an_object_on_one_side_is_not_compared_and_said_so() {
    let gone = found(|access| drop(access.objects.remove(1)));
    assert_eq!(gone, one("object_not_compared", "shop.public.f()"));
    let public =
        found(|access| access.objects.push(object("schema", "public", Some("pg_database_owner"), &[])));
    assert_eq!(public, [], "every new database has it");
}

#[test]
fn an_object_that_the_source_did_not_have_is_an_error_unless_the_template_may_have_made_it() {
    let mut restored = sound();
    restored.objects.push(object("function", "public.become_admin()", Some("boss"), &[]));
    for (has_own_sql, severity) in [(false, Severity::Error), (true, Severity::Warning)] {
        let judged = judged(&sound(), &restored, &UnrestoredAccess::default(), has_own_sql);
        let finding = &judged.findings[0];
        assert_eq!((judged.findings.len(), finding.code.as_str()), (1, "object_added"));
        assert_eq!((&*finding.subject, finding.severity), ("shop.public.become_admin()", severity));
        assert_eq!(finding.actual.contains("SQL of the template"), has_own_sql);
    }
}

#[test]
fn owners_of_what_a_restore_gives_to_another_need_no_grants() {
    let side = |made_by: &str, grants: &[Grant]| {
        let mut access = sound();
        let reset = object("function", "public.reset()", None, grants);
        access.objects.push(ObjectGroup { made_by: Some(made_by.to_owned()), ..reset });
        access
    };
    let execute = |to| [grant(to, &["EXECUTE"], &[])];
    let by_a_service = between(&side("rdsadmin", &execute("postgres")), &side("postgres", &[]));
    assert_eq!(by_a_service, [], "the drill's own superuser owns it");
    let handed_over = between(&side("bob", &[]), &side("postgres", &execute("bob")));
    assert_eq!(handed_over, [], "the new owner got what an owner has");
    let subject = "shop.public.reset()";
    let added = between(&side("bob", &[]), &side("postgres", &execute("app")));
    assert_eq!(added, one("grant_added", subject));
    let revoked = [grant("pg_monitor", &[], &["SELECT"])];
    assert_eq!(between(&side("bob", &revoked), &side("postgres", &[])), one("grant_added", subject));
    let of_a_user = |access: &mut Access| access.objects[0].grants.extend(execute("postgres"));
    assert_eq!(found(of_a_user), one("grant_added", "shop.public.t"), "only where a restore gives it away");
}

#[test]
fn expressions_are_compared_in_the_form_that_a_restore_does_not_change() {
    let using = |text: &str| {
        let mut access = sound();
        access.row_security[0].policies[0].using = Some(text.to_owned());
        access
    };
    let source = using("((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))");
    let restored =
        using("((v)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text]))");
    assert_eq!(between(&source, &restored), []);
    let other =
        using("((v)::text = ANY (ARRAY[('a'::character varying)::text, ('c'::character varying)::text]))");
    assert_eq!(between(&source, &other), one("policy_differs", "shop.public.t"));
}

#[test]
fn expressions_that_the_backup_could_not_read_are_told_and_the_rest_is_compared() {
    let mut source = sound();
    let policy = &mut source.row_security[0].policies[0];
    (policy.unread, policy.using) = (true, None);
    assert_eq!(between(&source, &sound()), one("expressions_not_compared", "shop"));
    source.row_security[0].policies[0].command = "ALL".to_owned();
    assert_eq!(between(&source, &sound())[0], ("policy_differs", "shop.public.t".to_owned()));
}

#[test]
fn default_privileges_and_large_objects_are_compared() {
    let place = "shop: default privileges of owner for tables in public";
    assert_eq!(found(|access| access.default_privileges.clear()), one("default_privileges_differ", place));
    let more = found(|access| access.default_privileges[0].grants.push(grant("public", &["SELECT"], &[])));
    assert_eq!(more, one("default_privileges_differ", place));
    assert_eq!(
        found(|access| access.large_objects[0].count = 1),
        one("large_object_access_differs", "shop: large objects of owner")
    );
}

#[test]
fn row_security_and_policies_are_compared() {
    let of_t = |code| one(code, "shop.public.t");
    assert_eq!(found(|access| access.row_security[0].enabled = false), of_t("row_security_off"));
    assert_eq!(found(|access| access.row_security[0].forced = true), of_t("row_security_added"));
    assert_eq!(found(|access| access.row_security[0].policies.clear()), of_t("policy_missing"));
    assert_eq!(found(|access| access.row_security[0].policies.push(policy("z"))), of_t("policy_added"));
    let changes: [fn(&mut Policy); 5] = [
        |policy| policy.command = "ALL".to_owned(),
        |policy| policy.permissive = false,
        |policy| policy.roles.clear(),
        |policy| policy.using = Some("true".to_owned()),
        |policy| policy.check = Some("true".to_owned()),
    ];
    for change in changes {
        assert_eq!(found(|access| change(&mut access.row_security[0].policies[0])), of_t("policy_differs"));
    }
    let all = found(|access| access.row_security.clear());
    assert_eq!(
        all.into_iter().map(|(code, _)| code).collect::<Vec<_>>(),
        ["row_security_off", "policy_missing"]
    );
}

#[test]
fn another_major_version_writes_expressions_in_another_way_and_knows_other_privileges() {
    let other = found(|access| {
        access.major = 15;
        access.row_security[0].policies[0].using = Some("tenant = 1".to_owned());
    });
    assert_eq!(other, one("expressions_not_compared", "shop"));
    let gone = found(|access| {
        access.major = 15;
        access.row_security[0].policies[0].using = None;
    });
    assert_eq!(gone[0], ("policy_differs", "shop.public.t".to_owned()));
    let maintain = |major| {
        move |access: &mut Access| {
            access.major = major;
            access.row_security[0].policies[0].using = None;
            access.objects[0].grants[0].privileges.insert("MAINTAIN".to_owned());
        }
    };
    let has_it = |major| found(maintain(major)).iter().any(|(code, _)| *code == "grant_added");
    assert_eq!((has_it(17), has_it(16)), (true, false));
}

fn check(require_manifest: bool, rules: Vec<Rule>) -> AccessCheck {
    AccessCheck {
        name: "access".to_owned(),
        databases: vec!["shop".parse().unwrap()],
        rules,
        require_manifest,
        timeout: attempt_timeout(),
        with_own_sql: BTreeSet::new(),
    }
}

#[test]
fn what_could_not_be_compared_is_no_pass_and_fails_only_where_that_is_required() {
    let of = |required| {
        let check = check(required, vec![template_rules::rule(&[Privilege::Select], &[])]);
        let mut tally = Tally::default();
        let why = "the drill restored no privileges".to_owned();
        tally.findings.push(check.uncompared(&check.databases[0], why.clone()));
        tally.findings.push(check.unjudged(&check.rules[0], why));
        outcome(&check, tally)
    };
    let skipped = of(false);
    assert_eq!(skipped.status, CheckStatus::Skipped);
    assert_eq!(skipped.summary, "not possible: the drill restored no privileges");
    assert_eq!(of(true).failing_code().as_str(), "access_not_compared");
    let mut tally = Tally { rules: 1, ..Tally::default() };
    let check = check(false, vec![template_rules::rule(&[Privilege::Select], &[])]);
    tally.findings.push(check.uncompared(&check.databases[0], "there is no manifest".to_owned()));
    let by_rules = outcome(&check, tally);
    assert_eq!((by_rules.status, &*by_rules.summary), (CheckStatus::Pass, "rules that hold: 1 of 1"));
    assert_eq!(
        by_rules.not_verified(),
        ["shop: who may do what not compared with the source: there is no manifest"]
    );
}
