//! Calls, and what comes of them.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    Clock,
    ids::{ChatCompletionId, UserId},
};
use futures_util::StreamExt;
use outbound::Client;
use providers::{Call, ChatProvider, Frames, OpenAi, Result, Stamp, openai::Options};
use serde_json::{Value, json};
use testkit::upstream::Upstream;
use wire::openai::chat::Usage;

/// A call of `model`, with `patch` over a small request.
pub(crate) fn call(model: &str, patch: &Value) -> Call {
    let mut body = json!({"model": "public", "messages": [{"role": "user", "content": "one two three"}]});
    for (key, value) in patch.as_object().unwrap() {
        body[key] = value.clone();
    }
    let body = Bytes::from(body.to_string());
    Call {
        caller: UserId::new(&Clock::System),
        request: Arc::new(wire::json::parse(&body).unwrap()),
        body,
        model: model.into(),
        stamp: Stamp { id: ChatCompletionId::new(&Clock::System), created: 42, model: "public".into() },
    }
}

/// A provider that asks `upstream`, with limits short enough for a test.
pub(crate) fn provider(upstream: &Upstream) -> OpenAi {
    provider_with(&Options { first_byte_secs: 1, idle_secs: 1, ..Options::new(upstream.url()) })
}

pub(crate) fn provider_with(options: &Options) -> OpenAi {
    OpenAi::new(options, Client::new(&outbound::Options::default()).unwrap()).unwrap()
}

/// A streamed answer to its end.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) events: Vec<Value>,
    pub(crate) done: bool,
    pub(crate) usage: Option<Usage>,
    pub(crate) error: Option<providers::Error>,
}

impl Streamed {
    pub(crate) async fn read(mut frames: Frames) -> Self {
        let mut streamed = Self { events: Vec::new(), done: false, usage: None, error: None };
        while let Some(frame) = frames.next().await {
            assert!(streamed.error.is_none() && !streamed.done, "a stream ends with its error or its end mark");
            match frame {
                Ok(frame) => {
                    streamed.usage = frame.usage.or(streamed.usage);
                    let text = String::from_utf8(frame.bytes.to_vec()).unwrap();
                    for event in text.split_terminator("\n\n") {
                        match event.strip_prefix("data: ").unwrap() {
                            "[DONE]" => streamed.done = true,
                            data => streamed.events.push(serde_json::from_str(data).unwrap()),
                        }
                    }
                }
                Err(error) => streamed.error = Some(error),
            }
        }
        streamed
    }

    pub(crate) fn text(&self) -> String {
        let delta = |event: &Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
        self.events.iter().filter_map(delta).collect()
    }
}

/// The class of a failure.
pub(crate) fn class<T>(result: Result<T>) -> &'static str {
    result.err().map_or("none", |error| error.class())
}

/// Asks for a stream and reads it.
pub(crate) async fn stream(provider: &impl ChatProvider, call: Call) -> Result<Streamed> {
    Ok(Streamed::read(provider.stream(call).await?).await)
}
