//! The numbers at `/metrics` (contract 12; `security.md` H3).

use axum::body::Body;
use http::{Method, Request};
use http_kit::EdgeOptions;

use crate::support::{Answer, App, get_of, post_of, sent_by, service};

async fn metrics(app: &App) -> Answer {
    app.call(sent_by(get_of("/metrics"), "127.0.0.1:9")).await
}

#[tokio::test]
async fn requests_are_counted_and_timed_under_the_contract_s_names() {
    let app = App::new();
    app.get("/open").await;
    app.get("/open").await;
    app.call(post_of("/closed", "{}")).await;
    app.get("/stream/short").await;
    let answer = metrics(&app).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    for line in [
        "jan_test_api_requests_total{method=\"GET\",endpoint=\"/open\",status=\"200\"} 2",
        "jan_test_api_requests_total{method=\"POST\",endpoint=\"/closed\",status=\"400\"} 1",
        "jan_test_api_requests_total{method=\"GET\",endpoint=\"/stream/{kind}\",status=\"200\",model=\"model-1\",stream=\"true\"} 1",
        "jan_test_api_request_duration_seconds_count{method=\"GET\",endpoint=\"/open\",status=\"200\"} 2",
    ] {
        assert!(answer.text.lines().any(|found| found == line), "{line}\n{}", answer.text);
    }
}

#[tokio::test]
async fn labels_have_bounds_whatever_clients_send() {
    let app = App::new();
    for n in 0..50 {
        app.get(&format!("/nowhere/{n}")).await;
        let request = Request::get(format!("/v1/models/{n}")).header("x-api-key", "user").body(Body::empty()).unwrap();
        app.call(request).await;
        let method = Method::from_bytes(format!("VERB{n}").as_bytes()).unwrap();
        app.call(Request::builder().method(method).uri("/open").body(Body::empty()).unwrap()).await;
    }
    let text = metrics(&app).await.text;
    let counters: Vec<_> = text.lines().filter(|line| line.starts_with("jan_test_api_requests_total{")).collect();
    assert_eq!(counters.len(), 3, "{counters:#?}");
    assert!(text.contains("{method=\"GET\",endpoint=\"unmatched\",status=\"404\"} 50"), "{counters:#?}");
    assert!(text.contains("{method=\"other\",endpoint=\"/open\",status=\"405\"} 50"), "{counters:#?}");
}

#[tokio::test]
async fn they_are_for_this_machine_and_for_administrators() {
    let app = App::new();
    app.get("/open").await;
    for (peer, header, status) in [
        ("127.0.0.1:9", None, 200),
        ("[::1]:9", None, 200),
        ("[::ffff:127.0.0.1]:9", None, 200),
        ("192.0.2.1:9", None, 404),
        ("127.0.0.1:9", Some(("x-forwarded-for", "192.0.2.1")), 404),
        ("127.0.0.1:9", Some(("forwarded", "for=192.0.2.1")), 404),
        ("192.0.2.1:9", Some(("authorization", "Bearer user")), 404),
        ("192.0.2.1:9", Some(("authorization", "Bearer admin")), 200),
    ] {
        let mut request = Request::get("/metrics");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let answer = app.call(sent_by(request.body(Body::empty()).unwrap(), peer)).await;
        assert_eq!(answer.status(), status, "{peer} {header:?}");
    }
    // Without a peer there is no telling.
    assert_eq!(app.get("/metrics").await.failure(404), "route_not_found");
}

#[tokio::test]
async fn a_proxy_on_this_machine_is_not_this_machine() {
    let trusted_proxies = vec!["127.0.0.1".to_owned()].try_into().unwrap();
    let app = App::with(EdgeOptions { trusted_proxies, ..EdgeOptions::default() });
    // What the proxy passes on counts as passed on, also if it says that it came from here.
    for forwarded in ["192.0.2.1", "127.0.0.1", ""] {
        let request = Request::get("/metrics").header("x-forwarded-for", forwarded).body(Body::empty()).unwrap();
        assert_eq!(app.call(sent_by(request, "127.0.0.1:9")).await.status(), 404, "{forwarded}");
    }
    assert_eq!(metrics(&app).await.status(), 200, "what it asks for itself does not");
}

#[tokio::test]
async fn apart_they_are_nowhere_else() {
    let app = App::build(EdgeOptions::default(), http_kit::Edge::with_metrics_apart, service());
    app.get("/open").await;
    assert_eq!(metrics(&app).await.failure(404), "route_not_found");
    let admin = Request::get("/metrics").header("authorization", "Bearer admin").body(Body::empty()).unwrap();
    assert_eq!(app.call(admin).await.failure(404), "route_not_found");

    let all = http_kit::metrics::service(std::slice::from_ref(&app.service)).mount(&app.edge);
    let app = App { service: all, ..app };
    let answer = app.call(sent_by(get_of("/metrics"), "192.0.2.1:9")).await;
    assert_eq!(answer.status(), 200, "{}", answer.text);
    let line = "jan_test_api_requests_total{method=\"GET\",endpoint=\"/open\",status=\"200\"} 1";
    assert!(answer.text.lines().any(|found| found == line), "{}", answer.text);
}
