//! Answers as streams of server-sent events.
//!
//! Frames pass as they come, each at once. A silent stream gets a comment now and then, so that nothing on the way
//! takes it for dead. A stream that fails ends with an error event and nothing that looks like a whole stream's end.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use domain::Error;
use futures_util::Stream;
use http::{HeaderMap, HeaderValue, header};
use http_body::Frame;
use tokio::time::{Instant, Sleep};

use crate::{RequestId, error, gated::Gated};

/// A silent stream says this, and nobody hears it.
const HEARTBEAT: Bytes = Bytes::from_static(b": keep-alive\n\n");
/// After this much silence (contract E12).
const INTERVAL: Duration = Duration::from_secs(15);

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/event-stream");

/// An answer of the frames of `events`, each whole and with its blank line.
///
/// An error ends the stream with one `data:` frame that holds the envelope with `request_id`.
pub fn response<S>(request_id: RequestId, events: S) -> Response
where
    S: Stream<Item = Result<Bytes, Error>> + Send + 'static,
{
    let mut response = Response::new(Body::new(Events {
        source: Some(Box::pin(events)),
        request_id,
        quiet_since: Instant::now(),
        spoke: false,
        timer: Gated::new(Box::pin(tokio::time::sleep(INTERVAL))),
    }));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Tells nginx and its like to pass each event on at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Whether an answer is a stream of events.
pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE) == Some(&CONTENT_TYPE)
}

/// Whether a frame says nothing, such as that the stream is alive.
pub(crate) fn is_comment(frame: &[u8]) -> bool {
    frame.first() == Some(&b':')
}

/// Whether a frame tells of the failure that ends a stream.
pub(crate) fn is_failure(frame: &[u8]) -> bool {
    frame.starts_with(b"data: {\"error\":{")
}

struct Events<S> {
    /// Gone after its end.
    source: Option<Pin<Box<S>>>,
    request_id: RequestId,
    quiet_since: Instant,
    /// Whether frames passed since the timer was last looked at: a flag costs less than the time of each frame.
    spoke: bool,
    /// Set anew only when it fires, not with each frame.
    timer: Gated<Pin<Box<Sleep>>>,
}

impl<S> http_body::Body for Events<S>
where
    S: Stream<Item = Result<Bytes, Error>>,
{
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        match source.as_mut().poll_next(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.spoke = true;
                Poll::Ready(Some(Ok(Frame::data(frame))))
            }
            Poll::Ready(Some(Err(failure))) => {
                self.source = None;
                error::log(&failure, &self.request_id);
                let envelope = error::envelope(&failure, &self.request_id);
                Poll::Ready(Some(Ok(Frame::data(wire::sse::data(&envelope)))))
            }
            Poll::Ready(None) => {
                self.source = None;
                Poll::Ready(None)
            }
            Poll::Pending => self.poll_heartbeat(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }
}

impl<S> Events<S> {
    fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if std::mem::take(&mut self.spoke) {
            self.quiet_since = Instant::now();
        }
        loop {
            ready!(Pin::new(&mut self.timer).poll(cx));
            let due = self.quiet_since + INTERVAL;
            if Instant::now() < due {
                // There was traffic since the timer was set.
                self.timer.get_mut().as_mut().reset(due);
                continue;
            }
            self.quiet_since = Instant::now();
            let next = self.quiet_since + INTERVAL;
            self.timer.get_mut().as_mut().reset(next);
            return Poll::Ready(Some(Ok(Frame::data(HEARTBEAT))));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::BodyExt;

    use super::*;

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    fn id() -> RequestId {
        RequestId::new(&domain::Clock::System)
    }

    #[tokio::test]
    async fn frames_pass_unchanged() {
        let frames = stream::iter(["data: 1\n\n", "data: [DONE]\n\n"].map(|frame| Ok(Bytes::from(frame))));
        let response = response(id(), frames);
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        assert!(is_stream(response.headers()));
        assert_eq!(text(response).await, "data: 1\n\ndata: [DONE]\n\n");
    }

    #[tokio::test]
    async fn a_broken_stream_ends_with_its_error() {
        let id = id();
        let frames = stream::iter([
            Ok(Bytes::from("data: 1\n\n")),
            Err(Error::new(domain::Kind::Upstream, "upstream_error", "The model broke off.")),
            Ok(Bytes::from("data: [DONE]\n\n")),
        ]);
        let text = text(response(id.clone(), frames)).await;
        let event = text.strip_prefix("data: 1\n\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        let event: serde_json::Value = serde_json::from_str(event).unwrap();
        assert_eq!(event["error"]["code"], "upstream_error");
        assert_eq!(event["error"]["request_id"], id.as_str());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_and_traffic_is_not() {
        let slow = stream::unfold(0, |n| async move {
            let pause = match n {
                0..5 => 10,
                5 => 40,
                _ => return None,
            };
            tokio::time::sleep(Duration::from_secs(pause)).await;
            Some((Ok(Bytes::from("data: x\n\n")), n + 1))
        });
        let text = text(response(id(), slow.boxed())).await;
        let (lively, silent) = text.split_at("data: x\n\n".len() * 5);
        assert_eq!(lively, "data: x\n\n".repeat(5));
        assert_eq!(silent, ": keep-alive\n\n: keep-alive\n\ndata: x\n\n");
    }
}
