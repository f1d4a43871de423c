//! Whose word counts about where a request comes from (`security.md` G8, A12).

use axum::body::Body;
use http::Request;
use http_kit::{EdgeOptions, ForwardedHeader};

use crate::support::{App, sent_by};

fn behind(proxies: &[&str], forwarded_header: ForwardedHeader) -> App {
    let trusted_proxies = proxies.iter().map(|proxy| (*proxy).to_owned()).collect::<Vec<_>>().try_into().unwrap();
    App::with(EdgeOptions { trusted_proxies, forwarded_header, ..EdgeOptions::default() })
}

/// The client's address as a handler sees it.
async fn seen(app: &App, peer: &str, headers: &[(&str, &str)]) -> String {
    let request = headers.iter().fold(Request::get("/from"), |request, (name, value)| request.header(*name, *value));
    app.call(sent_by(request.body(Body::empty()).unwrap(), peer)).await.text
}

const SPOOFED: [(&str, &str); 3] =
    [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.1"), ("x-real-ip", "198.51.100.1")];

#[tokio::test]
async fn without_proxies_headers_say_nothing() {
    let app = App::new();
    assert_eq!(seen(&app, "203.0.113.7:9", &SPOOFED).await, "Some(203.0.113.7)");
    assert_eq!(seen(&app, "127.0.0.1:9", &SPOOFED).await, "Some(127.0.0.1)");
    assert_eq!(seen(&app, "[::ffff:203.0.113.7]:9", &SPOOFED).await, "Some(203.0.113.7)");
    assert_eq!(app.get("/from").await.text, "None");
}

#[tokio::test]
async fn a_listed_proxy_is_believed_and_nobody_else() {
    let app = behind(&["10.0.0.0/8", "127.0.0.1"], ForwardedHeader::XForwardedFor);
    for peer in ["10.1.2.3:9", "127.0.0.1:9", "[::ffff:10.1.2.3]:9"] {
        assert_eq!(seen(&app, peer, &[("x-forwarded-for", "6.6.6.6, 203.0.113.7")]).await, "Some(203.0.113.7)");
    }
    assert_eq!(seen(&app, "10.1.2.3:9", &[("forwarded", "for=6.6.6.6")]).await, "Some(10.1.2.3)");
    assert_eq!(seen(&app, "203.0.113.7:9", &SPOOFED).await, "Some(203.0.113.7)");
    assert_eq!(seen(&app, "192.168.0.1:9", &SPOOFED).await, "Some(192.168.0.1)");
}

#[tokio::test]
async fn the_standard_s_header_is_read_where_the_operator_says_so() {
    let app = behind(&["10.0.0.0/8"], ForwardedHeader::Forwarded);
    let both = [("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=1.1.1.1, for=\"[2001:db8::7]:4711\";proto=https")];
    assert_eq!(seen(&app, "10.0.0.1:9", &both).await, "Some(2001:db8::7)");
    assert_eq!(seen(&app, "10.0.0.1:9", &[("x-forwarded-for", "6.6.6.6")]).await, "Some(10.0.0.1)");
}
