//! English words of the engine that are recognised, because its API has no code for them. Each with the versions that it was
//! seen in, or with the source that writes it. Where an engine uses other words, the general message and hint are shown.

/// Somebody else is removing this container already (409). Docker 20.10.
pub(super) const BEING_REMOVED: &str = "already in progress";
/// The name of a container is taken (409). Docker 20.10.
pub(super) const NAME_IN_USE: &str = "already in use by container";
/// The engine's disk is full: the kernel's own words for ENOSPC, in lower case as Go writes them. Docker 20.10.
pub(super) const DISK_FULL: &str = "no space left on device";
/// The engine takes the seccomp profile that it was given for the name of a file. Podman, see docs/operations.md.
pub(super) const TAKES_PROFILE_FOR_PATH: &str = "opening seccomp profile";
/// The status of a layer whose bytes are counted in a pull. Docker 20.10.
pub(super) const DOWNLOADING: &str = "Downloading";
/// A credential helper has nothing for this registry; on its stdout, by protocol (docker-credential-helpers,
/// `credentials/error.go`).
pub(super) const NO_CREDENTIALS: &str = "credentials not found";
