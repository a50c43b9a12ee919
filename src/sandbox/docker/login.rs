//! What `docker login` left: credentials for the registries that images are pulled from. The engine has none of its own;
//! the client that asks for a pull sends them along.

use bollard::Docker;
use bollard::auth::DockerCredentials;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use http::HeaderValue;

use super::address::Surroundings;
use super::words;

/// How long a credential helper may take: some ask a service in the network.
const HELPER: std::time::Duration = std::time::Duration::from_secs(30);
/// Docker Hub, as `docker login` notes it.
const HUB: &str = "https://index.docker.io/v1/";

/// Credentials for an image's registry, or why there are none although some are configured. Without any the image is
/// pulled without credentials.
pub(super) async fn of(image: &str) -> Result<Option<DockerCredentials>, String> {
    let Some(path) = Surroundings::of_process().config.map(|directory| directory.join("config.json")) else {
        return Ok(None);
    };
    let registry = registry(image).to_owned();
    let asked = registry.clone();
    let asking = tokio::task::spawn_blocking(move || {
        let Ok(file) = std::fs::File::open(path) else { return Ok(None) };
        match docker_credential::get_credential_from_reader(std::io::BufReader::new(file), &asked) {
            Ok(credential) => Ok(Some(credential)),
            Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
            Err(error) => missing(&error),
        }
    });
    let found = match tokio::time::timeout(HELPER, asking).await {
        Ok(Ok(found)) => found?,
        Ok(Err(_)) | Err(_) => return Err("the credential helper does not answer".to_owned()),
    };
    Ok(found.map(|credential| header(credential, registry)))
}

/// What a look-up that failed means. Never the words of the helper, which may hold a secret.
fn missing<T>(error: &CredentialRetrievalError) -> Result<Option<T>, String> {
    match error {
        CredentialRetrievalError::HelperFailure { stdout, .. } if stdout.contains(words::NO_CREDENTIALS) => {
            Ok(None)
        }
        CredentialRetrievalError::HelperFailure { helper, .. } => Err(format!("{helper} failed")),
        CredentialRetrievalError::HelperCommunicationError => {
            Err("the credential helper cannot be run".to_owned())
        }
        _ => Err("docker's config.json has no usable credentials for its registry".to_owned()),
    }
}

fn header(credential: DockerCredential, registry: String) -> DockerCredentials {
    let empty = DockerCredentials { serveraddress: Some(registry), ..DockerCredentials::default() };
    match credential {
        DockerCredential::IdentityToken(token) => DockerCredentials { identitytoken: Some(token), ..empty },
        DockerCredential::UsernamePassword(name, password) => {
            DockerCredentials { username: Some(name), password: Some(password), ..empty }
        }
    }
}

/// The registry of an image's name: what stands before the first slash, if that is a host (docker's rule).
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => match host {
            "docker.io" | "index.docker.io" => HUB,
            host => host,
        },
        _ => HUB,
    }
}

/// Engines read credentials as URL-safe base64 and take others for none; bollard writes the other alphabet.
pub(super) fn with_url_safe_header(docker: Docker) -> Docker {
    docker.with_request_modifier(|mut request| {
        for name in ["X-Registry-Auth", "X-Registry-Config"] {
            let Some(value) = request.headers().get(name).and_then(|value| value.to_str().ok()) else {
                continue;
            };
            let safe = value.replace('+', "-").replace('/', "_");
            if let Ok(mut safe) = HeaderValue::from_str(&safe) {
                safe.set_sensitive(true);
                request.headers_mut().insert(name, safe);
            }
        }
        request
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_of_an_image_is_the_one_that_docker_asks() {
        for (image, expected) in [
            ("postgres:17", HUB),
            ("team/postgres", HUB),
            ("docker.io/library/postgres:17", HUB),
            ("localhost/postgres", "localhost"),
            ("localhost:5000/postgres", "localhost:5000"),
            ("registry.example.org/team/postgres@sha256:abc", "registry.example.org"),
        ] {
            assert_eq!(registry(image), expected, "{image}");
        }
    }

    #[test]
    fn a_helper_without_credentials_is_no_trouble_and_its_words_are_not_repeated() {
        let failure = |stdout: &str| CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".to_owned(),
            stdout: stdout.to_owned(),
            stderr: "token s3cret".to_owned(),
        };
        assert_eq!(missing::<()>(&failure("credentials not found in native keychain\n")), Ok(None));
        assert_eq!(missing::<()>(&failure("s3cret")), Err("docker-credential-x failed".to_owned()));
    }
}
