//! A container with Postgres's client programs, on a network where the source server can be reached.

use std::collections::BTreeMap;

use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::sandbox::docker::{Engine, ExecSpec};
use crate::sandbox::labels::Ownership;
use crate::sandbox::spec::{Attachment, ContainerSpec, container_name};
use crate::target::postgres::source::SourceServer;
use crate::template::Backup;

/// Waits to be removed; ends at once on a signal.
const WAIT: &str = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done";

/// The client container.
pub struct Client {
    /// The engine.
    pub engine: Engine,
    /// The container's id.
    pub container: String,
    /// The most memory it may use, in bytes. `pg_dump` holds a row as text several times: a value of 300 MB takes
    /// more than 1 GiB.
    pub(super) memory_bytes: u64,
    source: Backup,
}

impl Client {
    /// Starts the container.
    pub async fn start(
        engine: &Engine,
        image: &str,
        source: &Backup,
        ownership: &mut Ownership,
    ) -> Result<Self> {
        engine.ensure_image(image, |_| {}).await?;
        let all = engine.facts().memory_bytes;
        let memory_bytes = source.memory.map_or(all / 4 * 3, |memory| memory.as_u64().min(all));
        let spec = |ownership: &Ownership| ContainerSpec {
            service: "client".to_owned(),
            name: container_name(ownership, "client"),
            image: image.to_owned(),
            user: Some("postgres".to_owned()),
            entrypoint: Some(["bash", "-c", WAIT].map(str::to_owned).into()),
            command: Vec::new(),
            environment: BTreeMap::new(),
            volumes: BTreeMap::new(),
            attachment: Attachment::Foreign(source.network.clone()),
            memory_bytes,
            shm_bytes: 64 * 1024 * 1024,
            logged: true,
            labels: ownership.container_labels("client"),
        };
        let made =
            ownership.under_a_free_name(async |ownership| engine.create_container(&spec(ownership)).await);
        let container = made.await?;
        engine.start_container(&container).await?;
        Ok(Self { engine: engine.clone(), container, memory_bytes, source: source.clone() })
    }

    /// The server that is dumped, for reading it beside `pg_dump`.
    pub fn source(&self) -> SourceServer {
        SourceServer {
            engine: self.engine.clone(),
            container: self.container.clone(),
            host: self.source.host.clone(),
            port: self.source.port.clone(),
            user: self.source.user.clone(),
            password: self.source.password.clone(),
        }
    }

    /// The command that dumps a database to its standard output, as an exported snapshot has it if there is one. The
    /// password is in its environment.
    pub fn pg_dump(&self, database: &DatabaseName, snapshot: Option<&str>) -> ExecSpec<'_> {
        let source = &self.source;
        let mut spec = ExecSpec::new(
            &self.container,
            [
                "pg_dump",
                "--format=custom",
                "--no-password",
                &format!("--host={}", source.host),
                &format!("--port={}", source.port),
                &format!("--username={}", source.user),
                &format!("--dbname={database}"),
            ],
        );
        if !source.privileges {
            spec.command.extend(["--no-owner", "--no-privileges"].map(str::to_owned));
        }
        spec.command.extend(snapshot.map(|id| format!("--snapshot={id}")));
        self.with_password(spec)
    }

    /// The command that writes the server's roles, their memberships and settings to its standard output, by way of this
    /// database. Password verifiers stay where they are: only a superuser could read them, and no managed service has one.
    pub fn pg_dumpall(&self, database: &DatabaseName) -> ExecSpec<'_> {
        let source = &self.source;
        let spec = ExecSpec::new(
            &self.container,
            [
                "pg_dumpall",
                "--globals-only",
                // By itself it writes in the encoding of the database that it asks.
                "--encoding=UTF8",
                "--no-role-passwords",
                "--no-tablespaces",
                "--no-password",
                &format!("--host={}", source.host),
                &format!("--port={}", source.port),
                &format!("--username={}", source.user),
                &format!("--database={database}"),
            ],
        );
        self.with_password(spec)
    }

    fn with_password<'a>(&self, mut spec: ExecSpec<'a>) -> ExecSpec<'a> {
        if !self.source.password.expose().is_empty() {
            spec.environment.push(("PGPASSWORD", self.source.password.clone()));
        }
        spec
    }

    /// Whether dumps hold owners and privileges.
    pub(super) fn keeps_privileges(&self) -> bool {
        self.source.privileges
    }

    /// The command that lists the archive on its standard input. It reads to the end, though the list stands at the
    /// beginning, so that its sender is not cut off.
    pub fn pg_restore_list(&self) -> ExecSpec<'_> {
        ExecSpec::new(
            &self.container,
            ["bash", "-c", "pg_restore --list; status=$?; cat >/dev/null; exit $status"],
        )
    }
}
