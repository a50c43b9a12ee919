//! `[sqlite]`: where databases of SQLite are opened.

use bytesize::ByteSize;
use serde::Deserialize;

use super::defaults;

/// The workbench's name in the stack.
pub const WORKBENCH: &str = "workbench";
/// The port it listens on: below those of PostgreSQL servers.
pub const WORKBENCH_PORT: u16 = 5431;

/// The workbench: a container of the stack in which files are opened.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sqlite {
    /// An image with the `sqlite3` shell, `bash`, `timeout` and `perl`: `docker/build-images sqlite:3` makes one.
    pub image: String,
    /// The container's memory limit.
    #[serde(default = "defaults::workbench_memory")]
    pub memory: ByteSize,
}
