//! What a model answers that is not there, not whole, on its way, or unused.

use std::time::Duration;

use app::embedded::{Condition, Embedded, Options};
use providers::{ChatProvider, Error};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::hub::{Hub, Reply};
use super::{
    PATIENCE, cache_with, call, call_of, complete, embedded, model_file, options, refusal, tiny_in, tiny_with,
};

fn in_directory(directory: &tempfile::TempDir) -> Options {
    Options { cache_dir: Some(directory.path().to_owned()), ..options(&["jan-tiny"]) }
}

async fn wait_for(embedded: &Embedded, wanted: impl Fn(Condition) -> bool) {
    let waiting = async {
        while !wanted(embedded.status()[0].condition) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the model's condition did not change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_model_names_the_command_and_answers_once_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let embedded = embedded(in_directory(&directory));
    assert_eq!(embedded.models().await.unwrap()[0].id, "jan-tiny");
    match refusal(&embedded, json!({})).await {
        Error::NotReady { message, .. } => assert!(message.contains("jan-server model pull jan-tiny"), "{message}"),
        other => panic!("{other:?}"),
    }
    let status = &embedded.status()[0];
    assert_eq!(status.condition, Condition::Absent);
    assert!(status.problem.as_ref().unwrap().contains("model pull jan-tiny"));
    // As if another process had fetched it.
    std::fs::copy(model_file("jan-tiny"), tiny_in(directory.path())).unwrap();
    assert_eq!(embedded.status()[0].condition, Condition::Waiting);
    complete(&embedded, json!({"max_tokens": 2})).await;
    assert_eq!(embedded.status()[0].condition, Condition::Ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_a_wrong_checksum_is_never_loaded() {
    let mut content = std::fs::read(model_file("jan-tiny")).unwrap();
    let last = content.len() - 1;
    content[last] ^= 1; // it would load, and answer
    let directory = cache_with(&content);
    let embedded = embedded(in_directory(&directory));
    match refusal(&embedded, json!({})).await {
        Error::NotReady { message, .. } => {
            assert!(message.contains("SHA-256") && message.contains("model rm jan-tiny"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(embedded.status()[0].condition, Condition::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_model_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.gguf");
    std::fs::write(&path, b"GGUF\x03\0\0\0 and nothing more").unwrap();
    let embedded = embedded(Options { model_file: Some(path), ..options(&[]) });
    let error = embedded.complete(call_of("mine", json!({}))).await.unwrap_err();
    assert!(matches!(&error, Error::NotReady { message, .. } if message.contains("invalid model file")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_file_is_served_under_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.gguf");
    std::fs::hard_link(model_file("jan-tiny"), &path)
        .or_else(|_| std::fs::copy(model_file("jan-tiny"), &path).map(|_| ()))
        .unwrap();
    let embedded = embedded(Options { model_file: Some(path), ..options(&["jan-small"]) });
    assert_eq!(embedded.models().await.unwrap().iter().map(|o| o.id.as_str()).collect::<Vec<_>>(), ["mine"]);
    embedded.complete(call_of("mine", json!({"max_tokens": 2}))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_on_its_way_says_when_to_come_back_and_cancelling_ends_that() {
    let hub = Hub::start(vec![7; 400_000], |_| Reply { stall_after: Some(100_000), ..Reply::default() }).await;
    let directory = tempfile::tempdir().unwrap();
    let embedded = embedded(Options {
        models: vec!["hf:someone/something/model.gguf".to_owned()],
        hugging_face: hub.address(),
        offline: false,
        ..in_directory(&directory)
    });
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let running = tracker.spawn({
        let (embedded, stop) = (embedded.clone(), stop.clone());
        async move { embedded.run(stop, |_, _| {}).await }
    });
    wait_for(&embedded, |condition| matches!(condition, Condition::Fetching(_))).await;
    match embedded.complete(call_of("model", json!({}))).await {
        Err(Error::NotReady { message, retry_after: Some(pause) }) => {
            assert!(message.contains('%'), "{message}");
            assert!((1..=120).contains(&pause.as_secs()));
        }
        other => panic!("{other:?}"),
    }
    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.expect("it did not stop").unwrap();
    assert_eq!(embedded.status()[0].condition, Condition::Absent);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unused_model_is_unloaded_and_loaded_again() {
    let embedded = tiny_with(Options { unload_after_seconds: 1, preload: true, ..options(&["jan-tiny"]) });
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let _ending = stop.clone().drop_guard();
    tracker.spawn({
        let embedded = embedded.clone();
        async move { embedded.run(stop, |_, _| {}).await }
    });
    wait_for(&embedded, |condition| condition == Condition::Ready).await;
    // An answer under way keeps it: this one takes longer than a model may be idle, on any machine.
    let frames = embedded.stream(call(super::endless())).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(embedded.status()[0].condition, Condition::Ready);
    drop(frames);
    wait_for(&embedded, |condition| condition == Condition::Waiting).await;
    complete(&embedded, json!({"max_tokens": 2})).await;
}

#[test]
fn a_name_that_means_no_model_is_refused_at_start() {
    let client = outbound::Client::new(&outbound::Options::default()).unwrap();
    let options = options(&["../elsewhere"]);
    let error = Embedded::new(options, client, domain::Clock::System, TaskTracker::new()).unwrap_err();
    assert!(error.to_string().contains("jan-small"), "{error}");
}
