//! Every failure speaks the envelope, with its status and its code.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, header};
use http_kit::EdgeOptions;

use crate::support::{App, get_of, post_of};

#[tokio::test]
async fn an_unknown_route_is_404_for_anybody() {
    let app = App::new();
    for path in ["/nowhere", "/", "/open/further", "/v1", "/docs/other.js"] {
        assert_eq!(app.get(path).await.failure(404), "route_not_found", "{path}");
    }
}

#[tokio::test]
async fn a_wrong_verb_is_405_and_says_which_are_right() {
    let app = App::new();
    for (path, verb, allowed) in [
        ("/open", "DELETE", ["GET", "HEAD", "POST"].as_slice()),
        ("/closed", "PUT", &["GET", "HEAD", "POST"]),
        ("/small", "GET", &["POST"]),
        ("/healthz", "POST", &["GET", "HEAD"]),
        ("/openapi.json", "POST", &["GET", "HEAD"]),
        ("/metrics", "POST", &["GET", "HEAD"]),
        ("/open", "TRACE", &["GET", "HEAD", "POST"]),
        ("/open", "BREW", &["GET", "HEAD", "POST"]),
    ] {
        let request = Request::builder().method(verb).uri(path).body(Body::empty()).unwrap();
        let answer = app.call(request).await;
        assert_eq!(answer.failure(405), "method_not_allowed", "{verb} {path}");
        let mut found: Vec<_> = answer.header("allow").unwrap().split(',').map(str::trim).collect();
        found.sort_unstable();
        assert_eq!(found, allowed, "{verb} {path}");
    }
}

#[tokio::test]
async fn without_a_caller_a_closed_route_is_401() {
    let app = App::new();
    for path in ["/closed", "/panics", "/v1/models/a/b", "/health/auth"] {
        let answer = app.get(path).await;
        assert_eq!(answer.failure(401), "missing_credentials", "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    for (name, value, code) in [
        ("authorization", "Bearer wrong", "invalid_token"),
        ("authorization", "Basic dXNlcjp1c2Vy", "invalid_token"),
        ("authorization", "Bearer ", "invalid_token"),
        ("x-api-key", "wrong", "invalid_token"),
        ("x-api-key", "", "missing_credentials"),
    ] {
        let request = Request::get("/closed").header(name, value).body(Body::empty()).unwrap();
        assert_eq!(app.call(request).await.failure(401), code, "{name}: {value}");
    }
    for [(one, user), (other, admin)] in [
        [("authorization", "Bearer user"), ("authorization", "Bearer admin")],
        [("x-api-key", "user"), ("apikey", "admin")],
    ] {
        let twice = Request::get("/closed").header(one, user).header(other, admin).body(Body::empty()).unwrap();
        assert_eq!(app.call(twice).await.failure(401), "conflicting_credentials", "{one}, {other}");
    }
    let same =
        Request::get("/closed").header("x-api-key", "user").header("apikey", "user").body(Body::empty()).unwrap();
    assert_eq!(app.call(same).await.status(), 200);
}

#[tokio::test]
async fn a_caller_is_known_by_each_header_and_told_how() {
    let app = App::new();
    for (name, value) in [
        ("authorization", "Bearer user"),
        ("authorization", "bearer  user "),
        ("x-api-key", "user"),
        ("apikey", "user"),
    ] {
        let request = Request::get("/closed").header(name, value).body(Body::empty()).unwrap();
        let answer = app.call(request).await;
        assert_eq!(answer.status(), 200, "{name}: {value}");
        assert_eq!(answer.header("x-auth-method"), Some("jwt"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        // Who it is stays out of the headers.
        let headers = format!("{:?}", answer.head.headers);
        for secret in ["of-the-user", "of.the.user", "user_0123"] {
            assert!(!headers.contains(secret), "{headers}");
        }
    }
}

#[tokio::test]
async fn identity_headers_from_outside_are_not_seen_and_make_nobody_known() {
    let app = App::new();
    let mut request = Request::get("/closed");
    for name in [
        "x-user-id",
        "x-user-subject",
        "x-user-email",
        "x-user-anything",
        "x-principal-id",
        "x-auth-method",
        "x-scopes",
        "x-gateway-auth",
        "x-consumer-id",
        "x-consumer-username",
        "x-credential-identifier",
    ] {
        request = request.header(name, "user_0123456789abcdef");
    }
    let answer = app.call(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.failure(401), "missing_credentials");
    assert_eq!(answer.header("x-user-id"), None);
}

#[tokio::test]
async fn bad_bodies_name_what_is_wrong() {
    let app = App::new();
    let deep = format!("{{\"name\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    for (body, code, param) in [
        (b"{".as_slice(), "invalid_json", None),
        (b"", "invalid_json", None),
        (b"nonsense", "invalid_json", None),
        (b"{\"name\": \"\xff\xfe\"}", "invalid_json", None),
        (deep.as_bytes(), "invalid_json", None),
        (b"{}", "missing_parameter", Some("name")),
        (b"{\"name\": 1}", "invalid_parameter", Some("name")),
        (b"{\"name\": \"a\\u0000\"}", "invalid_request", None),
        (b"{\"name\": \"a\\\\\\u0000\"}", "invalid_request", None),
        (b"{\"name\": \"\\ud800\"}", "invalid_json", None),
        (b"{\"name\": \"a\", \"parts\": [1, -2]}", "invalid_parameter", Some("parts[1]")),
    ] {
        let answer = app.call(post_of("/closed", body.to_vec())).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert_eq!(answer.failure(400), code, "{shown}");
        assert_eq!(answer.json()["error"]["param"].as_str(), param, "{shown}");
    }
}

#[tokio::test]
async fn what_only_looks_like_an_escape_is_taken() {
    let answer = App::new().call(post_of("/closed", "{\"name\": \"a\\\\u0000\"}")).await;
    assert_eq!(answer.json()["name"], "a\\u0000");
}

#[tokio::test]
async fn another_content_type_is_415() {
    let app = App::new();
    for content_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp"), Some("")]
    {
        let mut request = post_of("/closed", "{\"name\": \"a\"}");
        request.headers_mut().remove(header::CONTENT_TYPE);
        if let Some(content_type) = content_type {
            request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        assert_eq!(app.call(request).await.failure(415), "unsupported_media_type", "{content_type:?}");
    }
    for content_type in ["application/json; charset=utf-8", "Application/JSON", "application/problem+json"] {
        let mut request = post_of("/closed", "{\"name\": \"a\"}");
        request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        assert_eq!(app.call(request).await.status(), 200, "{content_type}");
    }
    let mut request = post_of("/closed", "{\"name\": \"a\"}");
    request.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
    assert_eq!(app.call(request).await.failure(415), "unsupported_content_encoding");
}

#[tokio::test]
async fn too_large_a_body_is_413_whether_it_says_so_or_not() {
    let app = App::new();
    let body = format!("{{\"name\": \"{}\"}}", "a".repeat(200));
    assert_eq!(app.call(post_of("/small", body.clone())).await.failure(413), "payload_too_large");

    // Chunked: the body does not say how long it is.
    let pieces = stream::iter(body.into_bytes()).map(|byte| Ok::<_, Infallible>(Bytes::from(vec![byte])));
    assert_eq!(app.call(post_of("/small", Body::from_stream(pieces))).await.failure(413), "payload_too_large");

    let fits = "{\"name\": \"a\"}".to_owned() + &" ".repeat(100 - 13);
    assert_eq!(app.call(post_of("/small", fits)).await.status(), 200);
}

#[tokio::test]
async fn who_is_calling_is_asked_before_the_body_is_read() {
    let app = App::new();
    let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let request = Request::post("/closed").header(header::CONTENT_TYPE, "application/json").body(never).unwrap();
    assert_eq!(app.call(request).await.failure(401), "missing_credentials");
}

#[tokio::test]
async fn a_body_that_drips_is_408() {
    // A byte now and then does not move the deadline.
    let app = App::with(EdgeOptions { body_grace: 1, ..EdgeOptions::default() });
    let drip = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
    });
    assert_eq!(app.call(post_of("/closed", Body::from_stream(drip))).await.failure(408), "request_timeout");
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let app = App::new();
    let request = Request::get("/panics").header("x-api-key", "user").body(Body::empty()).unwrap();
    let answer = app.call(request).await;
    assert_eq!(answer.failure(500), "internal_error");
    assert!(!answer.text.contains("secret words"), "{}", answer.text);
    assert_eq!(app.get("/open").await.status(), 200, "and the service goes on");
    assert_eq!(app.edge.in_flight(), 0);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_504() {
    let request = Request::get("/hurried").header("x-api-key", "user").body(Body::empty()).unwrap();
    assert_eq!(App::new().call(request).await.failure(504), "upstream_timeout");
}

#[tokio::test]
async fn beyond_the_requests_in_flight_it_is_503_and_health_is_not_counted() {
    let app = App::with(EdgeOptions { max_in_flight: 1, ..EdgeOptions::default() });
    let stream = app.open(get_of("/stream/endless")).await;
    assert_eq!(app.edge.in_flight(), 1);
    let answer = app.get("/open").await;
    assert_eq!(answer.failure(503), "service_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    for probe in ["/healthz", "/readyz", "/v1/healthz", "/healthcheck"] {
        assert_eq!(app.get(probe).await.status(), 200, "{probe}");
    }
    drop(stream);
    assert_eq!(app.edge.in_flight(), 0);
    assert_eq!(app.get("/open").await.status(), 200);
}

#[tokio::test]
async fn an_address_too_long_is_414() {
    let app = App::new();
    assert_eq!(app.get(&format!("/{}", "a".repeat(9_000))).await.failure(414), "uri_too_long");
    assert_eq!(app.get(&format!("/open?{}", "a".repeat(9_000))).await.failure(414), "uri_too_long");
    assert_eq!(app.get(&format!("/open?{}", "a".repeat(8_000))).await.status(), 200);
}

#[tokio::test]
async fn while_it_drains_it_lives_and_is_not_ready() {
    let app = App::new();
    assert_eq!(app.get("/readyz").await.json()["status"], "ready");
    app.draining.cancel();
    assert_eq!(app.get("/readyz").await.failure(503), "service_unavailable");
    assert_eq!(app.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn heads_of_failures_have_no_body() {
    let app = App::new();
    for path in ["/closed", "/nowhere"] {
        let head = app.call(http::Request::head(path).body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(head.text, "", "{path}");
        assert_eq!(head.status(), app.get(path).await.status());
    }
}
