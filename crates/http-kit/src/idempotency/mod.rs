//! Requests that must not be done twice: `POST` with an `Idempotency-Key` (contract, section 1).
//!
//! The first request with a key claims it in the database, so that of all servers one does the work; its answer is kept
//! for a day and given to whoever sends the same request with the same key. It runs to its end even when its client
//! leaves: that client will ask again. While it runs, and for another request with its key, the answer is 409.
//!
//! Kept is what will not change by itself: success, and refusals of the request as such. After any other answer the key
//! is free again. So it is after a crash, when the lock runs out: work that was committed before the crash and whose
//! answer was not kept is then done again.
//!
//! A request without the header pays for looking for it.

mod claim;
mod document;
mod recorded;
mod seal;

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use domain::{Clock, Error, Kind, Principal};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use store::{CleanUp, Holder, IdempotentRequest, Store};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{ApiError, context::Context, error, extract, sse};
use claim::Claim;
pub(crate) use document::document;
use recorded::Recorded;
use seal::Seal;

/// The header that names a request.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says of an answer that it was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Longest key, in characters.
const MAX_KEY: usize = 255;
/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// How long a claim holds without being extended, and how often it is: a server that died blocks a retry so long.
const LOCK: Duration = Duration::from_secs(30);
const EXTEND_EVERY: Duration = Duration::from_secs(10);
/// Longest answer that is kept, in bytes of its body.
const MAX_ANSWER: usize = 1024 * 1024;
/// Streams whose clients left and that go on to their end, at a time; beyond them they end and their keys are free.
const MAX_LEFT: usize = 256;
const CLEAN_EVERY: Duration = Duration::from_mins(10);
/// Keys forgotten in one transaction: others wait for it on SQLite.
const CLEAN_BATCH: u32 = 500;

/// Keeps the answers of requests with keys. Clones share everything.
#[derive(Clone)]
pub struct Idempotency(Arc<Shared>);

struct Shared {
    store: Store,
    clock: Clock,
    tasks: TaskTracker,
    closing: CancellationToken,
    /// The claims of this process.
    live: std::sync::Mutex<HashSet<Holder>>,
    left: Arc<Semaphore>,
}

impl Idempotency {
    /// Answers are kept in `store`. What is under way goes on in `tasks`, until `closing`.
    pub fn new(store: Store, clock: Clock, tasks: TaskTracker, closing: CancellationToken) -> Self {
        let left = Arc::new(Semaphore::new(MAX_LEFT));
        Self(Arc::new(Shared { store, clock, tasks, closing, live: std::sync::Mutex::default(), left }))
    }

    /// Keeps the locks of what is under way, and forgets what expired, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut extend = tokio::time::interval(EXTEND_EVERY);
        let mut clean = tokio::time::interval(CLEAN_EVERY);
        extend.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        clean.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = extend.tick() => self.extend().await,
                _ = clean.tick() => self.clean().await,
            };
            if let Err(error) = done {
                let causes = Error::from(error).causes();
                tracing::warn!(causes, "Could not keep the idempotency keys in order, and will try again");
            }
        }
    }

    /// Extends the locks of this process's claims.
    pub async fn extend(&self) -> store::Result<()> {
        let holders: Vec<Holder> = self.live().iter().copied().collect();
        for some in holders.chunks(256) {
            let mut tx = self.0.store.write().await?;
            for holder in some {
                tx.extend_idempotency_lock(holder, self.0.clock.now() + LOCK).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Forgets expired keys, in batches.
    pub async fn clean(&self) -> store::Result<()> {
        loop {
            let mut tx = self.0.store.write().await?;
            if !tx.lock_clean_up(CleanUp::IdempotencyKeys).await? {
                return Ok(());
            }
            let forgotten = tx.delete_expired_idempotency_keys(self.0.clock.now(), CLEAN_BATCH).await?;
            tx.commit().await?;
            if forgotten < u64::from(CLEAN_BATCH) {
                return Ok(());
            }
        }
    }

    /// Answers a request whose caller is known and whose body is bounded: by `handler`, or by what that said before.
    pub(crate) async fn serve<H, F>(
        &self,
        caller: &Principal,
        context: Arc<Context>,
        request: Request<Body>,
        handler: H,
    ) -> Result<Response, ApiError>
    where
        H: FnOnce(Request<Body>) -> F,
        F: Future<Output = Result<Response, ApiError>> + Send + 'static,
    {
        let key = read_key(request.headers())?.to_owned();
        let (parts, body) = request.into_parts();
        let body = extract::read(body).await?;
        let address = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let asked = IdempotentRequest {
            owner: &caller.user_id,
            route: &format!("POST {}", context.route()),
            key_digest: &seal::sha256(&[key.as_bytes()]),
            fingerprint: &seal::sha256(&[address.as_bytes(), &body]),
        };
        let seal = Seal::of(asked.owner, &key).ok_or_else(|| Error::internal("the cipher refuses its key"))?;
        let Some(claim) = self.claim(&asked).await? else {
            return self.replay(&asked, &seal).await;
        };
        let answering = handler(Request::from_parts(parts, Body::from(body)));
        let (keys, fingerprint) = (self.clone(), *asked.fingerprint);
        let work = async move {
            let response = answering.await.unwrap_or_else(IntoResponse::into_response);
            keys.keep(response, Answering { claim, seal, fingerprint }, &context).await
        };
        // On a task of its own, so that it goes on when the client leaves.
        match self.0.tasks.spawn(work.in_current_span()).await {
            Ok(response) => Ok(response),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(Error::internal(error).into()),
        }
    }

    /// What a key's first request was answered, or why that is not known.
    async fn replay(&self, asked: &IdempotentRequest<'_>, seal: &Seal) -> Result<Response, ApiError> {
        let mut reader = self.0.store.read().await.map_err(Error::from)?;
        match reader.idempotent_request(asked).await.map_err(Error::from)? {
            Some(known) if !known.is_same => Err(reused().into()),
            Some(known) if known.is_answered => {
                let Some((status, stored)) = known.answer else { return Err(not_kept().into()) };
                let mut response = seal
                    .open(status, &stored, asked.fingerprint)
                    .ok_or_else(|| Error::internal("the answer of an idempotency key cannot be read"))?;
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
                Ok(response)
            }
            // Under way, or given up at this very moment.
            _ => {
                let mut response = ApiError::from(in_use()).into_response();
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                Ok(response)
            }
        }
    }

    /// Keeps an answer, if it is of those that are kept, before anybody sees its end.
    async fn keep(&self, response: Response, mut answering: Answering, context: &Context) -> Response {
        let status = response.status();
        if !is_kept(status) {
            answering.claim.release().await;
            return response;
        }
        if let Some(ApiError(error)) = response.extensions().get::<ApiError>() {
            // The edge would write the envelope with the id of whoever asks again.
            let body = error::envelope(error, &context.request_id);
            let json = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
            answering.finish(status, &json, Some(&body)).await;
            return response;
        }
        if sse::is_stream(response.headers()) {
            let (head, body) = response.into_parts();
            let recorded = Recorded::new(body, answering, head.status, head.headers.clone());
            return Response::from_parts(head, Body::new(recorded));
        }
        let (head, body) = response.into_parts();
        if body.size_hint().exact().is_none_or(|length| length > MAX_ANSWER as u64) {
            answering.finish(head.status, &head.headers, None).await;
            return Response::from_parts(head, body);
        }
        match body.collect().await {
            Ok(body) => {
                let body = body.to_bytes();
                answering.finish(head.status, &head.headers, Some(&body)).await;
                Response::from_parts(head, Body::from(body))
            }
            Err(error) => {
                answering.claim.release().await;
                ApiError::from(Error::internal(error)).into_response()
            }
        }
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashSet<Holder>> {
        self.0.live.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A claimed request that is being answered.
struct Answering {
    claim: Claim,
    seal: Seal,
    fingerprint: [u8; 32],
}

impl Answering {
    /// Keeps the answer, or that there was one which is not kept.
    async fn finish(&mut self, status: StatusCode, headers: &HeaderMap, body: Option<&Bytes>) {
        let sealed = body.and_then(|body| self.seal.close(headers, body, &self.fingerprint));
        self.claim.finish(sealed.as_deref().map(|sealed| (status.as_u16(), sealed))).await;
    }
}

/// Whether a request wants to be done once.
pub(crate) fn is_asked(request: &Request<Body>) -> bool {
    request.headers().contains_key(&KEY) && request.method() == Method::POST
}

fn read_key(headers: &HeaderMap) -> Result<&str, Error> {
    let mut values = headers.get_all(&KEY).iter();
    let key = values.next().map(HeaderValue::as_bytes).unwrap_or_default();
    let is_printable = key.iter().all(|byte| matches!(byte, b' '..=b'~'));
    match std::str::from_utf8(key) {
        Ok(text) if is_printable && !text.is_empty() && text.len() <= MAX_KEY && values.next().is_none() => Ok(text),
        _ => {
            let message = format!("Idempotency-Key is one text of 1 to {MAX_KEY} printable ASCII characters.");
            Err(Error::invalid_parameter("Idempotency-Key", message))
        }
    }
}

/// Whether the same request would get the same answer later: it was done, or it is of no use as it is.
fn is_kept(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection() || matches!(status.as_u16(), 400 | 404 | 405 | 410 | 413 | 415 | 422)
}

fn conflict(code: &'static str, message: &'static str) -> Error {
    Error::new(Kind::Conflict, code, message).param("Idempotency-Key")
}

#[cold]
fn reused() -> Error {
    conflict("idempotency_key_reused", "This Idempotency-Key was used for another request: use a new one for each.")
}

#[cold]
fn in_use() -> Error {
    conflict("idempotency_key_in_use", "The first request with this Idempotency-Key is under way: ask again soon.")
}

#[cold]
fn not_kept() -> Error {
    conflict(
        "idempotency_answer_not_kept",
        "The first request with this Idempotency-Key was done; its answer was too long to be kept.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&'static [u8]]) -> Result<String, Option<String>> {
        let headers = values.iter().map(|value| (KEY, HeaderValue::from_bytes(value).unwrap())).collect::<Vec<_>>();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        read_key(&map).map(str::to_owned).map_err(|error| error.param_name().map(str::to_owned))
    }

    #[test]
    fn keys_are_printable_and_bounded() {
        assert_eq!(key(&[b"stainless-node-retry-0b5c"]), Ok("stainless-node-retry-0b5c".to_owned()));
        assert_eq!(key(&[b"\"a b\" ~"]), Ok("\"a b\" ~".to_owned()));
        let bad = Err(Some("Idempotency-Key".to_owned()));
        for values in [&[&b""[..]][..], &[b"a", b"a"], &[b"\xc3\xa9"], &[b"a\tb"], &[&[b'a'; 256]]] {
            assert_eq!(key(values), bad, "{values:?}");
        }
        assert!(key(&[&[b'a'; 255]]).is_ok());
    }

    #[test]
    fn what_may_be_otherwise_the_next_time_is_not_kept() {
        for kept in [200, 201, 204, 302, 400, 404, 410, 413, 415, 422] {
            assert!(is_kept(StatusCode::from_u16(kept).unwrap()), "{kept}");
        }
        for passing in [401, 403, 408, 409, 425, 429, 500, 502, 503, 504] {
            assert!(!is_kept(StatusCode::from_u16(passing).unwrap()), "{passing}");
        }
    }
}
