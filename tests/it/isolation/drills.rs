//! Whole drills whose isolation is in question, and whose names are taken.

use futures_util::future::try_join_all;
use restore_drill::clock::Clock;
use restore_drill::model::names::{ProjectName, ProjectPrefix};
use restore_drill::sandbox::labels::Ownership;
use restore_drill::sandbox::spec::{self, Attachment, ContainerSpec};
use restore_drill::sandbox::teardown::teardown;
use serde_json::Value;

use super::super::cancel::Running;
use super::super::fixtures::{LIFETIME, dump};
use super::super::world::{RUNTIME, World, docker, image};
use super::lab::Lab;

/// A world whose only check is a program that waits for another container to join it.
fn joined_world(name: &str, dumped: &[u8]) -> World {
    let mut world = World::new(name);
    let wait = "for _ in $$(seq 600); do (exec 3<>/dev/tcp/127.0.0.1/5999) 2>/dev/null && exit 0; sleep 0.1; done; exit 1";
    world.dumped("registry", &[], dumped);
    world.template.checks.push(format!(
        "type = \"command\"\nname = \"joined\"\ndatabases = [\"registry\"]\nimage = \"${{DRILL_POSTGRES_17_IMAGE}}\"\n\
         user = \"postgres\"\nentrypoint = [\"bash\", \"-c\"]\ncommand = ['''{wait}''']"
    ));
    world
}

#[test]
fn a_drill_that_somebody_joined_while_it_held_data_fails_and_its_name_is_its_own() {
    let world = joined_world("isolation-joined", dump("registry"));
    let mut drill = Running::start(&world, &[]);
    drill.wait_for("check joined");
    let template = format!("label=io.restore-drill.template={}", world.name);
    let postgres = docker(&["ps", "--quiet", "--filter", &template, "--filter", "name=-postgres-1"]);
    let listen = format!(
        "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 5999, Listen => 5) or die; sleep {LIFETIME}"
    );
    let join = format!("--network=container:{postgres}");
    let image = image("DRILL_POSTGRES_17_IMAGE");
    let stranger =
        docker(&["run", "--detach", "--pull=never", &join, "--entrypoint=perl", &image, "-e", &listen]);
    let name = docker(&["inspect", "--format={{.Name}}", &stranger]);
    let outcome = drill.finish();
    let alive = docker(&["inspect", "--format={{.State.Running}}", &stranger]);
    docker(&["rm", "--force", "--volumes", &stranger]);
    outcome.failed(1, "isolation_failed");
    assert_eq!(alive, "true", "it is not ours to remove");
    let verdict = outcome.verdict();
    assert_eq!(verdict["isolation"]["status"], "failed", "{outcome}");
    assert_eq!(verdict["checks"][0]["status"], "pass", "{outcome}");
    let said = verdict["failure"]["message"].as_str().unwrap();
    assert!(said.contains(name.trim_start_matches('/')) && said.contains("network of"), "{said}");
    world.assert_nothing_left();
}

#[test]
fn on_a_bridge_a_drill_passes_only_if_the_host_hears_nothing_of_it() {
    let mut world = World::new("isolation-bridge");
    world.dumped("registry", &[], dump("registry")).rows("rows", "registry", "Select", "exact = 2");
    world.template.more = "[isolation]\nnetwork = \"bridge\"\n".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.verdict();
    let probes = verdict["isolation"]["probes"].as_array().unwrap();
    let heard: Vec<&Value> =
        probes.iter().filter(|probe| probe["observed"] == "heard" && probe["from"] != "this host").collect();
    assert!(
        probes.iter().any(|probe| probe["target"].as_str().unwrap().starts_with("224.0.0.1:")),
        "{outcome}"
    );
    if heard.is_empty() {
        outcome.passed();
        assert!(verdict["isolation"]["confirmed_at"].is_string(), "{outcome}");
    } else {
        outcome.failed(1, "isolation_failed");
        assert_eq!(verdict["isolation"]["status"], "failed", "{outcome}");
        assert_eq!(verdict["databases"][0]["status"], "skipped", "nothing was restored: {outcome}");
    }
    assert_eq!(verdict["teardown"]["removed"]["networks"], 1, "{outcome}");
    world.assert_nothing_left();
}

#[test]
fn a_drill_whose_name_is_taken_takes_the_next_seconds() {
    let mut world = World::new("isolation-names");
    world.dumped("registry", &[], dump("registry")).rows("rows", "registry", "Select", "exact = 2");
    // Whenever the drill begins within the next minute, its name is taken.
    let lab = Lab::new("lab-names");
    let (prefix, now): (ProjectPrefix, _) = (world.name.parse().unwrap(), Clock::system().now());
    let name = |seconds| ProjectName::new(&prefix, now + chrono::TimeDelta::seconds(seconds));
    let taken = (0..60).map(|seconds| {
        let ownership = Ownership { project: name(seconds), ..lab.ownership.clone() };
        spec::service(&ownership, Attachment::Loopback(Vec::new()), "postgres", &lab.service(), &[])
    });
    let specs: Vec<ContainerSpec> = taken.collect();
    RUNTIME.block_on(try_join_all(specs.iter().map(|spec| lab.engine.create_container(spec)))).unwrap();
    let outcome = world.drill(&[]);
    RUNTIME.block_on(teardown(&lab.engine, lab.ownership.drill_id, false));
    outcome.passed();
    let verdict = outcome.verdict();
    let project = verdict["project"].as_str().unwrap();
    assert_eq!(project, name(60).as_str(), "the first that nobody has");
    assert!(verdict["timestamp"].as_str().unwrap() < project.rsplit_once('_').unwrap().1, "{outcome}");
    world.assert_nothing_left();
}
