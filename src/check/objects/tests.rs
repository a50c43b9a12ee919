use super::judge::Judged;
use super::*;
use crate::model::manifest::Definition;
use crate::model::verdict::CheckStatus;

/// An object in the schema `public`, defined by its name.
pub fn object(kind: ObjectKind, table: &str, name: &str) -> CatalogObject {
    CatalogObject {
        kind,
        schema: "public".to_owned(),
        table: table.to_owned(),
        name: name.to_owned(),
        state: None,
        definition: Some(Definition::of(name)),
        not_null: Vec::new(),
    }
}

/// Code and subject of each finding.
pub fn codes(judged: &Judged) -> Vec<(&'static str, &str)> {
    judged.findings.iter().map(|finding| (finding.code.as_str(), finding.subject.as_str())).collect()
}

fn section(text: &str) -> std::result::Result<Objects, String> {
    let check: Objects = toml::from_str(text).map_err(|error| error.to_string())?;
    check.validate(&crate::template::testing::template()).map(|()| check)
}

#[test]
fn what_is_ignored_must_name_something() {
    assert!(
        section("name = \"o\"\nignore = [{ kind = \"event_trigger\" }, { name = \"public.tmp_*\" }]").is_ok()
    );
    for (ignore, why) in [
        ("{}", "needs a kind, or a name"),
        ("{ name = \"*\" }", "needs a kind, or a name"),
        ("{ kind = \"policy2\" }", "is one of schema, extension"),
        ("{ kinds = \"index\" }", "unknown field"),
    ] {
        let refused = section(&format!("name = \"o\"\nignore = [{ignore}]")).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn definitions_are_compared_between_servers_of_one_major_version() {
    assert_eq!(not_comparable("17.2 (Debian 17.2-1)", FORM, Some(17)), None);
    assert_eq!(not_comparable("17.12", FORM, Some(17)), None);
    let told = not_comparable("15.4", FORM, Some(17)).unwrap();
    assert_eq!(told, "the source ran PostgreSQL 15.4, and the drill runs 17");
    assert!(not_comparable("17.2", FORM + 1, Some(17)).unwrap().contains("in another form"));
    assert!(not_comparable("devel", FORM, Some(17)).is_some() && not_comparable("17", FORM, None).is_some());
}

#[test]
fn the_summary_says_what_was_compared_with_what() {
    let tally = |by_definition, by_name, by_archive| Tally {
        objects: 1200,
        by_definition,
        by_name,
        by_archive,
        ..Tally::default()
    };
    let summary = |tally: Tally| tally.outcome().summary;
    assert_eq!(
        summary(tally(9, 0, 0)),
        "1,200 objects of 9 databases are those of the source, by their definitions"
    );
    assert_eq!(
        summary(tally(0, 1, 0)),
        "1,200 objects of 1 database are those of the source, by their kinds and names"
    );
    assert_eq!(summary(tally(0, 0, 2)), "1,200 objects of 2 databases are there, by the list in the dump");
    assert_eq!(
        summary(Tally { ignored: 1, ..tally(2, 0, 1) }),
        "1,200 objects of 3 databases are there: in 2 by their definitions in the source, in 0 by their kinds and names \
         there, in 1 by the list in the dump; 1 object ignored"
    );
    let nothing = Tally { by_archive: 1, ..Tally::default() }.outcome();
    assert_eq!(nothing.status, CheckStatus::Skipped);
    let empty = Tally { by_definition: 1, ..Tally::default() }.outcome();
    assert_eq!(empty.status, CheckStatus::Pass, "the source had nothing, and neither has the restore");
}

#[test]
fn without_a_manifest_it_is_a_warning_unless_one_is_required() {
    let database: DatabaseName = "shop".parse().unwrap();
    for (required, status) in [(false, CheckStatus::Pass), (true, CheckStatus::Fail)] {
        let check = section(&format!("name = \"o\"\nrequire_manifest = {required}")).unwrap();
        let mut tally = Tally { objects: 3, by_archive: 1, ..Tally::default() };
        let look = ManifestLookup::Absent("there is no manifest m in the store".to_owned());
        assert!(matches!(check.source(look, &database, &mut tally.findings), Against::Archive));
        let outcome = tally.outcome();
        assert_eq!(outcome.status, status);
        assert_eq!(outcome.findings[0].code.as_str(), "no_object_record");
        let told = "shop: objects held against the dump's own list, not against the source: there is no manifest m in the store";
        assert_eq!(outcome.not_verified(), if required { vec![] } else { vec![told.to_owned()] });
    }
}
