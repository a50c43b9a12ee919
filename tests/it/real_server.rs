//! A server that is no drill's, restored to by the lines that `fetch` prints: in a shell, as they stand.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use super::fixtures::Source;
use super::world::{Outcome, World, docker};

/// A program of the server's image, which the shell finds under its own name. It sees the files of the world's directory.
const PROGRAM: &str = r#"#!/bin/sh
for file in *.dump *.sql; do
    if [ -e "$file" ] && [ ! -e "$file.copied" ]; then
        docker exec -i CONTAINER sh -c 'cat >"/tmp/$0"' "$file" <"$file" && touch "$file.copied"
    fi
done
exec docker exec -i -w /tmp -e PGUSER=postgres -e PGOPTIONS CONTAINER PROGRAM "$@"
"#;

/// A new server, with nothing in it.
pub struct RealServer {
    /// The server.
    pub server: Source,
}

impl RealServer {
    /// Starts one, and gives the shell of this world its programs.
    pub fn start(world: &World) -> Self {
        let server = Source::start("DRILL_POSTGRES_17_IMAGE");
        for program in ["createdb", "psql", "pg_restore"] {
            let script = PROGRAM.replace("CONTAINER", &server.container).replace("PROGRAM", program);
            let path = world.write(&format!("bin/{program}"), script);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        symlink(env!("CARGO_BIN_EXE_restore-drill"), world.path("bin/restore-drill")).expect("it is new");
        Self { server }
    }

    /// Runs lines in a shell in the world's directory. Returns whether the last one succeeded, and what they said.
    pub fn run(&self, world: &World, lines: &str) -> (bool, String) {
        let path = world.environment.get("PATH").map(String::as_str).unwrap_or_default();
        let path = format!("{}:{path}", world.path("bin").display());
        let output = Command::new("sh")
            .args(["-c", lines])
            .current_dir(world.path(""))
            .env_clear()
            .envs(&world.environment)
            .env("PATH", path)
            .stdin(Stdio::null())
            .output()
            .expect("there is a shell");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

/// The output of a `fetch` of the dump of this database that a drill has proved, to `NAME.dump`.
pub fn fetched(world: &World, database: &str) -> Outcome {
    let file = format!("{database}.dump");
    let fetched =
        world.run(&["fetch", "-t", "./template.toml", "--database", database, "--last-passed", "-o", &file]);
    assert_eq!(fetched.code, 0, "{fetched}");
    fetched
}

/// The lines to run that stand below the line which begins with these words.
pub fn lines_below(outcome: &Outcome, words: &str) -> String {
    let mut lines = outcome.stdout.lines().skip_while(|line| !line.starts_with(words));
    let heading = lines.next();
    assert!(heading.is_some(), "no line begins with {words}\n{outcome}");
    let lines: Vec<&str> = lines.take_while(|line| line.starts_with("  ")).collect();
    assert!(!lines.is_empty(), "no lines below {words}\n{outcome}");
    lines.join("\n")
}

/// All of a database as `pg_dump` has it: objects, owners, privileges, policies and rows.
pub fn dumped(container: &str, database: &str) -> String {
    let text = docker(&["exec", container, "pg_dump", "--username=postgres", database]);
    // A key that is another each time.
    let lines = text.lines().filter(|line| !line.contains("restrict "));
    lines.collect::<Vec<_>>().join("\n")
}
