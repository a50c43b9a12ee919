//! Reading a dump back: the bytes are those that were uploaded, they decrypt, and `pg_restore` can list them.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::client::Client;
use super::{Uploaded, Verified};
use crate::layer::Identities;
use crate::layer::pipe::{CHANNEL_DEPTH, PARTS_WAITING, decrypt_blocking};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::ObjectKey;
use crate::sandbox::docker::Captured;
use crate::sandbox::exit_status::KILLED;
use crate::store::{self, Store};

/// Bytes of the list that are counted: enough for hundreds of thousands of entries.
const LIST_LIMIT: usize = 64 * 1024 * 1024;

/// Reads an object back and compares it with what was uploaded.
pub async fn verify(
    client: &Client,
    store: &Arc<dyn Store>,
    identities: &Arc<Identities>,
    key: &ObjectKey,
    expected: &Uploaded,
) -> Result<Verified> {
    let began = Instant::now();
    let meta = store.stat(key).await?.ok_or_else(|| differs(key, "it is not in the store"))?;
    if meta.size_bytes != expected.size_bytes {
        return Err(differs(
            key,
            &format!("it has {} bytes, and {} were uploaded", meta.size_bytes, expected.size_bytes),
        ));
    }
    let (ciphertext_in, ciphertext_out) = mpsc::channel(PARTS_WAITING);
    let (plaintext_in, plaintext_out) = mpsc::channel(CHANNEL_DEPTH);
    let pumping = store::pump(Arc::clone(store), key.clone(), meta.etag, meta.size_bytes, ciphertext_in);
    let identities = Arc::clone(identities);
    let decrypting = tokio::task::spawn_blocking(move || {
        decrypt_blocking(ciphertext_out, &plaintext_in, &identities, |_| Ok(()))
    });
    let ((), decrypted, listed) = tokio::join!(pumping, decrypting, list(client, plaintext_out));
    let transfer = decrypted.expect("decryption does not panic")?;
    if transfer.ciphertext_sha256 != expected.ciphertext_sha256
        || transfer.plaintext_sha256 != expected.plaintext_sha256
    {
        return Err(differs(key, "its SHA-256 is another"));
    }
    let listed = listed?;
    if listed.exit_code == KILLED {
        return Err(Failure::inconclusive(
            codes::PG_RESTORE_KILLED,
            "pg_restore was killed while it listed the dump that was just made",
        )
        .hint("the container ran out of memory: raise backup.memory in the template"));
    }
    if !listed.ok() {
        let said = crate::model::human::one_line(listed.stderr.trim(), 300);
        return Err(Failure::bad(
            codes::NOT_AN_ARCHIVE,
            format!("pg_restore cannot list the dump that was just made: {said}"),
        )
        .hint(
            "do not rely on this dump; is the Postgres image of the source's major version, or a later one?",
        ));
    }
    // An empty database has no entries, and a dump all the same.
    let entries = listed.stdout.lines().filter(|line| !line.starts_with(';') && !line.is_empty()).count();
    Ok(Verified { entries: entries as u64, seconds: began.elapsed().as_secs_f64() })
}

/// Feeds the program and reads its output at the same time: unread output would block it.
async fn list(client: &Client, mut plaintext: mpsc::Receiver<Bytes>) -> Result<Captured> {
    let (mut input, listening) =
        client.engine.exec(client.pg_restore_list()).await?.capture_while_fed(LIST_LIMIT);
    let feeding = async {
        while let Some(chunk) = plaintext.recv().await {
            if input.write_all(&chunk).await.is_err() {
                break;
            }
        }
        // The sender must not wait for a program that has stopped reading.
        drop(plaintext);
        // A program that has ended already has no input to end.
        let _ = input.shutdown().await;
    };
    let ((), listed) = tokio::join!(feeding, listening);
    listed
}

fn differs(key: &ObjectKey, how: &str) -> Failure {
    Failure::bad(
        codes::READBACK_DIFFERS,
        format!("reading {key} back does not give what was uploaded: {how}"),
    )
    .hint("do not rely on this dump; check the store, and run the backup again")
}
