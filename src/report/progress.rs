//! Live progress on a terminal: a line for each database, with its stage, bytes and rate.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::narration;
use crate::engine::{DatabaseEvent, Event, Sink};
use crate::names::DatabaseName;
use crate::verdict::Verdict;

/// Between two turns of a spinner.
const TICK: Duration = Duration::from_millis(120);

/// Progress bars on stderr.
pub struct LiveProgress {
    bars: MultiProgress,
    phase: ProgressBar,
    databases: BTreeMap<DatabaseName, ProgressBar>,
    name_width: usize,
}

impl Default for LiveProgress {
    fn default() -> Self {
        let bars = MultiProgress::new();
        let phase =
            bars.add(ProgressBar::new_spinner().with_style(style("{spinner:.cyan} {elapsed:>4} {msg}")));
        phase.enable_steady_tick(TICK);
        Self { bars, phase, databases: BTreeMap::new(), name_width: 0 }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants")
}

fn stage_style() -> ProgressStyle {
    style("  {spinner:.cyan} {prefix} {elapsed:>4} {wide_msg}")
}

fn bytes_style() -> ProgressStyle {
    style(
        "  {spinner:.cyan} {prefix} {elapsed:>4} {bar:24.cyan/dim} {binary_bytes} of {binary_total_bytes} {binary_bytes_per_sec} {msg}",
    )
}

fn done_style() -> ProgressStyle {
    style("    {prefix}      {wide_msg}")
}

impl LiveProgress {
    fn database(&mut self, name: &DatabaseName, event: &DatabaseEvent, verdict: &Verdict) {
        let (bars, width) = (&self.bars, self.name_width);
        let bar = self.databases.entry(name.clone()).or_insert_with(|| {
            let bar = bars
                .add(ProgressBar::new(0).with_style(stage_style()).with_prefix(format!("{name:<width$}")));
            bar.enable_steady_tick(TICK);
            bar
        });
        match event {
            DatabaseEvent::Fetching => {
                let point = verdict.recovery_set.point(name);
                bar.set_style(bytes_style());
                bar.set_length(point.map_or(0, |point| point.size_bytes));
                bar.reset_elapsed();
                bar.set_message("fetching");
            }
            DatabaseEvent::Bytes(more) => bar.inc(*more),
            _ => {
                bar.set_style(stage_style());
                bar.reset_elapsed();
                bar.set_message(narration::database_line(event).unwrap_or_default());
            }
        }
        if let DatabaseEvent::Restored { .. } | DatabaseEvent::Failed(_) | DatabaseEvent::Skipped(_) = event {
            bar.set_style(done_style());
            bar.disable_steady_tick();
            bar.finish_with_message(narration::database_line(event).unwrap_or_default());
        }
    }
}

impl Sink for LiveProgress {
    fn name(&self) -> String {
        "progress".to_owned()
    }

    fn handle(&mut self, event: &Event, verdict: &Verdict) -> io::Result<()> {
        match event {
            Event::Planned(plan) => {
                let names = plan.waves.iter().flatten();
                self.name_width = names.map(|name| name.as_str().len()).max().unwrap_or(0);
            }
            Event::Database(name, event) => self.database(name, event, verdict),
            Event::Pulling { image, progress } => self.phase.set_message(format!(
                "pulling {image}: {} of {}",
                crate::human::bytes(progress.done_bytes),
                crate::human::bytes(progress.total_bytes)
            )),
            Event::Warning(_) | Event::Failed(_) => {
                if let Some(text) = narration::line(event, verdict) {
                    self.bars.println(text)?;
                }
            }
            // What is left on the screen is the summary's, not the bars'.
            Event::Finished => {
                self.databases.values().chain([&self.phase]).for_each(ProgressBar::finish_and_clear);
            }
            _ => {
                if let Some(text) = narration::line(event, verdict) {
                    self.phase.set_message(text);
                }
            }
        }
        Ok(())
    }
}
