//! Rules of a template.

use super::*;
use crate::format::pg_custom::testing;
use crate::target::postgres::privileges::{Held, Privileges, Tried};

pub(super) fn rule(may: &[Privilege], may_not: &[Privilege]) -> Rule {
    Rule {
        role: "app".to_owned(),
        database: "shop".parse().unwrap(),
        table: "t".parse().unwrap(),
        may: may.iter().copied().collect(),
        may_not: may_not.iter().copied().collect(),
        columns: Vec::new(),
        tried: false,
        if_role_exists: false,
    }
}

fn answered(privilege: Privilege, held: Held) -> Privileges {
    Privileges {
        role_exists: true,
        table_exists: true,
        absent_columns: Vec::new(),
        may_use_schema: true,
        held: [(privilege, held)].into(),
    }
}

fn codes(rule: &Rule, answered: &Privileges) -> Vec<&'static str> {
    without(rule, answered, &UnrestoredAccess::default()).expect("it is judged")
}

/// The codes of what is found if the template leaves something out; none if the rule is left aside.
fn without(rule: &Rule, answered: &Privileges, left_out: &UnrestoredAccess) -> Option<Vec<&'static str>> {
    match rule.judge(answered, left_out) {
        Judgement::Judged(findings) => {
            Some(findings.into_iter().map(|finding| finding.code.as_str()).collect())
        }
        Judgement::Aside(_) => None,
    }
}

fn yes() -> Held {
    Held { everywhere: true, anywhere: true, ..Held::default() }
}

#[test]
fn a_role_that_may_may_on_the_whole_table_and_through_the_schema() {
    let may = rule(&[Privilege::Select], &[]);
    assert_eq!(codes(&may, &answered(Privilege::Select, yes())), Vec::<&str>::new());
    let some_columns = Held { anywhere: true, ..Held::default() };
    assert_eq!(codes(&may, &answered(Privilege::Select, some_columns)), ["privilege_missing"]);
    let shut = Privileges { may_use_schema: false, ..answered(Privilege::Select, yes()) };
    assert_eq!(codes(&may, &shut), ["privilege_missing"]);
    let refused = Held { tried: Some(Tried::Refused), ..yes() };
    assert_eq!(codes(&may, &answered(Privilege::Select, refused)), ["privilege_missing"]);
    let otherwise = Held { tried: Some(Tried::Otherwise("42P17".to_owned())), ..yes() };
    assert_eq!(codes(&may, &answered(Privilege::Select, otherwise)), ["not_tried"]);
}

#[test]
fn a_role_that_may_not_may_not_in_any_way() {
    let may_not = rule(&[], &[Privilege::Update]);
    let of = |held| codes(&may_not, &answered(Privilege::Update, held));
    assert_eq!(of(Held::default()), Vec::<&str>::new());
    assert_eq!(of(Held { anywhere: true, ..Held::default() }), ["privilege_excess"], "one column is enough");
    let as_another = Held { as_another: vec!["admins".to_owned()], ..Held::default() };
    assert_eq!(of(as_another), ["privilege_excess"]);
    for owner in ["app", "boss"] {
        let as_owner = Held { as_owner: Some(owner.to_owned()), ..Held::default() };
        assert_eq!(of(as_owner), ["privilege_excess"], "the owner may grant it to itself");
    }
    let system = Held { through_files: Some("pg_execute_server_program".to_owned()), ..Held::default() };
    assert_eq!(of(system), ["privilege_excess"]);
    assert_eq!(of(Held { tried: Some(Tried::Done), ..Held::default() }), ["privilege_excess"]);
    assert_eq!(of(Held { tried: Some(Tried::Refused), ..Held::default() }), Vec::<&str>::new());
    let shut = Privileges { may_use_schema: false, ..answered(Privilege::Update, yes()) };
    assert_eq!(codes(&may_not, &shut), ["privilege_excess"], "a schema is soon opened");
}

#[test]
fn a_rule_about_what_is_not_there_fails_unless_the_role_may_be_absent() {
    let mut may = rule(&[Privilege::Select], &[]);
    let nobody = Privileges { table_exists: true, ..Privileges::default() };
    assert_eq!(codes(&may, &nobody), ["rule_subject_absent"]);
    let of_its_table = testing::without(&[("ACL", Some("public"), "TABLE t")]);
    assert_eq!(
        without(&may, &nobody, &of_its_table),
        Some(vec!["rule_subject_absent"]),
        "the role is no table"
    );
    may.if_role_exists = true;
    assert_eq!(without(&may, &nobody, &UnrestoredAccess::default()), None);
    let nothing = Privileges { role_exists: true, ..Privileges::default() };
    assert_eq!(codes(&may, &nothing), ["rule_subject_absent"]);
    let column = Privileges { absent_columns: vec!["x".to_owned()], ..answered(Privilege::Select, yes()) };
    assert_eq!(codes(&may, &column), ["rule_subject_absent"]);
}

#[test]
fn a_rule_about_what_is_left_out_is_not_judged_unless_the_role_may_too_much() {
    let (may, may_not) = (rule(&[Privilege::Select], &[]), rule(&[], &[Privilege::Select]));
    let (held, lacking) = (answered(Privilege::Select, yes()), answered(Privilege::Select, Held::default()));
    let public = Some("public");
    for left_out in [
        testing::without(&[("ACL", public, "TABLE t")]),
        testing::without(&[("ACL", public, "COLUMN t.id")]),
        testing::without(&[("TABLE", public, "t")]),
    ] {
        assert_eq!(without(&may, &lacking, &left_out), None);
        assert_eq!(without(&may, &held, &left_out), None);
        assert_eq!(without(&may_not, &lacking, &left_out), None, "it might in the source");
        assert_eq!(without(&may_not, &held, &left_out), Some(vec!["privilege_excess"]));
        let nowhere = Privileges { table_exists: false, ..lacking.clone() };
        assert_eq!(without(&may, &nowhere, &left_out), None);
    }
    let of_another = testing::without(&[("ACL", public, "TABLE u"), ("ACL", None, "SCHEMA other")]);
    assert_eq!(without(&may, &lacking, &of_another), Some(vec!["privilege_missing"]));
    assert_eq!(without(&may_not, &lacking, &of_another), Some(vec![]));
    let of_the_schema = testing::without(&[("ACL", None, "SCHEMA public")]);
    let shut = Privileges { may_use_schema: false, ..held.clone() };
    assert_eq!(without(&may, &shut, &of_the_schema), None);
    assert_eq!(without(&may, &held, &of_the_schema), Some(vec![]));
    assert_eq!(without(&may_not, &lacking, &of_the_schema), Some(vec![]));
    assert_eq!(without(&may_not, &shut, &of_the_schema), Some(vec!["privilege_excess"]));
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let refused = |change: fn(&mut Rule)| {
        let mut rule = rule(&[Privilege::Select], &[Privilege::Delete]);
        change(&mut rule);
        rule.validate().is_err()
    };
    assert!(!refused(|_| {}));
    assert!(refused(|rule| (rule.may, rule.may_not) = Default::default()));
    assert!(refused(|rule| rule.may.extend([Privilege::Delete])));
    assert!(refused(|rule| rule.columns = vec!["a".to_owned()]));
    assert!(refused(|rule| {
        rule.tried = true;
        rule.may.insert(Privilege::Truncate);
    }));
}
