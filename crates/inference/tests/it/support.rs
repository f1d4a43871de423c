//! The model file, one engine for all tests, and what they read from an answer.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use inference::{Engine, EngineOptions, Error, Event, Finish, Generation, Request, Sampling, TokenLogprob};
use serde_json::{Value, json};

const TINY: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SMALL: &str = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf";

/// Far longer than anything here takes; a test that hangs must end.
pub(crate) const PATIENCE: Duration = Duration::from_mins(4);

/// A model's path: in `JAN_TEST_MODEL_DIR`, or where the product caches models.
fn model(id: &str, name: &str) -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = variable("JAN_TEST_MODEL_DIR").unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        cache.expect("no cache directory; set JAN_TEST_MODEL_DIR").join("jan-server/models")
    });
    let path = directory.join(name);
    assert!(
        path.is_file(),
        "{} is missing: `jan-server model pull {id}` fetches it, or set JAN_TEST_MODEL_DIR to its directory",
        path.display()
    );
    path
}

pub(crate) fn tiny() -> PathBuf {
    model("jan-tiny", TINY)
}

pub(crate) fn small() -> PathBuf {
    model("jan-small", SMALL)
}

/// The tiny model, loaded once, with the default options.
pub(crate) fn engine() -> Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::load(&tiny(), &EngineOptions::default()).unwrap());
    ENGINE.clone()
}

/// An engine of its own, for tests that fill it.
pub(crate) fn engine_with(options: &EngineOptions) -> Engine {
    Engine::load(&tiny(), options).unwrap()
}

pub(crate) fn user(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

/// A short answer, always the same.
pub(crate) fn greedy(text: &str, max_tokens: u32) -> Request {
    Request {
        max_tokens: Some(max_tokens),
        sampling: Sampling { temperature: 0.0, ..Sampling::default() },
        ..Request::new(user(text))
    }
}

/// A request whose answer cannot end by itself before its limit.
pub(crate) fn endless(engine: &Engine, text: &str, max_tokens: u32) -> Request {
    let mut request = greedy(text, max_tokens);
    let ends = (0..engine.info().vocabulary as u32).filter(|id| engine.is_end(*id));
    request.sampling.logit_bias = ends.map(|id| (id, -100.0)).collect();
    request
}

/// Everything an answer was.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Whole {
    pub(crate) text: String,
    pub(crate) logprobs: Vec<TokenLogprob>,
    pub(crate) calls: Vec<(u32, String, Value)>,
    pub(crate) prompt: u32,
    pub(crate) cached: u32,
    pub(crate) completion: u32,
    pub(crate) reason: Option<Finish>,
}

/// Reads to the end; a failed answer fails the test.
pub(crate) async fn collect(mut generation: Generation) -> Whole {
    let mut whole = Whole::default();
    let reading = async {
        while let Some(event) = generation.next().await {
            assert!(whole.reason.is_none(), "an event after the end: {event:?}");
            match event {
                Event::Started { prompt_tokens, cached_tokens } => {
                    whole.prompt = prompt_tokens;
                    whole.cached = cached_tokens;
                }
                Event::Text { text, logprobs } => {
                    whole.text += &text;
                    whole.logprobs.extend(logprobs);
                }
                Event::ToolCall { index, name, arguments } => {
                    whole.calls.push((index, name, serde_json::from_str(&arguments).unwrap()));
                }
                Event::Finished { reason, completion_tokens } => {
                    whole.reason = Some(reason);
                    whole.completion = completion_tokens;
                }
                Event::Failed(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the answer did not end");
    assert!(whole.reason.is_some(), "the answer broke off");
    whole
}

pub(crate) async fn answer(engine: &Engine, request: Request) -> Whole {
    collect(engine.submit(request).await.unwrap()).await
}

/// Waits until the engine takes the request.
pub(crate) async fn submit_when_free(engine: &Engine, request: &Request) -> Generation {
    let trying = async {
        loop {
            match engine.submit(request.clone()).await {
                Ok(generation) => return generation,
                Err(Error::Busy { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(other) => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("no place became free")
}
