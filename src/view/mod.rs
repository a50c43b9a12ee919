//! What people see: progress, summaries, plans. All of it is made from the same events and the same verdict.

mod doctor_text;
mod health_text;
mod narration;
mod page;
mod plain;
mod plan_text;
mod progress;
pub mod stderr;
mod store_text;
mod summary;
mod table;

pub use doctor_text::doctor_text;
pub use health_text::health_text;
pub use page::Page;
pub use plain::PlainLog;
pub use plan_text::plan_text;
pub use progress::LiveProgress;
pub use summary::{last_line, removed_things, summary};
