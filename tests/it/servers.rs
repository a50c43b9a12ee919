//! Several servers in one stack: of two major versions, with checks that look at both.

use serde_json::Value;

use super::fixtures::{dump, dump_of_15};
use std::process::Command;

use super::site::Site;
use super::world::{Outcome, RUNTIME, World, ago, docker, docker_bytes, docker_with, seal};

/// A server of PostgreSQL 15 beside that of `[postgres]`, and a database on it.
const LEGACY: &str = "[servers.legacy]\nimage = \"${DRILL_POSTGRES_15_IMAGE}\"\nmemory = \"512MiB\"\n\
    settings = { work_mem = \"5MB\" }\n\
    [[databases]]\nname = \"identity\"\nserver = \"legacy\"\nafter = [\"registry\"]\n";

/// Every tenant of the one has an event of the same number in the other.
fn reconcile(right: &str) -> String {
    format!(
        "type = \"reconcile\"\nname = \"across\"\n\
         left = {{ label = \"tenants\", database = \"identity\", query = \"\"\"\n\
         SELECT id::text AS key, timestamptz '2020-01-01Z' AS at, true AS required FROM tenants\"\"\" }}\n\
         right = {{ label = \"events\", database = \"registry\", query = \"\"\"\n\
         SELECT id::text AS key, timestamptz '2020-01-01Z' AS at, false AS required FROM events WHERE {right}\"\"\" }}"
    )
}

fn world(name: &str, right: &str) -> World {
    let mut world = World::new(name);
    world.template.image = "${DRILL_POSTGRES_17_IMAGE}".to_owned();
    world.dumped("registry", &[], dump("registry"));
    world.put_dump("identity", ago(60), dump_of_15());
    world.template.more = LEGACY.to_owned();
    world.rows("users", "identity", "users", "exact = 50").rows("events", "registry", "events", "exact = 10");
    world.template.checks.push(reconcile(right));
    world
}

fn server<'a>(outcome: &'a Outcome, name: &str) -> &'a Value {
    let servers = outcome.verdict()["stack"]["servers"].as_array().expect("several servers");
    servers.iter().find(|server| server["name"] == name).unwrap_or_else(|| panic!("no {name}\n{outcome}"))
}

#[test]
fn databases_of_two_major_versions_are_restored_to_their_servers_and_checked_together() {
    let mut world = world("servers-together", "true");
    for (name, database, version) in [("old", "identity", "15"), ("new", "registry", "17")] {
        world.template.checks.push(format!(
            "type = \"sql\"\nname = \"{name}\"\ndatabase = \"{database}\"\nexpect = {version}\n\
             query = \"SELECT current_setting('server_version_num')::int / 10000\""
        ));
    }
    // A program finds the server of its database.
    world.template.checks.push(
        "type = \"command\"\nname = \"program\"\ndatabases = [\"identity\"]\npostgres = true\n\
         image = \"${DRILL_POSTGRES_17_IMAGE}\"\nuser = \"postgres\"\nentrypoint = [\"psql\"]\n\
         command = [\"-Atc\", \"SELECT 1 / (count(*) = 50)::int FROM users\"]"
            .to_owned(),
    );
    world
        .template
        .checks
        .push("type = \"amcheck\"\nname = \"indexes\"\ndatabases = [\"identity\", \"registry\"]".to_owned());
    let outcome = world.drill(&[]);
    let verdict = outcome.passed();
    world.assert_nothing_left();

    for (name, version, port, database) in
        [("postgres", "17", 5432, "registry"), ("legacy", "15", 5433, "identity")]
    {
        let server = server(&outcome, name);
        assert!(server["version"].as_str().unwrap().starts_with(version), "{server}");
        assert_eq!((&server["port"], &server["databases"][0]), (&port.into(), &database.into()), "{server}");
        // One proof holds for all of them.
        let container = format!("-{name}-1");
        let assertions = verdict["isolation"]["assertions"].as_array().unwrap();
        let of_it = assertions.iter().filter(|one| one["subject"].as_str().unwrap().ends_with(&container));
        assert!(of_it.count() > 10, "{name}\n{outcome}");
    }
    assert_eq!(server(&outcome, "legacy")["settings"]["work_mem"], "5MB");
    // What was there before is about the server of [postgres].
    let stack = &verdict["stack"];
    assert!(stack["postgres_version"].as_str().unwrap().starts_with("17"), "{outcome}");
    assert_ne!(stack["settings"]["work_mem"], "5MB", "{outcome}");
    assert!(outcome.stdout.contains("legacy: PostgreSQL 15"), "{outcome}");
}

/// An image that lets everybody in who can reach it. It is removed when this value is dropped.
struct Trusting(String);

impl Trusting {
    fn of(image: &str) -> Self {
        let own = Self(format!("restore-drill-test/trusting:{}", std::process::id()));
        let recipe = format!("FROM {image}\nENV POSTGRES_HOST_AUTH_METHOD=trust\n");
        docker_with(&["build", "--quiet", "--network=none", "--tag", &own.0, "-"], recipe.as_bytes());
        own
    }
}

impl Drop for Trusting {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", &self.0]).output();
    }
}

/// Nobody gets from one server to the other without its password, though the other's image trusts everybody.
fn assert_strangers_to_each_other(project: &str) {
    let (first, legacy) = (format!("{project}-postgres-1"), format!("{project}-legacy-1"));
    let psql =
        ["exec", &first, "psql", "-w", "-h", "legacy", "-p", "5433", "-U", "postgres", "-c", "SELECT 1"];
    let tried = Command::new("docker").args(psql).output().expect("there is a docker client");
    let said = String::from_utf8_lossy(&tried.stderr);
    assert!(!tried.status.success() && said.contains("no password supplied"), "{said}");
    // Also from an address that a bridge would give it.
    let rules = "SELECT DISTINCT auth_method FROM pg_hba_file_rules WHERE type <> 'local'";
    assert_eq!(docker(&["exec", &legacy, "psql", "-U", "postgres", "-Atc", rules]), "scram-sha-256");
}

#[test]
fn a_dump_on_a_server_too_old_names_it_and_what_is_missing_on_the_other_server_is_found() {
    let mut world = world("servers-apart", "id <> 2");
    world.put_dump("ledger", ago(60), dump("ledger"));
    world.template.more.push_str("[[databases]]\nname = \"ledger\"\nserver = \"legacy\"\n");
    world.tables("ledger", "ledger", &["entries"]);
    let trusting = Trusting::of(&world.environment["DRILL_POSTGRES_15_IMAGE"]);
    world.environment.insert("DRILL_POSTGRES_15_IMAGE".to_owned(), trusting.0.clone());
    let outcome = world.drill(&["--keep"]);
    assert_strangers_to_each_other(outcome.verdict()["project"].as_str().expect("a text"));
    assert_eq!(
        (outcome.code, &outcome.verdict()["failure"]["code"]),
        (1, &"no_counterpart".into()),
        "{outcome}"
    );
    assert_eq!(outcome.check("across")["findings"][0]["subject"], "tenants 2", "{outcome}");
    let error = &outcome.database("ledger")["error"];
    assert_eq!(error["code"], "dump_newer_than_image", "{outcome}");
    let (message, hint) = (error["message"].as_str().unwrap(), error["hint"].as_str().unwrap());
    let image = &world.environment["DRILL_POSTGRES_15_IMAGE"];
    for words in ["servers.legacy: ", image, "has PostgreSQL 15"] {
        assert!(message.contains(words), "{words}\n{message}");
    }
    assert!(hint.contains("servers.legacy.image"), "{hint}");
    // What was kept is removed before the image is.
    drop(world);
}

/// A source whose application owns nothing. Its roles are called as those of the other one, and are not the same.
fn source(name: &str, variable: &str, database: &str, app_may: &str, owner: &str) -> Site {
    let fill = format!(
        "CREATE ROLE app {app_may}; CREATE ROLE {owner};
         CREATE TABLE items (id int PRIMARY KEY, word text);
         INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c');
         ALTER TABLE items OWNER TO {owner};
         GRANT SELECT, INSERT ON items TO app;"
    );
    let mut site = Site::filled(name, variable, &[(database, None, &fill)]);
    site.world.rows("rows", database, "items", "exact = 3");
    site
}

#[test]
fn the_roles_of_each_source_come_back_on_its_own_server_and_are_compared_there() {
    let mut new = source("servers-roles", "DRILL_POSTGRES_17_IMAGE", "orders", "LOGIN", "orders_owner");
    let mut old =
        source("servers-roles-15", "DRILL_POSTGRES_15_IMAGE", "archive", "CREATEDB", "archive_owner");
    // Two templates back up into one store; the second says nothing of the first one's servers.
    old.world.template.endpoint.clone_from(&new.world.template.endpoint);
    old.world.template.identities.clone_from(&new.world.template.identities);
    old.world.recipient.clone_from(&new.world.recipient);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        old.world.environment.insert(name.to_owned(), new.world.environment[name].clone());
    }
    old.world.template.image = "${DRILL_POSTGRES_15_IMAGE}".to_owned();
    old.aim("postgres");
    for site in [&old, &new] {
        let backup = site.backup(&[]);
        assert_eq!(backup.code, 0, "{backup}");
    }
    let world = &mut new.world;
    world.template.more.push_str(
        "[servers.legacy]\nimage = \"${DRILL_POSTGRES_15_IMAGE}\"\nmemory = \"512MiB\"\naccess = \"restore\"\n\
         [[databases]]\nname = \"archive\"\nserver = \"legacy\"\n",
    );
    world.template.checks.push("type = \"access\"\nname = \"access\"\nrequire_manifest = true".to_owned());
    for (name, database, may) in
        [("new", "orders", "login=f createdb=f"), ("old", "archive", "login=f createdb=t")]
    {
        world.sql(
            name,
            database,
            "SELECT format('login=%s createdb=%s', rolcanlogin, rolcreatedb) FROM pg_roles WHERE rolname = 'app'",
            &format!("expect = \"{may}\""),
        );
    }
    let drill = new.world.drill(&[]);
    let verdict = drill.passed();
    for (access, owner) in
        [(&verdict["access"], "orders_owner"), (&verdict["server_access"]["legacy"], "archive_owner")]
    {
        assert_eq!(
            (&access["status"], &access["globals"]["in_manifest"]),
            (&"restored".into(), &true.into()),
            "{drill}"
        );
        assert!(
            access["roles"].to_string().contains(owner) && access["made_up"] == serde_json::json!([]),
            "{drill}"
        );
    }
    let told = verdict["not_verified"].to_string();
    assert!(told.contains("server postgres: passwords") && !told.contains("were not restored"), "{told}");
    let summary = drill.check("access")["summary"].as_str().unwrap();
    assert!(summary.contains("in 2 databases") && summary.contains("so are"), "{summary}");
    let plan = new.world.run(&["plan", "-t", "./template.toml"]);
    assert!(plan.stdout.contains("Globals    legacy: nightly/globals_"), "{plan}");

    // A dump of the second source that lost a grant.
    let container = &old.source.server.container;
    RUNTIME.block_on(old.session("archive").execute("REVOKE INSERT ON items FROM app", "revoking")).unwrap();
    let lost = docker_bytes(&["exec", container, "pg_dump", "-U", "postgres", "-Fc", "archive"], b"");
    let objects = new.objects();
    let key = objects.keys().find(|key| key.contains("/archive_")).expect("it was dumped");
    std::fs::write(&objects[key], seal(&lost, &[&new.world.recipient])).unwrap();
    let drill = new.world.drill(&[]);
    drill.failed(1, "grant_missing");
    let findings = drill.check("access")["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{drill}");
    assert_eq!(findings[0]["subject"], "archive.public.items", "{drill}");
}
