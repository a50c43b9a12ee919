//! A whole object as a stream, read in parts ahead of the reader.
//!
//! One HTTP stream from S3 is slower than most networks, and one that breaks after an hour would cost the hour.
//! So an object is read in ranges, a few at a time, handed on in order; a range that fails is read again by
//! itself. Memory is bounded by `PARALLEL × PART`, whatever the object's size.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use futures_util::stream::{self, Stream, StreamExt};

use super::port::Store;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::ObjectKey;
use crate::model::verdict::PointObject;
use tokio::sync::mpsc;

/// Bytes of one range.
const PART: u64 = 4 * 1024 * 1024;
/// Ranges read at once.
const PARALLEL: usize = 4;

/// Sends the bytes of an object, in order, until they end, one cannot be read, or the receiver is gone.
pub async fn pump(
    store: Arc<dyn Store>,
    key: ObjectKey,
    etag: Option<String>,
    size_bytes: u64,
    chunks: mpsc::Sender<Result<Bytes>>,
) {
    pump_all(store, vec![PointObject { key, size_bytes, etag }], chunks).await;
}

/// Sends the bytes of these objects, one object after another, as [`pump`] does.
pub async fn pump_all(store: Arc<dyn Store>, objects: Vec<PointObject>, chunks: mpsc::Sender<Result<Bytes>>) {
    for PointObject { key, size_bytes, etag } in objects {
        let mut parts = std::pin::pin!(fetch(Arc::clone(&store), key, etag, size_bytes));
        while let Some(part) = parts.next().await {
            let broken = part.is_err();
            if chunks.send(part).await.is_err() || broken {
                return;
            }
        }
    }
}

/// The whole of a small object; nothing, if there is none.
///
/// # Errors
/// `object_too_large`, if it has more bytes than `limit`; those of the store.
pub async fn whole(store: &Arc<dyn Store>, key: &ObjectKey, limit: u64) -> Result<Option<Bytes>> {
    let Some(meta) = store.stat(key).await? else { return Ok(None) };
    if meta.size_bytes > limit {
        let (size, limit) = (crate::model::human::bytes(meta.size_bytes), crate::model::human::bytes(limit));
        let message = format!("{key} has {size}, and at most {limit} are read at once");
        return Err(Failure::inconclusive(codes::OBJECT_TOO_LARGE, message).hint(
            "the limit guards against what is no such object; please report a real one that is over it",
        ));
    }
    let parts = fetch(Arc::clone(store), key.clone(), meta.etag, meta.size_bytes);
    let whole = parts.try_fold(BytesMut::new(), async |mut whole, part| {
        whole.extend_from_slice(&part);
        Ok(whole)
    });
    Ok(Some(whole.await?.freeze()))
}

/// The bytes of an object of this size, in order.
fn fetch(
    store: Arc<dyn Store>,
    key: ObjectKey,
    etag: Option<String>,
    size_bytes: u64,
) -> impl Stream<Item = Result<Bytes>> + Send {
    let starts = (0..size_bytes).step_by(usize::try_from(PART).expect("4 MiB fits any usize"));
    stream::iter(starts)
        .map(move |start| {
            let (store, key, etag) = (Arc::clone(&store), key.clone(), etag.clone());
            async move { store.read(&key, etag.as_deref(), start..(start + PART).min(size_bytes)).await }
        })
        .buffered(PARALLEL)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::store::{ObjectMeta, Upload};

    /// Objects whose bytes are their keys; one is not there.
    struct Keys;

    #[async_trait::async_trait]
    impl Store for Keys {
        async fn list(&self, _: &str) -> Result<Vec<ObjectMeta>> {
            unreachable!("nothing is listed")
        }
        async fn stat(&self, _: &ObjectKey) -> Result<Option<ObjectMeta>> {
            unreachable!("nothing is looked up")
        }
        async fn read(&self, key: &ObjectKey, _: Option<&str>, range: Range<u64>) -> Result<Bytes> {
            if key.as_str() == "gone" {
                return Err(Failure::bad(codes::OBJECT_GONE, "it is gone"));
            }
            let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
            Ok(Bytes::copy_from_slice(&key.as_str().as_bytes()[start..end]))
        }
        async fn create(&self, _: &ObjectKey) -> Result<Box<dyn Upload>> {
            unreachable!("nothing is written")
        }
    }

    async fn pumped(keys: &[&str]) -> Result<String> {
        let mut point = crate::model::testing::point("shop", 1, 4);
        point.key = ObjectKey::new("only");
        let object =
            |key: &&str| PointObject { key: ObjectKey::new(*key), size_bytes: key.len() as u64, etag: None };
        point.objects = keys.iter().map(object).collect();
        let (chunks, mut received) = mpsc::channel(16);
        pump_all(Arc::new(Keys), point.objects(), chunks).await;
        let mut text = String::new();
        while let Some(chunk) = received.recv().await {
            text.push_str(std::str::from_utf8(&chunk?).unwrap());
        }
        Ok(text)
    }

    #[tokio::test]
    async fn a_recovery_point_is_its_one_object_or_all_of_several_in_their_order() {
        assert_eq!(pumped(&[]).await.unwrap(), "only");
        assert_eq!(pumped(&["aa", "b", "ccc"]).await.unwrap(), "aabccc");
        assert_eq!(pumped(&["aa", "gone", "ccc"]).await.unwrap_err().code, codes::OBJECT_GONE);
    }
}
