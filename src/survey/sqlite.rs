//! The header of an SQLite database, from the first bytes of its recovery point.

use std::io::Read;
use std::sync::Arc;

use crate::format::sqlite::{HeaderReader, SqliteHeader};
use crate::layer::{self, DecryptFailure, Identities};
use crate::model::failure::Result;
use crate::model::names::ObjectKey;
use crate::model::verdict::RecoveryPoint;
use crate::plan::Beside;
use crate::store::Store;

/// Room for the headers of layers and for the first chunk of age, which stands for itself.
const FIRST: u64 = 256 * 1024;
/// Bytes of the file that are looked at: its header, and some of what may be another file.
const LOOKED_AT: usize = 512;

/// Looks for what SQLite keeps beside a file.
pub(super) async fn beside(store: &dyn Store, point: &RecoveryPoint) -> Result<Beside> {
    let key = |ending: &str| ObjectKey::new(format!("{}{ending}", point.key));
    let (wal, journal) = (key("-wal"), key("-journal"));
    let (wal, journal) = tokio::try_join!(store.stat(&wal), store.stat(&journal))?;
    Ok(Beside { wal: wal.is_some(), journal: journal.is_some() })
}

/// Reads the header.
///
/// # Errors
/// What is wrong with the recovery point, as a drill would say it, or with the way to it.
pub(super) async fn read_header(
    store: &Arc<dyn Store>,
    identities: &Arc<Identities>,
    point: &RecoveryPoint,
) -> Result<SqliteHeader> {
    let end = FIRST.min(point.size_bytes);
    let bytes = store.read(&point.key, point.etag.as_deref(), 0..end).await?;
    let (whole, identities) = (end == point.size_bytes, Arc::clone(identities));
    let start = tokio::task::spawn_blocking(move || first_bytes(&bytes, whole, &identities));
    let mut reader = HeaderReader::default();
    reader.push(&start.await.expect("reading a header does not panic")?);
    reader.finish()
}

/// The first bytes of what is in the layers.
fn first_bytes(bytes: &[u8], whole: bool, identities: &Identities) -> Result<Vec<u8>> {
    let mut content = layer::open(bytes, identities).map_err(DecryptFailure::into_failure)?;
    let mut start = vec![0; LOOKED_AT];
    let mut filled = 0;
    while filled < start.len() {
        match content.read(&mut start[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // The end of the range is not the end of the layer.
            Err(_) if !whole && filled > 0 => break,
            Err(error) => return Err(DecryptFailure::from_stream(error).into_failure()),
        }
    }
    start.truncate(filled);
    Ok(start)
}
