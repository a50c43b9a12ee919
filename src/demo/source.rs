//! The demo's source server: a Postgres in a stack of its own, filled with the sample data.

use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::io::AsyncWriteExt;

use super::breakage::Edit;
use super::data::{DataSet, ROLES};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::{DatabaseName, ServerName};
use crate::model::secret::Secret;
use crate::model::verdict::Tuning;
use crate::sandbox::docker::{Engine, ExecSpec, Output};
use crate::sandbox::labels::Ownership;
use crate::sandbox::postgres_image::PostgresImage;
use crate::sandbox::spec::{self, Attachment, PostgresNeeds};
use crate::target::postgres::{Server, settings};
use crate::template::DEFAULT_PORT;

/// Memory of the source server.
const MEMORY: u64 = 2 * 1024 * 1024 * 1024;
/// How many connections load and dump data at once.
const JOBS: usize = 4;
/// The time limit of its start.
const READY: std::time::Duration = std::time::Duration::from_secs(120);

/// A source server that is up.
#[derive(Debug)]
pub struct Source {
    /// The Postgres server.
    pub server: Server,
    /// The network of its container.
    pub network: String,
}

impl Source {
    /// Starts an empty server. Teardown by the ownership's id removes it.
    pub async fn start(engine: &Engine, image: &str, ownership: &mut Ownership) -> Result<Self> {
        let facts = engine.ensure_image(image, |_| {}).await?;
        let image_facts = PostgresImage::of(&facts)?;
        let password = Secret::random();
        let memory_bytes = MEMORY.min(engine.facts().memory_bytes / 2);
        let settings = settings::settings(
            Tuning::Throwaway,
            memory_bytes,
            JOBS,
            &Default::default(),
            &Default::default(),
        );
        let needs = PostgresNeeds {
            name: &ServerName::default(),
            port: DEFAULT_PORT,
            image,
            facts: &image_facts,
            settings: &settings,
            preload: &[],
            password: &password,
            memory_bytes,
        };
        let made = ownership.under_a_free_name(async |ownership| {
            let network = spec::bridge(ownership, engine.facts());
            let spec = spec::postgres(ownership, Attachment::Network(network.name.clone()), &needs);
            Ok((engine.create_network_with(&network, &spec).await?.1, network.name))
        });
        let (container, network) = made.await?;
        engine.start_container(&container).await?;
        let server = Server::new(engine.clone(), container, password);
        server.wait_until_ready(READY).await?;
        Ok(Self { server, network })
    }

    /// Edits a database past its triggers and foreign keys. Returns what was hit.
    ///
    /// # Errors
    /// `demo_break_failed` if there is no row to edit.
    pub async fn edit(&self, edit: &Edit) -> Result<String> {
        let mut session = self.server.session(&edit.database()).await?;
        session
            .execute("SET session_replication_role = replica", "leaving triggers and foreign keys aside")
            .await?;
        let hit = session.text(edit.sql, "editing the sample data").await?;
        hit.ok_or_else(|| {
            Failure::config(
                codes::DEMO_BREAK_FAILED,
                format!("nothing in {} is there to be broken", edit.database),
            )
            .hint("the sample data is too small for this kind: give it more --rows")
        })
    }

    /// Dumps a database with these options of `pg_dump`.
    ///
    /// # Errors
    /// `demo_break_failed` if `pg_dump` fails.
    pub async fn dump(&self, database: &DatabaseName, options: &[&str]) -> Result<Vec<u8>> {
        let command = ["pg_dump", "--username=postgres"].into_iter().chain(options.iter().copied());
        let command = command.chain([database.as_str()]);
        let mut spec = ExecSpec::new(&self.server.container, command);
        spec.environment = vec![("PGPASSWORD", self.server.password.clone())];
        let mut exec = self.server.engine.exec(spec).await?;
        let _ = exec.input.shutdown().await;
        let (mut dump, mut said) = (Vec::new(), Vec::new());
        while let Some(output) = exec.output.try_next().await? {
            match output {
                Output::Stdout(bytes) => dump.extend_from_slice(&bytes),
                Output::Stderr(bytes) => said.extend_from_slice(&bytes),
            }
        }
        match exec.exit_code().await? {
            0 => Ok(dump),
            _ => Err(Failure::inconclusive(
                codes::DEMO_BREAK_FAILED,
                format!("pg_dump: {}", crate::model::human::one_line(&String::from_utf8_lossy(&said), 300)),
            )),
        }
    }

    /// Fills the server with a data set, calling `progress` with each database's name.
    pub async fn fill(&self, data: &DataSet, mut progress: impl FnMut(&str)) -> Result<()> {
        for database in &data.databases {
            progress(database.name);
            let name: DatabaseName = database.name.parse().expect("the sample data's names are names");
            self.server.create_database(&name, None, false).await?;
            let mut session = self.server.session(&name).await?;
            session.execute(ROLES, "creating the sample roles").await?;
            session.execute(database.schema, "creating the sample tables").await?;
            for table in &database.tables {
                let chunks = Box::new(table.chunks()) as Box<dyn Iterator<Item = Bytes> + Send>;
                session.copy_in(&table.copy, chunks).await?;
            }
            session.execute(database.finish, "finishing the sample tables").await?;
        }
        Ok(())
    }
}
