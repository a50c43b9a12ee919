//! What the SDK's errors mean to a drill.
//!
//! Of the SDK's own text nothing is shown: it is the inside of a program. What the store says is shown as far as
//! [`Redactor`](super::redact::Redactor) let it through: its code and its message.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use chrono::TimeDelta;

use super::S3Store;
use super::answers;
use super::traffic::TooLong;
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human;
use crate::template::without_user;

/// Stores refuse what was signed by a clock that is 15 minutes away; some of their answers have no body to say so.
const SKEW_REFUSED: TimeDelta = TimeDelta::minutes(14);

impl S3Store {
    /// An SDK error of a request for an object as a failure.
    pub(super) fn object_failure<E>(&self, doing: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match error.code() {
            Some(answers::NO_SUCH_KEY | answers::NOT_FOUND) => self.gone(doing),
            _ => self.failure(doing, error),
        }
    }

    /// An object that was listed is not there.
    pub(super) fn gone(&self, doing: &str) -> Failure {
        Failure::bad(codes::OBJECT_GONE, format!("{doing}: the object is not in {} any more", self.place()))
            .hint("a lifecycle rule or a clean-up job may have removed it; look at the bucket's rules")
    }

    /// An SDK error as a failure: what it means for the backup, and what to do.
    pub(super) fn failure<E>(&self, doing: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = error.code().unwrap_or_default();
        match (code, status(error)) {
            (answers::NO_SUCH_BUCKET, _) => {
                Failure::config(codes::NO_SUCH_BUCKET, format!("there is no bucket {}", self.bucket))
                    .hint("look at store.url and store.endpoint")
            }
            _ if says_replaced(error) => replaced(doing),
            (answers::ARCHIVED, _) => Failure::inconclusive(
                codes::OBJECT_ARCHIVED,
                format!("{doing}: the object is in an archive storage class and not readable now"),
            )
            .hint("request its restore from the archive first, or drill a newer recovery point"),
            (code, status) if answers::ELSEWHERE.contains(&code) || matches!(status, Some(300..=399)) => {
                self.elsewhere(doing, error)
            }
            // A HEAD of a bucket that is elsewhere is refused without a body; what is in its headers tells.
            ("" | answers::BAD_REQUEST, Some(400)) if self.other_region(error).is_some() => self.elsewhere(doing, error),
            (answers::CLOCK_SKEWED, _) => self.clocks_apart(doing, error),
            ("", Some(403)) if self.meter.clock_ahead().is_some_and(|ahead| ahead.abs() > SKEW_REFUSED) => {
                self.clocks_apart(doing, error)
            }
            (code, _) if answers::EXPIRED.contains(&code) => Failure::inconclusive(
                codes::CREDENTIALS_EXPIRED,
                format!("{doing}: {} says that the credentials have expired ({})", self.place(), self.told(error)),
            )
            .hint("get new credentials (a session token lives for hours); look at the clock of this machine, too"),
            (_, Some(401 | 403)) => Failure::inconclusive(
                codes::ACCESS_DENIED,
                format!("{doing}: {} denied access ({})", self.place(), self.told(error)),
            )
            .hint("the credentials need s3:ListBucket on the bucket and s3:GetObject on the prefix; a backup also s3:PutObject and s3:AbortMultipartUpload"),
            _ => self.other_failure(doing, error),
        }
    }

    /// The store, as it may be shown.
    pub(super) fn place(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("the bucket {} at {}", self.bucket, without_user(endpoint)),
            None => format!("the bucket {}", self.bucket),
        }
    }

    /// What the store says: its code and message, or the status of its answer.
    pub(super) fn told<E: ProvideErrorMetadata>(&self, error: &SdkError<E>) -> String {
        let status = || format!("status {}", status(error).unwrap_or_default());
        let code = error.code().map_or_else(status, str::to_owned);
        let told = match error.message() {
            Some(message) => format!("{code}: {message}"),
            None => code,
        };
        self.redactor.redact(&told)
    }

    fn other_failure<E>(&self, doing: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let place = self.place();
        let cause = self.redactor.redact(&root_cause(error));
        match error {
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => Failure::inconclusive(
                codes::STORE_UNREACHABLE,
                format!("{doing}: {place} cannot be reached ({cause})"),
            )
            .hint(self.way(&cause)),
            SdkError::ConstructionFailure(_) => Failure::inconclusive(
                codes::STORE_ERROR,
                format!("{doing}: the request to {place} could not be made ({cause})"),
            )
            .hint("look at the store's settings in the template, and at the credentials"),
            SdkError::ResponseError(_) if is_too_long(error) => {
                self.no_store(&format!("{doing}: {place} answers without an end"))
            }
            // A body that did not come whole is not there.
            SdkError::ResponseError(raw) if raw.raw().body().bytes().is_none() => Failure::inconclusive(
                codes::TRANSFER_BROKEN,
                format!("{doing}: the answer of {place} broke off ({cause})"),
            )
            .hint("check the network between this machine and the store"),
            _ if error.code().is_none() => {
                let kind = error.raw_response().and_then(|raw| raw.headers().get("content-type"));
                let kind = kind.map_or_else(|| "nothing".to_owned(), |kind| self.redactor.redact(kind));
                let status = status(error).unwrap_or_default();
                self.no_store(&format!(
                    "{doing}: {place} does not answer as S3 does, but with status {status} and {kind}"
                ))
            }
            _ => Failure::inconclusive(
                codes::STORE_ERROR,
                format!("{doing}: {place} answered with an error ({})", self.told(error)),
            )
            .hint("if the endpoint in the template is right, the store's own log tells more"),
        }
    }

    pub(super) fn no_store(&self, message: &str) -> Failure {
        Failure::inconclusive(codes::STORE_ERROR, message).hint(
            "look at store.endpoint: the page of a proxy, a sign-in or a web console may answer there; the store's own log tells more",
        )
    }

    /// What to check between this machine and the store.
    fn way(&self, cause: &str) -> String {
        let mut hint = "check the network, the endpoint and the region".to_owned();
        if cause.contains("certificate") {
            hint.push_str(
                "; AWS_CA_BUNDLE names a file with the authorities to trust, where they are a company's own",
            );
        }
        if let Some(proxy) = &self.proxy {
            hint.push_str(&format!(
                "; requests go through the proxy {proxy} unless NO_PROXY names the store"
            ));
        }
        hint
    }

    fn clocks_apart<E: ProvideErrorMetadata>(&self, doing: &str, error: &SdkError<E>) -> Failure {
        #[expect(clippy::cast_precision_loss, reason = "for show")]
        let apart = |ahead: TimeDelta| human::duration(ahead.num_seconds().abs() as f64);
        let clock = match self.meter.clock_ahead() {
            Some(ahead) if ahead > TimeDelta::minutes(1) => {
                format!("this machine's clock is {} behind the store's", apart(ahead))
            }
            Some(ahead) if ahead < TimeDelta::minutes(-1) => {
                format!("this machine's clock is {} ahead of the store's", apart(ahead))
            }
            _ => "this machine's clock and the store's are too far apart".to_owned(),
        };
        Failure::inconclusive(
            codes::CLOCK_SKEWED,
            format!("{doing}: {} refused the request: {clock} ({})", self.place(), self.told(error)),
        )
        .hint("set this machine's clock (NTP): requests are signed with its time, and the ages of backups depend on it")
    }

    /// The bucket is in another region, or the store at another address.
    fn elsewhere<E>(&self, doing: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let Some(region) = self.other_region(error) {
            let message = format!(
                "{doing}: the bucket {} is in the region {region}, and requests are signed for {}",
                self.bucket, self.region
            );
            return Failure::config(codes::WRONG_REGION, message)
                .hint(format!("set store.region (or AWS_REGION) to {region}"));
        }
        let location = error.raw_response().and_then(|raw| raw.headers().get("location"));
        let to = location.and_then(origin).map(|to| format!(" to {}", self.redactor.redact(&to)));
        let message = format!(
            "{doing}: {} sends requests on{} ({}), and they are signed for one place alone",
            self.place(),
            to.as_deref().unwrap_or(" to another place"),
            self.told(error)
        );
        Failure::inconclusive(codes::STORE_REDIRECTS, message).hint(
            "look at store.endpoint (http where it should be https, a sign-in page) and at store.region",
        )
    }

    /// The region that a bucket is in, if it is not the one that requests are signed for.
    fn other_region<E>(&self, error: &SdkError<E>) -> Option<String> {
        let raw = error.raw_response()?;
        let header = raw.headers().get("x-amz-bucket-region").map(str::to_owned);
        header.or_else(|| region_in(raw)).filter(|region| *region != self.region && is_region(region))
    }
}

/// The status of the answer, if there was one.
pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Whether a 404 has no code of S3: a gateway gave it, while no store was behind it.
pub(super) fn is_foreign_404<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    status(error) == Some(404) && error.code().is_none()
}

/// Whether the store answers that the object is not the one that was asked for.
pub(super) fn says_replaced<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some(answers::REPLACED)
        || error.raw_response().is_some_and(|response| response.status().as_u16() == 412)
}

/// The object under a key is not the one that was listed.
pub(super) fn replaced(doing: &str) -> Failure {
    Failure::inconclusive(codes::OBJECT_CHANGED, format!("{doing}: the object was replaced in the meantime"))
        .hint("recovery points must never be overwritten; find out what writes to this key")
}

/// The innermost error: the layers above it only repeat that something failed. Not to be shown as it is.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<TooLong>())
}

/// `<Region>` of an error's body: the SDK passes it over.
fn region_in(raw: &HttpResponse) -> Option<String> {
    let body = std::str::from_utf8(raw.body().bytes()?).ok()?;
    let (_, rest) = body.split_once("<Region>")?;
    rest.split_once("</Region>").map(|(region, _)| region.to_owned())
}

fn is_region(text: &str) -> bool {
    (2..=32).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Scheme and host of a URL; the rest may hold signatures.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    Some(without_user(&format!("{scheme}://{host}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_what_may_be_secret_in_them() {
        assert_eq!(origin("https://u:p@h:1/b?X-Amz-Signature=1").as_deref(), Some("https://h:1"));
        assert_eq!(origin("/relative"), None);
    }

    #[test]
    fn a_region_is_one() {
        assert!(is_region("eu-central-1") && is_region("auto"));
        for bad in ["", "x", "eu central", "<b>", "EU", &"a".repeat(33)] {
            assert!(!is_region(bad), "{bad}");
        }
    }
}
