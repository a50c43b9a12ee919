//! The last drill of a template, from its verdict in the reports directory.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::report::{read_verdict, verdict_paths};

/// The last drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastDrill {
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Its status, as the verdict has it.
    pub status: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The verdict's path.
    pub verdict: String,
}

/// What of a verdict is read.
#[derive(Deserialize)]
struct Record {
    template: String,
    status: String,
    finished_at: Option<DateTime<Utc>>,
    failure: Option<FailureRecord>,
}

#[derive(Deserialize)]
struct FailureRecord {
    message: String,
}

/// The newest finished drill of this template: files sort by their time. What cannot be read is passed over, since
/// others may keep files there.
pub fn last_drill(reports: &Path, template: &str) -> Option<LastDrill> {
    verdict_paths(reports).iter().find_map(|path| {
        let record = read_verdict::<Record>(path).filter(|record| record.template == template)?;
        Some(LastDrill {
            finished_at: record.finished_at?,
            status: record.status,
            failure: record.failure.map(|failure| crate::human::one_line(&failure.message, 300)),
            verdict: path.display().to_string(),
        })
    })
}
