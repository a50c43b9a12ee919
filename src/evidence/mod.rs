//! What remains of a drill: the verdict file, the drill log, and reading both again.

mod drill_log;
mod earlier;
mod export;
mod exporters;
mod files;
mod json;
mod lineage;
mod log_file;
mod runbook_template;
mod seal;
mod sealed_file;
mod time_limited;
mod tolerant;
mod verdict_file;
mod verdicts;

pub use drill_log::row;
pub use earlier::{earlier_drills, past_drills};
pub use export::{Destinations, Export, Exporter, Stage};
pub use exporters::{EXPORTERS, Exporters};
pub use json::pretty as json;
pub use lineage::Lineage;
pub use time_limited::{GaveUp, MayAct, TimeLimited};
pub use verdict_file::{VerdictFile, report_directory, write_plan};
#[cfg(test)]
pub use verdicts::put_verdict;
pub use verdicts::{Unread, UnreadReason, VerdictRead, Verdicts};
