//! Worlds with a real engine: what they need, and what must not be left on it.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub use super::support::world::*;

/// Variables that `make test` sets.
const IMAGES: [&str; 6] = [
    "DRILL_POSTGRES_IMAGE",
    "DRILL_POSTGRES_15_IMAGE",
    "DRILL_POSTGRES_17_IMAGE",
    "DRILL_REDIS_IMAGE",
    "DRILL_SQLITE_IMAGE",
    "DRILL_COMPOSE_IMAGE",
];

/// The image that a variable of `make test` names.
pub fn image(variable: &str) -> String {
    require_engine();
    std::env::var(variable).expect("looked at before")
}

/// The image with extensions that are not PostgreSQL's own.
pub fn image_with_extensions() -> String {
    require_engine();
    std::env::var("DRILL_POSTGRES_EXT_IMAGE").unwrap_or_else(|_| "restore-drill/postgres:17-ext".to_owned())
}

/// Fails with what to do if something that every test needs is not there.
fn require_engine() {
    static CHECKED: OnceLock<()> = OnceLock::new();
    CHECKED.get_or_init(|| {
        for variable in IMAGES {
            let image = std::env::var(variable).unwrap_or_default();
            assert!(
                !image.is_empty(),
                "{variable} is not set: run the tests with `make test`, which sets it"
            );
            let inspected = Command::new("docker").args(["image", "inspect", &image]).output();
            let said = match inspected {
                Ok(output) if output.status.success() => continue,
                Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
                Err(error) => error.to_string(),
            };
            panic!("{variable}={image} is not on a Docker engine that answers: run `make test`\n{said}");
        }
    });
}

/// Runs the Docker client, and returns what it printed.
pub fn docker(arguments: &[&str]) -> String {
    docker_with(arguments, b"")
}

/// Runs the Docker client with this on its stdin.
pub fn docker_with(arguments: &[&str], input: &[u8]) -> String {
    let output = docker_bytes(arguments, input);
    String::from_utf8(output).expect("the output is text").trim().to_owned()
}

/// As [`docker_with`], for output that is not text.
pub fn docker_bytes(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a docker client (`make test` sees to it)");
    let mut stdin = child.stdin.take().expect("it is piped");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A command that does not read its input reports why.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("the client can be waited for")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {}: {}", arguments.join(" "), said.trim());
    output.stdout
}

/// Everything on the engine that carries this label, as `kind id`.
pub fn labelled(label: &str) -> Vec<String> {
    let filter = format!("label={label}");
    let mut found = Vec::new();
    for (kind, list) in [
        ("container", ["ps", "-aq"].as_slice()),
        ("network", ["network", "ls", "-q"].as_slice()),
        ("volume", ["volume", "ls", "-q"].as_slice()),
    ] {
        let arguments: Vec<&str> = list.iter().copied().chain(["--filter", &filter]).collect();
        found.extend(docker(&arguments).lines().map(|id| format!("{kind} {id}")));
    }
    found
}

/// Fails if anything that was made for this template is on the engine.
pub fn assert_nothing_left(template: &str) {
    let left = labelled(&format!("io.restore-drill.template={template}"));
    assert!(left.is_empty(), "left behind by {template}: {left:?}");
}

impl World {
    /// An empty store, a fresh key, and a template without databases, on this machine's engine.
    pub fn new(name: &str) -> Self {
        let mut world = Self::offline(name);
        world.template.image = "${DRILL_POSTGRES_IMAGE}".to_owned();
        world.environment.extend(IMAGES.map(|variable| (variable.to_owned(), image(variable))));
        world.environment.remove("DOCKER_HOST");
        world
            .environment
            .extend(std::env::var("DOCKER_HOST").ok().map(|value| ("DOCKER_HOST".to_owned(), value)));
        world.at_end = remove_leftovers;
        world
    }

    /// Fails if anything that was made for this world is on the engine.
    pub fn assert_nothing_left(&self) {
        assert_nothing_left(&self.name);
    }
}

/// A test that fails half-way must not disturb the others with what it left.
fn remove_leftovers(world: &World) {
    let left = labelled(&format!("io.restore-drill.template={}", world.name));
    for one in left {
        let (kind, id) = one.split_once(' ').expect("written so");
        let remove: &[&str] = match kind {
            "container" => &["rm", "-f", "-v"],
            "network" => &["network", "rm"],
            _ => &["volume", "rm", "-f"],
        };
        // An anonymous volume goes with its container.
        let _ = Command::new("docker").args(remove).arg(id).output();
    }
}
