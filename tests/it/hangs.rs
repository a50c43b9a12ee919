//! Things that hang: a readiness command without an end, programs that flood or wait, an engine that does not answer or
//! restarts. A drill keeps its limits, and leaves nothing.

use super::cancel::{Running, assert_interrupted, slow_world};
use super::fixtures::dump;
use super::proxy::{Engine, Proxy};
use super::support::wait::wait_until;
use super::world::World;

#[test]
fn a_readiness_command_without_an_end_is_over_when_its_time_is() {
    let mut world = World::new("hang-ready");
    world.dumped("registry", &[], dump("registry")).rows("rows", "registry", "Select", "exact = 2");
    world.template.more = "[services.app]\nimage = \"${DRILL_POSTGRES_17_IMAGE}\"\nuser = \"postgres\"\n\
        command = [\"sleep\", \"600\"]\nready = [\"yes\", \"waiting\"]\nready_timeout = \"3s\"\n"
        .to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "service_not_ready");
    let message = verdict["failure"]["message"].as_str().expect("a text");
    assert!(message.ends_with("is not ready after 3.0s: its `ready` command does not end"), "{outcome}");
    world.assert_nothing_left();
}

/// An engine cannot end a container while a process holds its output open and does not read it.
#[test]
fn programs_that_flood_or_wait_are_killed_when_their_time_is_over() {
    let mut world = World::new("hang-flood");
    world.dumped("registry", &[], dump("registry"));
    let programs =
        [("out", "yes"), ("err", "yes >&2"), ("long", "cat /dev/zero"), ("wait", "echo waiting; sleep 600")];
    for (name, script) in programs {
        world.template.checks.push(format!(
            "type = \"command\"\nname = \"{name}\"\ndatabases = [\"registry\"]\ntimeout = \"3s\"\n\
             image = \"${{DRILL_POSTGRES_17_IMAGE}}\"\nuser = \"postgres\"\ncommand = [\"sh\", \"-c\", \"{script}\"]\n"
        ));
    }
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(1, "command_timed_out");
    for (name, _) in programs {
        let finding = &outcome.check(name)["findings"][0];
        assert_eq!(finding["code"], "command_timed_out", "{name}\n{outcome}");
        assert_eq!(finding["expected"], "exit status 0 within 3.0s");
    }
    let waited = outcome.check("wait")["findings"][0]["actual"].as_str().expect("a text");
    assert_eq!(waited, "it did not end within 3.0s, and was killed; it said last: waiting");
    // Each was removed when its time was over, and not by teardown.
    assert_eq!(verdict["teardown"]["removed"]["containers"], 1, "{outcome}");
    world.assert_nothing_left();
}

/// A slow world whose programs reach the engine through a proxy.
fn behind_proxy(name: &str) -> (World, Proxy) {
    let mut world = slow_world(name);
    let proxy = Proxy::start(&world);
    proxy.is_engine_of(&mut world);
    (world, proxy)
}

#[test]
fn an_engine_that_restarts_while_a_drill_is_removed_is_waited_for() {
    let (world, proxy) = behind_proxy("hang-restart");
    let mut drill = Running::start(&world, &[]);
    drill.wait_for("slow: restoring");
    proxy.set(Engine::DownAtRemoval);
    drill.signal("TERM");
    wait_until(|| proxy.state() == Engine::Down, || "nothing is removed".to_owned());
    // It asks again and again: this often takes longer than a restart.
    let before = proxy.requests();
    wait_until(|| proxy.requests() > before + 30, || "it does not ask again".to_owned());
    proxy.set(Engine::Up);
    assert_interrupted(&drill.finish());
    world.assert_nothing_left();
}

#[test]
fn an_engine_that_hangs_does_not_hang_a_drill_and_nothing_is_called_left_that_nobody_saw() {
    let (world, proxy) = behind_proxy("hang-engine");
    let mut drill = Running::start(&world, &[]);
    drill.wait_for("slow: restoring");
    proxy.set(Engine::Hangs);
    drill.signal("TERM");
    let outcome = drill.finish();
    assert_eq!(outcome.code, 130, "{outcome}");
    let teardown = &outcome.verdict()["teardown"];
    assert_eq!(
        (&teardown["status"], &teardown["leaked"]),
        (&"leaked".into(), &serde_json::json!([])),
        "{outcome}"
    );
    let unseen = teardown["not_looked_at"][0].as_str().expect("a text");
    assert!(unseen.contains("the Docker engine does not answer"), "{outcome}");
    assert!(outcome.stderr.contains("not looked at: "), "{outcome}");
    proxy.set(Engine::Up);
    let id = outcome.verdict()["drill_id"].as_str().expect("a text");
    let reaped = world.run(&["reap", "--drill", id]);
    assert_eq!(reaped.code, 0, "{reaped}");
    world.assert_nothing_left();
}
