//! `verify-chain` on chains that a real Postgres made, by the command of that name and in a drill: sound ones hold, and
//! every damage is found, with its code and its row. And roots against their snapshot in the store.

mod command;
mod disorder;
mod roots;
mod schemes;
mod server;

use std::sync::LazyLock;

use restore_drill::demo::data::{DataSet, data_set};

use super::fixtures::sample_sql;
use super::world::ago;

/// The sample data, up to an hour ago.
static DATA: LazyLock<DataSet> = LazyLock::new(|| data_set(600, 11, ago(65)));

fn audit_sql() -> String {
    sample_sql(&DATA, "acp_audit")
}
