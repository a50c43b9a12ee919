//! S3 and what speaks like it. The only folder that imports `aws_sdk_s3`.

mod error;
mod facts;
mod traffic;
mod upload;
mod url;

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
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta};

use self::error::{replaced, root_cause, says_replaced};
use self::traffic::Meter;
use super::{BucketFacts, ObjectFacts, ObjectMeta, Page, PageRequest, RestoreTier, Store, Traffic, Upload};
use crate::failure::{Failure, Result};
use crate::names::ObjectKey;
use crate::secret::Secret;
use crate::template;

pub use self::url::S3Url;

/// How often a range is read again when its body breaks off; requests that fail outright are retried by the SDK.
const BODY_ATTEMPTS: u32 = 4;

/// A bucket.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    endpoint: Option<String>,
    meter: Meter,
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
        let meter = Meter::default();
        let config = config.interceptor(meter.clone()).build();
        Ok(Self { client: Client::from_conf(config), bucket: url.bucket, endpoint, meter })
    }

    async fn get(
        &self,
        key: &ObjectKey,
        etag: Option<&str>,
        range: &Range<u64>,
    ) -> Result<GetObjectOutput, SdkError<GetObjectError>> {
        let range = format!("bytes={}-{}", range.start, range.end - 1);
        let request = self.client.get_object().bucket(&self.bucket).key(key.as_str()).range(range);
        request.set_if_match(etag.map(str::to_owned)).send().await
    }

    /// Whether an object is still the one that was listed with this tag.
    async fn is_as_listed(&self, key: &ObjectKey, etag: Option<&str>) -> Result<bool> {
        let now = self.stat(key).await?.and_then(|meta| meta.etag);
        Ok(now.is_some() && now.as_deref().map(unquoted) == etag.map(unquoted))
    }

    async fn read_once(
        &self,
        key: &ObjectKey,
        etag: Option<&str>,
        range: &Range<u64>,
    ) -> Result<Result<Bytes, String>> {
        let doing = format!("reading {key}");
        let response = match self.get(key, etag, range).await {
            // Nor does every store that heeds the condition judge it rightly.
            Err(error) if says_replaced(&error) && self.is_as_listed(key, etag).await? => {
                self.get(key, None, range).await
            }
            response => response,
        };
        let response = response.map_err(|error| self.object_failure(&doing, &error))?;
        // Not every store heeds the condition, and a range of another object must not be taken for one of this.
        if let (Some(asked), Some(found)) = (etag, response.e_tag())
            && unquoted(asked) != unquoted(found)
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

/// Stores write entity tags with quotes, and without.
fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

fn meta_time(time: Option<&aws_sdk_s3::primitives::DateTime>) -> Option<DateTime<chrono::Utc>> {
    time.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos()))
}

fn size(size: Option<i64>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

fn listed(object: aws_sdk_s3::types::Object) -> Option<ObjectMeta> {
    Some(ObjectMeta {
        key: ObjectKey::new(object.key?),
        size_bytes: size(object.size),
        last_modified: meta_time(object.last_modified.as_ref()),
        storage_class: object
            .storage_class
            .map_or_else(|| "STANDARD".to_owned(), |class| class.as_str().to_owned()),
        etag: object.e_tag,
    })
}

#[async_trait]
impl Store for S3Store {
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let mut objects = Vec::new();
        let mut pages =
            self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure(&format!("listing {prefix}"), &error))?;
            objects.extend(page.contents.unwrap_or_default().into_iter().filter_map(listed));
        }
        Ok(objects)
    }

    async fn page(&self, request: &PageRequest) -> Result<Page> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&request.prefix)
            .set_start_after(request.after.clone())
            .set_delimiter(request.delimiter.map(String::from))
            .set_max_keys(request.limit.map(i32::from))
            .send()
            .await
            .map_err(|error| self.failure(&format!("listing {}", request.prefix), &error))?;
        Ok(Page {
            objects: page.contents.unwrap_or_default().into_iter().filter_map(listed).collect(),
            prefixes: page
                .common_prefixes
                .unwrap_or_default()
                .into_iter()
                .filter_map(|common| common.prefix)
                .collect(),
            more: page.is_truncated.unwrap_or(false),
        })
    }

    async fn object_facts(&self, key: &ObjectKey) -> Result<ObjectFacts> {
        let head = self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await;
        head.map(|head| facts::of_head(&head))
            .map_err(|error| self.object_failure(&format!("looking at {key}"), &error))
    }

    async fn bucket_facts(&self) -> BucketFacts {
        self.read_bucket_facts().await
    }

    async fn request_restore(&self, key: &ObjectKey, days: Option<u16>, tier: RestoreTier) -> Result<()> {
        self.send_restore(key, days, tier).await
    }

    fn traffic(&self) -> Traffic {
        self.meter.reading()
    }

    fn clock_ahead(&self) -> Option<TimeDelta> {
        self.meter.clock_ahead()
    }

    async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        match self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(head) => Ok(Some(ObjectMeta {
                key: key.clone(),
                size_bytes: size(head.content_length),
                last_modified: meta_time(head.last_modified.as_ref()),
                storage_class: facts::of_head(&head).storage_class,
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
        self.begin_upload(key).await
    }
}
