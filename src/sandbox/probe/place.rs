//! Whether this process runs on the host of the stack. An address does not show that: a Unix socket may be forwarded from another
//! machine, lead into a virtual one, or be mounted into the container that the drill itself runs in. A canary in the wrong place
//! hears nothing, and that proves nothing.

use crate::model::failure::Result;
use crate::sandbox::docker::{Engine, EngineInfo, ExecSpec};

/// Names the running kernel, and is another after each boot (random(4)).
pub const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The interfaces of this process's own network namespace, of which sysfs may show another's (proc(5)).
const INTERFACES: &str = "/proc/self/net/dev";

/// Why a canary of this process could not hear the stack, if so. Of a bridge its id is asked for.
pub async fn elsewhere(engine: &Engine, container_id: &str, bridge: Option<&str>) -> Result<Option<String>> {
    let read = ExecSpec::new(container_id, ["cat", BOOT_ID]);
    let its_boot = engine.capture(read, 256).await?.stdout;
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let here = Here { boot_id: read(BOOT_ID), interfaces: read(INTERFACES) };
    Ok(here.is_apart_from(engine.info(), &its_boot, bridge).map(str::to_owned))
}

/// What this process sees of the place it is in.
struct Here {
    boot_id: String,
    interfaces: String,
}

impl Here {
    fn is_apart_from(&self, info: &EngineInfo, its_boot: &str, bridge: Option<&str>) -> Option<&'static str> {
        if !info.local {
            return Some("the engine is not on this machine");
        }
        if info.rootless {
            return Some("the engine is rootless, and its networks are in a namespace of its own");
        }
        if its_boot.trim().is_empty() || its_boot.trim() != self.boot_id.trim() {
            return Some("the engine's containers do not run on this machine's kernel");
        }
        // The engine gives a bridge this name.
        let name = bridge.map(|id| format!("br-{}:", id.get(..12).unwrap_or(id)));
        let seen = |name: &String| self.interfaces.lines().any(|line| line.trim_start().starts_with(name));
        let missed = name.is_some_and(|name| !seen(&name));
        missed.then_some("the drill runs in another network namespace than the engine")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_kernel_and_the_bridge_itself_tell_that_this_is_the_host() {
        let here = Here {
            boot_id: "11-22\n".to_owned(),
            interfaces: "Inter-| Receive\n    lo: 1 2\nbr-0123456789ab: 3 4\n".to_owned(),
        };
        let info = |local, rootless| EngineInfo { local, rootless, ..EngineInfo::default() };
        let (beside, bridge) = (info(true, false), "0123456789abcdef");
        assert_eq!(here.is_apart_from(&beside, "11-22\n", None), None);
        assert_eq!(here.is_apart_from(&beside, "11-22\n", Some(bridge)), None);
        for (info, its_boot, bridge, expected) in [
            (info(false, false), "11-22", Some(bridge), "not on this machine"),
            (info(true, true), "11-22", Some(bridge), "rootless"),
            (info(true, false), "33-44", None, "this machine's kernel"),
            (info(true, false), "", None, "this machine's kernel"),
            (info(true, false), "11-22", Some("ba9876543210ffff"), "another network namespace"),
        ] {
            let why = here.is_apart_from(&info, its_boot, bridge);
            assert!(why.is_some_and(|why| why.contains(expected)), "{why:?}");
        }
        let blind = Here { boot_id: String::new(), interfaces: String::new() };
        assert!(blind.is_apart_from(&beside, "", None).is_some());
    }
}
