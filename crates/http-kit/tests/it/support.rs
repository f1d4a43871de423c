//! A service with a route for each way in which a request can go, and ways to call it.

use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    routing::{get, post},
};
use bytes::Bytes;
use domain::{Clock, Error, Kind, Method as Proof, Principal, Role, ids::UserId};
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use http_kit::{
    Authenticator, Caller, ClientAddr, Credentials, Edge, EdgeOptions, Json, Listener, ListenerOptions, LogFields,
    MountedService, PageQuery, Path, PeerAddr, RequestId, RouteClass, RouteLimits, Service, authenticate::Verdict, sse,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;
use utoipa_axum::router::OpenApiRouter;

/// Longer than anything takes; a busy machine has all this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Knows `user` and `admin` as tokens and as keys.
struct Registry;

impl Authenticator for Registry {
    fn cached(&self, credentials: Credentials<'_>) -> Option<Verdict> {
        let known = |token: &str| match token {
            "user" | "other" => Some(Role::User),
            "admin" => Some(Role::Admin),
            _ => None,
        };
        let token = credentials.bearer.or(credentials.api_key)?;
        let role = known(token)?;
        let id = if token == "other" { "user_ffffffffffffffff" } else { "user_0123456789abcdef" };
        Some(Ok(Arc::new(Principal {
            user_id: UserId::parse(id).unwrap(),
            subject: "subject-of-the-user".to_owned(),
            username: "name-of-the-user".to_owned(),
            email: Some("mail@of.the.user".to_owned()),
            name: None,
            roles: vec![role],
            scopes: Vec::new(),
            method: Proof::Jwt(None),
        })))
    }

    fn verify<'a>(
        &'a self,
        _: Credentials<'a>,
        _: Option<IpAddr>,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(async { Err(Error::new(Kind::Unauthenticated, "invalid_token", "The token is not good.")) })
    }
}

#[derive(Deserialize)]
struct Thing {
    name: String,
    #[serde(default)]
    parts: Vec<u32>,
}

async fn echo(Json(thing): Json<Thing>) -> Json<Value> {
    Json(json!({"name": thing.name, "parts": thing.parts}))
}

async fn panics() -> StatusCode {
    panic!("secret words of a panic")
}

async fn page(PageQuery(page): PageQuery) -> Json<Value> {
    Json(json!({"limit": page.limit, "after": page.after, "order": format!("{:?}", page.order)}))
}

/// Says three things and ends, breaks, or goes on for ever.
async fn stream(Path(kind): Path<String>, id: RequestId, fields: LogFields) -> Response<Body> {
    fields.set(|fields| {
        fields.model = Some("model-1".into());
        fields.stream = Some(true);
    });
    let three = futures_util::stream::iter(["1", "2", "3"].map(|n| Ok(Bytes::from(format!("data: {n}\n\n")))));
    match kind.as_str() {
        "endless" => sse::response(id, three.chain(futures_util::stream::pending())),
        "silent" => sse::response(id, futures_util::stream::pending()),
        "broken" => {
            let error = Error::new(Kind::Upstream, "upstream_error", "The model broke off.");
            sse::response(id, three.chain(futures_util::stream::iter([Err(error)])))
        }
        _ => sse::response(id, three),
    }
}

/// Sends zeros for ever, as fast as they are taken.
async fn flood() -> Response<Body> {
    let zeros = futures_util::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[0; 16 * 1024])));
    Response::new(Body::from_stream(zeros))
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_secs(2)).await;
    "slow but sure"
}

async fn named(Path(name): Path<String>) -> String {
    name
}

const OPEN: &[(Method, &str)] = &[
    (Method::GET, "/open"),
    (Method::POST, "/open"),
    (Method::GET, "/slow"),
    (Method::GET, "/never"),
    (Method::GET, "/from"),
    (Method::GET, "/stream/{kind}"),
    (Method::GET, "/flood"),
];

const LIMITS: &[RouteLimits] = &[
    RouteLimits { path: "/small", body: 100, ..RouteLimits::DEFAULT },
    RouteLimits { path: "/hurried", answer_within: Duration::from_millis(50), ..RouteLimits::DEFAULT },
];

const CLASSES: &[(&str, RouteClass)] =
    &[("/chat/", RouteClass::Chat), ("/open", RouteClass::Share), ("/from", RouteClass::Auth)];

pub(crate) fn service() -> Service {
    let routes = OpenApiRouter::new()
        .route("/open", get(|| async { "open" }).post(echo))
        .route("/slow", get(slow))
        .route("/never", get(std::future::pending::<()>))
        .route("/hurried", get(slow))
        .route("/closed", get(|caller: Caller| async move { caller.user_id.to_string() }).post(echo))
        .route("/small", post(echo))
        .route("/panics", get(panics))
        .route("/page", get(page))
        .route("/flood", get(flood))
        .route("/stream/{kind}", get(stream))
        .route("/chat/{kind}", get(stream))
        .route("/from", get(|ClientAddr(from): ClientAddr| async move { format!("{from:?}") }))
        .route("/v1/models/{*id}", get(named));
    Service::new("test-api", "jan_test_api", routes).about("For tests.").open(OPEN).limits(LIMITS).classes(CLASSES)
}

/// The service with its edge, and the tokens that stop it.
pub(crate) struct App {
    pub(crate) service: MountedService,
    pub(crate) edge: Edge,
    pub(crate) draining: CancellationToken,
    pub(crate) closing: CancellationToken,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(EdgeOptions::default())
    }

    pub(crate) fn with(options: EdgeOptions) -> Self {
        Self::build(options, |edge| edge, service())
    }

    pub(crate) fn build(options: EdgeOptions, change: impl FnOnce(Edge) -> Edge, service: Service) -> Self {
        let (draining, closing) = (CancellationToken::new(), CancellationToken::new());
        let edge = Edge::new(options, Arc::new(Registry), Clock::System, draining.clone(), closing.clone());
        let edge = change(edge);
        Self { service: service.mount(&edge), edge, draining, closing }
    }

    /// The answer's head and its body as it comes.
    pub(crate) async fn open(&self, request: Request<Body>) -> Response<http_kit::body::EdgeBody> {
        self.service.clone().call(request).await.unwrap()
    }

    /// The whole answer.
    pub(crate) async fn call(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.open(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { head, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(get_of(path)).await
    }

    /// Serves on a socket of this machine.
    pub(crate) async fn listen(self, options: ListenerOptions) -> Served {
        let listener = Listener::bind((Ipv4Addr::UNSPECIFIED, 0).into(), options).await.unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port()));
        let tasks = TaskTracker::new();
        let serving = listener.serve(self.service.clone(), tasks.clone(), self.draining.clone(), self.closing.clone());
        tasks.spawn(serving);
        Served { app: self, address, tasks }
    }
}

/// A request as the edge gets it.
pub(crate) fn get_of(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

/// The same, as the other end of a connection sent it.
pub(crate) fn sent_by(mut request: Request<Body>, peer: &str) -> Request<Body> {
    request.extensions_mut().insert(PeerAddr(peer.parse::<SocketAddr>().unwrap()));
    request
}

/// A JSON request of a known caller.
pub(crate) fn post_of(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path)
        .header(header::AUTHORIZATION, "Bearer user")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap()
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Checks that this is a failure in the envelope, and gives its code.
    #[track_caller]
    pub(crate) fn failure(&self, status: u16) -> String {
        assert_eq!(self.status(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        let body = self.json();
        check_envelope(&body);
        assert_eq!(body["error"]["request_id"].as_str(), self.header("x-request-id"));
        body["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// The envelope has its five keys and no other.
#[track_caller]
pub(crate) fn check_envelope(body: &Value) {
    let keys: Vec<_> = body["error"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["type", "code", "message", "param", "request_id"]);
    assert_eq!(body.as_object().unwrap().len(), 1);
}

/// A served app.
pub(crate) struct Served {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    pub(crate) tasks: TaskTracker,
}

impl Served {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.app.draining.cancel();
        self.app.closing.cancel();
    }
}
