//! An S3 server in memory: for as many objects as one likes, of any size, in any storage class, with any lock. Objects
//! hold their first bytes; what comes behind them is zeros.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use s3s::dto::*;
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};

/// An object.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Its first bytes.
    pub head: Bytes,
    /// Its size.
    pub size: u64,
    /// Its storage class; none for STANDARD.
    pub storage_class: Option<&'static str>,
    /// The archive that its class moved it to.
    pub archive_status: Option<&'static str>,
    /// HEAD is denied.
    pub secretive: bool,
    /// The header `x-amz-restore`.
    pub restore: Option<String>,
    /// It is locked in compliance mode until then, as RFC 3339.
    pub locked_until: Option<String>,
}

/// The settings of the bucket. Requests for an absent one are denied.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket {
    /// Whether versions are kept.
    pub versioned: Option<bool>,
    /// Days that new objects are locked for; 0 for none.
    pub lock_days: Option<i32>,
    /// Days after which objects are deleted; 0 for never.
    pub expires_after_days: Option<i32>,
    /// Whether new objects are encrypted.
    pub encrypted: Option<bool>,
    /// Listings of keys that begin like this are denied.
    pub unlisted: Option<&'static str>,
}

/// The requests so far.
#[derive(Debug, Default)]
pub struct Asked {
    /// Restores from the archive: key, and days.
    pub restores: Vec<(String, Option<i32>)>,
    /// Objects that were read.
    pub reads: usize,
    /// Pages that were listed.
    pub pages: usize,
}

/// The server; its clones serve the same bucket.
#[derive(Debug, Clone, Default)]
pub struct MemoryS3 {
    /// Objects by key.
    pub objects: Arc<Mutex<BTreeMap<String, Object>>>,
    /// The bucket.
    pub bucket: Arc<Mutex<Bucket>>,
    /// What was asked.
    pub asked: Arc<Mutex<Asked>>,
}

impl MemoryS3 {
    /// Puts an object of just these bytes.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        let head = bytes.into();
        let size = head.len() as u64;
        self.put_object(key, Object { head, size, ..Object::default() });
    }

    /// Puts an object.
    pub fn put_object(&self, key: &str, object: Object) {
        self.objects.lock().unwrap().insert(key.to_owned(), object);
    }

    fn object(&self, key: &str) -> S3Result<Object> {
        self.objects.lock().unwrap().get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey))
    }

    fn told<T>(&self, fact: impl FnOnce(&Bucket) -> Option<T>) -> S3Result<T> {
        fact(&self.bucket.lock().unwrap()).ok_or_else(|| s3_error!(AccessDenied))
    }
}

fn e_tag(key: &str, object: &Object) -> ETag {
    ETag::Strong(format!("{key}-{}", object.size).replace(['/', '.'], "-"))
}

fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap()
}

#[async_trait::async_trait]
impl S3 for MemoryS3 {
    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.asked.lock().unwrap().pages += 1;
        let input = req.input;
        let prefix = input.prefix.unwrap_or_default();
        if self.bucket.lock().unwrap().unlisted.is_some_and(|unlisted| prefix.starts_with(unlisted)) {
            return Err(s3_error!(AccessDenied));
        }
        let after = input.continuation_token.or(input.start_after).unwrap_or_default();
        let limit = usize::try_from(input.max_keys.unwrap_or(1000)).unwrap();
        let mut output = ListObjectsV2Output { prefix: Some(prefix.clone()), ..Default::default() };
        let (mut contents, mut common) = (Vec::new(), Vec::<CommonPrefix>::new());
        let objects = self.objects.lock().unwrap();
        let mut from =
            if after < prefix { Bound::Included(prefix.clone()) } else { Bound::Excluded(after.clone()) };
        let mut last = String::new();
        while let Some((key, object)) = objects.range((from, Bound::Unbounded)).next() {
            if !key.starts_with(&prefix) {
                break;
            }
            if contents.len() + common.len() == limit {
                output.is_truncated = Some(true);
                output.next_continuation_token = Some(last.clone());
                break;
            }
            let folder = input.delimiter.as_deref().and_then(|delimiter| {
                let end = key[prefix.len()..].find(delimiter)? + prefix.len() + delimiter.len();
                Some(key[..end].to_owned())
            });
            if let Some(folder) = folder {
                last = format!("{folder}\u{10FFFF}");
                from = Bound::Excluded(last.clone());
                if folder > after {
                    common.push(CommonPrefix { prefix: Some(folder) });
                }
                continue;
            }
            contents.push(s3s::dto::Object {
                key: Some(key.clone()),
                size: Some(signed(object.size)),
                e_tag: Some(e_tag(key, object)),
                last_modified: Some(Timestamp::from(SystemTime::now())),
                storage_class: Some(ObjectStorageClass::from(
                    object.storage_class.unwrap_or("STANDARD").to_owned(),
                )),
                ..Default::default()
            });
            last = key.clone();
            from = Bound::Excluded(key.clone());
        }
        output.key_count = Some(i32::try_from(contents.len()).unwrap());
        output.contents = Some(contents);
        output.common_prefixes = Some(common);
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let key = req.input.key;
        let object = self.object(&key)?;
        if object.secretive {
            return Err(s3_error!(AccessDenied));
        }
        let until = object.locked_until.as_deref();
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(signed(object.size)),
            e_tag: Some(e_tag(&key, &object)),
            last_modified: Some(Timestamp::from(SystemTime::now())),
            storage_class: object.storage_class.map(|class| StorageClass::from(class.to_owned())),
            archive_status: object.archive_status.map(|status| ArchiveStatus::from(status.to_owned())),
            restore: object.restore.clone(),
            object_lock_mode: until.map(|_| ObjectLockMode::from("COMPLIANCE".to_owned())),
            object_lock_retain_until_date: until
                .map(|until| Timestamp::parse(TimestampFormat::DateTime, until).unwrap()),
            ..Default::default()
        }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let object = self.object(&req.input.key)?;
        let archived = object.storage_class.is_some_and(|class| matches!(class, "GLACIER" | "DEEP_ARCHIVE"));
        if (archived || object.archive_status.is_some()) && object.restore.is_none() {
            return Err(s3_error!(InvalidObjectState));
        }
        self.asked.lock().unwrap().reads += 1;
        let range = req.input.range.map_or(Ok(0..object.size), |range| range.check(object.size))?;
        let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        let mut bytes =
            BytesMut::from(&object.head[start.min(object.head.len())..end.min(object.head.len())]);
        bytes.resize(end - start, 0);
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(signed(range.end - range.start)),
            content_range: Some(format!("bytes {}-{}/{}", range.start, range.end - 1, object.size)),
            e_tag: Some(e_tag(&req.input.key, &object)),
            body: Some(StreamingBlob::from(Body::from(bytes.freeze()))),
            ..Default::default()
        }))
    }

    async fn restore_object(
        &self,
        req: S3Request<RestoreObjectInput>,
    ) -> S3Result<S3Response<RestoreObjectOutput>> {
        let key = req.input.key;
        let days = req.input.restore_request.and_then(|request| request.days);
        if let Some(object) = self.objects.lock().unwrap().get_mut(&key) {
            // What that class restores stays.
            if days.is_some() == object.archive_status.is_some() {
                return Err(s3_error!(InvalidArgument));
            }
            object.restore = Some("ongoing-request=\"true\"".to_owned());
        }
        self.asked.lock().unwrap().restores.push((key, days));
        Ok(S3Response::new(RestoreObjectOutput::default()))
    }

    async fn get_bucket_versioning(
        &self,
        _: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let on = self.told(|bucket| bucket.versioned)?;
        let status = on.then(|| BucketVersioningStatus::from("Enabled".to_owned()));
        Ok(S3Response::new(GetBucketVersioningOutput { status, ..Default::default() }))
    }

    async fn get_object_lock_configuration(
        &self,
        _: S3Request<GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
        let days = self.told(|bucket| bucket.lock_days)?;
        if days == 0 {
            return Err(s3_error!(ObjectLockConfigurationNotFoundError));
        }
        let default_retention = DefaultRetention {
            days: Some(days),
            mode: Some(ObjectLockRetentionMode::from("COMPLIANCE".to_owned())),
            years: None,
        };
        Ok(S3Response::new(GetObjectLockConfigurationOutput {
            object_lock_configuration: Some(ObjectLockConfiguration {
                object_lock_enabled: Some(ObjectLockEnabled::from("Enabled".to_owned())),
                rule: Some(ObjectLockRule { default_retention: Some(default_retention) }),
            }),
        }))
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        _: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let days = self.told(|bucket| bucket.expires_after_days)?;
        if days == 0 {
            return Err(s3_error!(NoSuchLifecycleConfiguration));
        }
        let rule = LifecycleRule {
            abort_incomplete_multipart_upload: None,
            expiration: Some(LifecycleExpiration { days: Some(days), ..Default::default() }),
            filter: None,
            id: Some("tidy".to_owned()),
            noncurrent_version_expiration: None,
            noncurrent_version_transitions: None,
            prefix: Some(String::new()),
            status: ExpirationStatus::from("Enabled".to_owned()),
            transitions: None,
        };
        Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
            rules: Some(vec![rule]),
            ..Default::default()
        }))
    }

    async fn get_bucket_encryption(
        &self,
        _: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        if !self.told(|bucket| bucket.encrypted)? {
            return Err(s3_error!(ServerSideEncryptionConfigurationNotFoundError));
        }
        let default = ServerSideEncryptionByDefault {
            sse_algorithm: ServerSideEncryption::from("AES256".to_owned()),
            kms_master_key_id: None,
        };
        let rule = ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(default),
            ..Default::default()
        };
        Ok(S3Response::new(GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
                rules: vec![rule],
            }),
        }))
    }
}
