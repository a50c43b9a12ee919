//! The process that owns a stack, and whether it still lives.

use std::fmt;
use std::str::FromStr;

/// A process, in a way that no other process is taken for it: not one with the same number later, and not one with
/// the same number in another container or after another boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    host: String,
    /// The machine's boot and the process's PID namespace; empty where unknown.
    place: String,
    pid: u32,
    /// When the process began, in clock ticks since boot (proc(5), `/proc/PID/stat`, field 22); 0 where unknown.
    started: u64,
}

impl Owner {
    /// This process.
    pub fn this_process() -> Self {
        let pid = std::process::id();
        Self { host: hostname(), place: place(), pid, started: start_time(pid).unwrap_or(0) }
    }

    /// Whether it is known to have ended. What cannot be looked up is not known.
    pub fn is_gone(&self) -> bool {
        self.can_be_looked_up() && start_time(self.pid) != Some(self.started)
    }

    /// Whether it is known to live.
    pub fn is_alive(&self) -> bool {
        self.can_be_looked_up() && start_time(self.pid) == Some(self.started)
    }

    fn can_be_looked_up(&self) -> bool {
        // Where other users' processes are hidden, the first one is too.
        let visible = std::path::Path::new("/proc/1/stat").exists();
        visible
            && self.started != 0
            && !self.place.is_empty()
            && self.host == hostname()
            && self.place == place()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.host, self.place, self.pid, self.started)
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.rsplitn(4, ':');
        let started = parts.next().and_then(|part| part.parse().ok()).ok_or(())?;
        let pid = parts.next().and_then(|part| part.parse().ok()).ok_or(())?;
        let place = parts.next().ok_or(())?.to_owned();
        Ok(Self { host: parts.next().ok_or(())?.to_owned(), place, pid, started })
    }
}

/// `<boot id>/<PID namespace>`.
fn place() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = std::fs::read_link("/proc/self/ns/pid");
    match (boot, namespace) {
        (Ok(boot), Ok(namespace)) => {
            let inode: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
            format!("{}/{inode}", boot.trim())
        }
        _ => String::new(),
    }
}

/// This host's name.
pub fn hostname() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses, and may hold spaces and parentheses itself.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_reads_back() {
        let owner = Owner::this_process();
        assert!(owner.is_alive() && !owner.is_gone());
        assert_eq!(owner.to_string().parse(), Ok(owner));
    }

    #[test]
    fn a_later_process_with_the_same_number_is_another() {
        let owner = Owner { started: 1, ..Owner::this_process() };
        assert!(owner.is_gone() && !owner.is_alive());
    }

    #[test]
    fn a_process_of_another_host_boot_or_namespace_is_neither_known_to_live_nor_to_be_gone() {
        let this = Owner { started: 1, ..Owner::this_process() };
        for elsewhere in [
            Owner { host: "elsewhere".to_owned(), ..this.clone() },
            Owner { place: "another-boot/4026531836".to_owned(), ..this.clone() },
            Owner { place: String::new(), ..this.clone() },
        ] {
            assert!(!elsewhere.is_gone() && !elsewhere.is_alive(), "{elsewhere}");
        }
        assert_eq!("nonsense".parse::<Owner>(), Err(()));
    }
}
