//! An upstream's fault is never a 200, never the caller's by mistake, and tells nothing that is not the caller's to know.

use http::header;
use serde_json::{Value, json};
use testkit::upstream::{Answer, Upstream};

use crate::support::App;

const PATH: &str = "/v1/chat/completions";

fn chat(streams: bool) -> Value {
    json!({"model": "upstream-chat", "messages": [{"role": "user", "content": "hi"}], "stream": streams})
}

#[tokio::test]
async fn statuses_keep_their_class() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let secret = "key sk-secret at http://10.0.0.9:8000/v1 and /srv/app/main.py";
    for (status, expected, code) in [
        (400, 400, "invalid_request"),
        (401, 502, "upstream_error"),
        (403, 502, "upstream_error"),
        (404, 404, "model_not_found"),
        (413, 413, "payload_too_large"),
        (422, 400, "invalid_request"),
        (429, 429, "upstream_rate_limited"),
        (500, 502, "upstream_error"),
        (502, 502, "upstream_error"),
        (503, 503, "upstream_error"),
        (504, 504, "upstream_timeout"),
    ] {
        upstream.always(Answer::error(status, secret).header("retry-after", "7"));
        for streams in [false, true] {
            let answer = guest.post(PATH, &chat(streams)).await;
            let (got, said, _) = answer.error();
            assert_eq!((got, said.as_str()), (expected, code), "{status}");
            assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
            for part in ["sk-secret", "10.0.0.9", "/srv", "127.0.0.1"] {
                assert!(!answer.text().contains(part), "{status}: {}", answer.text());
            }
            let pause = answer.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
            assert_eq!(pause, matches!(status, 429 | 503).then_some("7"), "{status}");
        }
    }
}

#[tokio::test]
async fn a_pause_is_named_and_bounded() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    for (given, expected) in [(Some("9999"), "120"), (None, "1")] {
        let answer = Answer::error(429, "slow down");
        upstream.next(given.map_or(answer.clone(), |pause| answer.header("retry-after", pause)));
        let answer = guest.post(PATH, &chat(false)).await.expect(429);
        assert_eq!(answer.headers[header::RETRY_AFTER], expected);
    }
    let _answer = guest.post(PATH, &chat(false)).await.expect(200);
}

#[tokio::test]
async fn before_the_first_event_a_failure_is_an_http_error() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    for (answer, streams, status, code) in [
        (Answer::text(200, "application/json", "{\"choices\":"), false, 502, "upstream_error"),
        (Answer::text(200, "text/html", "<html>hello</html>"), false, 502, "upstream_error"),
        (Answer::text(200, "text/html", "<html>hello</html>"), true, 502, "upstream_error"),
        (Answer::text(200, "application/json", "{\"choi").cut(), false, 502, "upstream_error"),
        (Answer::stream().event("{nonsense"), true, 502, "upstream_error"),
        (Answer::stream().event(r#"{"error":{"message":"x","code":429}}"#), true, 429, "upstream_rate_limited"),
        (Answer::stream().cut(), true, 502, "upstream_error"),
        (Answer::stream().head_after(std::time::Duration::from_hours(1)), true, 504, "upstream_timeout"),
        (Answer::stream().stall(), true, 504, "upstream_timeout"),
    ] {
        upstream.next(answer.clone());
        assert_eq!(guest.post(PATH, &chat(streams)).await.error(), (status, code.to_owned(), None), "{answer:?}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_does_not_end_like_a_whole_one() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    for (answer, code) in [
        (Answer::stream().word("a").cut(), "upstream_error"),
        (Answer::stream().word("a").raw("data: {\"cho").cut(), "upstream_error"),
        (Answer::stream().word("a"), "upstream_error"),
        (Answer::stream().word("a").event("{nonsense}").done(), "upstream_error"),
        (Answer::stream().word("a").event(r#"{"error":{"message":"at 10.0.0.9"}}"#).done(), "upstream_error"),
        (Answer::stream().word("a").stall(), "upstream_timeout"),
    ] {
        upstream.next(answer.clone());
        let got = guest.post(PATH, &chat(true)).await.expect(200);
        let events = got.events();
        assert_eq!(events.len(), 2, "{answer:?}: {events:?}");
        let chunk: Value = serde_json::from_str(&events[0]).unwrap();
        assert_eq!(chunk["choices"][0]["delta"]["content"], "a");
        let failure: Value = serde_json::from_str(&events[1]).unwrap();
        assert_eq!(failure["error"]["code"], code, "{answer:?}");
        assert_eq!(failure["error"]["request_id"], got.headers["x-request-id"].to_str().unwrap());
        assert!(!got.text().contains("[DONE]") && !got.text().contains("10.0.0.9"));
    }
}

#[tokio::test]
async fn a_dead_upstream_is_a_502_that_tells_no_address() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let address = upstream.address().to_string();
    drop(upstream);
    for streams in [false, true] {
        let answer = guest.post(PATH, &chat(streams)).await;
        assert_eq!(answer.error(), (502, "upstream_error".to_owned(), None));
        assert!(!answer.text().contains(&address));
    }
    let _models = guest.get("/v1/models").await.expect(200);
}
