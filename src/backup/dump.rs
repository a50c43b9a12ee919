//! One dump on its way: `pg_dump` → age or gpg → store, all at once and in bounded memory.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Uploaded;
use super::client::Client;
use super::explain::judge;
use crate::layer::Recipients;
use crate::layer::pipe::{CHANNEL_DEPTH, encrypt_blocking};
use crate::model::failure::{Failure, Result};
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::transfer::TransferStats;
use crate::sandbox::docker::Output;
use crate::store::{Store, Upload};

/// Bytes of `pg_dump`'s words that are kept.
const STDERR_LIMIT: usize = 4096;

/// What is dumped, and where to.
#[derive(Clone, Copy)]
pub struct DumpTask<'a> {
    /// Where `pg_dump` runs.
    pub client: &'a Client,
    /// Where the dump goes.
    pub store: &'a dyn Store,
    /// The recipients that it is encrypted for.
    pub recipients: &'a Arc<Recipients>,
    /// The database.
    pub database: &'a DatabaseName,
    /// The object.
    pub key: &'a ObjectKey,
}

/// Dumps a database into an object, as a snapshot of it has it if one is given. Tells `writing` once `pg_dump` writes.
/// Whatever goes wrong before the end, `pg_dump`'s exit status included, the object does not appear.
pub async fn dump(
    task: DumpTask<'_>,
    snapshot: Option<&str>,
    writing: Option<oneshot::Sender<()>>,
    cancel: &CancellationToken,
) -> Result<Uploaded> {
    let began = Instant::now();
    let mut upload = task.store.create(task.key).await?;
    let produce = Producer { client: task.client, database: task.database, snapshot, writing };
    let streamed = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Failure::cancelled()),
        streamed = stream(produce, task.recipients, &mut *upload) => streamed,
    };
    let transfer = match streamed {
        Ok(transfer) => transfer,
        Err(failure) => {
            // The first failure is the one to report; parts that cannot be removed now never become an object.
            let _ = upload.abort().await;
            return Err(failure);
        }
    };
    upload.finish().await?;
    Ok(Uploaded {
        size_bytes: transfer.ciphertext_bytes,
        ciphertext_sha256: transfer.ciphertext_sha256,
        plaintext_bytes: transfer.plaintext_bytes,
        plaintext_sha256: transfer.plaintext_sha256,
        seconds: began.elapsed().as_secs_f64(),
    })
}

async fn stream(
    producer: Producer<'_>,
    recipients: &Arc<Recipients>,
    upload: &mut dyn Upload,
) -> Result<TransferStats> {
    let (plaintext_in, plaintext_out) = mpsc::channel(CHANNEL_DEPTH);
    let (ciphertext_in, mut ciphertext_out) = mpsc::channel(CHANNEL_DEPTH);
    let recipients = Arc::clone(recipients);
    let encrypting =
        tokio::task::spawn_blocking(move || encrypt_blocking(plaintext_out, ciphertext_in, &recipients));
    let uploading = async {
        while let Some(chunk) = ciphertext_out.recv().await {
            if let Err(failure) = upload.write(chunk).await {
                ciphertext_out.close();
                return Err(failure);
            }
        }
        Ok(())
    };
    let ((), encrypted, uploaded) = tokio::join!(producer.produce(plaintext_in), encrypting, uploading);
    // An upload that broke off makes the encryption break off too, so its reason comes first.
    uploaded?;
    encrypted.expect("encryption does not panic")
}

/// A `pg_dump` that is to run.
struct Producer<'a> {
    client: &'a Client,
    database: &'a DatabaseName,
    snapshot: Option<&'a str>,
    writing: Option<oneshot::Sender<()>>,
}

impl Producer<'_> {
    /// Sends what `pg_dump` writes. The end of the channel without an error means that `pg_dump` succeeded.
    async fn produce(mut self, plaintext: mpsc::Sender<Result<Bytes>>) {
        if let Err(failure) = self.run_pg_dump(&plaintext).await {
            // If the receiver is gone, there is a failure already.
            let _ = plaintext.send(Err(failure)).await;
        }
    }

    async fn run_pg_dump(&mut self, plaintext: &mpsc::Sender<Result<Bytes>>) -> Result<()> {
        let mut exec = self.client.engine.exec(self.client.pg_dump(self.database, self.snapshot)).await?;
        let mut stderr = Vec::new();
        let mut bytes = 0;
        while let Some(output) = exec.output.try_next().await? {
            match output {
                Output::Stdout(chunk) => {
                    if let Some(writing) = self.writing.take() {
                        // Nobody may want to know.
                        let _ = writing.send(());
                    }
                    bytes += chunk.len();
                    if plaintext.send(Ok(chunk)).await.is_err() {
                        return Ok(());
                    }
                }
                Output::Stderr(chunk) => {
                    let room = STDERR_LIMIT.saturating_sub(stderr.len()).min(chunk.len());
                    stderr.extend_from_slice(&chunk[..room]);
                }
            }
        }
        judge(exec.exit_code().await?, &stderr, bytes, self.client.memory_bytes)
    }
}
