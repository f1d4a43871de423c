use providers::{ChatProvider, Offer, openai::Options};
use serde_json::json;
use testkit::upstream::{Answer, Upstream};

use crate::support::{class, provider, provider_with};

#[tokio::test]
async fn models_are_listed_and_odd_entries_left_out() {
    let upstream = Upstream::start().await;
    let offer = |id: &str, created: i64, owned_by: Option<&str>| Offer {
        id: id.to_owned(),
        created,
        owned_by: owned_by.map(str::to_owned),
    };
    assert_eq!(
        provider(&upstream).models().await.unwrap(),
        [offer("upstream-chat", 1_700_000_000, Some("vendor")), offer("vendor/upstream-large", 0, None)]
    );
    upstream.models(Answer::json(200, &json!({"data": [{"id": "a", "created": "x"}, {"id": ""}, {"id": 3}, {}, 7]})));
    assert_eq!(provider(&upstream).models().await.unwrap(), [offer("a", 0, None)]);
}

#[tokio::test]
async fn a_bad_list_is_a_failure() {
    let upstream = Upstream::start().await;
    for (answer, expected) in [
        (Answer::text(200, "text/html", "<html>"), "failed"),
        (Answer::json(200, &json!({"models": []})), "failed"),
        (Answer::error(401, "who are you"), "failed"),
        (Answer::error(503, "later"), "unavailable"),
        (Answer::text(200, "application/json", vec![b' '; 5 * 1024 * 1024]), "failed"),
    ] {
        upstream.models(answer);
        assert_eq!(class(provider(&upstream).models().await), expected);
    }
}

#[tokio::test]
async fn a_given_list_is_not_asked_for() {
    let upstream = Upstream::start().await;
    let options = Options { models: Some(vec!["a".to_owned()]), ..Options::new(upstream.url()) };
    assert_eq!(provider_with(&options).models().await.unwrap()[0].id, "a");
    assert!(upstream.seen().is_empty());
}
