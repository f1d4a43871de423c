//! A client of one service, in-process, whose every answer is checked against the service's document.
//!
//! It calls the mounted service with everything the edge does, and no socket. What is about sockets (time-outs, cut
//! connections) is tested where the listener is, and by the end-to-end tests.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use http_kit::MountedService;
use serde_json::Value;
use tower::Service as _;

use crate::contract::Contract;

/// A caller of a service. Clones with other credentials share the contract.
#[derive(Clone)]
pub struct Client {
    service: MountedService,
    contract: Arc<Contract>,
    headers: HeaderMap,
}

impl Client {
    /// A caller without credentials.
    ///
    /// # Panics
    /// When the service's document is none.
    pub fn new(service: MountedService) -> Self {
        let document = serde_json::from_slice(service.openapi()).expect("a document is JSON");
        Self { service, contract: Arc::new(Contract::new(document)), headers: HeaderMap::new() }
    }

    /// The same caller with `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// The same caller with `X-API-Key`.
    #[must_use]
    pub fn api_key(&self, key: &str) -> Self {
        self.header(HeaderName::from_static("x-api-key"), key)
    }

    /// The same caller with a header on every request.
    ///
    /// # Panics
    /// When `value` cannot be a header's.
    #[must_use]
    pub fn header(&self, name: HeaderName, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        client
    }

    /// What the service promises.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Gets `path`, query included.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body.to_string().into())).await
    }

    /// Posts bytes that need not be JSON, called `application/json` unless [`Client::header`] said otherwise.
    pub async fn post_bytes(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.call(Method::POST, path, Some(body.into())).await
    }

    /// Deletes what is at `path`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// When the request cannot be made, or the answer breaks the contract.
    pub async fn call(&self, method: Method, path: &str, body: Option<Bytes>) -> Answer {
        let mut request = Request::new(body.as_ref().map_or_else(Body::empty, |body| Body::from(body.clone())));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("a path");
        *request.headers_mut() = self.headers.clone();
        if body.is_some() && !self.headers.contains_key(header::CONTENT_TYPE) {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        self.send(request).await
    }

    /// Sends a request of any kind and reads the whole answer.
    ///
    /// # Panics
    /// When the answer breaks off or breaks the contract.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let (head, body) = self.open(request).await.into_parts();
        let body = body.collect().await.expect("the answer is whole").to_bytes();
        self.contract.check(&method, &path, head.status, &head.headers, &body);
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Sends a request and leaves the answer's body to the test, which reads it as it comes or drops it. Nothing is
    /// checked.
    ///
    /// # Panics
    /// Never: a mounted service always answers.
    pub async fn open(&self, request: Request<Body>) -> http::Response<http_kit::body::EdgeBody> {
        match self.service.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// A whole answer that keeps the contract.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The same answer, if its status is `status`.
    ///
    /// # Panics
    /// When it is another; the body says why.
    #[expect(clippy::return_self_not_must_use, reason = "often the assertion is all")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// The error's status, code and field.
    pub fn error(&self) -> (u16, String, Option<String>) {
        let error = &self.json()["error"];
        let text = |name: &str| error[name].as_str().map(str::to_owned);
        (self.status.as_u16(), text("code").unwrap_or_default(), text("param"))
    }

    /// The data of a stream's events, in order, `[DONE]` included.
    pub fn events(&self) -> Vec<String> {
        self.text().lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}
