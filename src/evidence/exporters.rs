//! The list of exporters, and the end of a drill: they run in stages, each within its time.

use std::sync::Arc;

use futures_util::future::join_all;

use super::export::{Destinations, Exporter, Running, Stage};
use super::seal::seal;
use super::{drill_log, sealed_file};
use crate::model::failure::Result;
use crate::model::verdict::Verdict;

/// Everything that leaves evidence. Those of the stage `seal` export in this order; the verdict comes last, since it says
/// PASS for all of them.
pub static EXPORTERS: &[Exporter] = &[drill_log::EXPORTER, sealed_file::EXPORTER];

/// The exporters of one drill.
pub struct Exporters(Vec<Running>);

impl Exporters {
    /// Those of the list that the destinations ask for.
    pub fn new(list: &[Exporter], destinations: &Destinations) -> Self {
        Self(list.iter().filter_map(|entry| Running::build(entry, destinations)).collect())
    }

    /// Finds out whether each could do its work at the end.
    ///
    /// # Errors
    /// The first that could not: a configuration error.
    pub async fn try_out(&mut self, first: &Arc<Verdict>) -> Result<()> {
        for exporter in &mut self.0 {
            exporter.try_out(first).await?;
        }
        Ok(())
    }

    /// Seals the verdict, then runs the later stages in order, those of one stage side by side. Returns the verdict as it was
    /// sealed, and what of the later stages failed: that changes nothing else.
    pub async fn run(mut self, mut verdict: Verdict) -> (Verdict, Vec<String>) {
        let (mut sealing, mut later): (Vec<_>, Vec<_>) =
            self.0.drain(..).partition(|exporter| exporter.stage == Stage::Seal);
        seal(&mut verdict, &mut sealing).await;
        let sealed = Arc::new(verdict);
        let mut failed = Vec::new();
        for stage in [Stage::Sign, Stage::Render, Stage::Notify] {
            let of_stage = later.iter_mut().filter(|exporter| exporter.stage == stage);
            let outcomes = join_all(of_stage.map(async |exporter| {
                let outcome = exporter.export(&sealed).await;
                outcome.err().map(|error| format!("could not write {}: {error}", exporter.subject))
            }));
            failed.extend(outcomes.await.into_iter().flatten());
        }
        (Arc::unwrap_or_clone(sealed), failed)
    }
}

#[cfg(test)]
mod tests;
