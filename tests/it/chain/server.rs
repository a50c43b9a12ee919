//! A server with chains, and the command that verifies them.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::fixtures::{LIFETIME, wait_until_ready};
use super::super::support::verify_chain::{Verified, verify};
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
