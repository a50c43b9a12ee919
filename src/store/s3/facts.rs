//! How S3 keeps objects: what HEAD and the bucket's configuration say.

use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ExpirationStatus, GlacierJobParameters, LifecycleRule as Rule, ObjectLockEnabled,
    ObjectLockLegalHoldStatus, RestoreRequest, Tier,
};

use super::answers;
use super::redact::Redactor;
use super::{S3Store, meta_time};
use crate::model::failure::Result;
use crate::model::names::ObjectKey;
use crate::store::facts::{
    ArchiveRestore, BucketFacts, BucketLock, Fact, LifecycleRule, ObjectFacts, ObjectLock, Transition,
};
use crate::store::port::RestoreTier;

/// How long a store may take to report how it keeps objects: it must not hold up a plan.
const PATIENCE: Duration = Duration::from_secs(5);

/// What HEAD says about how an object is kept.
pub(super) fn of_head(head: &HeadObjectOutput) -> ObjectFacts {
    ObjectFacts {
        storage_class: head
            .storage_class()
            .map_or_else(|| "STANDARD".to_owned(), |class| class.as_str().to_owned()),
        archive_status: head.archive_status().map(|status| status.as_str().to_owned()),
        archive_restore: ArchiveRestore::parse(head.restore()),
        lock: head.object_lock_mode().map(|mode| ObjectLock {
            mode: mode.as_str().to_owned(),
            retain_until: meta_time(head.object_lock_retain_until_date()),
        }),
        legal_hold: head.object_lock_legal_hold_status().map(|hold| *hold == ObjectLockLegalHoldStatus::On),
        server_side_encryption: head.server_side_encryption().map(|kind| kind.as_str().to_owned()),
        version_id: head.version_id().map(str::to_owned),
        file: None,
    }
}

impl S3Store {
    pub(super) async fn read_bucket_facts(&self) -> BucketFacts {
        let (versioning, object_lock, encryption, lifecycle) =
            tokio::join!(self.versioning(), self.object_lock(), self.encryption(), self.lifecycle());
        BucketFacts { versioning, object_lock, encryption, lifecycle }
    }

    async fn versioning(&self) -> Fact<String> {
        let asked = self.client.get_bucket_versioning().bucket(&self.bucket).send();
        patiently(&self.redactor, asked, "s3:GetBucketVersioning", &[], |answer| {
            answer
                .and_then(|answer| answer.status)
                .map_or_else(|| "Off".to_owned(), |status: BucketVersioningStatus| status.as_str().to_owned())
        })
        .await
    }

    async fn object_lock(&self) -> Fact<BucketLock> {
        let asked = self.client.get_object_lock_configuration().bucket(&self.bucket).send();
        let absent = ["ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"];
        patiently(&self.redactor, asked, "s3:GetBucketObjectLockConfiguration", &absent, |answer| {
            let Some(lock) = answer.and_then(|answer| answer.object_lock_configuration) else {
                return BucketLock::default();
            };
            let default = lock.rule.and_then(|rule| rule.default_retention);
            let days = default.as_ref().and_then(|default| {
                default.days.or_else(|| default.years.map(|years| years.saturating_mul(365)))
            });
            BucketLock {
                enabled: lock.object_lock_enabled == Some(ObjectLockEnabled::Enabled),
                mode: default.and_then(|default| default.mode).map(|mode| mode.as_str().to_owned()),
                days: days.and_then(|days| u32::try_from(days).ok()),
            }
        })
        .await
    }

    async fn encryption(&self) -> Fact<String> {
        let asked = self.client.get_bucket_encryption().bucket(&self.bucket).send();
        let absent = ["ServerSideEncryptionConfigurationNotFoundError"];
        patiently(&self.redactor, asked, "s3:GetEncryptionConfiguration", &absent, |answer| {
            answer
                .and_then(|answer| answer.server_side_encryption_configuration)
                .and_then(|configuration| configuration.rules.into_iter().next())
                .and_then(|rule| rule.apply_server_side_encryption_by_default)
                .map_or_else(|| "none".to_owned(), |default| default.sse_algorithm.as_str().to_owned())
        })
        .await
    }

    async fn lifecycle(&self) -> Fact<Vec<LifecycleRule>> {
        let asked = self.client.get_bucket_lifecycle_configuration().bucket(&self.bucket).send();
        patiently(
            &self.redactor,
            asked,
            "s3:GetLifecycleConfiguration",
            &["NoSuchLifecycleConfiguration"],
            |answer| {
                let rules = answer.and_then(|answer| answer.rules).unwrap_or_default();
                rules
                    .iter()
                    .filter(|rule| rule.status == ExpirationStatus::Enabled)
                    .map(lifecycle_rule)
                    .collect()
            },
        )
        .await
    }

    pub(super) async fn send_restore(
        &self,
        key: &ObjectKey,
        days: Option<u16>,
        tier: RestoreTier,
    ) -> Result<()> {
        let doing = format!("requesting the restore of {key} from the archive");
        let glacier = GlacierJobParameters::builder()
            .tier(Tier::from(tier.word()))
            .build()
            .expect("a tier is all that it needs");
        let request =
            RestoreRequest::builder().set_days(days.map(i32::from)).glacier_job_parameters(glacier).build();
        let sent = self
            .client
            .restore_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .restore_request(request)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            // Somebody else was faster: that is what was wanted.
            Err(error) if error.code() == Some(answers::RESTORE_REQUESTED) => Ok(()),
            Err(error) => Err(self.object_failure(&doing, &error)),
        }
    }
}

fn lifecycle_rule(rule: &Rule) -> LifecycleRule {
    let filter = rule.filter();
    let and = filter.and_then(|filter| filter.and());
    #[expect(deprecated, reason = "older rules have their prefix there")]
    let prefix = filter
        .and_then(|filter| filter.prefix())
        .or_else(|| and.and_then(|and| and.prefix()))
        .or_else(|| rule.prefix());
    let days = |days: Option<i32>| days.and_then(|days| u32::try_from(days).ok());
    LifecycleRule {
        id: rule.id().unwrap_or_default().to_owned(),
        prefix: prefix.unwrap_or_default().to_owned(),
        narrowed: filter.is_some_and(|filter| {
            filter.tag().is_some()
                || filter.object_size_greater_than().is_some()
                || filter.object_size_less_than().is_some()
        }) || and.is_some_and(|and| {
            !and.tags().is_empty()
                || and.object_size_greater_than().is_some()
                || and.object_size_less_than().is_some()
        }),
        expires_after_days: days(rule.expiration().and_then(|expiration| expiration.days())),
        expires_on: meta_time(rule.expiration().and_then(|expiration| expiration.date())),
        transitions: rule
            .transitions()
            .iter()
            .map(|transition| Transition {
                after_days: days(transition.days()),
                storage_class: transition.storage_class().map_or("", |class| class.as_str()).to_owned(),
            })
            .collect(),
    }
}

/// A fact from an answer; from an error one of the `absent` codes means that nothing is set up, and any other that
/// the fact is not known.
async fn patiently<A, E, T>(
    redactor: &Redactor,
    asked: impl Future<Output = Result<A, SdkError<E>>>,
    permission: &str,
    absent: &[&str],
    read: impl FnOnce(Option<A>) -> T,
) -> Fact<T>
where
    E: ProvideErrorMetadata,
{
    let error = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => return Fact::known(read(Some(answer))),
        Ok(Err(error)) => error,
        Err(_) => {
            return Fact::unknown(format!("the store did not tell within {} seconds", PATIENCE.as_secs()));
        }
    };
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (error.code().unwrap_or_default(), status) {
        (code, _) if absent.contains(&code) => Fact::known(read(None)),
        (_, Some(401 | 403)) => Fact::unknown(format!("access denied; it needs {permission}")),
        (code, status) if answers::UNSUPPORTED.contains(&code) || matches!(status, Some(405 | 501)) => {
            Fact::unknown("the store does not offer it")
        }
        ("", None) => Fact::unknown("the store did not answer"),
        ("", Some(status)) => Fact::unknown(format!("the store answered with status {status}")),
        (code, _) => Fact::unknown(format!("the store answered {}", redactor.redact(code))),
    }
}
