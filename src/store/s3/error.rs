//! What the SDK's errors mean to a drill.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::S3Store;
use crate::failure::Failure;

impl S3Store {
    /// An SDK error of a request for an object as a failure.
    pub(super) fn object_failure<E>(&self, doing: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        match (error.code().unwrap_or_default(), status) {
            ("NoSuchKey" | "NotFound", _) | ("", Some(404)) => Failure::bad(
                "object_gone",
                format!("{doing}: the object is not in {} any more", self.place()),
            )
            .hint("a lifecycle rule or a clean-up job may have removed it; look at the bucket's rules"),
            _ => self.failure(doing, error),
        }
    }

    /// An SDK error as a failure: what it means for the backup, and what to do.
    pub(super) fn failure<E>(&self, doing: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let place = self.place();
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default();
        match (code, status) {
            ("NoSuchBucket", _) => {
                Failure::config("no_such_bucket", format!("there is no bucket {}", self.bucket))
                    .hint("look at store.url (for Aegis: ACP_BACKUP_S3_BUCKET) and at the endpoint")
            }
            _ if says_replaced(error) => replaced(doing),
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

    fn place(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("the bucket {} at {endpoint}", self.bucket),
            None => format!("the bucket {}", self.bucket),
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
            )
            .hint("if the endpoint in the template is right, the store's own log tells more"),
        }
    }
}

/// Whether the store answers that the object is not the one that was asked for.
pub(super) fn says_replaced<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("PreconditionFailed")
        || error.raw_response().is_some_and(|response| response.status().as_u16() == 412)
}

/// The object under a key is not the one that was listed.
pub(super) fn replaced(doing: &str) -> Failure {
    Failure::inconclusive("object_changed", format!("{doing}: the object was replaced in the meantime"))
        .hint("recovery points must never be overwritten; find out what writes to this key")
}

/// The innermost error: the layers above it only repeat that something failed.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
