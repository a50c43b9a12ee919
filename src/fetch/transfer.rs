//! One recovery point on its way: store → layers → file or stdout, all at once and in bounded memory.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::output::{self, Writer};
use crate::format::{BackupContents, Inspector, NoContents};
use crate::layer::Identities;
use crate::layer::pipe::{CHANNEL_DEPTH, PARTS_WAITING, decrypt_blocking};
use crate::model::failure::Result;
use crate::model::human;
use crate::model::transfer::TransferStats;
use crate::model::verdict::RecoveryPoint;
use crate::store::{self, Store};

/// Between two reports of how much has arrived.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// What arrived.
pub(super) struct Arrived {
    /// Its hashes and sizes.
    pub(super) transfer: TransferStats,
    /// What the dump holds.
    pub(super) contents: BackupContents,
}

/// Writes the dump of a recovery point. Only one that decrypted to its very end, and that begins with readable contents,
/// has arrived.
pub(super) async fn transfer(
    store: &Arc<dyn Store>,
    identities: &Arc<Identities>,
    point: &RecoveryPoint,
    writer: Writer,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Arrived> {
    let (ciphertext_in, ciphertext_out) = mpsc::channel(PARTS_WAITING);
    let (plaintext_in, plaintext_out) = mpsc::channel(CHANNEL_DEPTH);
    let feeding = store::pump_all(Arc::clone(store), point.objects(), ciphertext_in);
    let identities = Arc::clone(identities);
    let decrypting = tokio::task::spawn_blocking(move || {
        let mut inspector = Inspector::default();
        let transfer = decrypt_blocking(ciphertext_out, &plaintext_in, &identities, |chunk| {
            inspector.push(chunk).map(drop)
        })?;
        Ok(Arrived { transfer, contents: inspector.finish().map_err(NoContents::into_failure)? })
    });
    let done = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&done);
    let writing = tokio::task::spawn_blocking(move || write(writer, plaintext_out, &counted));
    let moving = async { tokio::join!(feeding, decrypting, writing) };
    let mut moving = std::pin::pin!(moving);
    let ((), decrypted, written) = loop {
        tokio::select! {
            biased;
            moved = &mut moving => break moved,
            () = tokio::time::sleep(REPORT_EVERY) => {
                let (so_far, of) = (human::bytes(done.load(Ordering::Relaxed)), human::bytes(point.size_bytes));
                progress(&format!("{}: {so_far} of about {of}", point.database));
            }
        }
    };
    // A writer that stopped taking makes the decryption break off, so its reason comes first.
    written.expect("writing does not panic").map_err(|error| output::failed("the dump", &error))?;
    let Arrived { transfer, contents } = decrypted.expect("decryption does not panic")?;
    Ok(Arrived { transfer, contents: contents.of_database(&point.database)? })
}

/// Writes what comes, to its end. Blocking.
fn write(mut writer: Writer, mut chunks: mpsc::Receiver<Bytes>, done: &AtomicU64) -> io::Result<()> {
    while let Some(chunk) = chunks.blocking_recv() {
        writer.write_all(&chunk)?;
        done.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    writer.finish()
}
