//! Services that must answer, and programs that must succeed.

use super::super::cancel::{Running, assert_interrupted};
use super::super::support::wait::wait_until;
use super::super::world::{Outcome, docker};
use super::{DUMPS, actual, check, drill, pairs, seen, world};

/// A service that answers from the restored data, once it is there: for `/readyz` it asks Postgres.
const SERVICE: &str = r#"[services.app]
image = "${DRILL_POSTGRES_17_IMAGE}"
user = "postgres"
command = ["perl", "-e", '''
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 9, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
    my $request = <$client>;
    while (my $line = <$client>) { last if $line =~ /^\r?$/ }
    exit 7 if $request =~ m{/die};
    sleep 60 if $request =~ m{/hang};
    my $children = `psql -hpostgres -Upostgres -dshop -Atc "SELECT count(*) FROM children" 2>/dev/null`; chomp $children;
    my ($status, $body) = $request =~ m{/readyz} && $children eq "" ? (503, "not ready") : (200, "children: $children");
    $status = 500 if $request =~ m{/broken};
    $body = "x" x 3000000 if $request =~ m{/large};
    print $client "HTTP/1.1 $status x\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    close $client;
}
''']
environment = { PGPASSWORD = "${RESTORE_DB_PASSWORD}" }
[services.quiet]
image = "${DRILL_REDIS_IMAGE}"
user = "redis"
"#;

fn asked(name: &str, more: &str) -> Outcome {
    let rule = format!("databases = [\"shop\"]\n{more}");
    let mut world = world(name, &DUMPS.unsound, check("http", &rule));
    // A dollar sign begins a variable unless it is doubled.
    world.template.more = SERVICE.replace('$', "$$").replace("$${", "${");
    let outcome = world.drill(&[]);
    world.assert_nothing_left();
    outcome
}

#[test]
fn a_service_that_answers_passes() {
    let outcome = asked(
        "checks-http",
        "service = \"app\"\nport = 8080\npath = \"/readyz\"\ncontains = \"children: 4\"",
    );
    outcome.passed();
    let summary = outcome.check("it")["summary"].as_str().unwrap().to_owned();
    assert!(summary.starts_with("http://app:8080/readyz answered 200"), "{summary}");
    asked("checks-http-large", "service = \"app\"\nport = 8080\npath = \"/large\"\ncontains = \"xxx\"")
        .passed();
}

#[test]
fn a_service_that_answers_wrongly_fails_with_the_reason() {
    let app = |path: &str, more: &str| format!("service = \"app\"\nport = 8080\npath = \"{path}\"\n{more}");
    let patient = "within = \"5s\"\ntimeout = \"30s\"";
    for (name, more, code) in [
        ("status", app("/broken", patient), "http_status"),
        ("body", app("/", &format!("contains = \"children: 5\"\n{patient}")), "http_body"),
        ("closed", "service = \"app\"\nport = 8081\nwithin = \"2s\"".to_owned(), "http_no_answer"),
        ("hang", app("/hang", "within = \"2s\"\ntimeout = \"1s\""), "http_no_answer"),
        ("other", "service = \"quiet\"\nport = 6379\nwithin = \"2s\"".to_owned(), "http_no_answer"),
        // A drill does not wait for a service that has ended: it has less time than that.
        ("died", app("/die", "within = \"2h\""), "service_ended"),
    ] {
        asked(&format!("checks-http-{name}"), &more).failed(1, code);
    }
}

fn commanded(name: &str, script: &str, more: &str) -> Outcome {
    let rule = format!(
        "databases = [\"shop\"]\nimage = \"${{DRILL_POSTGRES_17_IMAGE}}\"\nuser = \"postgres\"\n\
         entrypoint = [\"bash\", \"-c\"]\ncommand = ['''{script}''']\n{more}"
    );
    let world = world(name, &DUMPS.unsound, check("command", &rule));
    let outcome = world.drill(&[]);
    world.assert_nothing_left();
    outcome
}

#[test]
fn a_program_that_succeeds_passes_with_its_output_and_without_its_secrets() {
    let script = r#"psql -Atc "SELECT 'children: ' || count(*) FROM children" && echo "$$PGPASSWORD" && echo "$$TOKEN" >&2"#;
    let outcome =
        commanded("checks-command", script, "postgres = true\nenvironment = { TOKEN = \"tok-12345\" }");
    outcome.passed();
    assert_eq!(seen(&outcome), pairs(&[("command_output", "the last 3 of 3 lines")]));
    let output = actual(&outcome, "the last 3 of 3 lines");
    assert!(output.starts_with("children: 4 / "), "{output}");
    assert_eq!(output.matches("***").count(), 2, "{output}");
    assert!(!outcome.verdict_text.contains("tok-12345"), "{outcome}");
    // Its container was gone before teardown.
    assert_eq!(outcome.verdict()["teardown"]["removed"]["containers"], 1, "{outcome}");
}

#[test]
fn a_program_that_fails_fails_the_drill() {
    let outcome = commanded("checks-command-status", "echo it is broken >&2; exit 3", "");
    outcome.failed(1, "command_failed");
    assert_eq!(actual(&outcome, "it"), "exit status 3; it said last: it is broken");
}

#[test]
fn a_program_that_takes_too_much_memory_or_floods_is_contained() {
    let script = "exec perl -e 'my @all; push @all, \"x\" x 1000000 while 1'";
    let outcome = commanded("checks-command-memory", script, "memory = \"32MiB\"");
    outcome.failed(1, "command_killed");
    let killed = &outcome.verdict()["checks"][0]["findings"][0]["actual"];
    assert!(killed.as_str().is_some_and(|why| why.contains("more than 32.0 MiB of memory")), "{outcome}");
    let script = "yes 'a line that is written again and again' | head -n 300000; head -c 20000000 /dev/zero; echo; echo end";
    let outcome = commanded("checks-command-flood", script, "output_lines = 3");
    outcome.passed();
    let output = actual(&outcome, "the last 3 of 300,002 lines");
    assert_eq!(output.split(" / ").collect::<Vec<_>>()[1..], ["(a line of 19.1 MiB)", "end"]);
}

#[test]
fn a_program_reaches_nothing_outside_the_stack() {
    let script = "getent hosts example.com && exit 1; grep -q CapEff:.0000000000000000 /proc/self/status && \
        ! timeout 3 bash -c 'exec 3<>/dev/tcp/169.254.169.254/80' && \
        ! timeout 3 bash -c 'exec 3<>/dev/tcp/192.0.2.1/80' && timeout 30 bash -c 'exec 3<>/dev/tcp/postgres/5432'";
    commanded("checks-command-isolated", script, "").passed();
}

#[test]
fn a_program_whose_image_is_not_there_is_told_before_anything_is_made() {
    let rule = "databases = [\"shop\"]\nimage = \"restore-drill-test/absent:1\"";
    let outcome = drill("checks-command-image", &DUMPS.unsound, check("command", rule));
    outcome.failed(3, "image_unavailable");
    assert_eq!(outcome.verdict()["failure"]["phase"], "preflight", "{outcome}");
}

#[test]
fn a_program_that_is_at_work_when_the_drill_is_stopped_is_removed_with_the_rest() {
    let rule = "databases = [\"shop\"]\nimage = \"${DRILL_POSTGRES_17_IMAGE}\"\nuser = \"postgres\"\ncommand = [\"sleep\", \"600\"]";
    let world = world("checks-command-stopped", &DUMPS.unsound, check("command", rule));
    let mut running = Running::start(&world, &[]);
    running.wait_for("check it");
    let template = format!("label=io.restore-drill.template={}", world.name);
    let programs = ["ps", "-q", "--filter", &template, "--filter", "name=-check-it-"];
    wait_until(|| !docker(&programs).is_empty(), || "the program does not start".to_owned());
    running.signal("INT");
    let outcome = running.finish();
    assert_interrupted(&outcome);
    assert_eq!(outcome.verdict()["teardown"]["removed"]["containers"], 2, "{outcome}");
    world.assert_nothing_left();
}

/// A drill whose check runs a program for ten minutes; what stands in the engine when it does.
fn at_work(name: &str, kill: &str) -> Outcome {
    let rule = "databases = [\"shop\"]\nimage = \"${DRILL_POSTGRES_17_IMAGE}\"\nuser = \"postgres\"\n\
        command = [\"bash\", \"-c\", \"while psql -qc 'SELECT 1'; do sleep 1; done; exit 3\"]\npostgres = true\ntimeout = \"10m\"";
    let world = world(name, &DUMPS.unsound, check("command", rule));
    let running = Running::start(&world, &[]);
    let template = format!("label=io.restore-drill.template={}", world.name);
    let find =
        |which: &str| docker(&["ps", "-q", "--filter", &template, "--filter", &format!("name={which}")]);
    wait_until(|| !find("-check-it-").is_empty(), || "the program does not start".to_owned());
    docker(&["kill", &find(kill)]);
    let outcome = running.finish();
    world.assert_nothing_left();
    outcome
}

#[test]
fn a_program_that_somebody_killed_says_nothing_about_the_backup() {
    at_work("checks-command-killed", "-check-it-").failed(3, "command_killed_from_outside");
}

#[test]
fn a_server_that_dies_under_a_check_says_nothing_about_the_backup() {
    at_work("checks-command-server", "-postgres-1").failed(3, "server_died");
}
