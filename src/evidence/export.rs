//! What an exporter is: something that leaves evidence of a drill that has ended, within its time.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::time_limited::{MayAct, TimeLimited};
use super::verdict_file::VerdictFile;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::verdict::Verdict;
use crate::template::Template;

/// The stages of the end, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What a PASS needs: all of it is written, or the drill did not pass.
    Seal,
    /// Signatures of what was sealed.
    Sign,
    /// Other forms of the verdict, for people and programs.
    Render,
    /// Messages to others.
    Notify,
}

/// One entry of the list `EXPORTERS`.
pub struct Exporter {
    /// The name of the exporter.
    pub name: &'static str,
    /// The stage that it runs in.
    pub stage: Stage,
    /// How long each of its steps may take.
    pub limit: Duration,
    /// Makes it, if the command line or the template asks for it.
    pub build: fn(&Destinations) -> Option<Box<dyn Export>>,
}

/// What the command line and the template say of where evidence goes.
#[derive(Debug, Clone)]
pub struct Destinations {
    /// The verdict's file, which is this drill's alone.
    pub verdict: VerdictFile,
    /// The drill log.
    pub log: PathBuf,
    /// The template of the drill.
    pub template: Arc<Template>,
}

/// Something that leaves evidence. It runs on a thread that may block, and is given up when it takes too long: what others can
/// see of its work, it does through [`MayAct`].
pub trait Export: Send {
    /// What it writes, for messages.
    fn subject(&self) -> String;

    /// Finds out before the drill whether it could do its work at the end.
    ///
    /// # Errors
    /// A configuration error: a drill without evidence is not worth starting.
    fn try_out(&mut self, _first: &Verdict, _may: &MayAct) -> Result<()> {
        Ok(())
    }

    /// Does everything that can fail because a disk is full, without making it visible yet.
    ///
    /// # Errors
    /// Whatever keeps it from its work.
    fn prepare(&mut self, _verdict: &Verdict) -> io::Result<()> {
        Ok(())
    }

    /// Does its work. May be called again with a verdict that became worse.
    ///
    /// # Errors
    /// Whatever keeps it from its work.
    fn export(&mut self, verdict: &Verdict, may: &MayAct) -> io::Result<()>;
}

/// An exporter that is asked for.
pub(super) struct Running {
    pub(super) stage: Stage,
    pub(super) subject: String,
    export: TimeLimited<dyn Export>,
}

impl Running {
    /// The exporter of an entry, if the destinations ask for it.
    pub(super) fn build(entry: &Exporter, destinations: &Destinations) -> Option<Self> {
        let export = (entry.build)(destinations)?;
        let subject = export.subject();
        Some(Self { stage: entry.stage, subject, export: TimeLimited::new(export, entry.limit) })
    }

    /// Whether an earlier step hung or panicked: there is no other.
    pub(super) fn is_given_up(&self) -> bool {
        self.export.is_given_up()
    }

    pub(super) async fn try_out(&mut self, first: &Arc<Verdict>) -> Result<()> {
        let verdict = Arc::clone(first);
        self.export.run(move |export, may| export.try_out(&verdict, may)).await.unwrap_or_else(|gave_up| {
            let message = format!("cannot write {}: {gave_up}", self.subject);
            Err(Failure::config(codes::REPORTS_UNWRITABLE, message)
                .hint("--reports and --log name other places"))
        })
    }

    pub(super) async fn prepare(&mut self, verdict: &Arc<Verdict>) -> io::Result<()> {
        let verdict = Arc::clone(verdict);
        self.export.run(move |export, _| export.prepare(&verdict)).await.map_err(io::Error::other)?
    }

    pub(super) async fn export(&mut self, verdict: &Arc<Verdict>) -> io::Result<()> {
        let verdict = Arc::clone(verdict);
        self.export.run(move |export, may| export.export(&verdict, may)).await.map_err(io::Error::other)?
    }
}
