use std::{sync::Arc, time::Duration};

use app::models::Models;
use domain::{Clock, Timestamp};
use outbound::Client;
use providers::{ChatProvider, OpenAi, Scripted, openai::Options};
use serde_json::json;
use testkit::upstream::{Answer, Upstream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PATIENCE: Duration = Duration::from_secs(20);

fn openai(upstream: &Upstream, name: Option<&str>) -> Arc<dyn ChatProvider> {
    let options = Options { name: name.map(str::to_owned), ..Options::new(upstream.url()) };
    Arc::new(OpenAi::new(&options, Client::new(&outbound::Options::default()).unwrap()).unwrap())
}

fn list(ids: &[&str]) -> Answer {
    let data: Vec<_> = ids.iter().map(|id| json!({"id": id, "created": 7})).collect();
    Answer::json(200, &json!({"data": data}))
}

fn ids(models: &Models) -> Vec<String> {
    models.list().iter().map(|model| model.id.to_string()).collect()
}

fn clock() -> Clock {
    Clock::fixed(Timestamp::from_seconds(1_000))
}

#[tokio::test]
async fn the_first_of_two_keeps_the_plain_id() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    first.models(list(&["z", "a", "a"]));
    second.models(list(&["a", "m", "upstream/z"]));
    let models = Models::new(vec![openai(&first, None), openai(&second, None)], clock());
    assert!(models.list().is_empty());
    models.refresh(PATIENCE).await;
    assert_eq!(ids(&models), ["a", "z", "upstream-2/a", "m", "upstream/z"]);

    for (asked, id, upstream_id, provider) in [
        ("a", "a", "a", "upstream"),
        ("upstream/a", "a", "a", "upstream"),
        ("upstream-2/a", "upstream-2/a", "a", "upstream-2"),
        ("upstream-2/m", "m", "m", "upstream-2"),
        // What is really called so comes before the longer form of something else.
        ("upstream/z", "upstream/z", "upstream/z", "upstream-2"),
    ] {
        let model = models.resolve(asked).unwrap();
        assert_eq!((&*model.id, &*model.upstream_id, &**model.provider_name()), (id, upstream_id, provider), "{asked}");
    }
    for unknown in ["", "b", "upstream/m", "/a", "A"] {
        let Err(error) = models.resolve(unknown) else { panic!("{unknown}") };
        assert_eq!((error.code(), error.param_name()), ("model_not_found", Some("model")));
    }
}

#[tokio::test]
async fn a_dead_provider_neither_holds_up_nor_takes_away() {
    let (dead, slow) = (Upstream::start().await, Upstream::start().await);
    dead.models(Answer::error(500, "dead"));
    slow.models(Answer::stream().head_after(Duration::from_hours(1)));
    let providers: Vec<Arc<dyn ChatProvider>> =
        vec![openai(&dead, Some("dead")), openai(&slow, None), Arc::new(Scripted)];
    let models = Models::new(providers, clock());
    models.refresh(Duration::from_millis(300)).await;
    assert!(ids(&models).iter().all(|id| id.starts_with("scripted/")));

    dead.models(list(&["a"]));
    models.refresh(Duration::from_millis(300)).await;
    assert_eq!(ids(&models)[0], "a");
    dead.models(Answer::error(500, "dead again"));
    models.refresh(Duration::from_millis(300)).await;
    assert_eq!(ids(&models)[0], "a", "what it had is still known");
    dead.models(list(&["b"]));
    models.refresh(Duration::from_millis(300)).await;
    assert_eq!(ids(&models)[0], "b");
    assert!(models.resolve("a").is_err(), "a list that came counts");
}

#[tokio::test]
async fn a_provider_is_asked_again_until_it_answers() {
    let upstream = Upstream::start().await;
    upstream.models(Answer::error(503, "starting"));
    let models = Models::new(vec![openai(&upstream, None)], clock());
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let background = (models.clone(), stop.clone());
    tracker.spawn(async move { background.0.run(background.1).await });
    let asked = async {
        while upstream.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
    upstream.models(list(&["a"]));
    let listed = async {
        while ids(&models).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listed).await.unwrap();
    stop.cancel();
    tracker.close();
    tokio::time::timeout(PATIENCE, tracker.wait()).await.unwrap();
}

#[tokio::test]
async fn a_model_without_a_date_has_that_of_its_first_sight() {
    let upstream = Upstream::start().await;
    upstream
        .models(Answer::json(200, &json!({"data": [{"id": "a"}, {"id": "b", "created": 5, "owned_by": "vendor"}]})));
    let clock = clock();
    let models = Models::new(vec![openai(&upstream, None)], clock.clone());
    models.refresh(PATIENCE).await;
    clock.advance(Duration::from_secs(100));
    models.refresh(PATIENCE).await;
    let list = models.list();
    assert_eq!((list[0].created, &*list[0].owned_by), (1_000, "upstream"));
    assert_eq!((list[1].created, &*list[1].owned_by), (5, "vendor"));
}
