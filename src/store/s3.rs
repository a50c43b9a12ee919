//! S3 and what speaks like it. The only file that imports `aws_sdk_s3`.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    Credentials, ProvideCredentials, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use tokio::task::JoinSet;

use super::{ObjectMeta, Store, Upload};
use crate::failure::{Failure, Result};
use crate::names::ObjectKey;
use crate::secret::Secret;
use crate::template;

/// How often a range is read again when its body breaks off; requests that fail outright are retried by the SDK.
const BODY_ATTEMPTS: u32 = 4;
/// Parts in flight during an upload.
const UPLOADS_IN_FLIGHT: usize = 3;
/// S3 allows 10,000 parts of at least 5 MiB. Parts grow so that small dumps need little memory and large ones fit:
/// 1,000 of 8 MiB and 9,000 of 64 MiB make 570 GiB.
const SMALL_PART: usize = 8 * 1024 * 1024;
const LARGE_PART: usize = 64 * 1024 * 1024;
const SMALL_PARTS: i32 = 1000;

/// `s3://bucket/prefix`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Url {
    /// The bucket.
    pub bucket: String,
    /// The prefix, without slashes around it; may be empty.
    pub prefix: String,
}

impl S3Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// `store_url_invalid`, a configuration error.
    pub fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("s3://").filter(|rest| !rest.starts_with('/') && !rest.is_empty());
        let Some(rest) = rest else {
            return Err(Failure::config("store_url_invalid", format!("the store `{url}` is not an S3 URL"))
                .hint("write it as s3://bucket or s3://bucket/prefix"));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    endpoint: Option<String>,
}

impl S3Store {
    /// Connects with the AWS SDK's default credential and region chains. No request is sent yet.
    ///
    /// # Errors
    /// `credentials_missing` or `store_url_invalid`: configuration errors.
    pub async fn connect(settings: &template::Store) -> Result<Self> {
        Self::connect_inner(settings, None).await
    }

    /// Connects with credentials of its own, for the demo's server.
    ///
    /// # Errors
    /// As [`S3Store::connect`].
    pub async fn connect_with(
        settings: &template::Store,
        access_key: &str,
        secret_key: &Secret,
    ) -> Result<Self> {
        let credentials = Credentials::new(access_key, secret_key.expose(), None, None, "restore-drill");
        Self::connect_inner(settings, Some(credentials)).await
    }

    async fn connect_inner(settings: &template::Store, credentials: Option<Credentials>) -> Result<Self> {
        let url = S3Url::parse(&settings.url)?;
        let endpoint = Some(settings.endpoint.clone()).filter(|endpoint| !endpoint.is_empty());
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .read_timeout(Duration::from_secs(60))
                    .build(),
            )
            .retry_config(RetryConfig::standard().with_max_attempts(4));
        if let Some(credentials) = credentials {
            loader = loader.credentials_provider(credentials).region(Region::new("us-east-1"));
        }
        if !settings.region.is_empty() {
            loader = loader.region(Region::new(settings.region.clone()));
        } else if endpoint.is_some()
            && ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().all(|name| std::env::var_os(name).is_none())
        {
            // A store of one's own has no region; the SDK would ask the machine's metadata service for one.
            loader = loader.region(Region::new("us-east-1"));
        }
        let shared = loader.load().await;
        require_credentials(&shared).await?;
        let mut config = aws_sdk_s3::config::Builder::from(&shared);
        if let Some(endpoint) = &endpoint {
            // Stores other than AWS are addressed by path, and many refuse the SDK's optional checksums.
            config = config
                .endpoint_url(endpoint)
                .force_path_style(true)
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        if shared.region().is_none() {
            config = config.region(Region::new("us-east-1"));
        }
        Ok(Self { client: Client::from_conf(config.build()), bucket: url.bucket, endpoint })
    }

    fn failure<E>(&self, doing: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let place = match &self.endpoint {
            Some(endpoint) => format!("the bucket {} at {endpoint}", self.bucket),
            None => format!("the bucket {}", self.bucket),
        };
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default();
        match (code, status) {
            ("NoSuchBucket", _) => {
                Failure::config("no_such_bucket", format!("there is no bucket {}", self.bucket))
                    .hint("look at store.url (for Aegis: ACP_BACKUP_S3_BUCKET) and at the endpoint")
            }
            ("NoSuchKey" | "NotFound", _) | ("", Some(404)) => {
                Failure::bad("object_gone", format!("{doing}: the object is not in {place} any more")).hint(
                    "a lifecycle rule or a clean-up job may have removed it; look at the bucket's rules",
                )
            }
            ("PreconditionFailed", _) | (_, Some(412)) => replaced(doing),
            ("InvalidObjectState", _) => Failure::inconclusive(
                "object_archived",
                format!("{doing}: the object is in an archive storage class and not readable now"),
            )
            .hint("request its restore from the archive first, or drill a newer recovery point"),
            (_, Some(401 | 403)) => Failure::inconclusive(
                "access_denied",
                format!("{doing}: {place} denied access ({})", if code.is_empty() { "403" } else { code }),
            )
            .hint("the credentials need s3:ListBucket on the bucket and s3:GetObject on the prefix; a backup also s3:PutObject and s3:AbortMultipartUpload"),
            _ => self.transport_failure(doing, &place, error),
        }
    }

    fn transport_failure<E>(&self, doing: &str, place: &str, error: &SdkError<E>) -> Failure
    where
        E: std::error::Error + 'static,
    {
        match error {
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => Failure::inconclusive(
                "store_unreachable",
                format!("{doing}: {place} cannot be reached ({})", root_cause(error)),
            )
            .hint("check the network, the endpoint and the region"),
            _ => Failure::inconclusive(
                "store_error",
                format!("{doing}: {place} answered with an error ({})", DisplayErrorContext(error)),
            ),
        }
    }

    async fn read_once(
        &self,
        key: &ObjectKey,
        etag: Option<&str>,
        range: &Range<u64>,
    ) -> Result<Result<Bytes, String>> {
        let doing = format!("reading {key}");
        let response = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .set_if_match(etag.map(str::to_owned))
            .send()
            .await
            .map_err(|error| self.failure(&doing, &error))?;
        // Not every store heeds the condition, and a range of another object must not be taken for one of this.
        if let (Some(asked), Some(found)) = (etag, response.e_tag())
            && asked.trim_matches('"') != found.trim_matches('"')
        {
            return Err(replaced(&doing));
        }
        let wanted = usize::try_from(range.end - range.start).expect("a part fits memory");
        Ok(match response.body.collect().await {
            Ok(body) => {
                let bytes = body.into_bytes();
                if bytes.len() == wanted {
                    Ok(bytes)
                } else {
                    Err(format!("{} bytes of {wanted} came", bytes.len()))
                }
            }
            Err(error) => Err(root_cause(&error)),
        })
    }
}

fn replaced(doing: &str) -> Failure {
    Failure::inconclusive("object_changed", format!("{doing}: the object was replaced in the meantime"))
        .hint("recovery points must never be overwritten; find out what writes to this key")
}

/// The innermost error: the layers above it only repeat that something failed.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn require_credentials(shared: &aws_config::SdkConfig) -> Result<()> {
    let missing = |why: String| {
        Failure::config("credentials_missing", format!("there are no credentials for the store ({why})"))
            .hint(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role",
            )
    };
    let provider = shared.credentials_provider().ok_or_else(|| missing("no provider".to_owned()))?;
    provider.provide_credentials().await.map(drop).map_err(|error| missing(root_cause(&error)))
}

fn meta_time(time: Option<&aws_sdk_s3::primitives::DateTime>) -> Option<DateTime<chrono::Utc>> {
    time.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos()))
}

fn size(size: Option<i64>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

#[async_trait]
impl Store for S3Store {
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let mut objects = Vec::new();
        let mut pages =
            self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure(&format!("listing {prefix}"), &error))?;
            objects.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
                Some(ObjectMeta {
                    key: ObjectKey::new(object.key?),
                    size_bytes: size(object.size),
                    last_modified: meta_time(object.last_modified.as_ref()),
                    storage_class: object
                        .storage_class
                        .map_or_else(|| "STANDARD".to_owned(), |class| class.as_str().to_owned()),
                    etag: object.e_tag,
                })
            }));
        }
        Ok(objects)
    }

    async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        match self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(head) => Ok(Some(ObjectMeta {
                key: key.clone(),
                size_bytes: size(head.content_length),
                last_modified: meta_time(head.last_modified.as_ref()),
                storage_class: head
                    .storage_class
                    .map_or_else(|| "STANDARD".to_owned(), |class| class.as_str().to_owned()),
                etag: head.e_tag,
            })),
            // A HEAD has no body, so the answer to a missing bucket looks the same; the listing tells them apart.
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => {
                Ok(None)
            }
            Err(error) => Err(self.failure(&format!("looking at {key}"), &error)),
        }
    }

    async fn read(&self, key: &ObjectKey, etag: Option<&str>, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let mut attempt = 1;
        loop {
            match self.read_once(key, etag, &range).await? {
                Ok(bytes) => return Ok(bytes),
                Err(why) if attempt < BODY_ATTEMPTS => {
                    tracing::debug!(%key, start = range.start, why, "a range broke off; reading it again");
                    tokio::time::sleep(Duration::from_millis(200) * 2u32.pow(attempt)).await;
                    attempt += 1;
                }
                Err(why) => {
                    let message = format!("reading {key}: the transfer broke off {attempt} times ({why})");
                    return Err(Failure::inconclusive("transfer_broken", message)
                        .hint("check the network between this machine and the store"));
                }
            }
        }
    }

    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn Upload>> {
        if self.stat(key).await?.is_some() {
            return Err(exists(key));
        }
        let doing = format!("uploading {key}");
        let response = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key.as_str())
            .content_type("application/octet-stream")
            .send()
            .await
            .map_err(|error| self.failure(&doing, &error))?;
        let upload_id = response.upload_id.ok_or_else(|| {
            Failure::inconclusive("store_error", format!("{doing}: the store gave no upload id"))
        })?;
        Ok(Box::new(S3Upload {
            store: self.clone(),
            key: key.clone(),
            upload_id,
            buffer: BytesMut::new(),
            next_part: 1,
            in_flight: JoinSet::new(),
            parts: Vec::new(),
        }))
    }
}

fn exists(key: &ObjectKey) -> Failure {
    Failure::bad("object_exists", format!("{key} is in the store already, and nothing is ever overwritten"))
        .hint("another backup ran in the same second; run this one again")
}

/// A multipart upload.
struct S3Upload {
    store: S3Store,
    key: ObjectKey,
    upload_id: String,
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
        let number = self.next_part;
        self.next_part += 1;
        let (store, key, upload_id) = (self.store.clone(), self.key.clone(), self.upload_id.clone());
        self.in_flight.spawn(async move {
            let response = store
                .client
                .upload_part()
                .bucket(&store.bucket)
                .key(key.as_str())
                .upload_id(upload_id)
                .part_number(number)
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
        match self.complete(true).await {
            Ok(()) => Ok(()),
            Err(error) if error.raw_response().is_some_and(|r| matches!(r.status().as_u16(), 409 | 412)) => {
                Err(exists(&self.key))
            }
            // Stores without conditional writes say so; the look before the upload has to do for them.
            Err(error) if error.code() == Some("NotImplemented") => {
                self.complete(false).await.map_err(|error| self.store.failure(&doing, &error))
            }
            Err(error) => Err(self.store.failure(&doing, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = |text: &str| S3Url::parse(text).map(|url| (url.bucket, url.prefix));
        assert_eq!(url("s3://b/p/q/"), Ok(("b".to_owned(), "p/q".to_owned())));
        assert_eq!(url("s3://b"), Ok(("b".to_owned(), String::new())));
        for bad in ["", "b/p", "s3://", "s3:///p", "https://b/p"] {
            assert_eq!(S3Url::parse(bad).unwrap_err().code, "store_url_invalid", "{bad}");
        }
    }
}
