//! Bodies of requests and of answers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use crate::error::BoxError;
use crate::lanes::Busy;
use crate::plain::Lease;

/// The body of a request: bytes at hand, or a stream.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Whole(Full<Bytes>),
    Stream(UnsyncBoxBody<Bytes, BoxError>),
}

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self::from(Bytes::new())
    }

    /// A body that is sent as it comes.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Kind::Stream(body.map_err(Into::into).boxed_unsync()))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(Kind::Whole(Full::new(bytes.into())))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Kind::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(body) => body.is_end_stream(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => body.size_hint(),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

/// The body of an answer, as it comes from the connection. Dropping it before its end cancels the request.
#[derive(Debug)]
pub struct ResponseBody {
    inner: Incoming,
    source: Source,
}

/// Where a body comes from.
#[derive(Debug)]
enum Source {
    /// A connection with a task of its own, and the place among its requests.
    Lane { _busy: Busy },
    /// A connection that is driven from here.
    Driven(Lease),
    /// Everything is here.
    Ended,
}

impl ResponseBody {
    pub(crate) fn of_lane(inner: Incoming, busy: Busy) -> Self {
        Self { inner, source: Source::Lane { _busy: busy } }
    }

    pub(crate) fn driven(inner: Incoming, lease: Lease) -> Self {
        let mut body = Self { inner, source: Source::Driven(lease) };
        body.settle(false);
        body
    }

    /// Lets go of the connection if it is done with this answer, or if there is no more to come from it.
    fn settle(&mut self, ended: bool) {
        if let Source::Driven(lease) = &self.source
            && (ended || lease.connection.is_reusable())
            && let Source::Driven(lease) = std::mem::replace(&mut self.source, Source::Ended)
        {
            lease.release();
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { inner, source } = &mut *self;
        let Source::Driven(lease) = source else { return Pin::new(inner).poll_frame(cx) };
        let frame = ready!(lease.connection.poll_frame(inner, cx));
        self.settle(!matches!(frame, Some(Ok(_))));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
