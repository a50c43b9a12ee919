//! Live progress on a terminal: a line for each database, with its stage, bytes and rate.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{narration, stderr};
use crate::model::event::{DatabaseEvent, Event, Sink};
use crate::model::names::DatabaseName;
use crate::model::verdict::Verdict;

/// Between two turns of a spinner.
const TICK: Duration = Duration::from_millis(120);

/// Progress bars on stderr. They are drawn where everything on stderr is said: a terminal may be held.
pub struct LiveProgress {
    /// For good: what draws itself as it is dropped would wait for such a terminal.
    screen: &'static Mutex<Screen>,
}

impl Default for LiveProgress {
    fn default() -> Self {
        Self { screen: Box::leak(Box::new(Mutex::new(Screen::new()))) }
    }
}

impl LiveProgress {
    fn draw(&self, draw: impl FnOnce(&mut Screen) -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let screen = self.screen;
        stderr::aside(move || draw(&mut screen.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What is on the terminal.
struct Screen {
    bars: MultiProgress,
    phase: ProgressBar,
    databases: BTreeMap<DatabaseName, ProgressBar>,
    name_width: usize,
}

/// What is to be seen of a database.
enum Step {
    /// A recovery point of this size is fetched.
    Fetching(u64),
    /// So many bytes of it have arrived.
    Bytes(u64),
    /// It is at this.
    At(String),
    /// This is how it ended.
    Done(String),
}

impl Step {
    fn of(name: &DatabaseName, event: &DatabaseEvent, verdict: &Verdict) -> Self {
        let line = || narration::database_line(event).unwrap_or_default();
        match event {
            DatabaseEvent::Fetching => {
                Self::Fetching(verdict.recovery_set.point(name).map_or(0, |point| point.size_bytes))
            }
            DatabaseEvent::Bytes(done) => Self::Bytes(*done),
            DatabaseEvent::Restored { .. } | DatabaseEvent::Failed(_) | DatabaseEvent::Skipped(_) => {
                Self::Done(line())
            }
            _ => Self::At(line()),
        }
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

impl Screen {
    fn new() -> Self {
        let bars = MultiProgress::new();
        let phase =
            bars.add(ProgressBar::new_spinner().with_style(style("{spinner:.cyan} {elapsed:>4} {msg}")));
        phase.enable_steady_tick(TICK);
        Self { bars, phase, databases: BTreeMap::new(), name_width: 0 }
    }

    fn database(&mut self, name: DatabaseName, step: Step) {
        let (bars, width) = (&self.bars, self.name_width);
        let prefix = format!("{name:<width$}");
        let bar = self.databases.entry(name).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new(0).with_style(stage_style()).with_prefix(prefix));
            bar.enable_steady_tick(TICK);
            bar
        });
        match step {
            Step::Fetching(size) => {
                bar.set_style(bytes_style());
                bar.set_length(size);
                bar.reset_elapsed();
                bar.set_message("fetching");
            }
            Step::Bytes(done) => bar.set_position(done),
            Step::At(text) => {
                bar.set_style(stage_style());
                bar.reset_elapsed();
                bar.set_message(text);
            }
            Step::Done(text) => {
                bar.set_style(done_style());
                bar.disable_steady_tick();
                bar.finish_with_message(text);
            }
        }
    }

    fn clear(&self) {
        self.databases.values().chain([&self.phase]).for_each(ProgressBar::finish_and_clear);
    }
}

impl Sink for LiveProgress {
    fn name(&self) -> String {
        "progress".to_owned()
    }

    fn handle(&mut self, event: &Event, verdict: &Verdict) -> io::Result<()> {
        match event {
            Event::Planned(plan) => {
                let names = plan.recovery_set.points.iter().map(|point| &point.database).chain(&plan.missing);
                let width = names.map(|name| name.as_str().len()).max().unwrap_or(0);
                self.draw(move |screen| {
                    screen.name_width = width;
                    Ok(())
                })
            }
            Event::Database(name, event) => {
                let (name, step) = (name.clone(), Step::of(name, event, verdict));
                self.draw(move |screen| {
                    screen.database(name, step);
                    Ok(())
                })
            }
            // What is left on the screen is the summary's, not the bars'.
            Event::Finished => self.draw(|screen| {
                screen.clear();
                Ok(())
            }),
            Event::Warning(_) | Event::Failed(_) => match narration::line(event, verdict) {
                Some(text) => self.draw(move |screen| screen.bars.println(text)),
                None => Ok(()),
            },
            _ => {
                let text = match event {
                    Event::Pulling { image, progress } => Some(format!(
                        "pulling {image}: {} of {}",
                        crate::model::human::bytes(progress.done_bytes),
                        crate::model::human::bytes(progress.total_bytes)
                    )),
                    _ => narration::line(event, verdict),
                };
                text.map_or(Ok(()), |text| {
                    self.draw(move |screen| {
                        screen.phase.set_message(text);
                        Ok(())
                    })
                })
            }
        }
    }
}
