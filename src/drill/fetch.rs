//! One recovery point on its way: store → decrypt → scratch volume, all at once and in bounded memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::journal::Journal;
use crate::format::pg_custom::newer_than_image;
use crate::format::sqlite::{HeaderReader, SqliteHeader};
use crate::format::{BackupContents, Inspector, NoContents};
use crate::layer::Identities;
use crate::layer::pipe::{CHANNEL_DEPTH, PARTS_WAITING, decrypt_blocking};
use crate::model::codes;
use crate::model::event::{DatabaseEvent, Event, Fetched};
use crate::model::failure::{Failure, Result};
use crate::model::transfer::TransferStats;
use crate::model::verdict::RecoveryPoint;
use crate::plan;
use crate::sandbox::{self, docker::Engine};
use crate::store::{self, Store};
use crate::target::postgres::{Server, scratch};

/// Between two reports of how much has arrived.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// What recovery points are fetched with.
#[derive(Clone)]
pub struct Fetcher {
    /// The store of the recovery points.
    pub store: Arc<dyn Store>,
    /// The keys that open them.
    pub identities: Arc<Identities>,
    /// The server that they are restored to.
    pub server: Server,
    /// The server's image, as the template names it.
    pub image: String,
    /// The major version of the server.
    pub server_major: u32,
}

/// What lies in the scratch volume now.
pub struct Arrived {
    /// What the dump holds.
    pub contents: BackupContents,
    /// The databases with tables in it, where it is of a whole server.
    pub beside: Vec<String>,
    /// Its hashes and sizes, and what reading it took.
    pub transfer: TransferStats,
}

/// Reads what passes on its way into the stack.
pub(super) trait Passing: Send + 'static {
    /// What it finds out.
    type Contents: Send + 'static;

    /// Takes the next bytes.
    fn push(&mut self, bytes: &[u8]) -> Result<()>;

    /// What it has found out, when all has passed.
    fn finish(self) -> Result<Self::Contents>;
}

impl Passing for Inspector {
    type Contents = BackupContents;

    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        Inspector::push(self, bytes).map(drop)
    }

    fn finish(self) -> Result<BackupContents> {
        Inspector::finish(self).map_err(NoContents::into_failure)
    }
}

impl Passing for HeaderReader {
    type Contents = SqliteHeader;

    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        HeaderReader::push(self, bytes);
        Ok(())
    }

    fn finish(self) -> Result<SqliteHeader> {
        HeaderReader::finish(self)
    }
}

/// Streams a recovery point through its layers into a file of a container: its engine, its id, the file's path.
pub(super) async fn stream<P: Passing>(
    store: &Arc<dyn Store>,
    identities: &Arc<Identities>,
    point: &RecoveryPoint,
    (engine, container, path): (&Engine, &str, &str),
    journal: &Journal,
    mut reader: P,
) -> Result<(TransferStats, P::Contents)> {
    let (ciphertext_in, ciphertext_out) = mpsc::channel(PARTS_WAITING);
    let (plaintext_in, plaintext_out) = mpsc::channel(CHANNEL_DEPTH);
    let feeding = store::pump_all(Arc::clone(store), point.objects(), ciphertext_in);
    let identities = Arc::clone(identities);
    let decrypting = tokio::task::spawn_blocking(move || {
        let transfer =
            decrypt_blocking(ciphertext_out, &plaintext_in, &identities, |chunk| reader.push(chunk))?;
        Ok((transfer, reader.finish()?))
    });
    let (mut done, mut shown) = (0, None::<Instant>);
    let writing = sandbox::scratch::write(engine, container, path, plaintext_out, |bytes| {
        done += bytes;
        // The first bytes are always shown.
        if shown.is_none_or(|shown| shown.elapsed() >= SHOW_EVERY) {
            shown = Some(Instant::now());
            journal.show(Event::Database(point.database.clone(), DatabaseEvent::Bytes(done)));
        }
    });
    let ((), decrypted, written) = tokio::join!(feeding, decrypting, writing);
    // A writer that stopped taking makes the decryption break off, so its reason comes first.
    let written = written?;
    let (transfer, contents): (TransferStats, P::Contents) = decrypted.expect("decryption does not panic")?;
    if written != transfer.plaintext_bytes {
        return Err(Failure::inconclusive(
            codes::SCRATCH_FAILED,
            format!(
                "the container has {written} bytes of the dump, and {} were sent",
                transfer.plaintext_bytes
            ),
        ));
    }
    Ok((transfer, contents))
}

impl Fetcher {
    /// Streams a recovery point into the scratch volume. Only a dump that decrypted to its very end, and that begins
    /// with a readable table of contents, counts as arrived. A script must have its end too.
    pub async fn fetch(&self, point: &RecoveryPoint, journal: &Journal) -> Result<Arrived> {
        let path = scratch::path(&point.database);
        let place = (&self.server.engine, &*self.server.container, &*path);
        let reader = Inspector::default();
        let (transfer, contents) =
            stream(&self.store, &self.identities, point, place, journal, reader).await?;
        let of_database = |event| Event::Database(point.database.clone(), event);
        let beside = contents.databases();
        let contents = contents.of_database(&point.database)?;
        let archive = plan::contents::archive(&contents);
        let fetched = Fetched { transfer: transfer.clone(), archive: Some(archive), sqlite: None };
        journal.record(of_database(DatabaseEvent::Fetched(Box::new(fetched)))).await;
        self.require_restorable(&contents)?;
        Ok(Arrived { contents, beside, transfer })
    }

    /// The plan judges by the same rule.
    fn require_restorable(&self, contents: &BackupContents) -> Result<()> {
        let toc = contents.toc();
        let header = &toc.header;
        match plan::contents::needs_major(toc) {
            Some(major) if major > self.server_major => Err(newer_than_image(&format!(
                "the dump is of PostgreSQL {} by pg_dump {} in format {}, and the image {} has PostgreSQL {}",
                header.server_version,
                header.dump_version,
                contents.format_shown(),
                self.image,
                self.server_major
            ))),
            _ => Ok(()),
        }
    }
}
