use super::*;
use crate::model::failure::Class;
use crate::template::parse;
use crate::template::testing::{MINIMAL, minimal_with};

fn parsed(text: &str) -> Result<DrillTemplate> {
    DrillTemplate::of(parse(text, "shop.toml", &Environment::default(), Purpose::Drill)?)
}

/// The error of the minimal template with something replaced.
fn error_with(from: &str, to: &str) -> Failure {
    parsed(&minimal_with(from, to)).expect_err("the template must be refused")
}

#[test]
fn an_unknown_type_and_an_unknown_key_are_shown_with_their_lines() {
    let failure = error_with("required-tables", "required-table");
    insta::assert_snapshot!(failure.message, @r#"
    shop.toml: TOML parse error at line 18, column 8
       |
    18 | type = "required-table"
       |        ^^^^^^^^^^^^^^^^
    unknown variant `required-table`, expected one of `required-tables`, `row-counts`, `verify-chain`, `reconcile`, `transparency-roots`, `fingerprint`, `objects`, `sql`, `sqlite-integrity`, `aegis-agent-receipts`, `aegis-agent-policy-log`, `migrations`, `constraints`, `amcheck`, `sequences`, `http`, `command`, `access`, `retention`, `immutable`, `history`, `sidecars`
    "#);
    let failure = error_with("name = \"tables\"", "name = \"tables\"\ncolour = 1");
    insta::assert_snapshot!(failure.message, @r"
    shop.toml: TOML parse error at line 17, column 1
       |
    17 | [[checks]]
       | ^^^^^^^^^^
    unknown field `colour`, expected `name` or `tables`
    ");
    let failure = error_with("tables = {", "tables = 5 #");
    assert!(failure.message.contains("line 17") && failure.message.contains("invalid type"), "{failure}");
    let failure = error_with("[\"t\"]", "[\".t\"]");
    assert!(failure.message.contains("line 17"), "{failure}");
    let failure = error_with("type = \"required-tables\"", "");
    assert!(
        failure.message.contains("line 17") && failure.message.contains("missing field `type`"),
        "{failure}"
    );
}

#[test]
fn every_type_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = CHECKS.iter().map(|entry| entry.kind).collect();
    assert_eq!(names.len(), CHECKS.len());
}

#[test]
fn checks_that_are_inconsistent_are_refused_in_words() {
    for (from, to, message) in [
        (
            "[[checks]]",
            "[[checks]]\ntype = \"row-counts\"\nname = \"tables\"\nrules = [{ database = \"shop\", table = \"t\", min = 1 }]\n[[checks]]",
            "check tables is listed twice",
        ),
        (
            "{ shop = [\"t\"] }",
            "{ other = [\"t\"] }",
            "check tables names the database other, which is not among [[databases]]",
        ),
        ("{ shop = [\"t\"] }", "{}", "check tables looks at nothing"),
    ] {
        let failure = error_with(from, to);
        assert_eq!((failure.class, failure.code), (Class::Config, codes::TEMPLATE_INVALID));
        assert_eq!(failure.message, format!("shop.toml: {message}"));
    }
}

#[test]
fn a_check_of_the_store_needs_no_database_and_stands_for_none() {
    let store = "[[checks]]\ntype = \"immutable\"\nname = \"locked\"\nkeys = [\"**\"]\n";
    let names = |template: &DrillTemplate| -> Vec<String> {
        template.checks.iter().map(|check| check.name().to_owned()).collect()
    };
    let only = ["shop".parse().unwrap()];
    let both = parsed(&format!("{MINIMAL}{store}")).unwrap().narrow(&only).unwrap();
    assert_eq!(names(&both), ["tables", "locked"]);
    let alone =
        minimal_with("type = \"required-tables\"\nname = \"tables\"\ntables = { shop = [\"t\"] }\n", "")
            .replace("[[checks]]\n", store);
    let template = parsed(&alone).unwrap();
    assert!(template.checks[0].databases().is_empty());
    assert_eq!(template.narrow(&only).unwrap_err().code, codes::ONLY_UNCHECKED);
    // A check that also knows databases keeps what it verifies without them.
    let sidecars = "[[checks]]\ntype = \"sidecars\"\nname = \"beside\"\nsha256 = \"{key}.sha256\"\n";
    let other = "[[databases]]\nname = \"other\"\n";
    let narrowed = |keys: &str| {
        let tables =
            "[[checks]]\ntype = \"required-tables\"\nname = \"more\"\ntables = { other = [\"t\"] }\n";
        let template = parsed(&format!("{MINIMAL}{other}{sidecars}{keys}{tables}")).unwrap();
        names(&template.narrow(&["other".parse().unwrap()]).unwrap())
    };
    assert_eq!(narrowed("databases = [\"shop\"]\n"), ["more"]);
    assert_eq!(narrowed("databases = [\"shop\"]\nkeys = [\"*\"]\n"), ["beside", "more"]);
    assert_eq!(narrowed(""), ["beside", "more"]);
    // Of the recovery points of databases that are left out nothing is asked.
    let of_shop = alone.replace("keys = [\"**\"]", "databases = [\"shop\"]");
    let others = ["other".parse().unwrap()];
    let kept = parsed(&of_shop).unwrap().checks.narrow(&others).unwrap_err();
    assert_eq!(kept.code, codes::ONLY_UNCHECKED);
}

#[test]
fn checks_of_the_store_that_cannot_hold_are_refused_in_words() {
    let tier = "tiers = [{ name = \"h\", key = \"h/{timestamp}\", every = \"1h\", keep = 4 }]";
    for (keys, message) in [
        ("type = \"retention\"\ntiers = []".to_owned(), "check x has no tiers"),
        (
            format!("type = \"retention\"\n{}", tier.replace("{timestamp}", "")),
            "check x: `h/` must hold {timestamp} once",
        ),
        (
            format!("type = \"retention\"\n{}", tier.replace("keep = 4", "keep = 1")),
            "check x: tier h needs a `tolerance` below its `keep`",
        ),
        (
            format!("type = \"retention\"\n{}", tier.replace("\"1h\"", "\"1h\", timestamp = \"%H\"")),
            "check x: `%H` must be a strftime format that names a day, at least",
        ),
        (
            "type = \"immutable\"\ndatabases = [\"y\"]".to_owned(),
            "check x names the database y, which is not among [[databases]]",
        ),
        (
            "type = \"immutable\"\nclaim = { file = \"m.json\" }".to_owned(),
            "check x: `m.json` must hold {key} once",
        ),
        ("type = \"sidecars\"".to_owned(), "check x: it needs sha256, manifest, or both"),
        (
            "type = \"history\"\nlog = \"l\"\ntiers = []".to_owned(),
            "check x: it needs tiers, each with a name of its own",
        ),
    ] {
        let failure = error_with("[[checks]]", &format!("[[checks]]\nname = \"x\"\n{keys}\n[[checks]]"));
        assert_eq!(failure.message, format!("shop.toml: {message}"));
    }
}

#[test]
fn on_one_loopback_no_two_services_are_asked_on_one_port() {
    let asked = |name: &str, service: &str, port: u16| {
        format!(
            "[[checks]]\ntype = \"http\"\nname = \"{name}\"\ndatabases = [\"shop\"]\nservice = \"{service}\"\nport = {port}\n"
        )
    };
    let services = "[services.api]\nimage = \"x\"\n[services.web]\nimage = \"y\"\n";
    let with =
        |checks: &[String], more: &str| parsed(&format!("{MINIMAL}{}{services}{more}", checks.concat()));
    let both = [asked("one", "api", 8080), asked("again", "api", 8080), asked("two", "web", 8080)];
    let message = with(&both, "").unwrap_err().message;
    assert_eq!(
        message,
        "shop.toml: check two: api has the port 8080 already, and services share one loopback: give web another, or \
         set isolation.network = \"bridge\""
    );
    assert!(
        with(&[asked("db", "api", 5432)], "").unwrap_err().message.contains("postgres has the port 5432")
    );
    assert!(with(&both[..2], "").is_ok());
    assert!(with(&both, "[isolation]\nnetwork = \"bridge\"\n").is_ok());
}

#[test]
fn row_count_rules_that_cannot_hold_or_say_nothing_are_refused() {
    for (rule, message) in [
        ("", "give min, max, exact or max_drop"),
        (", min = 2, max = 1", "min 2 is above max 1"),
        (", min = 2, exact = 2", "exact excludes min and max"),
    ] {
        let check = format!(
            "[[checks]]\ntype = \"row-counts\"\nname = \"rows\"\nrules = [{{ database = \"shop\", table = \"t\"{rule} }}]\n[[checks]]"
        );
        let failure = error_with("[[checks]]", &check);
        assert_eq!(failure.message, format!("shop.toml: row count of shop.public.t: {message}"));
    }
}

#[test]
fn hints_are_for_codes_of_failures_and_of_findings_and_for_no_others() {
    let hinted = |code: &str| {
        parsed(&minimal_with("[[databases]]", &format!("[hints]\n{code} = \"ask them\"\n[[databases]]")))
    };
    for code in ["identity_missing", "hash_mismatch", "skew_exceeded", "row_count_low"] {
        let template = hinted(code).unwrap();
        let failure = template.hinted(Failure::bad(Code::new(code), "x").hint("look"));
        assert_eq!(failure.hint.as_deref(), Some("look; ask them"), "{code}");
    }
    let failure = hinted("identity_mising").unwrap_err();
    assert!(failure.message.contains("hints.identity_mising: there is no failure or finding"), "{failure}");
}

#[test]
fn a_check_of_what_the_template_leaves_out_is_refused() {
    let refused = |keys: &str| {
        let text = minimal_with(
            "[[databases]]\nname = \"shop\"",
            &format!("[[databases]]\nname = \"shop\"\n{keys}"),
        );
        let template = parse(&text, "shop.toml", &Environment::default(), Purpose::Drill).unwrap();
        DrillTemplate::of(template).err().map(|failure| failure.message)
    };
    for kind in ["TABLE", "TABLE DATA", "TABLE*"] {
        let message = refused(&format!("ignore = [{{ kind = \"{kind}\", name = \"public.*\" }}]")).unwrap();
        assert!(message.contains("check tables needs shop.public.t"), "{message}");
    }
    assert_eq!(refused("ignore = [{ kind = \"INDEX\", name = \"public.t\" }]"), None);
    assert_eq!(refused("ignore = [{ kind = \"TABLE\", name = \"public.u\" }]"), None);
}

#[test]
fn the_shipped_template_of_aegis_agent_is_one() {
    let text = include_str!("../../../drill-templates/aegis-agent.toml");
    let environment: Environment =
        [("AEGIS_BACKUP_DIR".to_owned(), "/backups".to_owned())].into_iter().collect();
    let template = parse(text, "aegis-agent.toml", &environment, Purpose::Drill).unwrap();
    let template = DrillTemplate::of(template).unwrap();
    assert_eq!((template.databases.len(), template.checks.len()), (1, 8));
    let unknown = text.replace("list = \"${AEGIS_MIGRATIONS:-aegis-agent}\"", "list = \"other\"");
    let template = parse(&unknown, "aegis-agent.toml", &environment, Purpose::Drill).unwrap();
    assert!(DrillTemplate::of(template).unwrap_err().message.contains("known are aegis-agent"));
}
