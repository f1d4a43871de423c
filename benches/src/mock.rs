//! An OpenAI-compatible upstream that costs next to nothing, so that what stands before it is what is
//! measured. The model's name says what the answer looks like; nothing is generated or remembered.
//!
//! | model | answer |
//! |---|---|
//! | `mock-json` | one JSON answer of about 1 KB, at once |
//! | `mock-slow` | the same after 30 seconds, for hang-ups |
//! | `mock-stN` | a stream of N chunks, each written by itself, as fast as they are taken |
//! | `mock-stN-pM` | the same, one chunk every M milliseconds from the start of the answer |
//!
//! Every chunk's text begins with `@` and the microsecond it was made, which gives the transit time.
//! `GET /stats` tells open connections, answers under way, requests and hang-ups seen.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::service::{HttpService, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, Sleep};

use crate::accept::Listen;
use crate::clock;

/// The models that `GET /v1/models` lists: those that the cases use.
pub(crate) const MODELS: [&str; 6] =
    ["mock-json", "mock-slow", "mock-st64", "mock-st25-p20", "mock-st600-p5", "mock-st2000-p5"];

/// A request body larger than this is refused.
const MAX_BODY: usize = 16 << 20;
/// Chunks of one stream, at most.
const MAX_CHUNKS: u32 = 100_000;
/// How long `mock-slow` thinks.
const SLOW: Duration = Duration::from_secs(30);

/// Where to listen.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    listen: Listen,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mock = Mock::default();
    options.listen.serve(move || mock.connection()).await
}

/// What the mock has seen so far.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Connections open now.
    pub connections: u64,
    /// Chat completions not yet answered to the end.
    pub active: u64,
    /// Chat completions asked for.
    pub requests: u64,
    /// Answers that the other side did not wait for.
    pub hangups: u64,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    active: AtomicU64,
    requests: AtomicU64,
    hangups: AtomicU64,
}

/// The upstream: a handle on its counters.
#[derive(Clone, Default)]
pub(crate) struct Mock(Arc<Counters>);

type Answer = Response<Either<Full<Bytes>, Chunks>>;

impl Mock {
    /// The service for one connection, which is counted as open until the service is dropped.
    pub(crate) fn connection(
        &self,
    ) -> impl HttpService<Incoming, ResBody = Either<Full<Bytes>, Chunks>, Error = Infallible, Future: Send> + Send + use<>
    {
        let open = Arc::new(Open::new(self.0.clone()));
        service_fn(move |request| answer(open.clone(), request))
    }
}

/// Counts a connection for as long as it lives.
struct Open(Arc<Counters>);

impl Open {
    fn new(counters: Arc<Counters>) -> Self {
        counters.connections.fetch_add(1, Ordering::Relaxed);
        Self(counters)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer under way. Dropped before it is finished, it was a hang-up.
struct UnderWay {
    counters: Arc<Counters>,
    finished: bool,
}

impl UnderWay {
    fn new(counters: Arc<Counters>) -> Self {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        counters.active.fetch_add(1, Ordering::Relaxed);
        Self { counters, finished: false }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.finished {
            self.counters.hangups.fetch_add(1, Ordering::Relaxed);
        }
        self.counters.active.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn answer(open: Arc<Open>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let counters = &open.0;
    Ok(match (request.method(), request.uri().path()) {
        (&Method::POST, "/v1/chat/completions") => chat(counters.clone(), request.into_body()).await,
        (&Method::GET, "/v1/models") => whole(StatusCode::OK, &models()),
        (&Method::GET, "/stats") => whole(StatusCode::OK, &json!(stats(counters))),
        _ => refusal(StatusCode::NOT_FOUND, "no such route"),
    })
}

fn stats(counters: &Counters) -> Stats {
    Stats {
        connections: counters.connections.load(Ordering::Relaxed),
        active: counters.active.load(Ordering::Relaxed),
        requests: counters.requests.load(Ordering::Relaxed),
        hangups: counters.hangups.load(Ordering::Relaxed),
    }
}

fn models() -> Value {
    let models: Vec<_> = MODELS
        .iter()
        .map(|id| json!({ "id": id, "object": "model", "created": 1_700_000_000, "owned_by": "mock" }))
        .collect();
    json!({ "object": "list", "data": models })
}

/// The one field that matters here; the rest of the body is skipped over.
#[derive(Deserialize)]
struct Asked {
    model: String,
}

async fn chat(counters: Arc<Counters>, body: Incoming) -> Answer {
    let mut under_way = UnderWay::new(counters);
    let asked = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => serde_json::from_slice::<Asked>(&body.to_bytes()),
        Err(_) => return refusal(StatusCode::BAD_REQUEST, "the body was cut short or is too large"),
    };
    match asked.ok().and_then(|asked| Shape::of(&asked.model)) {
        Some(Shape::Whole { after }) => {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            under_way.finished = true;
            ok(Either::Left(Full::from(completion())), "application/json")
        }
        Some(Shape::Stream { chunks, every }) => {
            ok(Either::Right(Chunks::new(under_way, chunks, every)), "text/event-stream")
        }
        None => {
            under_way.finished = true;
            refusal(StatusCode::NOT_FOUND, "no such model")
        }
    }
}

/// What a model's name asks for.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Whole { after: Duration },
    Stream { chunks: u32, every: Duration },
}

impl Shape {
    fn of(model: &str) -> Option<Self> {
        match model {
            "mock-json" => Some(Self::Whole { after: Duration::ZERO }),
            "mock-slow" => Some(Self::Whole { after: SLOW }),
            _ => {
                let rest = model.strip_prefix("mock-st")?;
                let (chunks, every) = rest.split_once("-p").unwrap_or((rest, "0"));
                let chunks = chunks.parse().ok().filter(|chunks| (1..=MAX_CHUNKS).contains(chunks))?;
                Some(Self::Stream { chunks, every: Duration::from_millis(every.parse::<u16>().ok()?.into()) })
            }
        }
    }
}

/// Chunks that a model's name promises; `None` for whole answers and unknown names.
pub(crate) fn chunks_of(model: &str) -> Option<u32> {
    match Shape::of(model)? {
        Shape::Stream { chunks, .. } => Some(chunks),
        Shape::Whole { .. } => None,
    }
}

/// The body of a streamed answer.
pub(crate) struct Chunks {
    under_way: UnderWay,
    total: u32,
    sent: u32,
    every: Duration,
    started: Instant,
    wait: Pin<Box<Sleep>>,
    /// A chunk was just handed out; the next one waits a turn so that this one is written by itself.
    flushing: bool,
}

impl Chunks {
    fn new(under_way: UnderWay, total: u32, every: Duration) -> Self {
        let started = Instant::now();
        let wait = Box::pin(tokio::time::sleep_until(started));
        Self { under_way, total, sent: 0, every, started, wait, flushing: false }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.under_way.finished {
            return Poll::Ready(None);
        }
        if self.every.is_zero() {
            if std::mem::take(&mut self.flushing) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        } else {
            // Due times count from the start: a stream that was held up catches up and loses nothing.
            let due = self.started + self.every * self.sent;
            if self.wait.deadline() != due {
                self.wait.as_mut().reset(due);
            }
            if due > Instant::now() && self.wait.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        let bytes = if self.sent < self.total {
            self.sent += 1;
            self.flushing = true;
            chunk()
        } else {
            self.under_way.finished = true;
            end()
        };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.under_way.finished
    }
}

/// One event with its time of birth in the text.
fn chunk() -> Bytes {
    Bytes::from(format!(
        "data: {{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
         \"model\":\"mock\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"@{} token \"}},\
         \"logprobs\":null,\"finish_reason\":null}}]}}\n\n",
        clock::micros()
    ))
}

fn end() -> Bytes {
    Bytes::from_static(
        b"data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
          \"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\
          \"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    )
}

fn completion() -> Bytes {
    static ANSWER: std::sync::LazyLock<Bytes> = std::sync::LazyLock::new(|| {
        let answer = json!({
            "id": "chatcmpl-mock",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "mock",
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": "An answer of ordinary length. ".repeat(24), "refusal": null },
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": { "prompt_tokens": 120, "completion_tokens": 144, "total_tokens": 264 },
        });
        Bytes::from(answer.to_string())
    });
    ANSWER.clone()
}

fn ok(body: Either<Full<Bytes>, Chunks>, content_type: &'static str) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

fn whole(status: StatusCode, value: &Value) -> Answer {
    let mut answer = ok(Either::Left(Full::from(value.to_string())), "application/json");
    *answer.status_mut() = status;
    answer
}

fn refusal(status: StatusCode, message: &str) -> Answer {
    whole(status, &json!({ "error": { "message": message, "type": "invalid_request_error" } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_says_what_comes() {
        assert_eq!(Shape::of("mock-json"), Some(Shape::Whole { after: Duration::ZERO }));
        assert_eq!(Shape::of("mock-st64"), Some(Shape::Stream { chunks: 64, every: Duration::ZERO }));
        assert_eq!(Shape::of("mock-st25-p20"), Some(Shape::Stream { chunks: 25, every: Duration::from_millis(20) }));
        for wrong in ["gpt", "mock-st", "mock-st0", "mock-st-5", "mock-st9999999", "mock-st5-p", "mock-st5-p70000"] {
            assert_eq!(Shape::of(wrong), None, "{wrong}");
        }
        assert!(MODELS.iter().all(|model| Shape::of(model).is_some()));
    }

    #[test]
    fn the_answer_is_of_the_one_kilobyte_class() {
        assert!((900..1200).contains(&completion().len()), "{}", completion().len());
    }
}
