//! Containers that run once, to their end.

use bollard::container::LogOutput;
use bollard::query_parameters::{AttachContainerOptionsBuilder, KillContainerOptionsBuilder};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use std::time::Duration;

use super::{Engine, ObservedContainer, Output, engine_failure};
use crate::failure::Result;

impl Engine {
    /// What a container will write, from its start on: attach first, then start it.
    pub async fn attach(&self, id: &str) -> Result<BoxStream<'static, Result<Output>>> {
        let options = AttachContainerOptionsBuilder::new().stdout(true).stderr(true).stream(true).build();
        let attached = self.docker.attach_container(id, Some(options)).await;
        let attached = attached.map_err(|error| engine_failure("attaching to a container", &error))?;
        let output = attached.output.map_err(|error| engine_failure("reading a container's output", &error));
        let output = output.try_filter_map(|chunk| async {
            Ok(match chunk {
                LogOutput::StdOut { message } => Some(Output::Stdout(message)),
                LogOutput::StdErr { message } => Some(Output::Stderr(message)),
                LogOutput::StdIn { .. } | LogOutput::Console { .. } => None,
            })
        });
        Ok(output.boxed())
    }

    /// Waits until a container has ended, and says how.
    pub async fn ended(&self, id: &str) -> Result<ObservedContainer> {
        // Its output ends an instant before it does, unless it closed that itself.
        for attempt in 0u64.. {
            let state = self.observe_container(id).await?;
            if !state.running {
                return Ok(state);
            }
            tokio::time::sleep(Duration::from_millis((attempt * 10).min(500))).await;
        }
        unreachable!("the loop has no end")
    }

    /// Kills a container; one that has ended already stays as it is.
    pub async fn kill_container(&self, id: &str) -> Result<()> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        match self.docker.kill_container(id, Some(options)).await {
            // 409: it does not run.
            Ok(())
            | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            Err(error) => Err(engine_failure("killing a container", &error)),
        }
    }
}
