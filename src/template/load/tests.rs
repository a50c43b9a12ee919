use super::*;
use crate::model::failure::Class;
use crate::model::names::DatabaseName;
use crate::template::testing::{MINIMAL, minimal_with};

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn parsed(text: &str) -> Result<Template> {
    parse(text, "shop.toml", &Environment::default(), Purpose::Drill)
}

/// The error of the minimal template with something replaced.
fn error_with(from: &str, to: &str) -> Failure {
    parsed(&minimal_with(from, to)).expect_err("the template must be refused")
}

fn shipped(variables: &[(&str, &str)], purpose: Purpose) -> Result<Template> {
    let (name, text) = SHIPPED[0];
    parse(text, name, &environment(variables), purpose)
}

#[test]
fn the_least_template_has_sensible_defaults() {
    let template = parsed(MINIMAL).unwrap();
    assert_eq!(template.timeout.as_secs(), 2 * 60 * 60);
    assert_eq!(template.store.key, "{database}_{timestamp}.dump.age");
    assert!(template.backup.is_none() && template.services.is_empty());
}

#[test]
fn a_hook_keeps_its_text_without_the_values_of_variables() {
    let hook = "before_restore = [\"SELECT '${KEY}'\", \"DO $$$$x$$$$\"]";
    let text = MINIMAL.replacen("[[databases]]\n", &format!("[[databases]]\n{hook}\n"), 1);
    assert!(text.contains(hook), "{text}");
    let template = parse(&text, "shop.toml", &environment(&[("KEY", "4711")]), Purpose::Drill).unwrap();
    let texts: Vec<(&str, &str)> = template.databases[0]
        .before_restore
        .iter()
        .map(|statement| (statement.sql.as_str(), statement.written.as_str()))
        .collect();
    assert_eq!(texts, [("SELECT '4711'", "SELECT '${KEY}'"), ("DO $$x$$", "DO $$$$x$$$$")]);
}

#[test]
fn an_unknown_key_is_shown_with_its_line() {
    let failure = error_with("image = \"postgres:17\"", "image = \"postgres:17\"\nmemmory = \"1GiB\"");
    assert_eq!((failure.class, failure.code.as_str()), (Class::Config, "template_invalid"));
    insta::assert_snapshot!(failure.message, @r#"
    shop.toml: TOML parse error at line 13, column 1
       |
    13 | memmory = "1GiB"
       | ^^^^^^^
    unknown field `memmory`, expected one of `image`, `version`, `extensions`, `tuning`, `settings`, `password`, `roles`, `access`, `globals`, `memory`, `locale`, `port`, `ready_timeout`
    "#);
}

#[test]
fn unknown_keys_are_errors_everywhere() {
    for (section, key) in [
        ("name = \"shop\"\n", "colour = 1\n"),
        ("[store]\n", "colour = 1\n"),
        ("[encryption]\n", "colour = 1\n"),
        ("[[databases]]\n", "colour = 1\n"),
        ("[postgres]\n", "ports = [\"5432:5432\"]\n"),
        ("[[checks]]\n", "[services.x]\nimage = \"x\"\nprivileged = true\n[[checks]]\n"),
        ("[[checks]]\n", "[objectives]\nrt0 = \"1m\"\n[[checks]]\n"),
        ("[[checks]]\n", "[isolation]\nallow = [\"x\"]\n[[checks]]\n"),
        ("[[checks]]\n", "[log]\ncolour = 1\n[[checks]]\n"),
        ("[[checks]]\n", "[backup]\nrecipients = []\nhost = \"x\"\ncolour = 1\n[[checks]]\n"),
    ] {
        let text = if key.ends_with("[[checks]]\n") {
            MINIMAL.replacen(section, key, 1)
        } else {
            MINIMAL.replacen(section, &format!("{section}{key}"), 1)
        };
        let failure = parsed(&text).expect_err(key);
        assert!(failure.message.contains("unknown field"), "{key}: {failure}");
    }
}

/// A template whose bucket, identity and recipient are variables.
fn with_variables(variables: &[(&str, &str)], purpose: Purpose) -> Result<Template> {
    let text =
        MINIMAL.replace("key.txt", "${IDENTITY:?the key}").replace("s3://backups", "${BUCKET:?the bucket}")
            + "\n[backup]\nrecipients = [\"${RECIPIENT:?the recipient}\"]\nhost = \"h\"\n";
    parse(&text, "shop.toml", &environment(variables), purpose)
}

#[test]
fn every_missing_variable_is_named_at_once() {
    let failure = with_variables(&[], Purpose::Backup).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Config, "variable_missing"));
    for variable in ["BUCKET", "IDENTITY", "RECIPIENT"] {
        assert!(failure.message.contains(variable), "{failure}");
        assert!(failure.hint.as_ref().unwrap().contains(&format!("{variable}: the ")), "{failure:?}");
    }
}

#[test]
fn a_section_that_a_command_does_not_need_may_lack_its_variables() {
    const BUCKET: (&str, &str) = ("BUCKET", "s3://b");
    const IDENTITY: (&str, &str) = ("IDENTITY", "/key");
    const RECIPIENT: (&str, &str) = ("RECIPIENT", "age1x");
    let missing =
        |variables: &[(&str, &str)], purpose| with_variables(variables, purpose).err().map(|f| f.message);
    assert_eq!(missing(&[BUCKET, IDENTITY], Purpose::Drill), None);
    assert_eq!(missing(&[BUCKET, RECIPIENT], Purpose::BackupWithoutVerify), None);
    assert_eq!(missing(&[BUCKET, IDENTITY, RECIPIENT], Purpose::Backup), None);
    assert_eq!(
        missing(&[BUCKET, RECIPIENT], Purpose::Backup).unwrap(),
        "shop.toml needs the environment variable IDENTITY"
    );
    assert_eq!(
        missing(&[RECIPIENT], Purpose::Drill).unwrap(),
        "shop.toml needs the environment variables IDENTITY, BUCKET"
    );
}

#[test]
fn encryption_is_demanded_where_there_is_something_that_opens_it() {
    let required = |section: &str| {
        let text = MINIMAL.replace("[encryption]\nidentities = [\"key.txt\"]\n", section);
        parsed(&text).unwrap().encryption.is_required()
    };
    assert!(!required(""));
    assert!(!required("[encryption]\n"));
    assert!(required("[encryption]\nidentities = [\"key.txt\"]\n"));
    // A variable that is empty takes no demand back.
    assert!(required("[encryption]\nidentities = [\"\"]\n"));
    assert!(required("[encryption]\ngpg_homedir = \"\"\n"));
    assert!(!required("[encryption]\nidentities = [\"key.txt\"]\nrequired = false\n"));
    assert!(required("[encryption]\nrequired = true\n"));
}

#[test]
fn a_variable_that_is_used_in_several_places_is_named_once() {
    let text = MINIMAL
        .replace("key.txt", "${A:?the key}")
        .replace("postgres:17", "${B}")
        .replace("s3://backups", "s3://${A}/${A}");
    let failure = parsed(&text).unwrap_err();
    assert_eq!(failure.message, "shop.toml needs the environment variables A, B");
}

#[test]
fn a_missing_variable_is_reported_before_the_value_it_makes_invalid() {
    let failure = error_with("\"shop_drill\"", "\"${PREFIX:?what projects begin with}\"");
    assert_eq!(failure.code.as_str(), "variable_missing");
    assert_eq!(failure.hint.unwrap(), "PREFIX: what projects begin with");
}

#[test]
fn a_malformed_reference_is_shown_with_its_line() {
    let failure = error_with("s3://backups", "s3://$BUCKET");
    assert_eq!(
        failure.message,
        "shop.toml, line 6: a lone `$`: write `${NAME}` for a variable or `$$` for a dollar sign"
    );
}

#[test]
fn what_is_inconsistent_is_said_in_words() {
    for (from, to, message) in [
        ("schema_version = 1", "schema_version = 2", "schema_version is 2, and this program knows version 1"),
        (
            "name = \"shop\"\n\n[[checks",
            "name = \"shop\"\nafter = [\"x\"]\n[[checks",
            "database shop comes after x, which is not among [[databases]]",
        ),
        (
            "name = \"shop\"\n\n[[checks",
            "name = \"shop\"\nafter = [\"b\"]\n[[databases]]\nname = \"b\"\nafter = [\"shop\"]\n[[checks",
            "databases wait for each other in a cycle: b → shop → b",
        ),
        ("[[databases]]", "[[databases]]\nname = \"shop\"\n[[databases]]", "database shop is listed twice"),
        (
            "url = \"s3://backups\"",
            "url = \"s3://backups\"\nkey = \"{database}.age\"",
            "store.key `{database}.age` must hold {database} and {timestamp}, each once",
        ),
        (
            "url = \"s3://backups\"",
            "url = \"s3://backups\"\nglobals = \"globals.age\"",
            "store.globals `globals.age` must hold {timestamp} once, and no {database}",
        ),
        (
            "url = \"s3://backups\"",
            "url = \"s3://backups\"\nglobals = \"shop_{timestamp}.dump.age\"",
            "store.globals `shop_{timestamp}.dump.age` gives globals the key of the manifest, or of a dump of shop: choose \
             another pattern",
        ),
        (
            "[[checks]]",
            "[isolation]\nunreachable = [\"prod\"]\n[[checks]]",
            "isolation.unreachable `prod` is not `host:port`",
        ),
        (
            "[[checks]]",
            "[services.postgres]\nimage = \"x\"\n[[checks]]",
            "service `postgres`: use a-z 0-9 _ -; `postgres` is the drill's own",
        ),
        (
            "[[checks]]",
            "[log]\ncounts = [{ label = \"a|b\", database = \"shop\", table = \"t\" }]\n[[checks]]",
            "log label `a|b`: must not be empty or hold | = or spaces",
        ),
        (
            "[[checks]]",
            "[log]\ncounts = [{ label = \"a\", database = \"x\", table = \"t\" }]\n[[checks]]",
            "log count a names the database x, which is not among [[databases]]",
        ),
    ] {
        let failure = error_with(from, to);
        assert_eq!((failure.class, failure.code.as_str()), (Class::Config, "template_invalid"));
        assert_eq!(failure.message, format!("shop.toml: {message}"));
    }
}

#[test]
fn a_template_that_would_drill_or_verify_nothing_is_refused() {
    let (without_checks, _) = MINIMAL.split_once("[[checks]]").unwrap();
    let head = without_checks.replace("[[databases]]\nname = \"shop\"\n", "");
    let checks = "checks = []\n";
    let message = |text: &str| parsed(text).unwrap_err().message;
    assert_eq!(
        message(&format!("{checks}{without_checks}")),
        "shop.toml: there is no [[checks]] entry: a drill that verifies nothing proves nothing"
    );
    assert_eq!(
        message(&format!("{checks}databases = []\n{head}")),
        "shop.toml: there is no [[databases]] or [[clusters]] entry, so there is nothing to drill"
    );
    assert!(message(without_checks).contains("missing field `checks`"));
}

#[test]
fn a_bad_duration_is_shown_with_its_line() {
    for bad in ["fifteen", "15", "-1m", ""] {
        let failure = error_with("[store]", &format!("[objectives]\nrto = \"{bad}\"\n\n[store]"));
        assert_eq!(failure.code.as_str(), "template_invalid");
        assert!(failure.message.contains("line 6"), "{bad}: {failure}");
    }
}

#[test]
fn names_that_could_escape_their_place_are_refused_with_their_line() {
    for (from, to) in
        [("name = \"shop\"\n\n[[checks", "name = \"../etc\"\n\n[[checks"), ("\"shop_drill\"", "\"Drill\"")]
    {
        let failure = error_with(from, to);
        assert!(failure.message.contains("line "), "{failure}");
    }
}

#[test]
fn text_that_is_no_toml_is_shown_with_its_line() {
    let failure = error_with("[postgres]", "[postgres");
    insta::assert_snapshot!(failure.message, @r"
    shop.toml: TOML parse error at line 11, column 10
       |
    11 | [postgres
       |          ^
    unclosed table, expected `]`
    ");
}

#[test]
fn the_template_of_immutable_backups_needs_a_directory_and_takes_the_newest_of_three_tiers() {
    let (name, text) = SHIPPED[1];
    let parsed = |variables: &[(&str, &str)]| parse(text, name, &environment(variables), Purpose::Drill);
    let template = parsed(&[("IMMUTABLE_BACKUP_DIR", "/srv/backups")]).unwrap();
    assert_eq!((template.name.as_str(), template.store.url.as_str()), (name, "/srv/backups"));
    let key = template.databases[0].key.as_deref();
    assert_eq!(key, Some("active/{hourly,daily,weekly}/{timestamp}.sql.gz"));
    assert_eq!(parsed(&[]).unwrap_err().code.as_str(), "variable_missing");
}

#[test]
fn the_shipped_template_is_that_of_the_platform() {
    let template = shipped(
        &[("ACP_BACKUP_S3_BUCKET", "s3://bucket/nightly"), ("ACP_BACKUP_AGE_IDENTITY", "/run/key")],
        Purpose::Drill,
    )
    .unwrap();
    let databases: Vec<(&str, Vec<&str>)> = template
        .databases
        .iter()
        .map(|database| (database.name.as_str(), database.after.iter().map(DatabaseName::as_str).collect()))
        .collect();
    assert_eq!(
        databases,
        [
            ("acp_identity", vec![]),
            ("acp_registry", vec!["acp_identity"]),
            ("acp_audit", vec!["acp_registry"]),
            ("acp_usage", vec!["acp_audit"]),
            ("acp_api", vec!["acp_identity"]),
            ("acp_behavior", vec!["acp_identity"]),
            ("acp_identity_graph", vec!["acp_identity"]),
            ("acp_flight_recorder", vec!["acp_identity"]),
            ("acp_autonomy", vec!["acp_identity"]),
        ]
    );
    assert_eq!(template.project_prefix.as_str(), "acp_drill");
    assert_eq!(template.store.url, "s3://bucket/nightly");
    assert_eq!(template.store.key, "{database}_{timestamp}.dump.{age,gpg}");
    let minutes = |budget: Option<std::time::Duration>| budget.unwrap().as_secs() / 60;
    let objectives = &template.objectives;
    assert_eq!(
        [
            objectives.rto,
            objectives.rpo,
            objectives.download,
            objectives.decrypt,
            objectives.restore,
            objectives.verification
        ]
        .map(minutes),
        [15, 24 * 60, 1, 1, 10, 3]
    );
    assert!(template.services.contains_key("redis"));
    assert_eq!(template.isolation.unresolvable[0], "acp_postgres");
    let labels: Vec<&str> = template.log.counts.iter().map(|count| count.label.as_str()).collect();
    assert_eq!(labels, ["audit", "tenants", "usage"]);
}

#[test]
fn a_template_that_is_not_there_is_answered_with_those_that_are() {
    let load = |name| load(name, &Environment::default(), Purpose::Drill).unwrap_err();
    let failure = load("nonesuch");
    assert_eq!((failure.class, failure.code.as_str()), (Class::Config, "template_not_found"));
    assert!(failure.hint.unwrap().contains("known templates: aegis"));
    let failure = load("./nonesuch.toml");
    assert_eq!(failure.code.as_str(), "template_not_found");
    assert!(failure.message.starts_with("the template ./nonesuch.toml cannot be read: "), "{failure}");
}

#[test]
fn what_a_system_says_about_a_failure_stands_behind_the_general_hint() {
    let template = shipped(
        &[("ACP_BACKUP_S3_BUCKET", "s3://bucket/nightly"), ("ACP_BACKUP_AGE_IDENTITY", "/run/key")],
        Purpose::Drill,
    )
    .unwrap();
    let hint = |failure| template.hinted(failure).hint;
    let missing = Failure::config(codes::IDENTITY_MISSING, "no age identity is given");
    const OWN: &str = "ACP_BACKUP_AGE_IDENTITY names the file, ACP_BACKUP_GPG_HOMEDIR the keyring";
    assert_eq!(hint(missing.clone()).unwrap(), OWN);
    assert_eq!(hint(missing.hint("name an identity file")).unwrap(), format!("name an identity file; {OWN}"));
    assert_eq!(hint(Failure::bad(codes::EMPTY_DUMP, "it is empty")), None);
}

#[test]
fn a_template_with_databases_needs_a_server_for_them() {
    let text = r#"
        schema_version = 1
        name = "shop"
        project_prefix = "shop_drill"
        store = { url = "s3://backups" }
        encryption = { identities = ["key.txt"] }
        databases = [{ name = "a" }]
        checks = [{ type = "required-tables", name = "tables", tables = { a = ["t"] } }]
    "#;
    let failure = parse(text, "shop.toml", &Environment::default(), Purpose::Drill).unwrap_err();
    assert!(failure.message.contains("missing field `postgres`"), "{failure}");
}
