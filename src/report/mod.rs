//! Reports: one file a sink, all of them made from the same events and the same verdict.

mod doctor_text;
mod drill_log;
mod earlier;
mod files;
mod health_text;
mod history;
mod json;
mod lineage;
mod log_file;
mod narration;
mod page;
mod plain;
mod plan_text;
mod progress;
mod runbook_template;
mod seal;
pub mod stderr;
mod summary;
mod table;
mod verdict_file;

pub use doctor_text::doctor_text;
pub use drill_log::{DrillLog, row};
pub use earlier::earlier_drills;
pub use health_text::health_text;
#[cfg(test)]
pub use history::written as verdict_directory_of_test;
pub use history::{Unread, past_drills, read_verdict, verdict_paths};
pub use json::pretty as json;
pub use lineage::{Lineage, PlanPart};
pub use page::Page;
pub use plain::PlainLog;
pub use plan_text::plan_text;
pub use progress::LiveProgress;
pub use seal::seal;
pub use summary::{last_line, removed_things, summary};
pub use verdict_file::{VerdictFile, report_directory, write_plan};
