//! What happens to a request on its way through.

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use tower::Service as _;

use crate::support::{ALL, App};

#[tokio::test]
async fn identity_headers_are_stripped() {
    let request = Request::get("/llm/v1/models")
        .header("x-user-id", "1")
        .header("X-User-Email", "a@b.c")
        .header("x-principal-id", "1")
        .header("x-gateway-auth", "kong")
        .header("x-consumer-username", "admin")
        .header("x-conversation-id", "conv_1")
        .body(Body::empty())
        .unwrap();
    let answer = App::new(&ALL).call(request).await;
    assert_eq!(answer.body["headers"], serde_json::json!(["x-conversation-id"]));
}

#[tokio::test]
async fn bodies_pass_as_they_come() {
    let app = App::new(&ALL);
    let pieces = futures_util::stream::iter(
        (0..64).map(|_| Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 100]))),
    );
    let request = Request::post("/media/v1/media/upload").body(Body::from_stream(pieces)).unwrap();
    let answer = app.call(request).await;
    assert_eq!(answer.reached(), ("media-api", "/v1/media/upload"));
    assert_eq!(answer.body["body"], 6_400);
}

#[tokio::test]
async fn a_request_is_in_flight_once() {
    let app = App::new(&ALL);
    let request = || Request::get("/llm/v1/models").body(Body::empty()).unwrap();
    let answer = app.gateway.clone().call(request()).await.unwrap();
    assert_eq!(app.edge.in_flight(), 1);
    answer.into_body().collect().await.unwrap();
    assert_eq!(app.edge.in_flight(), 0);
}

#[tokio::test]
async fn request_ids_pass() {
    let request = Request::get("/nowhere").header("x-request-id", "id-1").body(Body::empty()).unwrap();
    assert_eq!(App::new(&ALL).call(request).await.head.headers["x-request-id"], "id-1");
}

#[tokio::test]
async fn pages_may_ask_before_they_send() {
    let app = App::new(&["llm-api"]);
    // Also for a service that is not there: the page is to see the 503, not a broken preflight.
    for path in ["/v1/chat/completions", "/llm/v1/models", "/media/v1/media", "/nowhere"] {
        let request = Request::options(path)
            .header("origin", "http://localhost:3000")
            .header("access-control-request-method", "POST")
            .body(Body::empty())
            .unwrap();
        let answer = app.call(request).await;
        assert_eq!(answer.head.status, 204, "{path}");
        assert_eq!(answer.head.headers["access-control-allow-origin"], "http://localhost:3000", "{path}");
    }
    let request =
        Request::get("/media/v1/media").header("origin", "http://localhost:3000").body(Body::empty()).unwrap();
    let answer = app.call(request).await;
    assert_eq!(answer.failure(503), "service_unavailable");
    assert_eq!(answer.head.headers["access-control-allow-origin"], "http://localhost:3000");
}
