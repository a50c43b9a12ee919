//! Drills that are stopped: by their token at every step, by signals, by their time limit, by a server that dies, by
//! another drill. However one ends, nothing of it is left, and its verdict says how it ended.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use restore_drill::check;
use restore_drill::clock::{Clock, Timer};
use restore_drill::drill::{Drill, Ended, Options};
use restore_drill::layer::Identities;
use restore_drill::model::event::{DatabaseEvent, Event, Sink};
use restore_drill::model::failure::Class;
use restore_drill::model::phase::Phase;
use restore_drill::model::secret::Secret;
use restore_drill::model::verdict::{DatabaseStatus, Status, TeardownStatus, Verdict};
use restore_drill::store::S3Store;
use restore_drill::template::{Environment, Purpose};
use tokio_util::sync::CancellationToken;

use super::compose::alone_with_reap;
use super::fixtures::{Source, dump};
use super::support::wait::{LIMIT, wait_until};
use super::world::{Outcome, RUNTIME, World, docker};

/// A dump of one row that takes no time to make, and longer than any test to restore, unless it is woken.
static SLOW_DUMP: LazyLock<Vec<u8>> =
    LazyLock::new(|| Source::start("DRILL_POSTGRES_17_IMAGE").dump("slow", SLOW, &[]));

/// A materialized view is computed anew by `pg_restore`, and only there its function takes a nap.
const SLOW: &str = "
    CREATE TABLE t AS SELECT 1 AS id;
    CREATE FUNCTION nap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('application_name') = 'pg_restore' THEN PERFORM pg_sleep(3600); END IF;
        RETURN 1;
    EXCEPTION WHEN query_canceled THEN
        RETURN 1;
    END $$;
    CREATE MATERIALIZED VIEW late AS SELECT public.nap() AS n;";

/// A world whose drills do not get beyond their restore, unless they are woken.
pub fn slow_world(name: &str) -> World {
    let mut world = World::new(name);
    world.dumped("slow", &[], &SLOW_DUMP).rows("rows", "slow", "t", "exact = 1");
    world
}

/// Containers at work for this world.
pub fn at_work(world: &World) -> Vec<String> {
    let filter = format!("label=io.restore-drill.template={}", world.name);
    docker(&["ps", "-q", "--filter", &filter]).lines().map(str::to_owned).collect()
}

/// Waits until the restore in this container takes its nap, and does this to it.
fn napping(container: &str, what: &str) {
    let sql = format!("SELECT {what} FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    let done = || docker(&["exec", container, "psql", "-Upostgres", "-Atc", &sql]) == "t";
    wait_until(done, || "the restore takes no nap".to_owned());
}

/// Waits until the restore in this container takes its nap, and ends that.
fn wake(container: &str) {
    napping(container, "pg_cancel_backend(pid)");
}

/// Pauses a container in the middle of its restore. Not while a command begins in it: that may lock up the engine.
fn pause(container: &str) {
    napping(container, "true");
    docker(&["pause", container]);
}

/// The program at work, its stderr read as it comes.
pub struct Running<'a> {
    world: &'a World,
    child: Child,
    said: Arc<Mutex<String>>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<()>>,
    before: BTreeSet<PathBuf>,
}

impl<'a> Running<'a> {
    /// Starts a drill of the world's template.
    pub fn start(world: &'a World, arguments: &[&str]) -> Self {
        Self::spawn(world, world.drill_command(arguments))
    }

    /// Starts any command of the world.
    pub fn spawn(world: &'a World, mut command: Command) -> Self {
        let before = world.verdict_files();
        let mut child = command.spawn().expect("the program starts");
        let said = Arc::new(Mutex::new(String::new()));
        let (stderr, mut stdout) = (child.stderr.take().expect("piped"), child.stdout.take().expect("piped"));
        let heard = Arc::clone(&said);
        let stderr = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let mut heard = heard.lock().expect("nobody panics with it");
                heard.push_str(&line.expect("the program writes UTF-8"));
                heard.push('\n');
            }
        });
        let stdout = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).expect("a pipe can be read");
            bytes
        });
        Self { world, child, said, stdout: Some(stdout), stderr: Some(stderr), before }
    }

    fn said(&self) -> String {
        self.said.lock().expect("nobody panics with it").clone()
    }

    /// The whole of its stderr, once it has ended.
    fn said_to_the_end(&mut self) -> String {
        self.stderr.take().into_iter().for_each(|reader| reader.join().expect("it reads to the end"));
        self.said()
    }

    /// Waits until stderr has these words.
    pub fn wait_for(&mut self, words: &str) {
        let deadline = Instant::now() + LIMIT;
        while !self.said().contains(words) {
            if self.child.try_wait().expect("a child can be asked").is_some() {
                let said = self.said_to_the_end();
                assert!(said.contains(words), "it ended without {words:?}\n{said}");
                return;
            }
            assert!(Instant::now() < deadline, "no {words:?}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends it a signal, by name; what has ended hears none.
    pub fn signal(&mut self, name: &str) {
        if self.child.try_wait().expect("a child can be asked").is_some() {
            return;
        }
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("there is a kill");
        assert!(sent.success(), "{name} to {pid}");
    }

    /// Kills it, and returns its stderr; none if it had ended before.
    pub fn kill(mut self) -> Option<String> {
        if self.child.try_wait().expect("a child can be asked").is_some() {
            return None;
        }
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("a child can be waited for");
        Some(self.said_to_the_end())
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Outcome {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if Instant::now() > deadline {
                panic!("it does not end\n{}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let stdout = self.stdout.take().expect("it ends once").join().expect("it reads to the end");
        let output = Output { status, stdout, stderr: self.said_to_the_end().into_bytes() };
        self.world.outcome(&output, &self.before)
    }
}

impl Drop for Running<'_> {
    /// A test that fails must not leave a drill running, or the world would be swept away under it.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fails unless this drill was stopped and removed everything.
pub fn assert_interrupted(outcome: &Outcome) {
    assert_eq!(outcome.code, 130, "{outcome}");
    let verdict = outcome.verdict();
    assert_eq!(
        (&verdict["status"], &verdict["failure"]["code"]),
        (&"CANCELLED".into(), &"interrupted".into())
    );
    assert_eq!(verdict["teardown"]["status"], "clean", "{outcome}");
    assert!(!verdict["finished_at"].is_null(), "the verdict is final\n{outcome}");
    let last = outcome.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("Restore drill FAILED — interrupted"), "{outcome}");
}

type Moment = fn(&Event) -> bool;

/// Cancels at the first event that is the moment.
struct CancelAt {
    moment: Moment,
    token: CancellationToken,
}

impl Sink for CancelAt {
    fn name(&self) -> String {
        "the test's own".to_owned()
    }

    fn handle(&mut self, event: &Event, _: &Verdict) -> std::io::Result<()> {
        if (self.moment)(event) {
            self.token.cancel();
        }
        Ok(())
    }
}

/// Runs a drill of the world that is cancelled at this moment, and returns its verdict.
fn cancelled_at(world: &World, moment: Moment) -> Verdict {
    let path = world.write_template();
    let environment: Environment = world.environment.clone().into_iter().collect();
    let template = check::load(&path.display().to_string(), &environment, Purpose::Drill).unwrap();
    let (access, secret) =
        (&world.environment["AWS_ACCESS_KEY_ID"], Secret::new(&world.environment["AWS_SECRET_ACCESS_KEY"]));
    let store = RUNTIME.block_on(S3Store::connect_with(&template.store, access, &secret)).unwrap();
    let drill = Drill {
        identities: Arc::new(Identities::load(&template.encryption.identities).unwrap()),
        template: Arc::new(template),
        options: Options {
            at: None,
            only: Vec::new(),
            jobs: None,
            keep: false,
            concurrent: true,
            operator: "test".to_owned(),
        },
        store: Arc::new(store),
        earlier: Arc::default(),
        clock: Clock::system(),
    };
    let token = CancellationToken::new();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(CancelAt { moment, token: token.clone() })];
    let (first, timer) = (drill.first_verdict(drill.clock.now()), Timer::start(&drill.clock));
    let Ended { verdict, failure } = RUNTIME.block_on(drill.run(first, sinks, timer, &token));
    assert!(token.is_cancelled(), "the moment came");
    assert_eq!(
        failure.map(|failure| failure.class == Class::Cancelled),
        (verdict.status == Status::Cancelled).then_some(true)
    );
    verdict
}

/// Cancels drills at each of these moments in turn.
fn assert_cancelled(name: &str, moments: &[(&str, Moment)]) {
    let mut world = World::new(name);
    world.dumped("registry", &[], dump("registry")).rows("rows", "registry", "Select", "exact = 2");
    world.dumped("ledger", &["registry"], dump("ledger"));
    for (what, moment) in moments {
        let verdict = cancelled_at(&world, *moment);
        assert_eq!(verdict.status, Status::Cancelled, "{what}: {:?}", verdict.failure);
        let failure = verdict.failure.as_ref().unwrap_or_else(|| panic!("{what}: no reason"));
        assert_eq!(failure.code.as_str(), "interrupted", "{what}");
        assert!(failure.phase.is_some() || *what == "started", "{what}: the phase is not named");
        assert_eq!(verdict.teardown.status, TeardownStatus::Clean, "{what}: {:?}", verdict.teardown.leaked);
        assert!(verdict.finished_at.is_some() && verdict.duration_seconds.is_some(), "{what}: not final");
        assert!(
            verdict.databases.iter().all(|database| database.status != DatabaseStatus::Pending),
            "{what}"
        );
        world.assert_nothing_left();
    }
}

fn of_registry(event: &Event) -> Option<&DatabaseEvent> {
    match event {
        Event::Database(name, event) if name.as_str() == "registry" => Some(event),
        _ => None,
    }
}

#[test]
fn a_drill_can_be_cancelled_at_the_start_of_every_phase_before_its_verdict() {
    assert_cancelled(
        "cancel-phases",
        &[
            ("started", |event| matches!(event, Event::Started)),
            ("plan", |event| matches!(event, Event::Phase(Phase::Plan))),
            ("planned", |event| matches!(event, Event::Planned(_))),
            ("preflight", |event| matches!(event, Event::Phase(Phase::Preflight))),
            ("stack", |event| matches!(event, Event::Phase(Phase::Stack))),
            ("stack up", |event| matches!(event, Event::StackUp(_))),
            ("isolation", |event| matches!(event, Event::Phase(Phase::Isolation))),
            ("proved", |event| matches!(event, Event::Isolation(_))),
            ("restore", |event| matches!(event, Event::Phase(Phase::Restore))),
        ],
    );
}

#[test]
fn a_drill_can_be_cancelled_at_every_step_of_a_database() {
    assert_cancelled(
        "cancel-databases",
        &[
            ("fetching", |event| matches!(of_registry(event), Some(DatabaseEvent::Fetching))),
            ("bytes", |event| matches!(of_registry(event), Some(DatabaseEvent::Bytes(_)))),
            ("fetched", |event| matches!(of_registry(event), Some(DatabaseEvent::Fetched(_)))),
            ("waiting", |event| matches!(of_registry(event), Some(DatabaseEvent::Waiting))),
            ("restoring", |event| matches!(of_registry(event), Some(DatabaseEvent::Restoring { .. }))),
            ("pg_restore", |event| matches!(of_registry(event), Some(DatabaseEvent::PgRestore { .. }))),
            ("counting", |event| matches!(of_registry(event), Some(DatabaseEvent::Counting))),
            ("restored", |event| matches!(of_registry(event), Some(DatabaseEvent::Restored { .. }))),
        ],
    );
}

#[test]
fn a_verdict_that_is_reached_stands_though_the_drill_is_cancelled_during_teardown() {
    let mut world = World::new("cancel-late");
    world.dumped("registry", &[], dump("registry")).rows("rows", "registry", "Select", "exact = 2");
    let verdict = cancelled_at(&world, |event| matches!(event, Event::Phase(Phase::Teardown)));
    assert_eq!((verdict.status, verdict.teardown.status), (Status::Pass, TeardownStatus::Clean));
    world.assert_nothing_left();
}

/// The same command with SIGHUP as it is by default: the process that runs the tests may ignore it, and its children inherit that.
fn hearing_hangups(command: &Command) -> Command {
    let mut hearing = Command::new("env");
    hearing.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    hearing.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    hearing.current_dir(command.get_current_dir().expect("a world has one"));
    hearing.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    hearing
}

#[test]
fn every_signal_that_asks_for_the_end_removes_everything_even_a_server_that_is_paused() {
    let world = slow_world("cancel-signal");
    for (signal, paused) in [("INT", false), ("TERM", true), ("HUP", false)] {
        let mut drill = Running::spawn(&world, hearing_hangups(&world.drill_command(&[])));
        drill.wait_for("slow: restoring");
        if paused {
            pause(&at_work(&world)[0]);
        }
        drill.signal(signal);
        let asked = Instant::now();
        drill.wait_for("removing everything");
        let outcome = drill.finish();
        assert!(asked.elapsed() < Duration::from_secs(120), "{signal}: {:?}\n{outcome}", asked.elapsed());
        assert_interrupted(&outcome);
        assert_eq!(outcome.verdict()["failure"]["phase"], "restore", "{outcome}");
        assert_eq!(outcome.database("slow")["status"], "skipped", "{outcome}");
        assert!(outcome.log.contains("| CANCELLED |"), "{outcome}");
        world.assert_nothing_left();
    }
}

#[test]
fn a_second_interrupt_ends_at_once_and_names_the_command_that_cleans_up() {
    let _alone = alone_with_reap();
    let world = slow_world("cancel-twice");
    let mut drill = Running::start(&world, &[]);
    drill.wait_for("slow: restoring");
    drill.signal("INT");
    drill.wait_for("interrupted: removing everything the drill made");
    drill.signal("INT");
    let second = Instant::now();
    let outcome = drill.finish();
    assert!(second.elapsed() < Duration::from_secs(30), "it held on");
    assert_eq!(outcome.code, 130, "{outcome}");
    // The first may have been done by then; what matters is that this is said if it was not.
    if outcome.verdict()["teardown"]["status"] == "pending" {
        assert!(outcome.stderr.contains("`restore-drill reap`"), "{outcome}");
    } else {
        assert_eq!(outcome.verdict()["teardown"]["status"], "clean", "{outcome}");
    }
    let reaped = world.run(&["reap"]);
    assert_eq!(reaped.code, 0, "{reaped}");
    world.assert_nothing_left();
}

#[test]
fn a_drill_over_its_time_limit_names_the_phase_and_the_database() {
    let world = slow_world("timeout");
    // How long a drill takes to get to its restore depends on the machine.
    for limit in ["15s", "1m", "4m"] {
        let limited = format!("timeout = \"{limit}\"");
        world.write("template.toml", world.template_text().replace("timeout = \"20m\"", &limited));
        let outcome = world.run(&["run", "-t", "./template.toml"]);
        let verdict = outcome.failed(3, "timed_out");
        world.assert_nothing_left();
        let begins = format!("the drill reached its time limit of {limit} in the phase ");
        let message = verdict["failure"]["message"].as_str().expect("a text");
        let place = message.strip_prefix(&begins).unwrap_or_else(|| panic!("{outcome}"));
        if place == "restore; not restored yet: slow" {
            return;
        }
    }
    panic!("no drill gets to its restore");
}

#[test]
fn a_server_that_dies_in_the_middle_of_a_restore_is_no_verdict_on_the_backup() {
    let world = slow_world("server-killed");
    let mut drill = Running::start(&world, &[]);
    drill.wait_for("slow: restoring");
    let servers = at_work(&world);
    assert_eq!(servers.len(), 1, "its server, and nothing else");
    docker(&["kill", &servers[0]]);
    let outcome = drill.finish();
    let verdict = outcome.failed(3, "server_died");
    let message = verdict["failure"]["message"].as_str().expect("a text");
    assert!(message.contains("the Postgres container ended with status 137"), "{outcome}");
    world.assert_nothing_left();
}

#[test]
fn one_drill_of_a_template_runs_at_a_time_unless_asked_otherwise() {
    let world = slow_world("two-drills");
    let mut first = Running::start(&world, &[]);
    first.wait_for("slow: restoring");
    let refused = world.drill(&[]);
    let verdict = refused.failed(3, "drill_running");
    let message = verdict["failure"]["message"].as_str().expect("a text");
    assert!(
        message.starts_with(&format!("another drill of {} is running on this engine: ", world.name)),
        "{refused}"
    );
    let mut second = Running::start(&world, &["--concurrent"]);
    second.wait_for("slow: restoring");
    let servers = at_work(&world);
    assert_eq!(servers.len(), 2, "both are at work");
    servers.iter().for_each(|server| wake(server));
    let (first, second) = (first.finish(), second.finish());
    assert_eq!((first.code, second.code), (0, 0), "{first}\n{second}");
    world.assert_nothing_left();
    // Three verdicts, though they began close to each other.
    assert_eq!(world.verdict_files().len(), 3);
}
