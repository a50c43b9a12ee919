//! What Compose does with a stack that was left standing, and what `reap` removes.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use restore_drill::sandbox::docker::{Engine, Owned, OwnedKind};
use restore_drill::sandbox::labels::Labels;

use super::cancel::{Running, assert_interrupted, slow_world};
use super::fixtures::{LIFETIME, dump};
use super::world::{RUNTIME, World, docker, image, labelled};

/// `reap` without `--drill` removes whatever its owner left, another test's too: one at a time.
pub fn alone_with_reap() -> MutexGuard<'static, ()> {
    static REAPING: Mutex<()> = Mutex::new(());
    REAPING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A world with one small database.
fn small(name: &str) -> World {
    let mut world = World::new(name);
    world.dumped("registry", &[], dump("registry")).rows("rows", "registry", "Select", "exact = 2");
    world
}

/// A world with a stack that was left standing, and its drill's id.
fn kept(name: &str) -> (World, String) {
    let world = small(name);
    let outcome = world.drill(&["--keep"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(outcome.verdict()["teardown"]["status"], "kept", "{outcome}");
    assert_eq!(outcome.verdict()["kept"], true, "{outcome}");
    let id = outcome.verdict()["drill_id"].as_str().expect("a text").to_owned();
    assert!(outcome.stdout.contains(&format!("restore-drill reap --drill {id}")), "{outcome}");
    (world, id)
}

/// What is on the engine for this world.
fn things(world: &World) -> usize {
    labelled(&format!("io.restore-drill.template={}", world.name)).len()
}

/// The real Compose, from its image, on the engine of the tests.
fn compose(arguments: &[&str]) -> String {
    let image = image("DRILL_COMPOSE_IMAGE");
    let socket = "--volume=/var/run/docker.sock:/var/run/docker.sock";
    let command = ["run", "--rm", "--pull=never", "--network=none", socket, &image, "compose"];
    docker(&[&command[..], arguments].concat())
}

#[test]
fn compose_lists_shows_and_removes_a_stack_that_was_kept() {
    let world = small("compose");
    let outcome = world.drill(&["--keep"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    // The name as the tool's own hint prints it: Compose refuses capitals in `-p`.
    let hint = outcome.stdout.lines().find(|line| line.contains("down -v")).expect("a hint");
    let name = hint.split_whitespace().skip_while(|word| *word != "-p").nth(1).expect("a name");
    let project = outcome.verdict()["project"].as_str().expect("a text");
    assert_eq!(name, project.to_lowercase());
    assert!(compose(&["ls", "--all"]).contains(name));
    let shown = compose(&["-p", name, "ps"]);
    assert!(shown.contains(&format!("{project}-postgres-1")), "{shown}");
    let log = compose(&["-p", name, "logs", "postgres"]);
    assert!(log.contains("database system is ready to accept connections"), "{log}");
    // The stack is still what the hint to look inside says it is.
    let container = format!("{project}-postgres-1");
    let sql = "SELECT count(*) FROM \"Select\"";
    assert_eq!(docker(&["exec", &container, "psql", "-U", "postgres", "-At", "-c", sql, "registry"]), "2");
    assert!(things(&world) >= 3, "a container and two volumes at least");
    compose(&["-p", name, "down", "-v"]);
    world.assert_nothing_left();
    assert!(!compose(&["ls", "--all"]).contains(name));
}

#[test]
fn reap_by_its_id_removes_a_drill_that_was_kept_and_no_other() {
    let _alone = alone_with_reap();
    let (world, id) = kept("kept-by-id");
    let (other, _) = kept("kept-other");
    let before = things(&other);
    let shown = world.run(&["reap", "--drill", &id, "--dry-run"]);
    assert_eq!(shown.code, 0, "{shown}");
    assert!(shown.stdout.contains("would be removed"), "{shown}");
    assert!(things(&world) > 0, "nothing is removed by --dry-run");
    let reaped = world.run(&["reap", "--drill", &id]);
    assert_eq!(reaped.code, 0, "{reaped}");
    world.assert_nothing_left();
    assert_eq!(things(&other), before);
    // Gone already, so there is nothing by that name any more.
    let again = world.run(&["reap", "--drill", &id]);
    again.refused(2, &["nothing on this engine belongs to the drill", &id]);
}

#[test]
fn reap_removes_what_a_killed_drill_left_and_nothing_that_is_kept_runs_or_is_not_ours() {
    let _alone = alone_with_reap();
    let (kept, _) = kept("reap-kept");
    let killed = slow_world("reap-killed");
    let running = slow_world("reap-running");

    let mut drill = Running::start(&killed, &[]);
    drill.wait_for("slow: restoring");
    drill.signal("KILL");
    assert_eq!(drill.finish().code, -1);
    let verdicts = killed.verdict_files();
    let text = std::fs::read_to_string(verdicts.last().expect("it was written at the start")).unwrap();
    assert!(
        text.contains("\"status\": \"RUNNING\""),
        "a crash leaves a verdict that has not concluded\n{text}"
    );

    let mut lives = Running::start(&running, &[]);
    lives.wait_for("slow: restoring");
    // A stranger's container that claims to be of a project of that name.
    let stranger = Stranger::start("reap");
    let before = [&kept, &running, &killed].map(things);
    assert!(before.iter().all(|count| *count > 0), "{before:?}");

    let shown = killed.run(&["reap", "--dry-run"]);
    assert_eq!(shown.code, 0, "{shown}");
    assert_eq!([&kept, &running, &killed].map(things), before, "--dry-run removes nothing");
    let fate_of = |world: &World| {
        let prefix: String = world.name.chars().take(40).collect();
        let line = shown.stdout.lines().find(|line| line.starts_with(&prefix));
        line.unwrap_or_else(|| panic!("{prefix} is not listed\n{shown}"))
            .split_once(": ")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(fate_of(&killed), "would be removed");
    for world in [&kept, &running] {
        assert!(fate_of(world).starts_with("left alone"), "{shown}");
    }

    let reaped = killed.run(&["reap"]);
    assert_eq!(reaped.code, 0, "{reaped}");
    killed.assert_nothing_left();
    assert_eq!([&kept, &running].map(things), before[..2]);
    assert!(stranger.is_there());

    lives.signal("TERM");
    assert_interrupted(&lives.finish());
    running.assert_nothing_left();
}

#[test]
fn a_container_that_somebody_else_removes_at_the_same_time_is_removed_for_both() {
    let container = Stranger::start("removed");
    let owned = Owned {
        kind: OwnedKind::Container,
        id: container.0.clone(),
        name: container.0.clone(),
        labels: Labels::new(),
    };
    let removals = RUNTIME.block_on(async {
        let engine = Engine::connect().await.expect("the engine answers");
        join_all((0..8).map(|_| engine.remove(&owned))).await
    });
    for removal in removals {
        removal.expect("it is gone in the end");
    }
    assert!(!container.is_there());
}

/// A container that belongs to no drill.
struct Stranger(String);

impl Stranger {
    fn start(name: &str) -> Self {
        let name = format!("restore-drill-test-stranger-{name}-{}", std::process::id());
        let label = "--label=com.docker.compose.project=reap-killed";
        let image = image("DRILL_POSTGRES_17_IMAGE");
        let run = ["run", "--detach", "--pull=never", "--network=none", "--entrypoint=sleep"];
        docker(&[&run[..], &["--name", &name, label, &image, LIFETIME]].concat());
        Self(name)
    }

    fn is_there(&self) -> bool {
        let filter = format!("name={}", self.0);
        !docker(&["ps", "-aq", "--filter", &filter]).is_empty()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", "-v", &self.0]).output();
    }
}
