//! S3 and what speaks like it. The only folder that imports `aws_sdk_s3`.

mod answers;
mod archive;
mod credentials;
mod error;
mod facts;
mod head;
mod listing;
mod network;
mod proxy;
mod range;
mod redact;
mod region;
mod traffic;
mod upload;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::identity::IdentityCache;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Credentials, RequestChecksumCalculation, ResponseChecksumValidation};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use futures_util::FutureExt;

use self::network::Network;
use self::proxy::Variable;
use self::redact::Redactor;
use self::traffic::Meter;
use super::facts::{ObjectFacts, StoreFacts, Traffic};
use super::kind::StoreKind;
use super::port::{ObjectMeta, Page, PageRequest, RestoreTier, Store, Upload};
use crate::model::failure::Result;
use crate::model::names::ObjectKey;
use crate::model::secret::Secret;
use crate::template::{self, StoreUrl};

/// S3, as the list of stores has it.
pub(super) const KIND: StoreKind = StoreKind {
    name: "S3",
    schemes: &["s3"],
    restore_command: |bucket, key, facts| Some(archive::restore_command(bucket, key, facts)),
    connect: |settings| async { Ok(Arc::new(S3Store::connect(settings).await?) as Arc<dyn Store>) }.boxed(),
};

/// A bucket.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    endpoint: Option<String>,
    /// The region that requests are signed for.
    region: String,
    /// The proxy that requests may go through, as it may be shown.
    proxy: Option<String>,
    meter: Meter,
    redactor: Redactor,
}

impl S3Store {
    /// Connects with the AWS SDK's default credential and region chains. No request is sent yet.
    ///
    /// # Errors
    /// `credentials_missing`, `credentials_invalid`, `region_invalid`, `ca_bundle_unreadable`, `proxy_invalid` or
    /// `store_url_invalid`: configuration errors. And `credentials_timeout`.
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
        let url = StoreUrl::parse(&settings.url)?;
        let endpoint = Some(settings.endpoint.clone()).filter(|endpoint| !endpoint.is_empty());
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let to_credentials = Network::to_credentials(&variable)?;
        let shared = load(settings, credentials, &to_credentials, &variable).await;
        let region = region::checked(&shared)?;
        let target = endpoint.clone().unwrap_or_else(|| network::of_aws(&url.place, &region));
        let network = Network::to(&target, &variable)?;
        let redactor = Redactor::default();
        let provider = shared.credentials_provider();
        let checked = credentials::of_chain(provider, &redactor, credentials::LONGEST_WAIT)
            .await
            .map_err(|failure| to_credentials.refused().unwrap_or(failure))?;
        let meter = Meter::default();
        let mut config = aws_sdk_s3::config::Builder::from(&shared)
            .http_client(network.client())
            .credentials_provider(checked)
            .region(Region::new(region.clone()))
            .interceptor(meter.clone());
        if let Some(endpoint) = &endpoint {
            // Stores other than AWS are addressed by path, and many refuse the SDK's optional checksums.
            config = config
                // The SDK puts the bucket right behind a path that it is given.
                .endpoint_url(format!("{}/", endpoint.trim_end_matches('/')))
                .force_path_style(true)
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            bucket: url.place,
            endpoint,
            region,
            proxy: network.proxy_shown(),
            meter,
            redactor,
        })
    }
}

async fn load(
    settings: &template::Store,
    credentials: Option<Credentials>,
    network: &Network,
    variable: Variable<'_>,
) -> aws_config::SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(network.client())
        // As long as for those that a command begins with, and not the SDK's five seconds.
        .identity_cache(IdentityCache::lazy().load_timeout(credentials::LONGEST_WAIT).build())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .read_timeout(Duration::from_secs(60))
                .build(),
        )
        .retry_config(RetryConfig::standard().with_max_attempts(4));
    let named = region::named(settings, credentials.is_some(), variable);
    if let Some(credentials) = credentials {
        loader = loader.credentials_provider(credentials);
    }
    loader = match named {
        Some(region) => loader.region(Region::new(region)),
        None => loader.region(region::of_machine(network.client())),
    };
    loader.load().await
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
        self.read_listing(prefix).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page> {
        self.read_page(request).await
    }

    async fn object_facts(&self, key: &ObjectKey) -> Result<ObjectFacts> {
        let head = self.head(key).await?;
        head.map(|head| facts::of_head(&head)).ok_or_else(|| self.gone(&format!("looking at {key}")))
    }

    async fn facts(&self) -> Option<StoreFacts> {
        Some(StoreFacts::Bucket(self.read_bucket_facts().await))
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
        Ok(self.head(key).await?.map(|head| ObjectMeta {
            key: key.clone(),
            size_bytes: size(head.content_length),
            last_modified: meta_time(head.last_modified.as_ref()),
            storage_class: facts::of_head(&head).storage_class,
            etag: head.e_tag,
        }))
    }

    async fn read(&self, key: &ObjectKey, etag: Option<&str>, range: Range<u64>) -> Result<Bytes> {
        self.read_range(key, etag, range).await
    }

    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn Upload>> {
        self.begin_upload(key).await
    }
}
