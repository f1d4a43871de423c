//! Answers as such: determinism, ends, usage, probabilities.

use inference::{Engine, EngineOptions, Error, Finish, Request, Sampling};
use serde_json::json;

use crate::support::{answer, endless, engine, greedy, small, user};

#[tokio::test(flavor = "multi_thread")]
async fn at_temperature_zero_an_answer_is_always_the_same() {
    let engine = engine();
    let first = answer(&engine, greedy("Name three colours.", 24)).await;
    let second = answer(&engine, greedy("Name three colours.", 24)).await;
    assert!(!first.text.is_empty());
    assert_eq!(first.text, second.text);
    assert_eq!(first.completion, second.completion);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_decides_chance() {
    let engine = engine();
    let seeded = |seed| Request {
        sampling: Sampling { seed: Some(seed), temperature: 1.5, ..Sampling::default() },
        ..greedy("Tell me a story.", 24)
    };
    let first = answer(&engine, seeded(1)).await;
    assert_eq!(first.text, answer(&engine, seeded(1)).await.text);
    assert_ne!(first.text, answer(&engine, seeded(2)).await.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_on_tokens_ends_an_answer() {
    let engine = engine();
    let whole = answer(&engine, endless(&engine, "Count.", 7)).await;
    assert_eq!((whole.reason, whole.completion), (Some(Finish::Length), 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_ends_an_answer() {
    let engine = engine();
    let mut request = greedy("Hello", 50);
    let end = (0..engine.info().vocabulary as u32).find(|id| engine.is_end(*id)).unwrap();
    request.sampling.logit_bias = vec![(end, 100.0)];
    let whole = answer(&engine, request).await;
    assert_eq!((whole.reason, whole.completion, whole.text.as_str()), (Some(Finish::Stop), 1, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_text_ends_an_answer_and_is_not_shown() {
    let engine = engine();
    let free = answer(&engine, endless(&engine, "Tell me about rivers.", 32)).await.text;
    // Across a border of tokens: from the middle of one word into the next.
    let middle = free.char_indices().nth(free.chars().count() / 2).unwrap().0;
    let stop: String = free[middle..].chars().take(6).collect();
    let request = Request { stop: vec![stop.clone()], ..endless(&engine, "Tell me about rivers.", 32) };
    let whole = answer(&engine, request).await;
    assert_eq!(whole.reason, Some(Finish::Stop));
    assert_eq!(whole.text, free[..free.find(&stop).unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_counts_the_prompt_and_a_repeated_one_is_cached() {
    let engine = engine();
    let text = "A prompt that no other test uses, about lighthouses.";
    let first = answer(&engine, greedy(text, 4)).await;
    assert!(first.prompt as usize > engine.count_tokens(text));
    assert!(first.completion <= 4);
    let second = answer(&engine, greedy(text, 4)).await;
    assert_eq!(second.prompt, first.prompt);
    assert!(second.cached < second.prompt);
    assert_eq!(second.text, first.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_engine_reuses_a_shared_beginning() {
    let engine = crate::support::engine_with(&EngineOptions { max_parallel: 1, ..EngineOptions::default() });
    let first = answer(&engine, greedy("What is a lighthouse?", 4)).await;
    let second = answer(&engine, greedy("What is a lighthouse?", 4)).await;
    assert_eq!((first.cached, second.cached), (0, first.prompt - 1));
    assert_eq!(first.text, second.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_owners_prompts_save_another_nothing() {
    let engine = crate::support::engine_with(&EngineOptions { max_parallel: 1, ..EngineOptions::default() });
    let of = |owner: &str| Request { owner: owner.to_owned(), ..greedy("What is a lighthouse?", 4) };
    let first = answer(&engine, of("ada")).await;
    let other = answer(&engine, of("eve")).await;
    assert_eq!((first.cached, other.cached), (0, 0));
    assert_eq!(first.text, other.text);
    let own = answer(&engine, of("eve")).await;
    assert_eq!(own.cached, first.prompt - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn probabilities_are_reported_for_every_token() {
    let engine = engine();
    let request = Request { logprobs: Some(3), ..endless(&engine, "Say hello.", 8) };
    let whole = answer(&engine, request).await;
    assert_eq!(whole.logprobs.len(), 8);
    let text: String = whole.logprobs.iter().map(|p| p.token.as_str()).collect();
    assert_eq!(text, whole.text);
    for token in &whole.logprobs {
        assert!(token.logprob <= 0.0);
        assert_eq!(token.top.len(), 3);
        assert!(token.top.is_sorted_by(|a, b| a.logprob >= b.logprob));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_out_of_range_are_refused() {
    let engine = engine();
    let base = || greedy("x", 1);
    let cases = [
        ("temperature", Request { sampling: Sampling { temperature: 3.0, ..Sampling::default() }, ..base() }),
        ("top_p", Request { sampling: Sampling { top_p: f32::NAN, ..Sampling::default() }, ..base() }),
        (
            "logit_bias",
            Request { sampling: Sampling { logit_bias: vec![(u32::MAX, 1.0)], ..Sampling::default() }, ..base() },
        ),
        ("max_tokens", Request { max_tokens: Some(0), ..base() }),
        ("stop", Request { stop: vec![String::new(); 17], ..base() }),
        ("top_logprobs", Request { logprobs: Some(21), ..base() }),
        ("messages", Request { messages: json!([]), ..base() }),
        ("messages", Request { messages: json!([{"role": "user", "content": [{"type": "image_url"}]}]), ..base() }),
    ];
    for (field, request) in cases {
        match engine.submit(request).await {
            Err(Error::InvalidRequest { param, .. }) => assert_eq!(param, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_model_knows_the_capital_of_france() {
    let path = small();
    let load = move || Engine::load(&path, &EngineOptions::default());
    let engine = tokio::task::spawn_blocking(load).await.unwrap().unwrap();
    let request = Request { messages: user("What is the capital of France?"), ..greedy("", 24) };
    let whole = answer(&engine, request).await;
    assert!(whole.text.contains("Paris"), "{}", whole.text);
    assert_eq!(whole.reason, Some(Finish::Stop));
}
