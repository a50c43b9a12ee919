//! How a directory keeps its files.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::Fact;
use crate::model::human;

/// How a directory keeps its files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DirectoryFacts {
    /// The type of its file system, such as `ext4`.
    pub file_system: Fact<String>,
    /// Whether it is mounted so that nothing can be written.
    pub read_only: Fact<bool>,
    /// Bytes that this process may still write there.
    pub free_bytes: Fact<u64>,
    /// How large a file of that file system can be, in bytes.
    pub largest_file_bytes: Fact<u64>,
    /// The mount point of `/etc/fstab` that the directory is, or is below, and where nothing is mounted; empty if there is
    /// none.
    pub unmounted: Fact<String>,
    /// Whether there is nothing in it.
    pub empty: Fact<bool>,
    /// Who owns the directory, and what others may do.
    pub access: Fact<Access>,
}

/// Who owns a file or a directory, and what others may do with it. Access control lists can give named users more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Access {
    /// The number of its owner.
    pub owner: u32,
    /// The number of its group.
    pub group: u32,
    /// Its permissions in octal, such as `0640`.
    pub mode: String,
    /// Every user of the machine can read it: it lets them, and so does each directory on the way to it.
    pub others_read: Fact<bool>,
    /// Every user of the machine can change it. Of a directory: can remove or replace what is in it.
    pub others_write: Fact<bool>,
}

/// How a file of a directory is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileFacts {
    /// Who owns it, and what others may do.
    pub access: Access,
    /// Whether its attribute `i` is set (`chattr +i`): then nobody changes or removes it before the administrator takes the
    /// attribute away.
    pub immutable: Fact<bool>,
}

impl fmt::Display for DirectoryFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file_system = self.file_system.shown(Clone::clone);
        let mounted = self.read_only.shown(|read_only| {
            if *read_only { "mounted read-only" } else { "mounted for writing" }.to_owned()
        });
        let free = self.free_bytes.shown(|free| human::bytes(*free));
        let access = self.access.shown(Access::to_string);
        write!(f, "file system {file_system} · {mounted} · {free} free · {access}")
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, group, mode, .. } = self;
        write!(f, "owner {owner}, group {group}, permissions {mode}")
    }
}
