use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::*;
use crate::evidence::export::Export;
use crate::evidence::verdict_file::VerdictFile;
use crate::model::testing::{passing, start};
use crate::model::verdict::Status;
use crate::template::testing::template;

/// What the exporters of a test did, in order.
static DONE: Mutex<Vec<&str>> = Mutex::new(Vec::new());

struct Works(&'static str);
struct Fails;
/// Waits until its test is over.
struct Hangs(mpsc::Receiver<()>);

/// What the exporter that hangs waits for, by the drill log of its test.
static HELD: Mutex<BTreeMap<PathBuf, mpsc::Sender<()>>> = Mutex::new(BTreeMap::new());

fn hangs(to: &Destinations) -> Option<Box<dyn Export>> {
    let (sender, receiver) = mpsc::channel();
    HELD.lock().unwrap_or_else(PoisonError::into_inner).insert(to.log.clone(), sender);
    Some(Box::new(Hangs(receiver)))
}

/// Runs these exporters at the end of a drill that passed, then lets go what hangs: a runtime waits for its threads.
async fn run(list: &[Exporter]) -> (Verdict, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let destinations = Destinations {
        verdict: VerdictFile::claim(directory.path(), start()).unwrap().unwrap(),
        log: directory.path().join("log.md"),
        template: Arc::new(template()),
    };
    let verdict = Verdict { status: Status::Pass, ..passing() };
    let mut exporters = Exporters::new(list, &destinations);
    exporters.try_out(&Arc::new(verdict.clone())).await.unwrap();
    let ended = exporters.run(verdict).await;
    HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&destinations.log);
    ended
}

impl Export for Works {
    fn subject(&self) -> String {
        self.0.to_owned()
    }

    fn export(&mut self, verdict: &Verdict) -> io::Result<()> {
        assert_ne!(verdict.status, Status::Running, "it runs after the drill");
        DONE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
        Ok(())
    }
}

impl Export for Fails {
    fn subject(&self) -> String {
        "the signature".to_owned()
    }

    fn export(&mut self, _: &Verdict) -> io::Result<()> {
        Err(io::Error::other("no key"))
    }
}

impl Export for Hangs {
    fn subject(&self) -> String {
        "the message".to_owned()
    }

    fn export(&mut self, _: &Verdict) -> io::Result<()> {
        let _ = self.0.recv();
        Ok(())
    }
}

fn entry(name: &'static str, stage: Stage, build: fn(&Destinations) -> Option<Box<dyn Export>>) -> Exporter {
    Exporter { name, stage, limit: Duration::from_millis(300), build }
}

#[tokio::test]
async fn what_fails_or_hangs_after_the_seal_is_reported_and_changes_nothing_else() {
    let list = [
        entry("message", Stage::Notify, hangs),
        entry("other-message", Stage::Notify, |_| Some(Box::new(Works("other message")))),
        entry("page", Stage::Render, |_| Some(Box::new(Works("page")))),
        entry("signature", Stage::Sign, |_| Some(Box::new(Fails))),
        entry("not-asked-for", Stage::Sign, |_| None),
        entry("row", Stage::Seal, |_| Some(Box::new(Works("row")))),
    ];
    let (sealed, failed) = run(&list).await;
    assert_eq!((sealed.status, sealed.warnings.len()), (Status::Pass, 0));
    assert_eq!(*DONE.lock().unwrap(), ["row", "page", "other message"]);
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert_eq!(failed[0], "could not write the signature: no key");
    assert!(failed[1].starts_with("could not write the message: it took longer than "), "{failed:?}");
}

#[tokio::test]
async fn a_seal_that_hangs_takes_the_pass_away() {
    let (sealed, failed) = run(&[entry("row", Stage::Seal, hangs)]).await;
    assert_eq!((sealed.status, failed.len()), (Status::Inconclusive, 0));
    assert_eq!(sealed.failure.unwrap().code.as_str(), "evidence_lost");
}
