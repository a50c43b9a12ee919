//! The process that owns a stack, and whether it still lives.

use std::fmt;
use std::str::FromStr;

/// A process, in a way that a later process with the same number is not taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    host: String,
    pid: u32,
    /// When the process began, in clock ticks since boot (proc(5), `/proc/PID/stat`, field 22); 0 where unknown.
    started: u64,
}

impl Owner {
    /// This process.
    pub fn this_process() -> Self {
        let pid = std::process::id();
        Self { host: hostname(), pid, started: start_time(pid).unwrap_or(0) }
    }

    /// Whether it is known to have ended: it was on this host, and is not there any more. A process of another
    /// host, or one that cannot be looked up, is not known to have ended.
    pub fn is_gone(&self) -> bool {
        let can_look = std::path::Path::new("/proc/self/stat").exists();
        self.host == hostname() && self.started != 0 && can_look && start_time(self.pid) != Some(self.started)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.host, self.pid, self.started)
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.rsplitn(3, ':');
        let started = parts.next().and_then(|part| part.parse().ok()).ok_or(())?;
        let pid = parts.next().and_then(|part| part.parse().ok()).ok_or(())?;
        Ok(Self { host: parts.next().ok_or(())?.to_owned(), pid, started })
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
        assert!(!owner.is_gone());
        assert_eq!(owner.to_string().parse(), Ok(owner));
    }

    #[test]
    fn a_later_process_with_the_same_number_is_another() {
        let mut owner = Owner::this_process();
        owner.started += 1;
        assert!(owner.is_gone());
    }

    #[test]
    fn a_process_of_another_host_is_not_known_to_be_gone() {
        let owner = Owner { host: "elsewhere".to_owned(), ..Owner::this_process() };
        assert!(!Owner { started: 1, ..owner }.is_gone());
        assert_eq!("nonsense".parse::<Owner>(), Err(()));
    }
}
