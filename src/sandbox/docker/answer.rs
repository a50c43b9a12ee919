//! An engine's answers: each within its time, and what the wrong ones mean. An engine that hangs accepts every request
//! and answers none, so no request is made without a limit.

use std::time::Duration;

use bollard::errors::Error;

use super::super::labels::NAME_TAKEN;
use super::words;
use crate::model::codes;
use crate::model::failure::Failure;

/// To a question about what there is.
pub(super) const LOOK: Duration = Duration::from_secs(30);
/// To a request that makes, starts or removes something. Half of it is enough for an engine on a slow disk.
pub(super) const CHANGE: Duration = Duration::from_secs(60);
/// Between two words of an engine that pulls an image: registries are slow, and large layers take long to unpack.
pub(super) const PULL_IDLE: Duration = Duration::from_secs(300);

/// Waits for an answer to its end. bollard's own limit covers only its beginning.
pub(super) async fn within<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, request).await.unwrap_or(Err(Error::RequestTimeoutError))
}

/// Whether the engine answered that there is no such thing.
pub(super) fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// Whether the engine is already removing this container, on another request.
pub(super) fn is_being_removed(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 409, message }
        if message.contains(words::BEING_REMOVED))
}

/// An engine error while doing something.
pub(super) fn engine_failure(doing: &str, error: &Error) -> Failure {
    let hint = "`docker info` and the engine's own log say more";
    let text = match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::RequestTimeoutError => {
            let message = format!("{doing}: the Docker engine does not answer");
            return Failure::inconclusive(codes::ENGINE_SILENT, message).hint(hint);
        }
        other => other.to_string(),
    };
    if matches!(error, Error::DockerResponseServerError { status_code: 409, .. })
        && text.contains(words::NAME_IN_USE)
    {
        return Failure::inconclusive(
            NAME_TAKEN,
            format!("{doing}: the engine has one of that name already"),
        )
        .hint("many drills with this project prefix began at the same time; run this one again");
    }
    if text.contains(words::DISK_FULL) {
        return Failure::disk_full(format!("{doing}: the engine's disk is full"));
    }
    // It was given the profile itself, and takes that for the name of a file.
    let takes_paths = text.contains(words::TAKES_PROFILE_FOR_PATH);
    let podman =
        "Podman takes the drill's seccomp profile for a path (docs/operations.md): use a Docker engine";
    Failure::inconclusive(
        codes::ENGINE_ERROR,
        format!("{doing}: {}", crate::model::human::one_line(&text, 400)),
    )
    .hint(if takes_paths { podman } else { hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_does_not_answer_is_told_apart_from_one_that_refuses() {
        let silent = within(Duration::from_millis(1), std::future::pending::<Result<(), Error>>()).await;
        let failure = engine_failure("creating the network x", &silent.unwrap_err());
        assert_eq!(failure.code.as_str(), "engine_silent");
        assert_eq!(failure.message, "creating the network x: the Docker engine does not answer");
        let refused =
            Error::DockerResponseServerError { status_code: 500, message: "broken\nfor good".to_owned() };
        let failure = engine_failure("creating the network x", &refused);
        assert_eq!(
            (failure.code.as_str(), &*failure.message),
            ("engine_error", "creating the network x: broken for good")
        );
        assert!(failure.hint.is_some_and(|hint| hint.starts_with("`docker info`")));
        let message = "opening seccomp profile failed: open {: no such file".to_owned();
        let podman = Error::DockerResponseServerError { status_code: 500, message };
        let hint = engine_failure("creating the container x", &podman).hint;
        assert!(hint.is_some_and(|hint| hint.contains("Podman")));
    }
}
