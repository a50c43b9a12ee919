//! A system that a demo can be of: how its backups are made, and how they can be broken.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use tokio_util::sync::CancellationToken;

use crate::layer::Identities;
use crate::model::failure::Result;
use crate::store::Store;
use crate::template::Template;

/// A stage that was set, or why it was not.
pub type Set = Result<Box<dyn SystemStage>>;

/// A system whose backups the demo makes, breaks and drills. To add one: a file or folder with an entry, and a line in
/// [`SYSTEMS`](super::SYSTEMS).
#[derive(Debug)]
pub struct System {
    /// Its name on the command line, which is that of its template.
    pub name: &'static str,
    /// What it is and how it is backed up, in one line.
    pub about: &'static str,
    /// The ways in which its backups can be broken.
    pub kinds: fn() -> Vec<Kind>,
    /// Sets its stage.
    pub set: fn(Setting) -> LocalBoxFuture<'static, Set>,
}

/// A way to break a backup, as the command line shows it.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What is broken, in one line.
    pub about: &'static str,
}

/// What a demo was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Rows of the largest table.
    pub rows: u64,
    /// The kind of breakage, which is one of the system's.
    pub kind: Option<&'static str>,
    /// What is shown of the progress, a line each.
    pub narrate: fn(&str),
}

/// A stage: a store and what drills it. Its files, and whatever serves them, go with it.
#[async_trait(?Send)]
pub trait SystemStage: Send + Sync {
    /// The template, for this stage's store, under a name of its own.
    fn template(&self) -> &Template;

    /// The store.
    async fn store(&self) -> Result<Arc<dyn Store>>;

    /// The identities that open the recovery points.
    fn identities(&self) -> Result<Identities>;

    /// Makes the backups and breaks them as asked. What the source ran on is removed whatever happens in between.
    ///
    /// Returns the time of an older backup that is sound, if there is one to drill first.
    async fn back_up(&self, cancel: &CancellationToken) -> Result<Option<DateTime<Utc>>>;
}

impl System {
    /// The kind of this name.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        (self.kinds)().into_iter().find(|kind| kind.name == name)
    }

    /// Its kinds for the help text, one a line.
    pub fn list(&self) -> String {
        let kinds = (self.kinds)();
        let width = kinds.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
        kinds.iter().map(|kind| format!("  {:width$}  {}\n", kind.name, kind.about)).collect()
    }
}
