//! Multipart uploads.

use async_trait::async_trait;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use md5::{Digest as _, Md5};
use tokio::task::JoinSet;

use super::error::status;
use super::{S3Store, size};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::ObjectKey;
use crate::store::port::{Store, Upload};

/// Parts in flight during an upload.
const UPLOADS_IN_FLIGHT: usize = 3;
/// S3 allows 10,000 parts of at least 5 MiB. Parts grow so that small dumps need little memory and large ones fit:
/// 1,000 of 8 MiB and 9,000 of 64 MiB make 570 GiB.
const SMALL_PART: usize = 8 * 1024 * 1024;
const LARGE_PART: usize = 64 * 1024 * 1024;
const SMALL_PARTS: i32 = 1000;
/// The object's metadata with a random word. When the answer to a completed upload gets lost, the SDK asks again, and the
/// store refuses: the upload is over, and there is an object. By the word it is known for our own.
const MARK: &str = "restore-drill-upload";

/// The object that lies under the key of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// What this upload made.
    Own,
    Other,
}

impl S3Store {
    /// Begins a multipart upload of an object that is not there yet.
    pub(super) async fn begin_upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>> {
        if self.stat(key).await?.is_some() {
            return Err(exists(key));
        }
        let doing = format!("uploading {key}");
        let mark = hex::encode(rand::random::<[u8; 16]>());
        let response = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key.as_str())
            .content_type("application/octet-stream")
            .metadata(MARK, &mark)
            .send()
            .await
            .map_err(|error| self.failure(&doing, &error))?;
        let upload_id = response.upload_id.ok_or_else(|| {
            Failure::inconclusive(codes::STORE_ERROR, format!("{doing}: the store gave no upload id"))
        })?;
        Ok(Box::new(S3Upload {
            store: self.clone(),
            key: key.clone(),
            upload_id,
            mark,
            size_bytes: 0,
            buffer: BytesMut::new(),
            next_part: 1,
            in_flight: JoinSet::new(),
            parts: Vec::new(),
        }))
    }
}

impl S3Store {
    /// A digest for the store to compare a part with. A bucket whose objects are locked refuses parts without one. The
    /// SDK sends a checksum of its own to AWS; other stores are asked with `Content-MD5`, which all of them know.
    fn part_digest(&self, body: &Bytes) -> Option<String> {
        self.endpoint.is_some().then(|| STANDARD.encode(Md5::digest(body)))
    }
}

fn exists(key: &ObjectKey) -> Failure {
    Failure::bad(
        codes::OBJECT_EXISTS,
        format!("{key} is in the store already, and nothing is ever overwritten"),
    )
    .hint("another backup ran in the same second; run this one again")
}

/// A multipart upload.
struct S3Upload {
    store: S3Store,
    key: ObjectKey,
    upload_id: String,
    /// Identifies its object among those of other writers.
    mark: String,
    size_bytes: u64,
    buffer: BytesMut,
    next_part: i32,
    in_flight: JoinSet<Result<CompletedPart>>,
    parts: Vec<CompletedPart>,
}

impl S3Upload {
    fn part_size(&self) -> usize {
        if self.next_part <= SMALL_PARTS { SMALL_PART } else { LARGE_PART }
    }

    async fn send(&mut self, body: Bytes) -> Result<()> {
        while self.in_flight.len() >= UPLOADS_IN_FLIGHT {
            self.collect_one().await?;
        }
        self.size_bytes += body.len() as u64;
        let number = self.next_part;
        self.next_part += 1;
        let (store, key, upload_id) = (self.store.clone(), self.key.clone(), self.upload_id.clone());
        self.in_flight.spawn(async move {
            let digest = store.part_digest(&body);
            let response = store
                .client
                .upload_part()
                .bucket(&store.bucket)
                .key(key.as_str())
                .upload_id(upload_id)
                .part_number(number)
                .set_content_md5(digest)
                .body(ByteStream::from(body))
                .send()
                .await
                .map_err(|error| store.failure(&format!("uploading part {number} of {key}"), &error))?;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(response.e_tag).build())
        });
        Ok(())
    }

    async fn collect_one(&mut self) -> Result<()> {
        if let Some(part) = self.in_flight.join_next().await {
            self.parts
                .push(part.expect("an upload task does not panic and is only aborted with its upload")?);
        }
        Ok(())
    }

    async fn complete(
        &self,
        never_overwrite: bool,
    ) -> Result<(), SdkError<impl ProvideErrorMetadata + std::error::Error + use<>>> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts.clone())).build();
        self.store
            .client
            .complete_multipart_upload()
            .bucket(&self.store.bucket)
            .key(self.key.as_str())
            .upload_id(&self.upload_id)
            .multipart_upload(parts)
            .set_if_none_match(never_overwrite.then(|| "*".to_owned()))
            .send()
            .await
            .map(drop)
    }
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.buffer.extend_from_slice(&bytes);
        while self.buffer.len() >= self.part_size() {
            let part = self.buffer.split_to(self.part_size()).freeze();
            self.send(part).await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        let result = self.try_finish().await;
        if result.is_err() {
            // The first error is the one to report; a store that also refuses the abort expires the parts.
            let _ = self.abort().await;
        }
        result
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        self.in_flight.shutdown().await;
        self.store
            .client
            .abort_multipart_upload()
            .bucket(&self.store.bucket)
            .key(self.key.as_str())
            .upload_id(&self.upload_id)
            .send()
            .await
            .map(drop)
            .map_err(|error| self.store.failure(&format!("giving up the upload of {}", self.key), &error))
    }
}

impl S3Upload {
    async fn try_finish(&mut self) -> Result<()> {
        let last = self.buffer.split().freeze();
        if !last.is_empty() || self.next_part == 1 {
            self.send(last).await?;
        }
        while !self.in_flight.is_empty() {
            self.collect_one().await?;
        }
        self.parts.sort_by_key(CompletedPart::part_number);
        let doing = format!("completing {}", self.key);
        let Err(error) = self.complete(true).await else { return Ok(()) };
        // Whatever was answered, or was not: the store may have done it.
        match (status(&error), self.found().await) {
            (_, Ok(Found::Own)) => return Ok(()),
            (Some(409 | 412), _) | (Some(400 | 501), Ok(Found::Other)) => return Err(exists(&self.key)),
            // Stores without conditional writes say so in one of these ways, and the look at the key has to do for them.
            (Some(400 | 501), Ok(Found::Nothing)) => {}
            (Some(400 | 501), Err(failure)) => return Err(failure),
            _ => return Err(self.store.failure(&doing, &error)),
        }
        let Err(error) = self.complete(false).await else { return Ok(()) };
        match self.found().await {
            Ok(Found::Own) => Ok(()),
            _ => Err(self.store.failure(&doing, &error)),
        }
    }

    async fn found(&self) -> Result<Found> {
        let Some(head) = self.store.head(&self.key).await? else { return Ok(Found::Nothing) };
        let mark = head.metadata().and_then(|metadata| metadata.get(MARK));
        let is_own = mark == Some(&self.mark) && size(head.content_length()) == self.size_bytes;
        Ok(if is_own { Found::Own } else { Found::Other })
    }
}
