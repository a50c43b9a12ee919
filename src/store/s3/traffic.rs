//! Counts what really goes over the network: requests with their retries, and bytes as they are taken. And looks at
//! the clock of whoever answers.

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
use crate::store::Traffic;

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
        if let Some(date) =
            response.headers().get("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok())
        {
            let ahead = date.to_utc() - Clock::system().now();
            *self.0.clock_ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        // `name: value` and the end of its line.
        self.add(response.headers().iter().map(|(name, value)| name.len() + value.len() + 4).sum());
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        *response.body_mut() = SdkBody::from_body_1_x(Metered { body, meter: self.clone() });
        Ok(())
    }
}

/// A body that counts what is taken of it: one that is dropped half way was not all received.
struct Metered {
    body: SdkBody,
    meter: Meter,
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
            self.meter.add(frame.data_ref().map_or(0, bytes::Bytes::len));
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
