use chrono::{DateTime, Utc};

use super::*;
use crate::format::pg_custom::LeftOut;
use crate::model::testing::{point, start};
use crate::model::verdict::Archive;
use crate::template::{Environment, Purpose, parse};

fn name(text: &str) -> QualifiedName {
    QualifiedName { schema: "public".to_owned(), name: text.to_owned() }
}

/// The contents of a sound dump of `a`, with the tables `t` and `u`, of which `u` refers to `t`.
pub fn sound(database: &str, created: DateTime<Utc>) -> Contents {
    Contents {
        archive: Archive {
            format: "1.16".to_owned(),
            database: database.to_owned(),
            server_version: "17.2 (Debian 17.2-1)".to_owned(),
            pg_dump_version: "17.2 (Debian 17.2-1)".to_owned(),
            compression: "gzip".to_owned(),
            created_at: Some(created.format("%Y-%m-%dT%H:%M:%S").to_string()),
            entries: 9,
            tables: 2,
            post_data: 3,
        },
        created_at: Some(created.naive_utc()),
        compressed: true,
        server_major: Some(17),
        dump_major: Some(17),
        needs_major: Some(17),
        tables: ["t", "u"].map(name).into(),
        views: BTreeSet::new(),
        without_rows: BTreeSet::new(),
        with_rows: 2,
        extensions: ["pgcrypto".to_owned()].into(),
        schemas: BTreeSet::new(),
        references: [(name("u"), name("t"))].into(),
        lossy: false,
        encoding: Some("UTF8".to_owned()),
        relations: 3,
        toc_bytes: 5000,
        last_data_at: Some(6000),
        left_out: LeftOut::default(),
        read_bytes: 262_144,
        is_whole: true,
        inventory: crate::plan::drift::Inventory::default(),
        layers: Vec::new(),
    }
}

fn template() -> Template {
    let text = r#"
        schema_version = 1
        name = "shop"
        project_prefix = "shop_drill"
        store = { url = "s3://backups" }
        encryption = { identities = ["key.txt"] }
        postgres = { image = "postgres:17", extensions = ["postgis"] }
        databases = [{ name = "a" }, { name = "b", after = ["a"] }]
        checks = [{ type = "required-tables", name = "tables", tables = { a = ["t"] } }]
    "#;
    parse(text, "shop.toml", &Environment::default(), Purpose::Drill).unwrap()
}

fn of_17() -> ImageFacts {
    ImageFacts { image: "postgres:17".to_owned(), major: Some(17), basis: "the image's tag".to_owned() }
}

/// A table that a check needs.
fn needs(check: &str, database: &str, table: &str) -> NeededTable {
    NeededTable {
        check: check.to_owned(),
        database: database.parse().unwrap(),
        table: table.parse().unwrap(),
        view_suffices: false,
        rows: 0,
    }
}

/// What is found where the check `tables` needs `t` and `u`, and others need more.
fn judged_by(
    template: &Template,
    more: impl IntoIterator<Item = NeededTable>,
    change: impl FnOnce(&mut Contents),
) -> Vec<(Severity, &'static str, String)> {
    let point = point("a", 5, 1 << 20);
    let mut contents = sound("a", point.taken_at);
    change(&mut contents);
    let tables = [("a", "t"), ("a", "u"), ("b", "elsewhere")];
    let mut template = template.clone();
    template.needed_tables =
        tables.map(|(database, table)| needs("tables", database, table)).into_iter().chain(more).collect();
    judge(&template, &of_17(), &point, &contents)
        .into_iter()
        .map(|finding| {
            (finding.severity, finding.code.as_str(), format!("{}: {}", finding.subject, finding.actual))
        })
        .collect()
}

fn judged(change: impl FnOnce(&mut Contents)) -> Vec<(Severity, &'static str)> {
    judged_by(&template(), [], change).into_iter().map(|(severity, code, _)| (severity, code)).collect()
}

#[test]
fn a_sound_dump_has_no_findings() {
    assert_eq!(judged(|_| {}), []);
}

#[test]
fn a_table_that_a_check_needs_and_the_dump_lacks_is_an_error() {
    let audit = ["audit_logs", "transparency_roots", "transparency_historical_keys"];
    let findings = judged_by(&template(), audit.map(|table| needs("roots", "a", table)), |contents| {
        contents.tables.extend(["audit_logs", "transparency_roots"].map(name));
    });
    assert_eq!(findings.len(), 1, "{findings:?}");
    let (severity, code, text) = &findings[0];
    assert_eq!((*severity, *code), (Severity::Error, "table_missing_in_dump"));
    assert!(text.starts_with("a.public.transparency_historical_keys: it is not in a_"), "{text}");
    assert_eq!(judged(|contents| contents.tables = [name("t")].into()).len(), 1);
    let chain = NeededTable { view_suffices: true, ..needs("chain", "a", "audit_logs") };
    let as_view = judged_by(&template(), [chain], |contents| contents.views = [name("audit_logs")].into());
    assert_eq!(as_view, [], "verify-chain reads views");
    let needed_as_table = judged(|contents| {
        contents.tables = [name("t")].into();
        contents.views = [name("u")].into();
        contents.references.clear();
    });
    assert_eq!(
        needed_as_table,
        [(Severity::Error, "table_missing_in_dump")],
        "required-tables asks for tables"
    );
    let elsewhere = judged(|contents| {
        contents.tables =
            [name("t"), QualifiedName { schema: "other".to_owned(), name: "u".to_owned() }].into();
        contents.references.clear();
    });
    assert_eq!(
        elsewhere,
        [(Severity::Error, "table_missing_in_dump")],
        "a table of another schema is another"
    );
}

#[test]
fn a_name_that_may_only_be_unreadable_is_a_warning() {
    let judged =
        |lossy| judged_by(&template(), [needs("more", "a", "straße")], |contents| contents.lossy = lossy);
    let codes = judged(true);
    assert_eq!(codes[0].0, Severity::Warning);
    let codes = judged(false);
    assert_eq!(codes[0].0, Severity::Error);
}

#[test]
fn rows_that_were_left_out_are_an_error_only_where_a_check_asks_for_them() {
    let lacks = |contents: &mut Contents| contents.without_rows = [name("u")].into();
    assert_eq!(judged(lacks), [(Severity::Warning, "tables_without_rows")]);
    let asked = NeededTable { rows: 5, ..needs("rows", "a", "u") };
    let codes: Vec<_> = judged_by(&template(), [asked], lacks).into_iter().map(|(_, code, _)| code).collect();
    assert_eq!(codes, ["rows_missing_in_dump"]);
}

#[test]
fn a_dump_of_another_database_is_told_apart_from_a_renamed_one() {
    let named = |text: &str| judged(|contents| contents.archive.database = text.to_owned());
    assert_eq!(named("b"), [(Severity::Error, "wrong_database")]);
    assert_eq!(named("a_2025"), [(Severity::Warning, "database_renamed")]);
    let narrowed = template().narrow(&["a".parse().unwrap()]).unwrap();
    let findings = judged_by(&narrowed, [], |contents| contents.archive.database = "b".to_owned());
    assert_eq!(findings[0].1, "wrong_database", "a database that --only leaves out is still another one");
}

#[test]
fn what_another_server_calls_its_database_is_no_mix_up() {
    let mut template = template();
    template.databases[1].server = Some("legacy".parse().unwrap());
    let narrowed = template.clone().narrow(&["a".parse().unwrap()]).unwrap();
    for template in [template, narrowed] {
        let findings = judged_by(&template, [], |contents| contents.archive.database = "b".to_owned());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].1, "database_renamed");
    }
}

#[test]
fn a_dump_that_is_shorter_than_its_contents_say_is_cut_off() {
    assert_eq!(
        judged(|contents| contents.last_data_at = Some(1 << 20)),
        [(Severity::Error, "dump_truncated")]
    );
    assert_eq!(judged(|contents| contents.last_data_at = None), [], "a dump made into a pipe does not say");
    let in_layers = |layers: &'static [&str]| {
        judged(|contents| {
            contents.last_data_at = Some(1 << 20);
            contents.layers = layers.to_vec();
        })
    };
    assert_eq!(in_layers(&["age"]).len(), 1);
    assert_eq!(in_layers(&["age", "gzip"]), [], "it was longer before it was compressed");
    assert_eq!(in_layers(&["gpg"]), [], "gpg compresses");
}

#[test]
fn a_dump_newer_than_the_image_is_an_error_if_the_image_is_known() {
    assert_eq!(
        judged(|contents| contents.needs_major = Some(18)),
        [(Severity::Error, "dump_newer_than_image")]
    );
    assert_eq!(judged(|contents| contents.needs_major = Some(12)), []);
    assert_eq!(
        judged(|contents| contents.dump_major = Some(18)),
        [(Severity::Warning, "dump_newer_than_image")],
        "a newer pg_dump alone mostly writes what an older server takes"
    );
    let unknown = ImageFacts { major: None, ..of_17() };
    let point = point("a", 5, 1 << 20);
    let mut contents = sound("a", point.taken_at);
    contents.needs_major = Some(18);
    assert_eq!(judge(&template(), &unknown, &point, &contents), []);
}

#[test]
fn a_dump_of_an_older_major_version_than_the_image_is_a_warning() {
    let older = judged(|contents| contents.server_major = Some(15));
    assert_eq!(older, [(Severity::Warning, "dump_older_than_image")]);
}

#[test]
fn a_time_that_no_zone_explains_is_a_warning() {
    let made = |hours: i64| {
        judged(|contents| {
            contents.created_at = Some((start() - TimeDelta::hours(5) + TimeDelta::hours(hours)).naive_utc());
        })
    };
    for hours in [-14, -5, 0, 1, 14] {
        assert_eq!(made(hours), [], "{hours} hours may be the zone");
    }
    for hours in [-240, -16, 16] {
        assert_eq!(made(hours), [(Severity::Warning, "creation_time_differs")], "{hours} hours");
    }
    assert_eq!(judged(|contents| contents.created_at = None), []);
}

#[test]
fn extensions_that_the_image_may_lack_are_a_warning_unless_the_template_names_them() {
    let needs = |extension: &str| judged(|contents| contents.extensions = [extension.to_owned()].into());
    assert_eq!(needs("timescaledb"), [(Severity::Warning, "extension_not_known")]);
    assert_eq!(needs("adminpack"), [(Severity::Warning, "extension_not_known")], "gone in PostgreSQL 17");
    assert_eq!(needs("postgis"), [], "the template says that the image has it");
    assert_eq!(needs("hstore"), []);
}

#[test]
fn foreign_keys_that_lead_nowhere_are_found() {
    let absent = |contents: &mut Contents| {
        contents.references.insert((name("u"), name("gone")));
    };
    assert_eq!(judged(absent), [(Severity::Warning, "parent_missing_in_dump")], "an extension may bring it");
    let without_extensions = judged(|contents| {
        absent(contents);
        contents.extensions.clear();
    });
    assert_eq!(without_extensions, [(Severity::Error, "parent_missing_in_dump")]);
    let emptied = judged(|contents| contents.without_rows = [name("t")].into());
    assert_eq!(
        emptied,
        [(Severity::Warning, "tables_without_rows"), (Severity::Warning, "parent_rows_missing_in_dump")]
    );
}

#[test]
fn members_of_different_major_versions_are_told() {
    let (a, b): (DatabaseName, DatabaseName) = ("a".parse().unwrap(), "b".parse().unwrap());
    let old = sound("a", start());
    let mut new = sound("b", start());
    assert_eq!(
        crate::plan::versions::differ_on([(&a, &old), (&b, &new)].into_iter(), || "recovery set".to_owned()),
        None
    );
    new.server_major = Some(15);
    let finding =
        crate::plan::versions::differ_on([(&a, &old), (&b, &new)].into_iter(), || "recovery set".to_owned())
            .unwrap();
    assert_eq!((finding.severity, finding.code.as_str()), (Severity::Warning, "server_versions_differ"));
    assert_eq!(finding.actual, "PostgreSQL 15: b; PostgreSQL 17: a");
}

#[test]
fn many_names_are_cut_short_and_hostile_ones_stay_on_their_line() {
    let all: Vec<String> = (0..13).map(|n| format!("x\u{1b}[2J\n{n}")).collect();
    let shown = names(&all);
    assert!(shown.ends_with("and 3 more") && !shown.contains(['\u{1b}', '\n']), "{shown}");
}

#[test]
fn a_dump_without_its_post_data_is_told_and_an_error_where_there_should_be_some() {
    let judged = |post_data, with_rows, required, before: Option<usize>| {
        let point = point("a", 5, 1 << 20);
        let mut contents = sound("a", point.taken_at);
        (contents.archive.post_data, contents.with_rows) = (post_data, with_rows);
        let rules = RecoverySetRules { require_post_data: required, ..RecoverySetRules::default() };
        let drill = EarlierDrill { timestamp: "earlier".to_owned(), ..EarlierDrill::default() };
        let found =
            EarlierDatabase { taken_at: point.taken_at, table_rows: BTreeMap::new(), post_data: before };
        let before = before.map(|_| (&drill, &found));
        without_post_data(&rules, &point, &contents, before).map(|finding| finding.severity)
    };
    assert_eq!(judged(1, 2, true, Some(9)), None);
    assert_eq!(judged(0, 2, false, None), Some(Severity::Warning), "a database may have none");
    assert_eq!(judged(0, 2, false, Some(0)), Some(Severity::Warning), "it had none before");
    assert_eq!(judged(0, 2, false, Some(9)), Some(Severity::Error));
    assert_eq!(judged(0, 2, true, None), Some(Severity::Error));
    assert_eq!(judged(0, 0, true, Some(9)), None, "without tables nothing is missing");
}
