//! Any OpenAI-compatible server: vLLM, llama.cpp, Ollama, LM Studio, `OpenAI` itself.
//!
//! | module | what it does |
//! |---|---|
//! | `options` | where the server is and how long it may take |
//! | `request` | the caller's body, with only that changed which must be |
//! | `whole` | a whole answer, stamped and filled up |
//! | `chunks`, `stream` | a streamed answer, stamped as it comes |
//! | `failure` | what its failures mean for the caller |
//! | `models` | the list of its models |
//! | `body` | bodies whole, within limits |
//!
//! The caller's credentials never go there: a request has the server's own key, a body, and nothing else.

mod body;
mod chunks;
mod failure;
mod models;
mod options;
mod request;
mod stream;
mod whole;

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST},
};
use outbound::{Body, Client, ResponseBody, Trust};
use serde::Deserialize;
use tokio::time::{Instant, timeout, timeout_at};

pub(crate) use self::failure::Reason;
pub use self::options::{InvalidOptions, Options, Thinking};
use self::{
    chunks::Chunks,
    options::{Endpoints, Limits},
    stream::ChunkStream,
};
use crate::{BoxFuture, Call, ChatProvider, Error, Frames, Offer, Result, Whole};

/// Most bytes of a whole answer (`security.md` L2).
const MAX_ANSWER: usize = 20 * 1024 * 1024;
/// Further tries after a failure that may pass, as long as nothing was answered.
const RETRIES: u32 = 2;
/// Before the first further try; doubled for the second.
const BACKOFF: Duration = Duration::from_millis(100);
/// How long a stream's head is held back for its first event, so that a failure at once is still an HTTP error. A
/// server that thinks for longer begins its stream, and its heartbeats, without it.
const HOLD_BACK: Duration = Duration::from_secs(3);

/// One OpenAI-compatible server.
#[derive(Debug)]
pub struct OpenAi {
    client: Client,
    endpoints: Endpoints,
    headers: HeaderMap,
    models: Option<Vec<String>>,
    include_usage: bool,
    thinking: Thinking,
    limits: Limits,
}

impl OpenAi {
    /// A server that is asked through `client`. Nothing is sent yet.
    pub fn new(options: &Options, client: Client) -> Result<Self, InvalidOptions> {
        let endpoints = Endpoints::of(options)?;
        let mut headers = HeaderMap::with_capacity(6);
        if let Some(host) = endpoints.plain_host() {
            // Otherwise the client writes it anew for each request.
            headers.insert(HOST, host);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if let Some(key) = &options.key {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| InvalidOptions::Key)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self {
            client,
            endpoints,
            headers,
            models: options.models.clone(),
            include_usage: options.include_usage,
            thinking: options.thinking,
            limits: options.limits(),
        })
    }

    fn request(&self, method: Method, uri: &Uri, body: Bytes) -> Request<Body> {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// Asks until there is a successful answer, a failure that will not pass, or no try left.
    async fn ask(&self, body: Bytes) -> Result<Response<ResponseBody>> {
        let mut pause = BACKOFF;
        for left in (0..=RETRIES).rev() {
            let request = self.request(Method::POST, &self.endpoints.chat, body.clone());
            // What rarely happens is on the heap, so that the future of every request need not have room for it.
            let (failure, passes) = match self.client.send(Trust::Operator, request).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let passes = failure::is_passing(response.status(), response.headers());
                    (Box::pin(failure::of(response)).await, passes)
                }
                Err(error) => {
                    let passes = error.is_connect();
                    (unreachable(error), passes)
                }
            };
            if left == 0 || !passes {
                return Err(failure);
            }
            tracing::debug!(provider = self.endpoints.name, %failure, left, "trying again");
            Box::pin(tokio::time::sleep(jittered(pause))).await;
            pause *= 2;
        }
        Err(Error::failed("no try is left"))
    }

    async fn whole(&self, call: Call) -> Result<Whole> {
        let body = request::body(&call, false, self.include_usage, self.thinking);
        // In its place: as an argument it would be copied three times, and it is large.
        let answering = pin!(async { body::read(self.ask(body).await?, MAX_ANSWER).await });
        // A whole answer's head comes when the model has ended, so only the whole has a limit.
        let body = timeout(self.limits.total, answering).await.map_err(too_late)??;
        whole::restamp(&body, &call.stamp)
    }

    async fn streamed(&self, call: Call) -> Result<Frames> {
        let begun = Instant::now();
        let body = request::body(&call, true, self.include_usage, self.thinking);
        let head_by = begun + self.limits.first_byte.min(self.limits.total);
        let response = timeout_at(head_by, self.ask(body)).await.map_err(too_late)??;
        if !is_event_stream(&response) {
            return Err(timeout_at(head_by, not_a_stream(response)).await.unwrap_or_else(too_late));
        }
        let chunks = Chunks::new(&call.stamp, call.request.wants_usage());
        let mut frames = Box::pin(ChunkStream::new(response.into_body(), chunks, self.limits, begun));
        match timeout(HOLD_BACK, frames.first()).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) | Err(_) => Ok(frames),
        }
    }
}

impl ChatProvider for OpenAi {
    fn name(&self) -> &str {
        &self.endpoints.name
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<Offer>>> {
        Box::pin(self.list())
    }

    fn complete(&self, call: Call) -> BoxFuture<'_, Result<Whole>> {
        Box::pin(self.whole(call))
    }

    fn stream(&self, call: Call) -> BoxFuture<'_, Result<Frames>> {
        Box::pin(self.streamed(call))
    }
}

fn unreachable(error: outbound::Error) -> Error {
    match error {
        outbound::Error::Timeout(_) => Error::Timeout(error.into()),
        error => Error::failed(error),
    }
}

fn too_late(elapsed: tokio::time::error::Elapsed) -> Error {
    Error::Timeout(elapsed.into())
}

/// Between half and the whole of `pause`, so that callers who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let [random] = domain::secret::random::<1>();
    pause / 2 + pause.mul_f64(f64::from(random) / 512.0)
}

fn is_event_stream(response: &Response<ResponseBody>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
}

/// A 200 that is no stream may still say what went wrong.
async fn not_a_stream(response: Response<ResponseBody>) -> Error {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        error: &'a serde_json::value::RawValue,
    }
    match body::read(response, 64 * 1024).await {
        Ok(body) => match serde_json::from_slice::<Envelope<'_>>(&body) {
            Ok(envelope) => failure::in_answer(envelope.error.get()),
            Err(_) => Error::failed("the upstream answered with something else than a stream"),
        },
        Err(error) => error,
    }
}
