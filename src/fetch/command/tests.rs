use super::*;
use crate::format::Inspector;
use crate::format::pg_custom::{Entry, LeftOutEntry};
use crate::template;

fn contents(name: &str) -> BackupContents {
    let path = format!("{}/tests/fixtures/archive/{name}.dump", env!("CARGO_MANIFEST_DIR"));
    let mut inspector = Inspector::default();
    let _ = inspector.push(&std::fs::read(path).unwrap()).unwrap();
    inspector.finish().map_err(|_| "no contents").unwrap()
}

#[test]
fn sql_of_the_template_runs_around_the_restore_and_is_not_shown() {
    let text = template::testing::minimal_with(
        "[[databases]]\nname = \"shop\"\n",
        "[[databases]]\nname = \"shop\"\nbefore_restore = [\"SELECT 'secret'\", \"CREATE TABLE x (id int)\"]\nafter_restore = \"UPDATE t SET a = 'secret'\"\n",
    );
    let parsed =
        template::parse(&text, "shop.toml", &template::Environment::default(), template::Purpose::Drill);
    let (parsed, name) = (parsed.unwrap(), "shop".parse().unwrap());
    let arguments = ["-t".to_owned(), "shop".to_owned()];
    let how = How { template: parsed.database(&name), arguments: &arguments, ..how(Some("d"), false) };
    let made = restore_steps(&name, &contents("pg17-gzip"), &LeftOut::default(), &how);
    let at = |words: &str| made.commands.iter().position(|command| command.contains(words)).unwrap();
    let order = [
        "createdb",
        "sql=$(restore-drill hooks -t shop --database shop before_restore) && ",
        "pg_restore",
        "sql=$(restore-drill hooks -t shop --database shop after_restore) && ",
    ];
    assert!(order.map(at).is_sorted(), "{made:?}");
    assert_eq!(
        made.notes,
        [
            "before_restore of the template: SELECT …",
            "before_restore of the template: CREATE TABLE x (id int)",
            "after_restore of the template: UPDATE t SET a …"
        ]
    );
    assert!(!format!("{made:?}").contains("secret"), "{made:?}");
}

#[test]
fn what_a_drill_leaves_out_is_left_out_and_may_come_after() {
    let BackupContents::PgCustom(toc) = contents("pg17-gzip") else { panic!("it is one") };
    let entry = toc.entries.iter().find(|entry| entry.desc == "TABLE DATA").unwrap();
    let id = entry.dump_id;
    let left_out = LeftOut {
        entries: vec![LeftOutEntry { dump_id: id, what: String::new(), why: String::new() }],
        ..LeftOut::default()
    };
    let (name, contents) = ("shop".parse().unwrap(), contents("pg17-gzip"));
    let made = restore_steps(&name, &contents, &left_out, &how(Some("d"), true));
    let options = what_is_restored(Kept { access: true, labels: false }).join(" ");
    let run = format!(
        "pg_restore --list d | LC_ALL=C grep -vE -e '^({id});' | pg_restore --dbname=shop --jobs=4 {options} --use-list=/dev/stdin d"
    );
    assert!(made.commands.contains(&run), "{made:?}");
    assert_eq!(
        made.later[0].commands,
        [format!(
            "pg_restore --list d | LC_ALL=C grep -E -e '^({id});' | env 'PGOPTIONS=-c session_replication_role=replica' pg_restore \
             --dbname=shop {options} --use-list=/dev/stdin d"
        )]
    );
    assert!(made.later[0].what.contains(&entry.tag), "{made:?}");
    // Read twice, it cannot come from a pipe.
    let piped = restore_steps(&name, &contents, &left_out, &how(None, true));
    assert!(piped.commands.iter().any(|command| command.ends_with("=/dev/stdin DUMP_FILE")), "{piped:?}");
    assert!(piped.notes[0].starts_with("the dump is read more than once: write it to a file, DUMP_FILE"));
}

#[test]
fn the_database_that_every_server_has_is_not_created() {
    let made = restore_steps(
        &"postgres".parse().unwrap(),
        &contents("pg17-gzip"),
        &LeftOut::default(),
        &how(Some("d"), true),
    );
    assert!(!made.commands.iter().any(|command| command.starts_with("createdb")), "{made:?}");
}

/// The archive of a fixture, with these entries besides.
fn with_entries(entries: &[(&str, &str, &str)]) -> BackupContents {
    let BackupContents::PgCustom(mut toc) = contents("pg17-gzip") else { panic!("it is one") };
    toc.entries.extend(entries.iter().map(|(desc, tag, defn)| Entry {
        desc: (*desc).to_owned(),
        tag: (*tag).to_owned(),
        defn: (*defn).to_owned(),
        ..Entry::default()
    }));
    BackupContents::PgCustom(toc)
}

fn how(file: Option<&str>, access: bool) -> How<'_> {
    How {
        file: file.map(Path::new),
        jobs: Some(4),
        kept: Kept { access, labels: false },
        roles: &[],
        template: None,
        recorded: None,
        arguments: &[],
    }
}

#[test]
fn the_line_is_that_of_the_drill_for_a_shell() {
    let (name, contents) = ("shop".parse().unwrap(), contents("pg17-gzip"));
    let made = restore_steps(&name, &contents, &LeftOut::default(), &how(Some("/srv/it's/shop.dump"), false));
    assert!(
        made.commands[0].starts_with("createdb --template=template0 --encoding=UTF8 --lc-collate="),
        "{made:?}"
    );
    assert!(made.commands[0].ends_with(" shop"), "{made:?}");
    let line = made.commands.last().unwrap();
    let options = what_is_restored(Kept::NOTHING).join(" ");
    assert_eq!(*line, format!(r"pg_restore --dbname=shop --jobs=4 {options} '/srv/it'\''s/shop.dump'"));
    assert!(made.caveats.iter().any(|told| told.starts_with("owners and privileges")), "{made:?}");
    let piped = restore_steps(&name, &contents, &LeftOut::default(), &how(None, true));
    let line = "pg_restore --dbname=shop --no-tablespaces --no-security-labels --no-subscriptions";
    assert!(piped.commands.iter().any(|made| made == line), "with owners and privileges, as that drill did");
    assert!(!piped.caveats.iter().any(|told| told.starts_with("owners")), "{piped:?}");
    let odd = restore_steps(&name, &contents, &LeftOut::default(), &how(Some("-x"), false));
    assert!(odd.commands.last().unwrap().ends_with(" ./-x"), "{odd:?}");
}

#[test]
fn settings_and_access_are_restored_as_the_drill_does_and_the_rest_is_told() {
    let name = "shop".parse().unwrap();
    let contents = with_entries(&[
        (
            "DATABASE PROPERTIES",
            "shop",
            "ALTER DATABASE shop SET \"TimeZone\" TO 'UTC';\nALTER DATABASE shop SET log_statement TO 'all';\n\
             ALTER DATABASE shop SET event_triggers TO 'on';\nALTER DATABASE shop SET \"app.bell\" TO 'a\u{7}b';\n\
             ALTER ROLE clerk IN DATABASE shop SET search_path TO 'a', 'b';\n",
        ),
        ("ACL", "DATABASE shop", "GRANT CONNECT ON DATABASE shop TO reader;\n"),
        ("SUBSCRIPTION", "feed", ""),
        ("SECURITY LABEL", "TABLE t", "SECURITY LABEL FOR anon ON TABLE t IS 'x';\n"),
    ]);
    let template = ["of_template".to_owned()];
    let made = restore_steps(
        &name,
        &contents,
        &LeftOut::default(),
        &How { roles: &template, ..how(Some("d"), true) },
    );
    let at = |words: &str| {
        let found = made.commands.iter().position(|command| command.contains(words));
        found.unwrap_or_else(|| panic!("{words}: {made:?}"))
    };
    let sql = [
        r#"printf '%s\n' 'ALTER DATABASE "shop" SET "TimeZone" TO '\''UTC'\'';' | psql --no-psqlrc --quiet"#,
        "pg_restore --dbname=shop",
        r#"'GRANT CONNECT ON DATABASE "shop" TO "reader";'"#,
        r#"'ALTER ROLE "clerk" IN DATABASE "shop" SET "search_path" TO '\''a'\'', '\''b'\'';' | psql"#,
    ];
    assert!(sql.map(at).is_sorted(), "{made:?}");
    let as_argument = made.commands.iter().any(|command| command.contains("--command=ALTER"));
    assert!(!as_argument, "values may be secret: {made:?}");
    for told in ["log_statement", "event_triggers", "app.bell: it holds", "anon", "subscriptions: feed"] {
        assert!(made.caveats.iter().any(|caveat| caveat.contains(told)), "{told}: {made:?}");
    }
    assert!(!made.commands.iter().any(|command| command.contains('\u{7}')), "{made:?}");
    for role in ["reader", "clerk", "of_template", "importer", "auditor"] {
        assert!(made.roles.iter().any(|named| named == role), "{role}: {made:?}");
    }
    let without = restore_steps(&name, &contents, &LeftOut::default(), &how(Some("d"), false));
    assert!(without.caveats.iter().any(|told| told.contains("search_path of role clerk")), "{without:?}");
    assert!(!without.commands.iter().any(|command| command.contains("clerk")), "{without:?}");
    assert!(!without.roles.iter().any(|role| role == "reader"), "{without:?}");
}

#[test]
fn hostile_names_stay_words() {
    let locale = DatabaseLocale {
        encoding: "UTF8".to_owned(),
        provider: LocaleProvider::Icu,
        collate: "C".to_owned(),
        ctype: "C; rm -rf /".to_owned(),
        locale: Some("und".to_owned()),
        rules: None,
    };
    let made = line(&with_locale(&locale));
    assert_eq!(
        made,
        "--encoding=UTF8 --lc-collate=C '--lc-ctype=C; rm -rf /' --locale-provider=icu --icu-locale=und"
    );
}

#[test]
fn sql_that_would_not_be_shown_as_it_is_is_not_printed() {
    let BackupContents::PgCustom(mut toc) = contents("pg17-gzip") else { panic!("it is one") };
    let entries = [(9001, "bell", "o\u{7}"), (9002, "plain", "o")].map(|(dump_id, tag, owner)| Entry {
        dump_id,
        desc: "EVENT TRIGGER".to_owned(),
        tag: tag.to_owned(),
        owner: Some(owner.to_owned()),
        ..Entry::default()
    });
    toc.entries.extend(entries);
    let repaired = [9001, 9002]
        .map(|entry| serde_json::json!({ "entry": entry, "what": "EVENT TRIGGER", "how": "given_to_owner" }));
    let recorded: PgRestore = serde_json::from_value(serde_json::json!({
        "exit_code": 1, "outcome": "repaired", "repaired": repaired, "jobs": 1, "stderr": [], "stderr_lines_dropped": 0
    }))
    .unwrap();
    let how = How { recorded: Some(&recorded), ..how(Some("d"), true) };
    let made =
        restore_steps(&"shop".parse().unwrap(), &BackupContents::PgCustom(toc), &LeftOut::default(), &how);
    let gives = |name: &str| made.commands.iter().any(|one| one.contains("OWNER TO") && one.contains(name));
    assert!(gives("plain") && !gives("bell"), "{made:?}");
    assert!(
        made.caveats.iter().any(|told| told.contains("\"bell\"") && told.contains("not shown")),
        "{made:?}"
    );
}
