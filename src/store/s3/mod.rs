//! S3 and what speaks like it. The only folder that imports `aws_sdk_s3`.

mod credentials;
mod error;
mod facts;
mod listing;
mod network;
mod range;
mod traffic;
mod upload;
mod url;
mod words;

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Credentials, RequestChecksumCalculation, ResponseChecksumValidation};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta};

use self::network::Network;
use self::traffic::Meter;
use self::words::Words;
use super::{BucketFacts, ObjectFacts, ObjectMeta, Page, PageRequest, RestoreTier, Store, Traffic, Upload};
use crate::failure::{Failure, Result};
use crate::names::ObjectKey;
use crate::secret::Secret;
use crate::template;

pub use self::error::without_user;
pub use self::url::S3Url;

/// The region of a store that has none, and of AWS where nothing names one.
const NO_REGION: &str = "us-east-1";

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
    words: Words,
}

impl S3Store {
    /// Connects with the AWS SDK's default credential and region chains. No request is sent yet.
    ///
    /// # Errors
    /// `credentials_missing`, `credentials_invalid`, `region_invalid`, `ca_bundle_unreadable`, `proxy_invalid` or
    /// `store_url_invalid`: configuration errors.
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
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let network = Network::of_environment(endpoint.as_deref(), &variable)?;
        // Whoever hands out credentials is reached over TLS, or is on this machine's own network.
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(Network::of_environment(None, &variable)?.client());
        let shared = load(loader, settings, credentials, endpoint.is_some()).await;
        let region = region(&shared)?;
        let words = Words::default();
        let checked = credentials::of_chain(&shared, &words).await?;
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
            bucket: url.bucket,
            endpoint,
            region,
            proxy: network.proxy_shown,
            meter,
            words,
        })
    }
}

async fn load(
    mut loader: aws_config::ConfigLoader,
    settings: &template::Store,
    credentials: Option<Credentials>,
    own_endpoint: bool,
) -> aws_config::SdkConfig {
    loader = loader
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .read_timeout(Duration::from_secs(60))
                .build(),
        )
        .retry_config(RetryConfig::standard().with_max_attempts(4));
    if let Some(credentials) = credentials {
        loader = loader.credentials_provider(credentials).region(Region::new(NO_REGION));
    }
    if !settings.region.is_empty() {
        loader = loader.region(Region::new(settings.region.clone()));
    } else if own_endpoint
        && ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().all(|name| std::env::var_os(name).is_none())
    {
        // A store of one's own has no region; the SDK would ask the machine's metadata service for one.
        loader = loader.region(Region::new(NO_REGION));
    }
    loader.load().await
}

/// The region requests are signed for. It stands in a header of each, where not every text fits.
fn region(shared: &aws_config::SdkConfig) -> Result<String> {
    let region = shared.region().map_or(NO_REGION, |region| region.as_ref());
    if !region.is_empty() && region.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    {
        return Ok(region.to_owned());
    }
    let message = format!("the region `{}` of the store is none", region.escape_debug());
    Err(Failure::config("region_invalid", message)
        .hint("look at store.region, AWS_REGION, AWS_DEFAULT_REGION and the profile; a region is written like eu-central-1"))
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
        self.read_range(key, etag, range).await
    }

    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn Upload>> {
        self.begin_upload(key).await
    }
}
