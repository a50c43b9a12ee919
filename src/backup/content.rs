//! Reading a database while it is dumped, under the same snapshot, for the manifest.
//!
//! A manifest never prevents a dump. What cannot be read is left out with the reason, and `pg_dump` never waits longer because
//! of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::dump::{DumpTask, dump};
use super::report::{SourceContent, Uploaded};
use crate::model::codes;
use crate::model::failure::{Class, Failure, Result};
use crate::model::manifest::{Access, FingerprintKey, Recorded};
use crate::target::postgres::snapshot::Snapshot;

/// For how long a connection that was closed may still count on the server.
const LINGERS: Duration = Duration::from_secs(5);
/// Between two attempts meanwhile.
const PAUSE: Duration = Duration::from_millis(250);

/// Dumps a database, and reads it at the same time under the snapshot that is dumped.
///
/// # Errors
/// Those of the dump. What went wrong with reading alone is in the content, but for an interruption: it comes back
/// beside the dump that was made.
pub(super) async fn dump_and_read(
    task: DumpTask<'_>,
    key: &FingerprintKey,
    cancel: &CancellationToken,
) -> Result<(Uploaded, Result<SourceContent>)> {
    let server = task.client.source();
    let snapshot = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Failure::cancelled()),
        snapshot = server.snapshot(task.database) => snapshot,
    };
    let failure = match snapshot {
        Ok(snapshot) => match dump_under(task, &snapshot, key, cancel).await {
            Ok(dumped) => return Ok(dumped),
            Err(Broken { failure, had_begun }) => {
                // What broke off in the middle would break off again. What did not even begin may lack the one
                // connection that holds the snapshot.
                if had_begun || failure.code != "pg_dump_failed" {
                    return Err(failure);
                }
                let source = snapshot.source.clone();
                drop(snapshot);
                let dumped = dump_once_closed(task, cancel).await?;
                return Ok((dumped, Ok(SourceContent::unread(Some(source), &failure))));
            }
        },
        Err(failure) if failure.class == Class::Cancelled => return Err(failure),
        Err(failure) => failure,
    };
    // pg_dump may succeed alone, by ways to connect that only it knows; if not, its words are the better ones.
    Ok((dump(task, None, None, cancel).await?, Ok(SourceContent::unread(None, &failure))))
}

/// What `pg_dump` says when a server turns it away, whatever that server's language.
const NOT_CONNECTED: &str = "connection to ";

/// A dump without a snapshot, after the connection that held one was closed. On the server it ends a little later, and
/// until then it may be the last one that the user is allowed.
async fn dump_once_closed(task: DumpTask<'_>, cancel: &CancellationToken) -> Result<Uploaded> {
    let closed = Instant::now();
    loop {
        let (writing, mut has_begun) = oneshot::channel();
        match dump(task, None, Some(writing), cancel).await {
            Err(failure)
                if failure.code == codes::PG_DUMP_FAILED
                    && failure.message.contains(NOT_CONNECTED)
                    && has_begun.try_recv().is_err()
                    && closed.elapsed() < LINGERS =>
            {
                tokio::time::sleep(PAUSE).await;
            }
            dumped => return dumped,
        }
    }
}

/// A dump under a snapshot that was not made.
struct Broken {
    failure: Failure,
    /// Whether `pg_dump` had written anything.
    had_begun: bool,
}

async fn dump_under(
    task: DumpTask<'_>,
    snapshot: &Snapshot,
    key: &FingerprintKey,
    cancel: &CancellationToken,
) -> Result<(Uploaded, Result<SourceContent>), Broken> {
    let (writing, has_locks) = oneshot::channel();
    let stop = cancel.child_token();
    let dumping = async {
        let dumped = dump(task, Some(&snapshot.id), Some(writing), cancel).await;
        if dumped.is_err() {
            stop.cancel();
        }
        dumped
    };
    let had_begun = AtomicBool::new(false);
    let reading = async {
        // pg_dump locks every table before it writes its first byte.
        let Ok(()) = has_locks.await else { return Err(Failure::cancelled()) };
        had_begun.store(true, Ordering::Relaxed);
        let began = Instant::now();
        // First, and at once: pg_dump has just read what they are made of, and nothing keeps a function or a grant from being
        // changed.
        let objects = snapshot.objects().await;
        let access = match task.client.keeps_privileges() {
            true => snapshot.access().await.into(),
            false => without_privileges(),
        };
        let collations = snapshot.collations().await.into();
        let tables = snapshot.read(key).await;
        Ok((tables, objects, access, collations, began.elapsed().as_secs_f64()))
    };
    let reading = async {
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Failure::cancelled()),
            read = reading => read,
        }
    };
    let (dumped, read) = tokio::join!(dumping, reading);
    let dumped =
        dumped.map_err(|failure| Broken { failure, had_begun: had_begun.load(Ordering::Relaxed) })?;
    let source = Some(snapshot.source.clone());
    let content = match read {
        Ok((read, objects, access, collations, seconds)) => {
            let content = match read {
                Ok(tables) => {
                    SourceContent { source, tables: Some(tables), seconds, ..SourceContent::default() }
                }
                Err(failure) => SourceContent::unread(source, &failure),
            };
            let (objects, access, collations) = (Some(objects), Some(access), Some(collations));
            Ok(SourceContent { objects, access, collations, ..content })
        }
        Err(failure) if failure.class == Class::Cancelled => Err(failure),
        Err(failure) => Ok(SourceContent::unread(source, &failure)),
    };
    Ok((dumped, content))
}

/// What a dump without privileges does not hold is not to be looked for in what is restored of it.
fn without_privileges() -> Recorded<Access> {
    Recorded::Unread { reason: "backup.privileges = false, so the dump holds no privileges".to_owned() }
}
