//! The Docker engine, through its API. The only folder that imports bollard.

pub mod address;
mod answer;
mod exec;
mod images;
mod login;
mod observe;
mod oneoff;
mod resources;
mod strangers;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::Docker;
use tokio_util::task::TaskTracker;

use super::spec::EngineFacts;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

use address::{Address, Surroundings};
use answer::{engine_failure, is_being_removed, is_not_found, within};
pub use exec::{Captured, Exec, ExecSpec, Output};
pub use observe::{ObservedContainer, ObservedMount, ObservedNetwork};
pub use resources::{LabelFilter, Owned, OwnedKind};

/// How long the engine may take to answer its first request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The oldest API that knows what a drill needs (anonymous volumes with labels, exec, internal networks).
const OLDEST_API: (usize, usize) = (1, 40);

/// A reachable Docker engine.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    info: EngineInfo,
    /// Creations on their way to the engine.
    creations: TaskTracker,
    /// The containers it was asked for and made, by their ids: labels can be copied.
    made: Arc<Mutex<BTreeSet<String>>>,
}

/// What the engine reports about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// The engine's version.
    pub version: String,
    /// The API version spoken with it.
    pub api_version: String,
    /// The engine's processors.
    pub cpus: u64,
    /// The engine's memory in bytes.
    pub memory_bytes: u64,
    /// The address of the engine, as in `DOCKER_HOST`.
    pub endpoint: String,
    /// The Docker context that named it, if one did.
    pub context: Option<String>,
    /// Whether it runs on this machine, as far as its address shows.
    pub local: bool,
    /// Whether it can filter system calls.
    pub seccomp: bool,
    /// Whether it runs without root, in namespaces of its own.
    pub rootless: bool,
    /// Where it keeps its data, on its own machine.
    pub root_directory: Option<PathBuf>,
}

impl Engine {
    /// Connects to the engine that the docker command would talk to, and agrees on an API version.
    ///
    /// # Errors
    /// Those of [`Surroundings::address`]; `engine_unreachable`, `engine_too_old`: the drill cannot be run to a verdict.
    pub async fn connect() -> Result<Self> {
        let address = Surroundings::of_process().address()?;
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, Self::try_connect(&address)).await;
        match connected {
            Ok(Ok(engine)) => engine.require_api(),
            Ok(Err(error)) => Err(address.unreachable(&error.to_string())),
            Err(_) => Err(address.unreachable("no answer within 15 s")),
        }
    }

    async fn try_connect(address: &Address) -> Result<Self, bollard::errors::Error> {
        let docker = login::with_url_safe_header(address.client()?).negotiate_version().await?;
        let (version, info) = tokio::try_join!(docker.version(), docker.info())?;
        let unsigned = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let has =
            |named: &str| info.security_options.iter().flatten().any(|option| option.starts_with(named));
        let info = EngineInfo {
            version: version.version.unwrap_or_default(),
            api_version: docker.client_version().to_string(),
            cpus: unsigned(info.ncpu).max(1),
            memory_bytes: unsigned(info.mem_total),
            endpoint: address.endpoint.clone(),
            context: address.context.clone(),
            local: address.is_local(),
            seccomp: has("name=seccomp"),
            rootless: has("name=rootless"),
            root_directory: info.docker_root_dir.map(PathBuf::from),
        };
        let creations = TaskTracker::new();
        // A closed tracker still takes tasks; it can be waited for whenever it is empty.
        creations.close();
        Ok(Self { docker, info, creations, made: Arc::default() })
    }

    fn require_api(self) -> Result<Self> {
        let api = self.docker.client_version();
        if (api.major_version, api.minor_version) >= OLDEST_API {
            return Ok(self);
        }
        Err(Failure::inconclusive(
            codes::ENGINE_TOO_OLD,
            format!("the Docker engine {} speaks API {api} only", self.info.version),
        )
        .hint("Docker Engine 19.03 (API 1.40) is the oldest that can isolate a drill"))
    }

    /// Runs a creation to its end even if its caller is cancelled: a request that is dropped half-way may still be
    /// carried out after teardown has listed what to remove.
    async fn creation<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.creations.spawn(work).await.expect("a creation does not panic and is never aborted")
    }

    /// Waits until no creation is on its way any more; `false` if that takes longer.
    pub async fn settle(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.creations.wait()).await.is_ok()
    }

    /// What the engine reports about itself.
    pub fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// What a stack's description depends on.
    pub fn facts(&self) -> EngineFacts {
        EngineFacts {
            major: self.info.version.split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0),
            cpus: self.info.cpus,
            memory_bytes: self.info.memory_bytes,
            seccomp: self.info.seccomp,
        }
    }
}

/// Whether the engine that [`Engine::connect`] would talk to runs on this machine, as far as its address shows.
pub fn is_local() -> bool {
    Surroundings::of_process().address().is_ok_and(|address| address.is_local())
}
