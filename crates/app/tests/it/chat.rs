use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use app::{
    chat::{Chat, Completion, Notes},
    models::Models,
};
use bytes::Bytes;
use domain::{Clock, ids::UserId};
use futures_util::StreamExt;
use providers::Scripted;
use serde_json::{Value, json};
use wire::openai::chat::Usage;

#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<String>>>);

impl Noted {
    fn add(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Notes for Noted {
    fn resolved(&mut self, model: &Arc<str>, provider: &Arc<str>, streams: bool) {
        self.add(format!("{model} {provider} {streams}"));
    }

    fn began(&mut self) {
        self.add("began".to_owned());
    }

    fn took(&mut self, usage: &Usage) {
        self.add(format!("{} {}", usage.prompt_tokens, usage.completion_tokens));
    }
}

async fn chat() -> Chat {
    let models = Models::new(vec![Arc::new(Scripted)], Clock::System);
    models.refresh(Duration::from_secs(20)).await;
    Chat::new(models, Clock::System)
}

async fn ask(chat: &Chat, noted: &Noted, model: &str, patch: &Value) -> domain::Result<Completion> {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "one two"}]});
    for (key, value) in patch.as_object().unwrap() {
        body[key] = value.clone();
    }
    let body = Bytes::from(body.to_string());
    let caller = UserId::new(&Clock::System);
    chat.complete(&caller, wire::json::parse(&body)?, body, noted.clone()).await
}

fn metrics(chat: &Chat) -> String {
    let mut text = String::new();
    prometheus_client::encoding::prometheus_text::encode(&mut text, &chat.registry()).unwrap();
    text
}

#[tokio::test]
async fn an_answer_is_counted_and_noted() {
    let (chat, noted) = (chat().await, Noted::default());
    assert!(matches!(ask(&chat, &noted, "scripted/echo", &json!({})).await, Ok(Completion::Whole(_))));
    assert_eq!(noted.all(), ["scripted/echo scripted false", "2 2"]);

    let noted = Noted::default();
    let Ok(Completion::Stream(events)) = ask(&chat, &noted, "scripted/echo", &json!({"stream": true})).await else {
        panic!("a stream was asked for");
    };
    let labels = r#"{model="scripted/echo",provider="scripted"}"#;
    assert!(metrics(&chat).contains(&format!("jan_llm_api_active_streams{labels} 1")), "{}", metrics(&chat));
    let events: Vec<_> = events.map(|event| event.unwrap()).collect().await;
    assert_eq!(events.last().unwrap(), "data: [DONE]\n\n");
    assert_eq!(noted.all(), ["scripted/echo scripted true", "began", "2 2"]);

    let metrics = metrics(&chat);
    for line in [
        "jan_llm_api_tokens_prompt_total{} 4",
        "jan_llm_api_tokens_completion_total{} 4",
        "jan_llm_api_active_streams{} 0",
        "jan_llm_api_llm_duration_seconds_count{} 2",
        "jan_llm_api_first_token_seconds_count{} 1",
        "jan_llm_api_tokens_per_request_count{} 2",
    ] {
        assert!(metrics.contains(&line.replace("{}", labels)), "{line}: {metrics}");
    }
    assert!(metrics.contains(r#"jan_llm_api_provider_health{provider="scripted"} 1"#), "{metrics}");
}

#[tokio::test]
async fn failures_are_counted_by_class() {
    let (chat, noted) = (chat().await, Noted::default());
    let error = ask(&chat, &noted, "scripted/error-429", &json!({"stream": true})).await.err().unwrap();
    assert_eq!(error.code(), "upstream_rate_limited");
    let Ok(Completion::Stream(mut events)) = ask(&chat, &noted, "scripted/cut", &json!({"stream": true})).await else {
        panic!("it breaks off later");
    };
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    assert_eq!(last.unwrap().unwrap_err().code(), "upstream_error");
    drop(events);
    let metrics = metrics(&chat);
    for line in [
        r#"jan_llm_api_provider_errors_total{model="scripted/error-429",provider="scripted",error_type="busy"} 1"#,
        r#"jan_llm_api_provider_errors_total{model="scripted/cut",provider="scripted",error_type="failed"} 1"#,
        r#"jan_llm_api_active_streams{model="scripted/cut",provider="scripted"} 0"#,
        r#"jan_llm_api_active_streams{model="scripted/error-429",provider="scripted"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn a_bad_request_reaches_nobody() {
    let (chat, noted) = (chat().await, Noted::default());
    let error = ask(&chat, &noted, "nope", &json!({})).await.err().unwrap();
    assert_eq!((error.code(), error.param_name()), ("model_not_found", Some("model")));
    let error = ask(&chat, &noted, "scripted/echo", &json!({"n": 0})).await.err().unwrap();
    assert_eq!((error.code(), error.param_name()), ("invalid_parameter", Some("n")));
    assert!(noted.all().is_empty());
    assert!(!metrics(&chat).contains("nope"), "what a client calls a model is no label");
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_no_longer_active() {
    let (chat, noted) = (chat().await, Noted::default());
    let Ok(Completion::Stream(mut events)) = ask(&chat, &noted, "scripted/lorem-64", &json!({"stream": true})).await
    else {
        panic!("a stream was asked for");
    };
    events.next().await.unwrap().unwrap();
    drop(events);
    assert!(metrics(&chat).contains(r#"jan_llm_api_active_streams{model="scripted/lorem-64",provider="scripted"} 0"#));
}
