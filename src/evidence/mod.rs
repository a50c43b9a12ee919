//! What remains of a drill: the verdict file, the drill log, and reading both again.

mod drill_log;
mod earlier;
mod files;
mod history;
mod json;
mod lineage;
mod log_file;
mod runbook_template;
mod seal;
mod verdict_file;

pub use drill_log::{DrillLog, row};
pub use earlier::earlier_drills;
#[cfg(test)]
pub use history::written as verdict_directory_of_test;
pub use history::{Unread, past_drills, read_verdict, verdict_paths};
pub use json::pretty as json;
pub use lineage::{Lineage, PlanPart};
pub use seal::seal;
pub use verdict_file::{VerdictFile, report_directory, write_plan};
