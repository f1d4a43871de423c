//! How often callers may come (contract 6.4 and 6.5, `security.md` G8).

use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use http_kit::{EdgeOptions, RateLimitOptions, rate_limits::RouteRate};

use crate::support::{Answer, App, get_of, sent_by, service};

fn limited(options: &RateLimitOptions) -> App {
    let trusted_proxies = vec!["10.0.0.1".to_owned()].try_into().unwrap();
    let edge = EdgeOptions { trusted_proxies, ..EdgeOptions::default() };
    App::build(edge, |edge| edge.with_limits(options), service())
}

fn off() -> RateLimitOptions {
    RateLimitOptions::default()
}

fn of(token: &str, path: &str) -> Request<Body> {
    Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap()
}

async fn from(app: &App, peer: &str, path: &str) -> Answer {
    app.call(sent_by(get_of(path), peer)).await
}

fn refuses(answer: &Answer) {
    assert_eq!(answer.failure(429), "rate_limit_exceeded");
    let pause: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&pause), "{pause}");
    assert_eq!(answer.json()["error"]["type"], "rate_limit_error");
}

#[tokio::test]
async fn nothing_is_limited_unless_somebody_says_so() {
    let app = limited(&off());
    for _ in 0..500 {
        let answer = app.call(of("user", "/closed")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("x-ratelimit-limit"), None);
    }
}

#[tokio::test]
async fn each_caller_has_an_allowance_and_sees_what_is_left() {
    let app = limited(&RateLimitOptions { other: 3, ..off() });
    for left in ["2", "1", "0"] {
        let answer = app.call(of("user", "/closed")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("x-ratelimit-limit"), Some("3"));
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(left));
        let reset: u64 = answer.header("x-ratelimit-reset").unwrap().parse().unwrap();
        assert!(reset > 1_700_000_000, "a moment, not a pause: {reset}");
    }
    let answer = app.call(of("user", "/page")).await;
    refuses(&answer);
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(app.call(of("other", "/page")).await.status(), 200, "others are not held up");
    assert_eq!(app.call(of("nobody", "/page")).await.failure(401), "invalid_token");
    assert_eq!(app.get("/open").await.status(), 200, "another class has another allowance");
    for _ in 0..10 {
        assert_eq!(app.call(of("user", "/healthz")).await.status(), 200, "probes do not count");
    }
    let metrics = from(&app, "127.0.0.1:9", "/metrics").await.text;
    assert!(metrics.contains("jan_test_api_rate_limited_total{limit=\"other\"} 1"), "{metrics}");
}

#[tokio::test]
async fn where_there_is_no_caller_the_address_counts() {
    let app = limited(&RateLimitOptions { auth: 1, ..off() });
    assert_eq!(from(&app, "203.0.113.7:1", "/from").await.status(), 200);
    refuses(&from(&app, "203.0.113.7:2", "/from").await);
    refuses(&from(&app, "[::ffff:203.0.113.7]:2", "/from").await);
    assert_eq!(from(&app, "[2001:db8::1]:1", "/from").await.status(), 200);
    refuses(&from(&app, "[2001:db8::2]:1", "/from").await);
    assert_eq!(from(&app, "[2001:db8:0:1::1]:1", "/from").await.status(), 200, "another network");
}

#[tokio::test]
async fn many_networks_of_one_customer_have_a_bound_together() {
    for (options, path) in
        [(RateLimitOptions { auth: 1, ..off() }, "/from"), (RateLimitOptions { address: 1, ..off() }, "/open")]
    {
        let app = limited(&options);
        for net in 0..16 {
            assert_eq!(from(&app, &format!("[2001:db8:1:{net:x}::1]:1"), path).await.status(), 200);
        }
        refuses(&from(&app, "[2001:db8:1:ff::1]:1", path).await);
        assert_eq!(from(&app, "[2001:db8:2:ff::1]:1", path).await.status(), 200, "another customer");
    }
}

#[tokio::test]
async fn an_invented_address_is_no_way_around() {
    let app = limited(&RateLimitOptions { auth: 1, ..off() });
    let claim = |peer: &str, claim: &str| {
        let request = Request::get("/from").header("x-forwarded-for", claim).body(Body::empty()).unwrap();
        app.call(sent_by(request, peer))
    };
    assert_eq!(claim("203.0.113.7:1", "1.1.1.1").await.status(), 200);
    refuses(&claim("203.0.113.7:1", "2.2.2.2").await);
    // Behind the proxy each client has its own, and what it claims itself is worth nothing.
    assert_eq!(claim("10.0.0.1:1", "1.1.1.1, 198.51.100.7").await.status(), 200);
    refuses(&claim("10.0.0.1:1", "2.2.2.2, 198.51.100.7").await);
    assert_eq!(claim("10.0.0.1:1", "1.1.1.1, 198.51.100.8").await.status(), 200);
}

#[tokio::test]
async fn an_address_has_a_bound_for_everything() {
    let app = limited(&RateLimitOptions { address: 3, ..off() });
    assert_eq!(from(&app, "203.0.113.7:1", "/nowhere").await.status(), 404);
    assert_eq!(from(&app, "203.0.113.7:1", "/closed").await.status(), 401);
    let last = from(&app, "203.0.113.7:1", "/open").await;
    assert_eq!((last.status(), last.header("x-ratelimit-remaining")), (200, Some("0")));
    refuses(&app.call(sent_by(of("user", "/closed"), "203.0.113.7:1")).await);
    refuses(&from(&app, "203.0.113.7:1", "/nowhere").await);
    assert_eq!(from(&app, "203.0.113.7:1", "/healthz").await.status(), 200);
    assert_eq!(from(&app, "203.0.113.8:1", "/open").await.status(), 200);
    let metrics = from(&app, "127.0.0.1:9", "/metrics").await.text;
    assert!(metrics.contains("jan_test_api_rate_limited_total{limit=\"address\"} 2"), "{metrics}");
}

#[tokio::test]
async fn a_route_may_have_its_own() {
    let own = |route: &str, per_minute| RouteRate { route: route.to_owned(), per_minute };
    let routes = vec![own("GET /v1/models/{id}", 1), own("GET /page", 0)];
    let app = limited(&RateLimitOptions { other: 1, routes, ..off() });
    assert_eq!(app.call(of("user", "/v1/models/a/b")).await.status(), 200);
    refuses(&app.call(of("user", "/v1/models/c")).await);
    let mut head = of("user", "/v1/models/c");
    *head.method_mut() = Method::HEAD;
    assert_eq!(app.open(head).await.status(), 429, "asking for the head is asking");
    for _ in 0..5 {
        assert_eq!(app.call(of("user", "/page")).await.status(), 200, "0 is no limit");
    }
    assert_eq!(app.call(of("user", "/closed")).await.status(), 200);
    refuses(&app.call(of("user", "/closed")).await);
}

#[tokio::test]
async fn a_caller_has_so_many_chats_at_a_time() {
    let app = limited(&RateLimitOptions { concurrent_chats: 2, ..off() });
    let mut first = app.open(of("user", "/chat/endless")).await;
    first.body_mut().frame().await.unwrap().unwrap();
    let _second = app.open(of("user", "/chat/endless")).await;
    let answer = app.call(of("user", "/chat/short")).await;
    refuses(&answer);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(app.call(of("other", "/chat/short")).await.status(), 200);
    assert_eq!(app.call(of("user", "/closed")).await.status(), 200, "other requests are no chats");
    drop(first);
    assert_eq!(app.call(of("user", "/chat/short")).await.status(), 200, "a place is free with the end of its answer");
    assert_eq!(app.call(of("user", "/chat/short")).await.status(), 200);
    let metrics = from(&app, "127.0.0.1:9", "/metrics").await.text;
    assert!(metrics.contains("jan_test_api_rate_limited_total{limit=\"concurrent_chats\"} 1"), "{metrics}");
}
