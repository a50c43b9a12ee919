//! The runbook a drill log is created in where there is none.

/// The text of a new `runbooks/restore_drill.md`, up to and with the empty table.
pub const RUNBOOK: &str = include_str!("runbook_template.md");
