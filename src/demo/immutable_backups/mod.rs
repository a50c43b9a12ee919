//! The system `immutable-backups`: an agent that keeps hourly, daily and weekly plain dumps of a database in a folder, with
//! files beside them that say they are immutable.

mod attribute;
mod files;
mod kinds;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::source::Source;
use super::staging::{self, no_directory};
use super::system::{Kind, Setting, System, SystemStage};
use crate::clock::Clock;
use crate::layer::Identities;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::sandbox::docker::Engine;
use crate::sandbox::labels::Ownership;
use crate::store::{self, Store};
use crate::template::{self, Environment, Purpose, Template};

pub use files::Folder;
pub use kinds::{Breakage, How, KINDS};

/// The template that is drilled.
const TEMPLATE: &str = "immutable-backups";
/// The database.
const DATABASE: &str = "app_db";
/// The options with which the agent calls `pg_dump`.
const OPTIONS: [&str; 3] = ["--format=plain", "--no-owner", "--no-privileges"];
const SCHEMA: &str = include_str!("app_db.sql");
const ROWS: &str = include_str!("rows.sql");

/// The immutable backups of ontology-manager.
pub const IMMUTABLE_BACKUPS: System = System {
    name: TEMPLATE,
    about: "plain dumps in a directory, compressed, with checksums and manifests, that nobody may change",
    kinds: || KINDS.iter().map(|kind| Kind { name: kind.name, about: kind.about }).collect(),
    set: |setting| {
        Box::pin(async move {
            let stage = Stage::set(setting)?;
            Ok(Box::new(stage) as Box<dyn SystemStage>)
        })
    },
};

struct Stage {
    directory: TempDir,
    template: Template,
    breakage: Option<&'static Breakage>,
    setting: Setting,
}

impl Stage {
    fn set(setting: Setting) -> Result<Self> {
        let directory =
            tempfile::Builder::new().prefix("restore-drill-demo-").tempdir().map_err(no_directory)?;
        let mut environment = Environment::of_process();
        let url = format!("file://{}", directory.path().display());
        environment.extend([("IMMUTABLE_BACKUP_DIR".to_owned(), url)]);
        let template =
            staging::renamed(template::load(TEMPLATE, &environment, Purpose::Drill)?, "immutable_demo");
        let breakage = KINDS.iter().find(|kind| Some(kind.name) == setting.kind);
        Ok(Self { directory, template, breakage, setting })
    }

    fn say(&self, line: &str) {
        (self.setting.narrate)(line);
    }

    /// Starts a source server and dumps the sample database from it.
    async fn dump(&self, engine: &Engine, ownership: &mut Ownership) -> Result<Vec<u8>> {
        self.say("starting a source server");
        let source = staging::start_source(engine, &self.template, ownership).await?;
        self.say(&format!("{DATABASE}: loading"));
        let edit = match self.breakage.map(|breakage| &breakage.how) {
            Some(How::Source(sql)) => sql,
            _ => "",
        };
        fill(&source, self.setting.rows).await?;
        dump(&source, edit).await
    }

    /// Writes the folder and breaks it as asked.
    fn write(&self, dump: &[u8]) -> std::io::Result<()> {
        let how = self.breakage.map(|breakage| &breakage.how);
        let (folder, hits) = lay(self.directory.path(), dump, Clock::system().now(), how.as_slice())?;
        for hit in hits {
            self.say(&format!("broken: {hit}"));
        }
        if let Some(How::ReadOnly) = how {
            return folder.make_read_only();
        }
        match folder.lock() {
            Ok(()) => {
                self.say("every file of the backups has the attribute `i` (chattr +i) until the demo ends")
            }
            Err(error) => {
                self.say(&format!(
                    "the files cannot be given the attribute `i` here ({error}), so nothing makes them immutable: the drill \
                     will find that, and fail. Run the demo as root, with TMPDIR on ext4, XFS or btrfs"
                ));
                folder.make_read_only()?;
            }
        }
        Ok(())
    }
}

#[async_trait(?Send)]
impl SystemStage for Stage {
    fn template(&self) -> &Template {
        &self.template
    }

    async fn store(&self) -> Result<Arc<dyn Store>> {
        store::connect(&self.template.store).await
    }

    fn identities(&self) -> Result<Identities> {
        Identities::of(&self.template)
    }

    async fn back_up(&self, cancel: &CancellationToken) -> Result<Option<DateTime<Utc>>> {
        let engine = Engine::connect().await?;
        let mut ownership = staging::ownership(&self.template);
        let dump = staging::unless_cancelled(cancel, self.dump(&engine, &mut ownership)).await;
        let dump = staging::remove_source(&engine, &ownership, dump).await?;
        if let Some(breakage) = self.breakage {
            self.say(&format!("breaking the backup: {}", breakage.about));
        }
        self.write(&dump).map_err(no_directory)?;
        Ok(None)
    }
}

impl Drop for Stage {
    /// Files with the attribute could not be removed.
    fn drop(&mut self) {
        files::unlock_all(self.directory.path());
    }
}

/// Makes the sample database on a server.
///
/// # Errors
/// Whatever keeps the server from taking the data.
pub async fn fill(source: &Source, rows: u64) -> Result<()> {
    let name = database();
    source.server.create_database(&name, None, false).await?;
    let mut session = source.server.session(&name).await?;
    session.execute(SCHEMA, "creating the sample tables").await?;
    session.execute(&ROWS.replace("{rows}", &rows.max(2).to_string()), "filling the sample tables").await
}

/// Edits the sample database, unless `edit` is empty, and dumps it as the agent does.
///
/// # Errors
/// The edit is refused; `demo_break_failed` if `pg_dump` fails.
pub async fn dump(source: &Source, edit: &str) -> Result<Vec<u8>> {
    if !edit.is_empty() {
        source.server.session(&database()).await?.execute(edit, "breaking the sample data").await?;
    }
    source.dump(&database(), &OPTIONS).await
}

fn database() -> DatabaseName {
    DATABASE.parse().expect("it is a name")
}

/// Writes a folder of backups of a dump, broken in these ways. No file has the attribute yet. Returns what was hit, too: the
/// subjects of findings.
///
/// # Errors
/// The folder cannot be written.
pub fn lay(
    root: &Path,
    dump: &[u8],
    now: DateTime<Utc>,
    hows: &[&How],
) -> std::io::Result<(Folder, Vec<String>)> {
    let hours = hows.iter().filter_map(|how| if let How::Aged(hours) = how { Some(*hours) } else { None });
    let now = now - TimeDelta::hours(hours.sum());
    let is_cut = hows.iter().any(|how| matches!(how, How::CutDump));
    let folder = Folder::write(root, if is_cut { &dump[..within_rows(dump)] } else { dump }, now)?;
    let mut hits = Vec::new();
    for how in hows {
        match how {
            How::Files(change) => hits.push(change(&folder)?),
            How::CutDump => hits.push(folder.hourly(0).key()),
            How::Aged(_) => hits.push("hourly".to_owned()),
            How::Source(_) | How::ReadOnly => {}
        }
    }
    Ok((folder, hits))
}

/// A place in the rows of `entities`, at the end of one of them.
fn within_rows(dump: &[u8]) -> usize {
    let text = String::from_utf8_lossy(dump);
    let rows =
        text.find("COPY public.entities").map_or(0, |copy| copy + text[copy..].find('\n').unwrap_or(0) + 1);
    rows + text[rows..].find('\n').map_or(0, |end| end + 1)
}
