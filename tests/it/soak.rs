//! A soak: drills killed at random moments of their lives, and what `reap` does with what they leave. `make soak` runs it; it
//! takes some minutes, and is no part of CI.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use restore_drill::clock::Clock;
use restore_drill::model::names::{DrillId, ProjectName};
use restore_drill::sandbox::labels::Ownership;
use restore_drill::sandbox::owner::Owner;

use super::cancel::Running;
use super::compose::alone_with_reap;
use super::fixtures::dump;
use super::world::{World, docker, image, labelled};

/// Drills that are killed.
const KILLS: usize = 30;
/// Between two runs of `reap`: what several drills left lies beside the next one.
const ROUND: usize = 6;

/// Things that belong to no drill, and one of a drill whose process lives; removed at the end.
struct Foreign {
    things: Vec<(&'static str, String)>,
}

impl Foreign {
    fn make(world: &World) -> Self {
        let now = Clock::system().now();
        let owner_lives = Ownership {
            drill_id: DrillId::random(),
            project: ProjectName::of(&"soak_alive".parse().expect("letters"), "x", now),
            template: format!("{}-alive", world.name),
            purpose: "drill",
            owner: Owner::this_process(),
            lease_expires: now + chrono::TimeDelta::hours(1),
            kept: false,
        };
        let labels: Vec<String> =
            owner_lives.labels().into_iter().map(|(name, value)| format!("--label={name}={value}")).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let name = format!("{}-foreign", world.name);
        let volume = docker(&["volume", "create", &name]);
        let network = docker(&["network", "create", "--internal", &name]);
        let mount = format!("--volume={volume}:/data");
        let image = image("DRILL_POSTGRES_17_IMAGE");
        let run = ["run", "-d", "--network", &network, &mount, "--entrypoint=sleep", &image, "3600"];
        let container = docker(&run);
        let of_a_living_owner = docker(&[&["volume", "create"], &labels[..]].concat());
        let things = [
            ("container", container),
            ("network", network),
            ("volume", volume),
            ("volume", of_a_living_owner),
        ];
        Self { things: things.into() }
    }

    fn untouched(&self) -> bool {
        self.things.iter().all(|(kind, id)| {
            let seen = Command::new("docker").args([kind, "inspect", id]).output().expect("docker runs");
            seen.status.success()
        })
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        for (kind, id) in &self.things {
            let force: &[&str] = if *kind == "container" { &["-f"] } else { &[] };
            let _ = Command::new("docker").args([&[*kind, "rm"], force, &[&**id]].concat()).output();
        }
    }
}

/// What is on the engine for this world, by kind.
fn left(world: &World) -> BTreeMap<String, usize> {
    let mut left = BTreeMap::new();
    for thing in labelled(&format!("io.restore-drill.template={}", world.name)) {
        *left.entry(thing.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    left
}

#[test]
#[ignore = "takes some minutes: make soak"]
fn drills_killed_at_random_moments_leave_nothing_that_reap_does_not_remove() {
    let _alone = alone_with_reap();
    let mut world = World::new("soak");
    world.dumped("registry", &[], dump("registry")).rows("rows", "registry", "Select", "exact = 2");
    world.dumped("ledger", &["registry"], dump("ledger"));
    let foreign = Foreign::make(&world);

    let began = Instant::now();
    world.drill(&[]).passed();
    let whole = began.elapsed();
    let seed =
        std::env::var("SOAK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("a whole drill takes {:.1} s; SOAK_SEED={seed}", whole.as_secs_f64());
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);

    let (mut killed, mut with_leftovers) = (0, 0);
    while killed < KILLS {
        let before = left(&world);
        let moment = whole.mul_f64(random.random::<f64>());
        // The one wait that is the subject: a moment, not a condition.
        let drill = Running::start(&world, &[]);
        std::thread::sleep(moment);
        let Some(said) = drill.kill() else { continue };
        killed += 1;
        let after = left(&world);
        with_leftovers += usize::from(after != before);
        let last = said.lines().last().unwrap_or_default();
        println!("{killed:>2}  {:>5.1} s  {after:?}  {last}", moment.as_secs_f64());
        if killed % ROUND == 0 || killed == KILLS {
            let reaped = world.run(&["reap"]);
            assert_eq!(reaped.code, 0, "{reaped}");
            println!("    reap: {}", reaped.stdout.lines().last().unwrap_or_default());
            world.assert_nothing_left();
            assert!(foreign.untouched(), "reap touched what is not its own");
        }
    }
    println!("{killed} killed, {with_leftovers} of them left something; foreign things untouched");
    world.drill(&[]).passed();
    world.assert_nothing_left();
}
