//! Counts what really goes over the network: requests with their retries, and bytes as they are taken. Reads the
//! clock of the server that answers. Bounds how much of an answer is taken.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use chrono::{DateTime, TimeDelta};
use http_body::{Body, Frame, SizeHint};

use crate::clock::Clock;
use crate::store::facts::Traffic;

/// A listing of a thousand keys of a thousand letters, each URL-encoded, has about 4 MiB, and so have the pieces that
/// ranges are read in; other answers are small.
pub(super) const LONGEST_ANSWER: u64 = 16 << 20;
/// Errors of S3 have less than a thousand bytes.
const LONGEST_ERROR: u64 = 64 << 10;

/// A counter that is shared by all clones of a store.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    bytes: AtomicU64,
    /// Of the last answer; none before the first.
    clock_ahead: Mutex<Option<TimeDelta>>,
}

impl Meter {
    pub fn reading(&self) -> Traffic {
        Traffic {
            requests: self.0.requests.load(Ordering::Relaxed),
            bytes: self.0.bytes.load(Ordering::Relaxed),
        }
    }

    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        *self.0.clock_ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let limit = if response.status().is_success() { LONGEST_ANSWER } else { LONGEST_ERROR };
        if let Some(date) =
            response.headers().get("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok())
        {
            let ahead = date.to_utc() - Clock::system().now();
            *self.0.clock_ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        // `name: value` and the end of its line.
        self.add(response.headers().iter().map(|(name, value)| name.len() + value.len() + 4).sum());
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        *response.body_mut() = SdkBody::from_body_1_x(Metered { body, meter: self.clone(), left: limit });
        Ok(())
    }
}

/// An answer is longer than answers of its kind.
#[derive(Debug)]
pub(super) struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is far too long")
    }
}

impl std::error::Error for TooLong {}

/// A body that counts the bytes that are read of it: one that is dropped half way was not received whole.
struct Metered {
    body: SdkBody,
    meter: Meter,
    /// Bytes that may still come.
    left: u64,
}

impl Body for Metered {
    type Data = bytes::Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            let length = frame.data_ref().map_or(0, bytes::Bytes::len);
            self.meter.add(length);
            match self.left.checked_sub(length as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(TooLong.into()))),
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}
