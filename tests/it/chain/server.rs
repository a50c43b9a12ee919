//! A server with chains, and the command that verifies them.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::super::fixtures::{LIFETIME, wait_until_ready};
use super::super::world::{docker, docker_with, image};

pub(super) const PASSWORD: &str = "correct horse battery staple";

/// A Postgres that listens on an address which this machine reaches, on a network of its own.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: String,
}

impl Server {
    pub(super) fn start(sql: &str) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let mut server = Self {
            name: format!("restore-drill-test-chain-{}-{number}", std::process::id()),
            address: String::new(),
        };
        docker(&["network", "create", &server.name]);
        let password = format!("--env=POSTGRES_PASSWORD={PASSWORD}");
        let run =
            ["run", "--detach", "--rm", "--pull=never", "--network", &server.name, "--name", &server.name];
        let image = image("DRILL_POSTGRES_17_IMAGE");
        let rest = [
            &*password,
            "--env=POSTGRES_INITDB_ARGS=--no-sync",
            "--entrypoint=timeout",
            &image,
            LIFETIME,
            "docker-entrypoint.sh",
            "postgres",
            "-cfsync=off",
        ];
        docker(&[&run[..], &rest[..]].concat());
        let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        server.address = docker(&["inspect", "--format", template, &server.name]);
        wait_until_ready(&server.name);
        server.sql(sql);
        server
    }

    /// Runs SQL, and returns what it printed.
    pub(super) fn sql(&self, sql: &str) -> String {
        let psql = ["exec", "-i", &self.name, "psql", "-Upostgres", "-qAt", "-v", "ON_ERROR_STOP=1"];
        docker_with(&psql, sql.as_bytes())
    }

    /// Runs `verify-chain` on it.
    pub(super) fn verify(&self, arguments: &[&str]) -> Verified {
        let environment = [
            ("PGHOST", &*self.address),
            ("PGUSER", "postgres"),
            ("PGDATABASE", "postgres"),
            ("PGPASSWORD", PASSWORD),
        ];
        verify(arguments, &environment, b"")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", "-v", &self.name]).output();
        let _ = Command::new("docker").args(["network", "rm", &self.name]).output();
    }
}

/// How a run of the command ended.
pub(super) struct Verified {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Verified {
    pub(super) fn record(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}{}", self.stdout, self.stderr))
    }

    /// Asserts that every chain holds. What the sample data's writers are known for, forks and hashes without a time, is
    /// said and no fault.
    pub(super) fn holds(&self, rows: u64, chains: &str) {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        let record = self.record();
        assert_eq!(record["status"], "pass");
        assert_eq!(record["rows_verified"], rows, "{record}");
        assert!(record["summary"].as_str().unwrap().contains(chains), "{record}");
        for finding in record["findings"].as_array().unwrap() {
            assert!(["fork", "untimed_hash"].contains(&finding["code"].as_str().unwrap()), "{record}");
        }
    }

    /// Codes of the errors and the rows they name.
    pub(super) fn findings(&self) -> Vec<(String, String)> {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        let record = self.record();
        let row = |finding: &Value| {
            let subject = finding["subject"].as_str().unwrap();
            let row = subject.strip_prefix("row ").unwrap().split(" of the chain").next().unwrap().to_owned();
            (finding["code"].as_str().unwrap().to_owned(), row)
        };
        let findings = record["findings"].as_array().unwrap().iter();
        findings.filter(|finding| finding["severity"] == "error").map(row).collect()
    }

    pub(super) fn found(&self, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(code, row)| ((*code).to_owned(), (*row).to_owned())).collect();
        assert_eq!(self.findings(), expected);
    }
}

/// Runs the command with JSON on stdout and nothing of this process's environment.
pub(super) fn verify(arguments: &[&str], environment: &[(&str, &str)], input: &[u8]) -> Verified {
    let mut child = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
        .args(["verify-chain", "--format", "json"])
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that does not read its input says itself what is wrong.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    let verified = Verified {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    for text in [&verified.stdout, &verified.stderr] {
        assert!(!text.contains(PASSWORD), "the password is shown: {text}");
    }
    verified
}
