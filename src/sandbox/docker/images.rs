//! Images: looked up, and pulled where they are absent.

use bollard::auth::DockerCredentials;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use std::collections::HashMap;

use super::super::image::ImageFacts;
use super::answer::{CHANGE, LOOK, PULL_IDLE};
use super::{Engine, engine_failure, is_not_found, login, within, words};
use crate::model::codes;
use crate::model::event::PullProgress;
use crate::model::failure::{Failure, Result};

impl Engine {
    /// The image, if the engine has it.
    pub async fn find_image(&self, name: &str) -> Result<Option<ImageFacts>> {
        match within(LOOK, self.docker.inspect_image(name)).await {
            Ok(image) => {
                let config = image.config.unwrap_or_default();
                Ok(Some(ImageFacts {
                    name: name.to_owned(),
                    id: image.id.unwrap_or_default(),
                    environment: config.env.unwrap_or_default(),
                    entrypoint: config.entrypoint.unwrap_or_default(),
                    volumes: config.volumes.unwrap_or_default(),
                    ports: config.exposed_ports.iter().flatten().filter_map(|port| tcp_port(port)).collect(),
                }))
            }
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(engine_failure(&format!("looking for the image {name}"), &error)),
        }
    }

    /// Whether the image's registry has it for us. Nothing is pulled.
    ///
    /// # Errors
    /// `image_unavailable`, if it has not, or does not answer.
    pub async fn can_pull(&self, name: &str) -> Result<()> {
        let (credentials, trouble) = credentials(name).await;
        let asked = within(CHANGE, self.docker.inspect_registry_image(name, credentials)).await;
        asked.map(drop).map_err(|error| unavailable(name, &format!("{error}{trouble}")))
    }

    /// The image, pulled if the engine does not have it.
    ///
    /// # Errors
    /// `image_unavailable`, if it is absent and cannot be pulled.
    pub async fn ensure_image(
        &self,
        name: &str,
        mut progress: impl FnMut(PullProgress),
    ) -> Result<ImageFacts> {
        if let Some(image) = self.find_image(name).await? {
            return Ok(image);
        }
        let (repository, tag) = split_reference(name);
        let options = CreateImageOptionsBuilder::new().from_image(repository).tag(tag).build();
        let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
        let patient = self.docker.clone().with_timeout(PULL_IDLE);
        let (credentials, trouble) = credentials(name).await;
        let mut events = std::pin::pin!(patient.create_image(Some(options), None, credentials));
        while let Some(event) = tokio::time::timeout(PULL_IDLE, events.next())
            .await
            .map_err(|_| unavailable(name, "the pull makes no progress"))?
        {
            let event = event.map_err(|error| unavailable(name, &format!("{error}{trouble}")))?;
            let size = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            let (Some(layer), Some(detail)) = (event.id, event.progress_detail) else { continue };
            if event.status.as_deref() == Some(words::DOWNLOADING) {
                layers.insert(layer, (size(detail.current), size(detail.total)));
                progress(PullProgress {
                    done_bytes: layers.values().map(|(done, _)| done).sum(),
                    total_bytes: layers.values().map(|(_, total)| total).sum(),
                });
            }
        }
        self.find_image(name).await?.ok_or_else(|| unavailable(name, "it is not there after the pull"))
    }
}

/// `80/tcp`, or `80` alone.
fn tcp_port(exposed: &str) -> Option<u16> {
    exposed.strip_suffix("/tcp").unwrap_or(exposed).parse().ok()
}

/// The credentials that `docker login` stored for the image's registry. Why they could not be read is reported if the pull fails.
async fn credentials(image: &str) -> (Option<DockerCredentials>, String) {
    match login::of(image).await {
        Ok(credentials) => (credentials, String::new()),
        Err(why) => (None, format!("; asked without credentials: {why}")),
    }
}

/// `name:tag` in two. A digest stays with its name: the API takes the reference whole then.
fn split_reference(name: &str) -> (&str, &str) {
    if name.contains('@') {
        return (name, "");
    }
    match name.rsplit_once(':') {
        // A colon before the last slash belongs to a registry's port.
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    }
}

fn unavailable(name: &str, why: &str) -> Failure {
    Failure::inconclusive(
        codes::IMAGE_UNAVAILABLE,
        format!("the image {name} is not on the engine and cannot be pulled ({})", crate::model::human::one_line(why, 200)),
    )
    .hint("`docker pull` it from a registry, or build one with docker/build-images and name it in DRILL_POSTGRES_IMAGE / DRILL_REDIS_IMAGE")
}

#[cfg(test)]
mod tests {
    use super::{split_reference, tcp_port};

    #[test]
    fn only_ports_of_tcp_are_read() {
        let read = ["80/tcp", "53/udp", "8080", "x", "70000/tcp"].map(tcp_port);
        assert_eq!(read, [Some(80), None, Some(8080), None, None]);
    }

    #[test]
    fn references_are_split_at_their_tag() {
        for (name, parts) in [
            ("postgres", ("postgres", "latest")),
            ("postgres:17-alpine", ("postgres", "17-alpine")),
            ("host:5000/team/postgres", ("host:5000/team/postgres", "latest")),
            ("host:5000/team/postgres:17", ("host:5000/team/postgres", "17")),
            ("postgres@sha256:abc", ("postgres@sha256:abc", "")),
        ] {
            assert_eq!(split_reference(name), parts);
        }
    }
}
