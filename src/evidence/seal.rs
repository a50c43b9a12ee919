//! The first stage of a drill's end: all evidence that a PASS needs is written so that none of it says PASS unless all of it
//! is there. A process that is killed between two exporters (SIGKILL, a power cut) cannot see to that: then the row of the
//! drill log says PASS, and the verdict that is in its place says RUNNING, which `health` reports as a drill that broke off.

use std::io;
use std::sync::Arc;

use super::export::Running;
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::verdict::{Status, Verdict};

/// Seals a verdict that is concluded. First every exporter prepares: the verdict's bytes are on the disk, beside the verdict
/// of the drill that still says RUNNING. Then each exports, in the order of the list: the row is in the log before the verdict
/// takes its place. What cannot be written is in the verdict that is left, as far as one can be.
pub(super) async fn seal(verdict: &mut Verdict, exporters: &mut [Running]) {
    let mut ready = Vec::new();
    for exporter in &mut *exporters {
        let prepared = exporter.prepare(&Arc::new(verdict.clone())).await;
        ready.push(prepared.is_ok());
        if let Err(error) = prepared {
            lose(verdict, &exporter.subject, &error);
        }
    }
    let mut lost = ready.contains(&false);
    let mut exported_as = Vec::new();
    for exporter in &mut *exporters {
        if exporter.is_given_up() {
            // It hung before, and that was said.
            exported_as.push(None);
            continue;
        }
        let sealed = Arc::new(verdict.clone());
        // What was prepared claims more than is written.
        let again = if lost { exporter.prepare(&sealed).await } else { Ok(()) };
        let exported = match again {
            Ok(()) => exporter.export(&sealed).await,
            failed => failed,
        };
        exported_as.push(exported.is_ok().then_some(sealed.status));
        if let Err(error) = exported {
            lost = true;
            lose(verdict, &exporter.subject, &error);
        }
    }
    let sealed = Arc::new(verdict.clone());
    for (exporter, status) in exporters.iter_mut().zip(exported_as) {
        if status.is_some_and(|status| status != sealed.status) {
            // It said PASS. The new outcome is added: rows are never removed.
            let _ = exporter.export(&sealed).await;
        }
    }
}

/// Lost evidence turns PASS into INCONCLUSIVE: without evidence a PASS proves nothing. Other outcomes take precedence.
fn lose(verdict: &mut Verdict, what: &str, error: &io::Error) {
    // What hung or failed as a sink of the drill was said then.
    let begins = format!("could not write {what}: ");
    if !verdict.warnings.iter().any(|warning| warning.starts_with(&begins)) {
        verdict.warnings.push(format!("{begins}{error}"));
    }
    if verdict.status == Status::Pass {
        let failure =
            Failure::inconclusive(codes::EVIDENCE_LOST, format!("evidence of the drill could not be written: {what}: {error}"))
                .hint("everything was restored and every check held; make room or set the permissions, and run it again");
        verdict.status = Status::Inconclusive;
        verdict.failure = Some(failure.to_record(None));
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
