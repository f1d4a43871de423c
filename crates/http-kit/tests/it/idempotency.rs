//! Requests with an `Idempotency-Key`, on both databases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, routing::post};
use bytes::Bytes;
use domain::{Clock, Error, Kind, Role, Secret, Timestamp, ids::UserId, user::User};
use futures_util::StreamExt;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use http_kit::{ApiError, EdgeOptions, Idempotency, Path, RawBody, RequestId, Service, sse};
use serde_json::json;
use store::{CleanUp, DatabaseOptions, IdempotentRequest, Store};
use testkit::{database::Database, on_both_databases};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa_axum::router::OpenApiRouter;

use crate::support::{Answer, App, PATIENCE, post_of};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const KEY: &str = "idempotency-key";
const MINUTE: Duration = Duration::from_mins(1);

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    /// How often a handler began.
    runs: Arc<AtomicUsize>,
    /// What the gated ones wait for.
    gate: Arc<Semaphore>,
}

impl Shared {
    fn run(&self) -> usize {
        self.runs.fetch_add(1, Ordering::SeqCst) + 1
    }

    async fn pass(&self) {
        self.gate.acquire().await.unwrap().forget();
    }
}

/// Answers in the way that the path says.
async fn answer(shared: Shared, kind: String, id: RequestId, body: Bytes) -> Result<Response<Body>, ApiError> {
    let n = shared.run();
    let events = |frames: Vec<Result<Bytes, Error>>| sse::response(id.clone(), futures_util::stream::iter(frames));
    let event = |text: &str| Ok(Bytes::from(format!("data: {text} {n}\n\n")));
    let error = |kind| Error::new(kind, "some_error", format!("number {n}")).param("field");
    Ok(match kind.as_str() {
        "made" => Response::builder()
            .status(StatusCode::CREATED)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-conversation-id", "conv_1")
            .header(header::SET_COOKIE, "a=b")
            .body(json!({"n": n, "body": String::from_utf8_lossy(&body)}).to_string().into())
            .unwrap(),
        "empty" => Response::builder().status(StatusCode::NO_CONTENT).body(Body::empty()).unwrap(),
        "large" => Response::new(vec![b'x'; 1024 * 1024 + 1].into()),
        "invalid" => return Err(error(Kind::Invalid).into()),
        "missing" => return Err(error(Kind::NotFound).into()),
        "conflict" => return Err(error(Kind::Conflict).into()),
        "limited" => return Err(error(Kind::RateLimited(None)).into()),
        "upstream" => return Err(error(Kind::Upstream).into()),
        "panic" => panic!("words of a panic"),
        "gated" => {
            shared.pass().await;
            Response::new(format!("gated {n}").into())
        }
        "events" => events(vec![Ok(": nothing\n\n".into()), event("one"), event("two"), Ok("data: [DONE]\n\n".into())]),
        "broken-events" => events(vec![event("one"), Err(error(Kind::Upstream))]),
        "long-events" => events((0..5).map(|_| event(&"x".repeat(300_000))).collect()),
        "gated-events" => {
            let first = futures_util::stream::iter([event("one")]);
            let second = event("two");
            let rest = futures_util::stream::once(async move {
                shared.pass().await;
                second
            });
            sse::response(id, first.chain(rest.boxed()))
        }
        other => panic!("{other}?"),
    })
}

struct World {
    app: App,
    shared: Shared,
    keys: Idempotency,
    tasks: TaskTracker,
    clock: Clock,
    store: Store,
    database: Database,
}

impl World {
    async fn new(database: Database) -> Self {
        let url = Some(Secret::new(database.url.clone()));
        let store = Store::open(&DatabaseOptions { url, ..DatabaseOptions::default() }).await.unwrap();
        let mut tx = store.write().await.unwrap();
        tx.insert_user(&caller()).await.unwrap();
        tx.commit().await.unwrap();

        let shared = Shared { runs: Arc::default(), gate: Arc::new(Semaphore::new(0)) };
        let (clock, tasks) = (Clock::fixed(NOW), TaskTracker::new());
        let keys = Idempotency::new(store.clone(), clock.clone(), tasks.clone(), CancellationToken::new());
        let of_routes = shared.clone();
        let handler = move |Path(kind): Path<String>, id: RequestId, RawBody(body): RawBody| {
            answer(of_routes.clone(), kind, id, body)
        };
        let of_open = shared.clone();
        let routes = OpenApiRouter::new()
            .route("/do/{kind}", post(handler.clone()).put(handler))
            .route("/open", post(move || async move { of_open.run().to_string() }));
        let service = Service::new("test-api", "jan_test_api", routes).open(&[(http::Method::POST, "/open")]);
        let edge_keys = keys.clone();
        let app = App::build(EdgeOptions::default(), |edge| edge.with_idempotency(edge_keys), service);
        Self { app, shared, keys, tasks, clock, store, database }
    }

    async fn post(&self, kind: &str, key: &str, body: &'static str) -> Answer {
        self.app.call(request(kind, key, body)).await
    }

    fn runs(&self) -> usize {
        self.shared.runs.load(Ordering::SeqCst)
    }

    /// Waits for what goes on without its client.
    async fn settle(&self) {
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.unwrap();
        self.tasks.reopen();
    }

    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let waited = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.unwrap();
    }
}

/// Who `Bearer user` is.
fn caller() -> User {
    User {
        id: UserId::parse("user_0123456789abcdef").unwrap(),
        issuer: "https://jan.test".to_owned(),
        subject: "subject".to_owned(),
        username: "user".to_owned(),
        email: None,
        email_verified: false,
        name: None,
        roles: vec![Role::User],
        created_at: NOW,
        disabled_at: None,
    }
}

fn request(kind: &str, key: &str, body: &'static str) -> Request<Body> {
    let mut request = post_of(&format!("/do/{kind}"), body);
    request.headers_mut().insert(KEY, key.parse().unwrap());
    request
}

fn was_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

on_both_databases! {
    async fn the_first_answer_is_given_again(database: Database) {
        let world = World::new(database).await;
        let first = world.post("made", "key 1", "body").await;
        assert_eq!((first.status(), was_replayed(&first)), (201, false));
        assert_eq!(first.header("set-cookie"), Some("a=b"));
        for _ in 0..2 {
            let again = world.post("made", "key 1", "body").await;
            assert_eq!((again.status(), &again.text), (201, &first.text));
            assert!(was_replayed(&again));
            assert_eq!(again.header("content-type"), Some("application/json"));
            assert_eq!(again.header("x-conversation-id"), Some("conv_1"));
            assert_eq!(again.header("set-cookie"), None, "cookies are the exchange's, not the answer's");
            assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
        }
        assert_eq!(world.runs(), 1);
        assert_eq!(world.post("made", "key 2", "body").await.json()["n"], 2);
        let empty = world.post("empty", "key 3", "").await;
        let again = world.post("empty", "key 3", "").await;
        assert_eq!((empty.status(), again.status(), was_replayed(&again)), (204, 204, true));
        assert_eq!(world.runs(), 3);
    }

    async fn another_request_with_the_key_is_refused(database: Database) {
        let world = World::new(database).await;
        world.post("made", "key", "body").await;
        for (kind, body) in [("made", "other"), ("made", ""), ("made?x=1", "body"), ("invalid", "body")] {
            let refused = world.post(kind, "key", body).await;
            assert_eq!(refused.failure(409), "idempotency_key_reused", "{kind}");
            assert_eq!(refused.json()["error"]["param"], "Idempotency-Key");
        }
        assert_eq!(world.runs(), 1);
    }

    async fn refusals_of_the_request_are_kept_and_passing_failures_are_not(database: Database) {
        let world = World::new(database).await;
        for (kind, status) in [("invalid", 400), ("missing", 404)] {
            let first = world.post(kind, kind, "").await;
            assert_eq!(first.failure(status), "some_error");
            let again = world.post(kind, kind, "").await;
            assert!(was_replayed(&again));
            assert_eq!((again.status(), again.text), (status, first.text), "to the letter");
        }
        assert_eq!(world.runs(), 2);
        for (kind, status) in [("conflict", 409), ("limited", 429), ("upstream", 502)] {
            for _ in 0..2 {
                let runs = world.runs();
                assert_eq!(world.post(kind, kind, "").await.failure(status), "some_error");
                assert_eq!(world.runs(), runs + 1, "{kind}");
            }
        }
    }

    async fn after_a_panic_the_key_is_free(database: Database) {
        let world = World::new(database).await;
        for _ in 0..2 {
            assert_eq!(world.post("panic", "key", "").await.failure(500), "internal_error");
            world.settle().await;
        }
        assert_eq!(world.runs(), 2);
    }

    async fn while_the_first_runs_the_second_is_told_to_come_again(database: Database) {
        let world = World::new(database).await;
        let (first, ()) = tokio::join!(world.post("gated", "key", ""), async {
            world.until(|world| world.runs() == 1).await;
            let second = world.post("gated", "key", "").await;
            assert_eq!(second.failure(409), "idempotency_key_in_use");
            assert_eq!(second.header("retry-after"), Some("1"));
            assert_eq!(world.post("gated", "key", "x").await.failure(409), "idempotency_key_reused");
            world.shared.gate.add_permits(1);
        });
        assert_eq!(first.text, "gated 1");
        assert_eq!(world.post("gated", "key", "").await.text, "gated 1");
    }

    async fn of_many_at_once_one_is_done(database: Database) {
        let world = World::new(database).await;
        let post = || world.post("made", "key", "body");
        let answers = tokio::join!(post(), post(), post(), post(), post(), post());
        let answers = [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5];
        assert_eq!(world.runs(), 1);
        for answer in &answers {
            assert!(answer.status() == 201 || answer.failure(409) == "idempotency_key_in_use");
        }
        assert!(answers.iter().any(|answer| answer.status() == 201));
    }

    async fn who_left_gets_the_answer_by_asking_again(database: Database) {
        let world = World::new(database).await;
        let mut first = Box::pin(world.post("gated", "key", ""));
        tokio::select! {
            _ = &mut first => panic!("the gate is closed"),
            () = world.until(|world| world.runs() == 1) => drop(first),
        }
        world.shared.gate.add_permits(1);
        world.settle().await;
        let again = world.post("gated", "key", "").await;
        assert_eq!((again.text.as_str(), was_replayed(&again)), ("gated 1", true));
        assert_eq!(world.runs(), 1);
    }

    async fn a_stream_is_given_again_whole(database: Database) {
        let world = World::new(database).await;
        let first = world.post("events", "key", "").await;
        assert_eq!(first.text, ": nothing\n\ndata: one 1\n\ndata: two 1\n\ndata: [DONE]\n\n");
        let again = world.post("events", "key", "").await;
        assert_eq!(again.text, "data: one 1\n\ndata: two 1\n\ndata: [DONE]\n\n");
        assert_eq!(again.header("content-type"), Some("text/event-stream"));
        assert_eq!(again.header("cache-control"), Some("no-cache"));
        assert!(was_replayed(&again));
        assert_eq!(world.runs(), 1);
    }

    async fn a_stream_goes_on_when_its_client_leaves(database: Database) {
        let world = World::new(database).await;
        let mut body = world.app.open(request("gated-events", "key", "")).await.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: one 1\n\n");
        drop(body);
        assert_eq!(world.post("gated-events", "key", "").await.failure(409), "idempotency_key_in_use");
        world.shared.gate.add_permits(1);
        world.settle().await;
        assert_eq!(world.post("gated-events", "key", "").await.text, "data: one 1\n\ndata: two 1\n\n");
        assert_eq!(world.runs(), 1);
    }

    async fn a_stream_that_failed_is_not_kept(database: Database) {
        let world = World::new(database).await;
        for n in 1..3 {
            let answer = world.post("broken-events", "key", "").await;
            assert!(answer.text.starts_with(&format!("data: one {n}\n\ndata: {{\"error\":{{")), "{}", answer.text);
        }
    }

    async fn what_is_too_long_is_done_once_and_not_kept(database: Database) {
        let world = World::new(database).await;
        for kind in ["large", "long-events"] {
            assert!(world.post(kind, kind, "").await.text.len() > 1024 * 1024);
            let runs = world.runs();
            assert_eq!(world.post(kind, kind, "").await.failure(409), "idempotency_answer_not_kept");
            assert_eq!(world.runs(), runs);
        }
    }

    async fn a_key_is_forgotten_after_a_day(database: Database) {
        let world = World::new(database).await;
        world.post("made", "key", "body").await;
        world.clock.advance(Duration::from_mins(24 * 60 - 1));
        world.keys.clean().await.unwrap();
        assert_eq!(world.post("made", "key", "body").await.json()["n"], 1);
        world.clock.advance(MINUTE);
        assert_eq!(world.post("made", "key", "another").await.json()["n"], 2);
        world.clock.advance(Duration::from_hours(24));
        let mut another = world.store.write().await.unwrap();
        assert!(another.lock_clean_up(CleanUp::IdempotencyKeys).await.unwrap());
        // SQLite has one writer, and others wait for it.
        if world.database.is_postgres() {
            world.keys.clean().await.unwrap();
            let left = world.database.number("SELECT COUNT(*) FROM idempotency_keys").await;
            assert_eq!(left, 1, "another server is at it");
        }
        another.commit().await.unwrap();
        world.keys.clean().await.unwrap();
        assert_eq!(world.database.number("SELECT COUNT(*) FROM idempotency_keys").await, 0);
    }

    async fn the_lock_is_extended_while_the_work_goes_on_and_runs_out_with_its_server(database: Database) {
        let world = World::new(database).await;
        let (first, ()) = tokio::join!(world.post("gated", "key", ""), async {
            world.until(|world| world.runs() == 1).await;
            for _ in 0..3 {
                world.clock.advance(Duration::from_secs(20));
                world.keys.extend().await.unwrap();
            }
            assert_eq!(world.post("gated", "key", "").await.failure(409), "idempotency_key_in_use");
            world.shared.gate.add_permits(1);
        });
        assert_eq!(first.text, "gated 1");

        // Another server claimed a key and died: nobody extends its lock.
        let dead = IdempotentRequest {
            owner: &caller().id,
            route: "POST /do/{kind}",
            key_digest: &digest(&[b"dead"]),
            fingerprint: &digest(&[b"/do/made", b"body"]),
        };
        let (now, soon) = (world.clock.now(), world.clock.now() + Duration::from_secs(30));
        let mut tx = world.store.write().await.unwrap();
        assert!(tx.claim_idempotency_key(&dead, &[1; 16], now, soon, now + MINUTE).await.unwrap());
        tx.commit().await.unwrap();
        world.keys.extend().await.unwrap();
        assert_eq!(world.post("made", "dead", "body").await.failure(409), "idempotency_key_in_use");
        world.clock.advance(Duration::from_secs(30));
        assert_eq!(world.post("made", "dead", "body").await.status(), 201);
    }

    async fn nothing_readable_is_stored(database: Database) {
        let world = World::new(database).await;
        world.post("made", "the key", "words of the body").await;
        let words = "SELECT COUNT(*) FROM idempotency_keys
            WHERE CAST(answer AS TEXT) LIKE '%words%' OR CAST(key_digest AS TEXT) LIKE '%the key%'";
        assert_eq!(world.database.number(words).await, 0);
        assert_eq!(world.database.number("SELECT COUNT(*) FROM idempotency_keys WHERE answer IS NOT NULL").await, 1);
    }
}

/// As the server digests: each part behind its length.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut all = Vec::new();
    for part in parts {
        all.extend_from_slice(&(part.len() as u64).to_le_bytes());
        all.extend_from_slice(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &all).as_ref());
    bytes
}

#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let world = World::new(Database::sqlite()).await;
    for bad in [&b""[..], b"\xc3\xa9", &[b'a'; 256]] {
        let mut request = post_of("/do/made", "");
        request.headers_mut().insert(KEY, http::HeaderValue::from_bytes(bad).unwrap());
        let refused = world.app.call(request).await;
        assert_eq!(refused.failure(400), "invalid_parameter");
        assert_eq!(refused.json()["error"]["param"], "Idempotency-Key");
    }
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn only_post_by_a_known_caller_is_done_once() {
    let world = World::new(Database::sqlite()).await;
    for n in 1..3 {
        let mut put = request("made", "key", "body");
        *put.method_mut() = http::Method::PUT;
        assert_eq!(world.app.call(put).await.json()["n"], n);
    }
    for n in 3..5 {
        let open = Request::post("/open").header(KEY, "key").body(Body::empty()).unwrap();
        assert_eq!(world.app.call(open).await.text, n.to_string());
    }
    let mut nobody = request("made", "key", "body");
    nobody.headers_mut().remove(header::AUTHORIZATION);
    assert_eq!(world.app.call(nobody).await.failure(401), "missing_credentials");
}
