//! Reading a range of an object: what comes must be what was asked for, and no more of it is taken.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use bytes::{Bytes, BytesMut};

use super::S3Store;
use super::error::{is_foreign_404, replaced, root_cause, says_replaced};
use super::traffic::LONGEST_ANSWER;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::ObjectKey;
use crate::store::port::Store;

/// How often a range is read again when its body breaks off; requests that fail outright are retried by the SDK.
const ATTEMPTS: u32 = 4;

/// Longer ranges are read in pieces: no answer needs to be longer than others.
const PIECE: u64 = LONGEST_ANSWER / 4;

/// Why a range is worth another attempt.
#[derive(Debug)]
enum Again {
    /// Its body ended too early.
    BrokeOff(String),
    /// Something other than the store answered.
    Foreign(Failure),
}

/// What a store answers a request for a range with.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// That range, as far as the headers show.
    Right,
    /// The object ends before the range does.
    Short,
    /// All of the object, or a part of it that is longer than was asked for.
    Whole(Option<u64>),
    /// Another range.
    Other(u64, u64),
}

impl S3Store {
    /// All bytes of a range, however long it is.
    pub(super) async fn read_range(
        &self,
        key: &ObjectKey,
        etag: Option<&str>,
        range: Range<u64>,
    ) -> Result<Bytes> {
        if range.end.saturating_sub(range.start) <= PIECE {
            return self.read_piece(key, etag, range).await;
        }
        let length = usize::try_from(range.end - range.start).expect("a range fits memory");
        let mut bytes = BytesMut::with_capacity(length);
        for start in range.clone().step_by(usize::try_from(PIECE).expect("a piece fits memory")) {
            let piece = start..range.end.min(start + PIECE);
            bytes.extend_from_slice(&self.read_piece(key, etag, piece).await?);
        }
        Ok(bytes.freeze())
    }

    async fn read_piece(&self, key: &ObjectKey, etag: Option<&str>, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let mut attempt = 1;
        loop {
            match self.read_once(key, etag, &range).await? {
                Ok(bytes) => return Ok(bytes),
                Err(why) if attempt < ATTEMPTS => {
                    tracing::debug!(%key, start = range.start, ?why, "a range did not come; reading it again");
                    tokio::time::sleep(Duration::from_millis(200) * 2u32.pow(attempt)).await;
                    attempt += 1;
                }
                Err(Again::Foreign(failure)) => return Err(failure),
                Err(Again::BrokeOff(why)) => {
                    let message = format!("reading {key}: the transfer broke off {attempt} times ({why})");
                    return Err(Failure::inconclusive(codes::TRANSFER_BROKEN, message)
                        .hint("check the network between this machine and the store"));
                }
            }
        }
    }

    /// The inner error is worth another attempt.
    async fn read_once(
        &self,
        key: &ObjectKey,
        etag: Option<&str>,
        range: &Range<u64>,
    ) -> Result<Result<Bytes, Again>> {
        let doing = format!("reading {key}");
        let response = match self.get(key, etag, range).await {
            // Nor does every store that heeds the condition judge it rightly.
            Err(error) if says_replaced(&error) && self.is_as_listed(key, etag).await? => {
                self.get(key, None, range).await
            }
            response => response,
        };
        let response = match response {
            Err(error) if is_foreign_404(&error) => {
                return Ok(Err(Again::Foreign(self.failure(&doing, &error))));
            }
            response => response.map_err(|error| self.object_failure(&doing, &error))?,
        };
        // Not every store heeds the condition, and a range of another object must not be taken for one of this.
        if let (Some(asked), Some(found)) = (etag, response.e_tag())
            && unquoted(asked) != unquoted(found)
        {
            return Err(replaced(&doing));
        }
        match answer(&response, range) {
            Answer::Right => {}
            Answer::Short => return Err(replaced(&doing)),
            Answer::Whole(size) => return Err(self.range_ignored(&doing, size, range)),
            Answer::Other(first, last) => {
                let message = format!(
                    "{doing}: {} sent bytes {first} to {last} instead of {} to {}",
                    self.place(),
                    range.start,
                    range.end - 1
                );
                return Err(range_failure(message));
            }
        }
        let wanted = usize::try_from(range.end - range.start).expect("a part fits memory");
        let mut body = response.body;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => return Ok(Err(Again::BrokeOff(self.redactor.redact(&root_cause(&error))))),
            };
            if bytes.len() + chunk.len() > wanted {
                return Err(self.range_ignored(&doing, None, range));
            }
            bytes.extend_from_slice(&chunk);
        }
        if bytes.len() == wanted {
            Ok(Ok(bytes.freeze()))
        } else {
            Ok(Err(Again::BrokeOff(format!("{} bytes of {wanted} came", bytes.len()))))
        }
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

    fn range_ignored(&self, doing: &str, size: Option<u64>, range: &Range<u64>) -> Failure {
        let sent = size.map_or_else(|| "more".to_owned(), human::bytes);
        let asked = human::bytes(range.end - range.start);
        range_failure(format!("{doing}: {} sent {sent} though {asked} were asked for", self.place()))
    }
}

/// Stores write entity tags with quotes, and without.
fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

fn range_failure(message: String) -> Failure {
    Failure::inconclusive(codes::RANGE_IGNORED, message).hint(
        "recovery points are read in ranges; a proxy or a gateway between here and the store may drop the header Range",
    )
}

/// Whether the body that follows these headers is the range.
fn answer(response: &GetObjectOutput, range: &Range<u64>) -> Answer {
    let length = response.content_length().and_then(|length| u64::try_from(length).ok());
    let wanted = range.end - range.start;
    let Some((first, last, total)) = response.content_range().and_then(content_range) else {
        // All of an object is a right answer to a request for all of it.
        return match length {
            Some(length) if length > wanted => Answer::Whole(Some(length)),
            _ => Answer::Right,
        };
    };
    if (first, last) == (range.start, range.end - 1) {
        Answer::Right
    } else if first == range.start && total.is_some_and(|total| total < range.end && last + 1 == total) {
        Answer::Short
    } else {
        Answer::Other(first, last)
    }
}

/// Reads `bytes FIRST-LAST/TOTAL`; the total may be `*` (RFC 9110, section 14.4).
fn content_range(header: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = header.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?, total.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_what_it_says_of_itself() {
        let judged = |range: Option<&str>, length: Option<i64>| {
            let response = GetObjectOutput::builder()
                .set_content_range(range.map(str::to_owned))
                .set_content_length(length)
                .build();
            answer(&response, &(100..200))
        };
        assert_eq!(judged(Some("bytes 100-199/1000"), Some(100)), Answer::Right);
        assert_eq!(judged(Some("bytes 100-199/*"), Some(100)), Answer::Right);
        assert_eq!(judged(None, Some(100)), Answer::Right);
        assert_eq!(judged(None, None), Answer::Right, "what comes is counted");
        assert_eq!(judged(None, Some(1000)), Answer::Whole(Some(1000)));
        assert_eq!(judged(Some("bytes 100-149/150"), Some(50)), Answer::Short);
        assert_eq!(judged(Some("bytes 100-149/1000"), Some(50)), Answer::Other(100, 149));
        assert_eq!(judged(Some("bytes 0-99/1000"), Some(100)), Answer::Other(0, 99));
        assert_eq!(judged(Some("bytes 0-999/1000"), Some(1000)), Answer::Other(0, 999));
    }
}
