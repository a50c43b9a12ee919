use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::*;
use crate::evidence::export::Export;
use crate::evidence::time_limited::MayAct;
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

/// The same, in the step before.
struct HangsEarlier(Hangs);

impl Export for HangsEarlier {
    fn subject(&self) -> String {
        self.0.subject()
    }

    fn prepare(&mut self, _: &Verdict) -> io::Result<()> {
        let _ = self.0.0.recv();
        Ok(())
    }

    fn export(&mut self, _: &Verdict, _: &MayAct) -> io::Result<()> {
        unreachable!("it did not return from the step before")
    }
}

/// What the exporter that hangs waits for, by the drill log of its test.
static HELD: Mutex<BTreeMap<PathBuf, mpsc::Sender<()>>> = Mutex::new(BTreeMap::new());

fn held(to: &Destinations) -> Hangs {
    let (sender, receiver) = mpsc::channel();
    HELD.lock().unwrap_or_else(PoisonError::into_inner).insert(to.log.clone(), sender);
    Hangs(receiver)
}

fn hangs(to: &Destinations) -> Option<Box<dyn Export>> {
    Some(Box::new(held(to)))
}

fn hangs_earlier(to: &Destinations) -> Option<Box<dyn Export>> {
    Some(Box::new(HangsEarlier(held(to))))
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

    fn export(&mut self, verdict: &Verdict, _: &MayAct) -> io::Result<()> {
        assert_ne!(verdict.status, Status::Running, "it runs after the drill");
        DONE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
        Ok(())
    }
}

impl Export for Fails {
    fn subject(&self) -> String {
        "the signature".to_owned()
    }

    fn export(&mut self, _: &Verdict, _: &MayAct) -> io::Result<()> {
        Err(io::Error::other("no key"))
    }
}

impl Export for Hangs {
    fn subject(&self) -> String {
        "the message".to_owned()
    }

    fn export(&mut self, _: &Verdict, _: &MayAct) -> io::Result<()> {
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
    for build in [hangs, hangs_earlier] {
        let (sealed, failed) = run(&[entry("row", Stage::Seal, build)]).await;
        assert_eq!((sealed.status, failed.len()), (Status::Inconclusive, 0));
        assert_eq!(sealed.failure.unwrap().code.as_str(), "evidence_lost");
        assert_eq!(sealed.warnings.len(), 1, "one hang, one warning: {:?}", sealed.warnings);
    }
}
