//! Several requests at a time: sharing, waiting, refusing, cancelling.

use inference::{EngineOptions, Error, Event};

use crate::support::{answer, collect, endless, engine, engine_with, submit_when_free};

#[tokio::test(flavor = "multi_thread")]
async fn answers_given_together_are_the_same_as_alone() {
    let engine = engine();
    let questions = ["What is rain?", "Name a fish.", "Say hello to Anna.", "Count to five."];
    let mut together = Vec::new();
    for question in questions {
        together.push(engine.submit(endless(&engine, question, 20)).await.unwrap());
    }
    let together: Vec<_> = futures_util::future::join_all(together.into_iter().map(collect)).await;
    for (question, whole) in questions.iter().zip(together) {
        let alone = answer(&engine, endless(&engine, question, 20)).await;
        assert_eq!((whole.text, whole.completion), (alone.text, alone.completion), "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_engine_refuses_and_a_cancelled_request_makes_room() {
    let options = EngineOptions { max_parallel: 1, queue: 1, ..EngineOptions::default() };
    let engine = engine_with(&options);
    let request = endless(&engine, "Tell me a long story.", 4000);
    let mut running = engine.submit(request.clone()).await.unwrap();
    assert!(matches!(running.next().await, Some(Event::Started { .. })));
    let waiting = engine.submit(request.clone()).await.unwrap();
    match engine.submit(request.clone()).await {
        Err(Error::Busy { retry_after }) => assert!(!retry_after.is_zero()),
        other => panic!("{other:?}"),
    }
    // Neither answer could have ended by itself: only cancelling them makes room.
    drop(running);
    drop(waiting);
    let short = endless(&engine, "Hello", 3);
    assert_eq!(collect(submit_when_free(&engine, &short).await).await.completion, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_ends_where_the_context_does_and_longer_prompts_are_refused() {
    let engine = engine_with(&EngineOptions { context: 64, ..EngineOptions::default() });
    assert_eq!(engine.info().context_length, 64);
    let whole = answer(&engine, endless(&engine, "Hi", 4000)).await;
    assert_eq!(whole.prompt + whole.completion, 64);
    match engine.submit(endless(&engine, &"word ".repeat(100), 8)).await {
        Err(Error::PromptTooLong { tokens, limit }) => assert!(tokens > 100 && limit == 63),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_outlives_the_last_handle_to_its_engine() {
    let engine = engine_with(&EngineOptions { max_parallel: 1, ..EngineOptions::default() });
    let generation = engine.submit(endless(&engine, "Hi", 12)).await.unwrap();
    drop(engine);
    assert_eq!(collect(generation).await.completion, 12);
}
