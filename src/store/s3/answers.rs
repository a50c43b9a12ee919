//! The error codes of S3 that are told apart: those of the API reference (version 2006-03-01), and what MinIO, Ceph and
//! AWS's token service answer in their place.

/// There is no object under the key.
pub const NO_SUCH_KEY: &str = "NoSuchKey";
/// The same, where an answer has no body.
pub const NOT_FOUND: &str = "NotFound";
/// There is no bucket.
pub const NO_SUCH_BUCKET: &str = "NoSuchBucket";
/// The object must be restored from an archive before it can be read.
pub const ARCHIVED: &str = "InvalidObjectState";
/// A restore from an archive was requested before.
pub const RESTORE_REQUESTED: &str = "RestoreAlreadyInProgress";
/// This machine's clock and the store's are too far apart.
pub const CLOCK_SKEWED: &str = "RequestTimeTooSkewed";
/// A request that the store does not take, for any reason.
pub const BAD_REQUEST: &str = "BadRequest";
/// The object is not the one that the request names by its etag.
pub const REPLACED: &str = "PreconditionFailed";
/// The store does not have what the request asks for.
pub const UNSUPPORTED: [&str; 2] = ["NotImplemented", "MethodNotAllowed"];
/// The bucket is in another region.
pub const ELSEWHERE: [&str; 4] = [
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
];
/// The credentials were good once.
pub const EXPIRED: [&str; 4] =
    ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"];
