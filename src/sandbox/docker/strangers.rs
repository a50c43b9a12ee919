//! Other containers that share something with a drill's. A container that joins a namespace of the stack or mounts one of its
//! volumes is inside the stack, whatever network it is on.

use std::collections::HashMap;
use std::sync::PoisonError;

use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::future::try_join_all;

use super::answer::LOOK;
use super::observe::ObservedContainer;
use super::{Engine, engine_failure, within};
use crate::model::failure::Result;

impl Engine {
    /// What other containers share with these, all of one drill and the oldest of them first: `NAME: network of CONTAINER`.
    ///
    /// Only younger containers are inspected: what a container shares is fixed when it is made. Containers that have ended count
    /// too. Every container that this process did not make is a stranger, whatever labels it has.
    pub async fn strangers(&self, ours: &[ObservedContainer]) -> Result<Vec<String>> {
        let Some(oldest) = ours.first() else { return Ok(Vec::new()) };
        let filters = HashMap::from([("since".to_owned(), vec![oldest.id.clone()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = within(LOOK, self.docker.list_containers(Some(options))).await;
        let listed =
            listed.map_err(|error| engine_failure("listing the containers beside a drill's", &error))?;
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let others = listed.into_iter().filter_map(|container| container.id).filter(|id| !made.contains(id));
        // Others come and go, and what is gone shares nothing any more.
        let looks = others.map(|id| async move { self.find_container(&id).await });
        let others = try_join_all(looks).await?;
        let mut found: Vec<String> =
            others.iter().flatten().filter_map(|other| shared(other, ours)).collect();
        found.sort();
        Ok(found)
    }
}

/// What a container shares with any of these, in words.
fn shared(other: &ObservedContainer, ours: &[ObservedContainer]) -> Option<String> {
    let named = |text: &str| ours.iter().find(|one| is_called(one, text));
    let namespaces = [
        ("network", &other.network_mode),
        ("processes", &other.pid_mode),
        ("shared memory", &other.ipc_mode),
        ("host name", &other.uts_mode),
    ];
    let mut all: Vec<String> = namespaces
        .into_iter()
        .filter_map(|(what, mode)| Some((what, named(mode.strip_prefix("container:")?)?)))
        .map(|(what, one)| format!("{what} of {}", one.name))
        .collect();
    let has_volumes_of = |one: &ObservedContainer| {
        let from = |text: &String| is_called(one, text.split(':').next().unwrap_or_default());
        let mounted =
            |source: &str| one.mounts.iter().any(|mount| mount.kind == "volume" && mount.source == source);
        other.volumes_from.iter().any(from) || other.mounts.iter().any(|mount| mounted(&mount.source))
    };
    all.extend(ours.iter().filter(|one| has_volumes_of(one)).map(|one| format!("volumes of {}", one.name)));
    (!all.is_empty()).then(|| format!("{}: {}", other.name, all.join(", ")))
}

/// Whether this text may name the container: by its name, its id, or the beginning of its id.
fn is_called(container: &ObservedContainer, text: &str) -> bool {
    text == container.name || (!text.is_empty() && container.id.starts_with(text))
}

#[cfg(test)]
mod tests {
    use super::super::ObservedMount;
    use super::*;

    fn volume(source: &str) -> ObservedMount {
        ObservedMount { kind: "volume".to_owned(), source: source.to_owned(), destination: "/x".to_owned() }
    }

    /// What a container shares with a drill's, if it is changed so.
    fn seen(change: impl FnOnce(&mut ObservedContainer)) -> Option<String> {
        let ours = ObservedContainer {
            id: "0a1b".repeat(16),
            name: "d-postgres-1".to_owned(),
            mounts: vec![volume("7c7c")],
            ..ObservedContainer::default()
        };
        let mut other = ObservedContainer {
            id: "ffff".repeat(16),
            name: "other".to_owned(),
            network_mode: "bridge".to_owned(),
            mounts: vec![volume("9e9e")],
            ..ObservedContainer::default()
        };
        change(&mut other);
        shared(&other, &[ours])
    }

    #[test]
    fn whatever_is_shared_is_seen_by_name_by_id_and_by_volume() {
        assert_eq!(seen(|_| {}), None);
        assert_eq!(seen(|other| other.network_mode = "container:elsewhere".to_owned()), None);
        let id = "0a1b".repeat(16);
        for named in ["d-postgres-1", &id, &id[..12]] {
            let network = seen(|other| other.network_mode = format!("container:{named}"));
            assert_eq!(network.as_deref(), Some("other: network of d-postgres-1"), "{named}");
        }
        let in_words = |change: fn(&mut ObservedContainer)| seen(change).unwrap_or_default();
        assert_eq!(
            in_words(|o| o.pid_mode = "container:d-postgres-1".to_owned()),
            "other: processes of d-postgres-1"
        );
        assert_eq!(
            in_words(|o| o.ipc_mode = "container:d-postgres-1".to_owned()),
            "other: shared memory of d-postgres-1"
        );
        for change in [
            (|o: &mut ObservedContainer| o.volumes_from.push("d-postgres-1:ro".to_owned())) as fn(&mut _),
            |o| o.mounts.push(volume("7c7c")),
        ] {
            assert_eq!(in_words(change), "other: volumes of d-postgres-1");
        }
    }
}
