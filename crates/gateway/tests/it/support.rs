//! Services that answer with their name and with what reached them.

use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc};

use axum::{body::Body, extract::Request, routing::any};
use domain::{Clock, Error, Kind};
use gateway::Gateway;
use http::Method;
use http_body_util::BodyExt;
use http_kit::{Authenticator, Credentials, Edge, EdgeOptions, Json, MountedService, Service, authenticate::Verdict};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use utoipa_axum::router::OpenApiRouter;

pub(crate) const ALL: [&str; 5] = ["llm-api", "response-api", "media-api", "mcp-tools", "template-api"];

/// Knows nobody.
struct Nobody;

impl Authenticator for Nobody {
    fn cached(&self, _: Credentials<'_>) -> Option<Verdict> {
        Some(Err(Error::new(Kind::Unauthenticated, "invalid_token", "The token is not good.")))
    }

    fn verify<'a>(
        &'a self,
        _: Credentials<'a>,
        _: Option<IpAddr>,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(async { Err(Error::internal("never asked")) })
    }
}

const OPEN: &[(Method, &str)] =
    &[(Method::GET, "/"), (Method::GET, "/{*path}"), (Method::POST, "/{*path}"), (Method::POST, "/")];

fn service(name: &'static str) -> Service {
    let tell = move |request: Request| async move {
        let headers: Vec<_> = request.headers().keys().map(|name| name.as_str().to_owned()).collect();
        let target = request.uri().to_string();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Json(json!({"service": name, "target": target, "headers": headers, "body": body.len()}))
    };
    let routes = OpenApiRouter::new().route("/", any(tell)).route("/{*path}", any(tell));
    Service::new(name, "jan_test", routes).open(OPEN)
}

pub(crate) struct App {
    pub(crate) gateway: Gateway,
    pub(crate) edge: Edge,
}

impl App {
    /// A gateway before these services.
    pub(crate) fn new(names: &[&'static str]) -> Self {
        let token = CancellationToken::new;
        let edge = Edge::new(EdgeOptions::default(), Arc::new(Nobody), Clock::System, token(), token());
        let services: Vec<MountedService> = names.iter().map(|name| service(name).mount(&edge)).collect();
        Self { gateway: Gateway::new(&edge, services), edge }
    }

    pub(crate) async fn call(&self, request: http::Request<Body>) -> Answer {
        let (head, body) = self.gateway.clone().call(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { head, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.call(http::Request::get(target).body(Body::empty()).unwrap()).await
    }
}

pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Value,
}

impl Answer {
    /// Which service was asked for what.
    #[track_caller]
    pub(crate) fn reached(&self) -> (&str, &str) {
        assert_eq!(self.head.status, 200, "{}", self.body);
        (self.body["service"].as_str().unwrap(), self.body["target"].as_str().unwrap())
    }

    /// Checks that this is a failure in the envelope, and gives its code.
    #[track_caller]
    pub(crate) fn failure(&self, status: u16) -> &str {
        assert_eq!(self.head.status, status, "{}", self.body);
        assert_eq!(self.head.headers["x-request-id"], self.body["error"]["request_id"].as_str().unwrap());
        self.body["error"]["code"].as_str().unwrap()
    }
}
