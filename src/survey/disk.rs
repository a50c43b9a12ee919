//! Room on the disk that a drill would restore to, as far as that is known without asking an engine.

use std::path::Path;

use crate::model::past::PastDrill;
use crate::plan::FreeDisk;
use crate::sandbox::disk::free_bytes;
use crate::sandbox::docker::is_local;
use crate::sandbox::owner;

/// Where a Docker engine on this machine keeps its volumes by default.
const DOCKER_ROOT: &str = "/var/lib/docker";

/// The local engine's disk now, or what the last drill on this machine saw.
pub fn free_disk(past: &[PastDrill]) -> Option<FreeDisk> {
    if is_local()
        && let Some(free_bytes) = free_bytes(Path::new(DOCKER_ROOT))
    {
        return Some(FreeDisk { free_bytes, basis: format!("{DOCKER_ROOT} on this machine, now") });
    }
    let here = owner::hostname();
    let last = past.iter().find(|drill| drill.hostname == here && drill.disk_free_bytes.is_some())?;
    Some(FreeDisk {
        free_bytes: last.disk_free_bytes?,
        basis: format!("the engine's disk, at the drill of {}", last.timestamp),
    })
}
