//! Containers that run once, to their end.

use bollard::container::LogOutput;
use bollard::query_parameters::{AttachContainerOptionsBuilder, EventsOptionsBuilder};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::time::Duration;

use super::answer::CHANGE;
use super::{Engine, ObservedContainer, Output, engine_failure, within};
use crate::model::failure::Result;

/// How late the engine may be with the news why a container was killed.
const LATE_EVENT: Duration = Duration::from_secs(3);

impl Engine {
    /// What a container will write, from its start on: attach first, then start it.
    pub async fn attach(&self, id: &str) -> Result<BoxStream<'static, Result<Output>>> {
        let options = AttachContainerOptionsBuilder::new().stdout(true).stderr(true).stream(true).build();
        let attached = within(CHANGE, self.docker.attach_container(id, Some(options))).await;
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

    /// Whether a container that was killed had run out of the memory it may have. The runtime reports this and the end in
    /// two messages, in either order (<https://github.com/containerd/containerd/issues/8893>), so the state may miss it;
    /// the engine's events do not.
    pub async fn ran_out_of_memory(&self, id: &str) -> bool {
        let filters = HashMap::from([("container", vec![id]), ("event", vec!["oom"])]);
        let options = EventsOptionsBuilder::new().since("0").filters(&filters).build();
        let mut events = std::pin::pin!(self.docker.events(Some(options)));
        // The engine sends past events at once, then waits for new ones.
        matches!(tokio::time::timeout(LATE_EVENT, events.next()).await, Ok(Some(Ok(_))))
    }
}
