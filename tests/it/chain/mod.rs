//! `verify-chain` on chains that a real Postgres made, by the command of that name and in a drill: sound ones hold, and
//! every damage is found, with its code and its row. And roots against their snapshot in the store.

mod command;
mod roots;
mod schemes;
mod server;

use std::sync::LazyLock;

use restore_drill::demo::data::{DataSet, DemoDatabase, data_set};

use super::world::ago;

/// The sample data, up to an hour ago.
static DATA: LazyLock<DataSet> = LazyLock::new(|| data_set(600, 11, ago(65)));

fn audit_sql() -> String {
    let database: &DemoDatabase =
        DATA.databases.iter().find(|database| database.name == "acp_audit").unwrap();
    let mut sql = database.schema.to_owned();
    for table in &database.tables {
        sql.push_str(&format!("\n{};\n", table.copy));
        for chunk in table.chunks() {
            sql.push_str(std::str::from_utf8(&chunk).expect("COPY text is UTF-8"));
        }
        sql.push_str("\\.\n");
    }
    sql + database.finish + "\nALTER TABLE audit_logs DISABLE TRIGGER USER;\n"
}
