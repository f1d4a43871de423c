//! A provider that fails again and again is left alone (`security.md` G7).

use std::time::Duration;

use futures_util::StreamExt;
use providers::{Breaker, BreakerOptions, ChatProvider, OpenAi, Result, openai::Options};
use serde_json::json;
use testkit::upstream::{Answer, Upstream};
use tokio::net::TcpListener;

use crate::support::{call, class, provider, provider_with, stream};

/// Long enough that no pause ends by itself within a test.
const LONG: Duration = Duration::from_hours(1);
/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(20);

fn guarded(upstream: &Upstream, failures: u32, pause: Duration) -> Breaker<OpenAi> {
    Breaker::around(provider(upstream), BreakerOptions { failures, pause })
}

/// An upstream's failure that is not tried again by the provider itself.
fn down() -> Answer {
    Answer::error(503, "down").header("retry-after", "1")
}

async fn whole(provider: &impl ChatProvider) -> Result<providers::Whole> {
    provider.complete(call("m", &json!({}))).await
}

#[tokio::test]
async fn it_is_not_asked_any_more_and_callers_hear_so_at_once() {
    let upstream = Upstream::start().await;
    let provider = guarded(&upstream, 3, LONG);
    upstream.always(down());
    for _ in 0..3 {
        assert!(!provider.is_suspended());
        assert_eq!(class(whole(&provider).await), "unavailable");
    }
    assert!(provider.is_suspended());
    let asked = upstream.chats().len();
    for _ in 0..5 {
        let error = whole(&provider).await.unwrap_err();
        assert_eq!(error.class(), "suspended");
        let error = domain::Error::from(error);
        assert_eq!(error.code(), "upstream_error");
        assert!(matches!(error.kind(), domain::Kind::Unavailable(Some(pause)) if pause <= LONG), "{error:?}");
        assert_eq!(class(provider.stream(call("m", &json!({"stream": true}))).await), "suspended");
    }
    assert_eq!(upstream.chats().len(), asked, "nobody is sent there");
    assert!(provider.models().await.is_ok(), "its models are asked for all the same");
}

#[tokio::test]
async fn a_caller_s_faults_are_not_the_provider_s() {
    let upstream = Upstream::start().await;
    let provider = guarded(&upstream, 2, LONG);
    for status in [400, 401, 403, 404, 413, 422, 429] {
        for _ in 0..4 {
            upstream.next(Answer::error(status, "no"));
            assert_ne!(class(whole(&provider).await), "suspended", "{status}");
        }
    }
    // Between two failures it answered something.
    for _ in 0..3 {
        upstream.next(down());
        assert_eq!(class(whole(&provider).await), "unavailable");
        upstream.next(Answer::error(400, "no"));
        assert_eq!(class(whole(&provider).await), "refused");
    }
}

#[tokio::test]
async fn a_caller_who_leaves_says_nothing() {
    let upstream = Upstream::start().await;
    let provider = guarded(&upstream, 1, LONG);
    for gone in 1..=3 {
        upstream.next(Answer::says("late").head_after(LONG));
        tokio::select! {
            answer = whole(&provider) => panic!("{answer:?}"),
            () = upstream.asked(gone) => {}
        }
        upstream.hung_up(gone as u64).await;
    }
    upstream.next(Answer::stream().word("a").stall());
    let mut frames = provider.stream(call("m", &json!({"stream": true}))).await.unwrap();
    frames.next().await.unwrap().unwrap();
    drop(frames);
    assert!(!provider.is_suspended());
    whole(&provider).await.unwrap();
}

#[tokio::test]
async fn time_outs_and_broken_streams_count() {
    let upstream = Upstream::start().await;
    for broken in [Answer::stream().word("a").cut(), Answer::stream().word("a").stall(), Answer::stream().stall()] {
        let provider = guarded(&upstream, 1, LONG);
        upstream.next(broken.clone());
        let outcome = stream(&provider, call("m", &json!({"stream": true}))).await;
        assert!(outcome.map_or_else(|error| error.is_outage(), |streamed| streamed.error.is_some()), "{broken:?}");
        assert!(provider.is_suspended(), "{broken:?}");
    }
    let provider = guarded(&upstream, 1, LONG);
    upstream.next(Answer::streams(&["well"]));
    assert!(stream(&provider, call("m", &json!({"stream": true}))).await.unwrap().done);
    assert!(!provider.is_suspended());
}

#[tokio::test]
async fn a_server_that_is_not_there_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options::new(format!("http://{}/v1", listener.local_addr().unwrap()));
    drop(listener);
    let provider = Breaker::around(provider_with(&options), BreakerOptions { failures: 2, pause: LONG });
    assert_eq!(class(whole(&provider).await), "failed");
    assert_eq!(class(whole(&provider).await), "failed");
    assert_eq!(class(whole(&provider).await), "suspended");
}

#[tokio::test]
async fn the_first_answer_closes_the_circuit() {
    let upstream = Upstream::start().await;
    for streams in [false, true] {
        let provider = guarded(&upstream, 1, SHORT);
        upstream.next(down());
        assert_eq!(class(whole(&provider).await), "unavailable");
        assert!(provider.is_suspended());
        loop {
            let outcome = if streams {
                upstream.always(Answer::streams(&["back"]));
                stream(&provider, call("m", &json!({"stream": true}))).await.map(drop)
            } else {
                upstream.always(Answer::says("back"));
                whole(&provider).await.map(drop)
            };
            match outcome {
                Ok(()) => break,
                Err(error) => assert_eq!(error.class(), "suspended"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!provider.is_suspended());
    }
}
