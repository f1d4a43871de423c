//! A provider that says what it is told to: for tests, benches and demonstrations. Nothing is random.
//!
//! | model | answer |
//! |---|---|
//! | `scripted/echo` | the last user message, word by word |
//! | `scripted/lorem-N` | N words of filler, 1 to 100000 |
//! | `scripted/slow` | like `echo`, with 100 ms before each word |
//! | `scripted/silent` | never begins |
//! | `scripted/tool` | calls the first function on offer, with the last user message as arguments if that is a JSON object; once there is a result, says the result |
//! | `scripted/cut` | two words of `echo`, then the stream breaks off; whole: a failure |
//! | `scripted/error-S` | fails with the status S: 400, 404, 413, 429 (`Retry-After: 1`), 500, 503 or 504 |
//!
//! A word is a token. `max_tokens` cuts an answer, `n` repeats it, usage counts words.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use wire::openai::chat::{
    ChatRequest,
    answer::{AssistantMessage, Choice, ChunkChoice, Delta, FinishReason, FunctionDelta, ToolCallDelta, Usage},
    request::{Content, FunctionCall, Role, ToolCall, ToolChoice},
};

use crate::{BoxFuture, Call, ChatProvider, Error, Frame, Frames, Offer, Result, Whole, compose};

/// Before each word of `scripted/slow`.
const PAUSE: Duration = Duration::from_millis(100);
const MAX_WORDS: usize = 100_000;
/// What is listed, and so what a server serves. Asked directly, the provider takes other numbers too.
const LISTED: [&str; 11] = [
    "scripted/echo",
    "scripted/lorem-64",
    "scripted/lorem-100000",
    "scripted/slow",
    "scripted/silent",
    "scripted/tool",
    "scripted/cut",
    "scripted/error-400",
    "scripted/error-429",
    "scripted/error-500",
    "scripted/error-503",
];

/// The scripted provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scripted;

impl Scripted {
    /// Whether `id` is a model of this provider, listed or not.
    pub fn has(id: &str) -> bool {
        !matches!(Script::of(id), Err(Error::NoSuchModel))
    }
}

impl ChatProvider for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<Offer>>> {
        let offer = |id: &str| Offer { id: id.to_owned(), created: 0, owned_by: None };
        let offers = LISTED.into_iter().map(offer).collect();
        Box::pin(async { Ok(offers) })
    }

    fn reasons(&self, _model: &str) -> Option<bool> {
        Some(false)
    }

    fn complete(&self, call: Call) -> BoxFuture<'_, Result<Whole>> {
        Box::pin(async move {
            let script = Script::of(&call.model)?;
            script.wait().await;
            if script.breaks {
                return Err(Error::failed("the script says so"));
            }
            let said = Said::by(&script, &call.request);
            tokio::time::sleep(script.pause * said.words.len() as u32).await;
            let choices: Vec<Choice> = (0..answers(&call.request)).map(|index| said.choice(index)).collect();
            compose::whole(&call.stamp, &choices, said.usage(&call.request))
        })
    }

    fn stream(&self, call: Call) -> BoxFuture<'_, Result<Frames>> {
        Box::pin(async move {
            let script = Script::of(&call.model)?;
            script.wait().await;
            let (frames, pause) = (frames(call, &script), script.pause);
            let paced = stream::iter(frames).then(move |frame| async move {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                frame
            });
            let frames: Frames = Box::pin(paced);
            Ok(frames)
        })
    }
}

/// What a model's name says.
struct Script {
    words: Words,
    pause: Duration,
    breaks: bool,
    silent: bool,
}

enum Words {
    Echo,
    Lorem(usize),
    Tool,
}

impl Script {
    fn of(model: &str) -> Result<Self> {
        let plain = Self { words: Words::Echo, pause: Duration::ZERO, breaks: false, silent: false };
        let name = model.strip_prefix("scripted/").ok_or(Error::NoSuchModel)?;
        Ok(match name.rsplit_once('-') {
            Some(("lorem", count)) => match count.parse() {
                Ok(count @ 1..=MAX_WORDS) => Self { words: Words::Lorem(count), ..plain },
                _ => return Err(Error::NoSuchModel),
            },
            Some(("error", status)) => return Err(failure(status)),
            _ => match name {
                "echo" => plain,
                "slow" => Self { pause: PAUSE, ..plain },
                "silent" => Self { silent: true, ..plain },
                "tool" => Self { words: Words::Tool, ..plain },
                "cut" => Self { breaks: true, ..plain },
                _ => return Err(Error::NoSuchModel),
            },
        })
    }

    /// `scripted/silent` waits for ever: the limits of whoever asks must hold.
    async fn wait(&self) {
        if self.silent {
            std::future::pending::<()>().await;
        }
    }
}

fn failure(status: &str) -> Error {
    let said = || "the script says so".into();
    match status {
        "400" => Error::Refused { param: Some("messages".to_owned()), message: "The script refuses this.".to_owned() },
        "413" => Error::TooLarge,
        "429" => Error::Busy { retry_after: Some(Duration::from_secs(1)) },
        "500" => Error::Failed(said()),
        "503" => Error::Unavailable { retry_after: Some(Duration::from_secs(1)), source: said() },
        "504" => Error::Timeout(said()),
        _ => Error::NoSuchModel,
    }
}

fn answers(request: &ChatRequest) -> u32 {
    request.n.and_then(|n| u32::try_from(n).ok()).unwrap_or(1)
}

/// What is said in answer to a request.
struct Said {
    /// Each with the blank before it.
    words: Vec<String>,
    call: Option<(String, String)>,
    finish: FinishReason,
}

impl Said {
    fn by(script: &Script, request: &ChatRequest) -> Self {
        let last = |role: Role| request.messages.iter().rev().find(|message| message.role == role);
        let text = |role: Role| last(role).and_then(|message| message.content.as_ref()).map(Content::text);
        let asked = text(Role::User).unwrap_or_default();
        let result = request.messages.last().is_some_and(|message| message.role == Role::Tool);
        match (&script.words, function(request)) {
            (Words::Lorem(count), _) => Self::words((0..*count).map(lorem), request),
            (Words::Tool, Some(name)) if !result => {
                let arguments = match serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(&asked) {
                    Ok(_) => asked,
                    Err(_) => "{}".to_owned(),
                };
                Self { words: Vec::new(), call: Some((name, arguments)), finish: FinishReason::ToolCalls }
            }
            (Words::Tool, _) if result => Self::words(text(Role::Tool).unwrap_or_default().split_whitespace(), request),
            _ => Self::words(asked.split_whitespace(), request),
        }
    }

    fn words<'a>(words: impl Iterator<Item = &'a str>, request: &ChatRequest) -> Self {
        let limit = request.token_limit().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let blank = |at: usize| if at == 0 { "" } else { " " };
        let mut words = words.enumerate().map(|(at, word)| format!("{}{word}", blank(at)));
        let said: Vec<String> = words.by_ref().take(limit).collect();
        let finish = if words.next().is_some() { FinishReason::Length } else { FinishReason::Stop };
        Self { words: said, call: None, finish }
    }

    fn usage(&self, request: &ChatRequest) -> Usage {
        let words = |content: &Content| content.text().split_whitespace().count() as u64;
        let prompt = request.messages.iter().filter_map(|message| message.content.as_ref()).map(words).sum();
        let said = self.words.len().max(usize::from(self.call.is_some())) as u64;
        Usage::new(prompt, 0, said * u64::from(answers(request)))
    }

    fn choice(&self, index: u32) -> Choice {
        let tool_calls = self.call.iter().map(|(name, arguments)| ToolCall {
            id: call_id(index),
            kind: "function".to_owned(),
            function: FunctionCall { name: name.clone(), arguments: arguments.clone() },
        });
        let message = AssistantMessage {
            role: Role::Assistant,
            content: self.call.is_none().then(|| self.words.concat()),
            refusal: None,
            tool_calls: tool_calls.collect(),
            annotations: Vec::new(),
        };
        Choice { index, message, logprobs: None, finish_reason: self.finish }
    }

    /// How many pieces each answer is streamed in.
    fn pieces(&self) -> usize {
        let said = if self.call.is_some() { 2 } else { self.words.len().max(1) };
        said + 1
    }

    /// What the piece `at` of the answer `index` brings; the last one says why the answer ended.
    fn piece(&self, index: u32, at: usize) -> ChunkChoice {
        if at + 1 == self.pieces() {
            return ChunkChoice { index, finish_reason: Some(self.finish), ..ChunkChoice::default() };
        }
        let mut delta = match &self.call {
            Some((name, arguments)) => {
                Delta { tool_calls: vec![call_piece(index, at, name, arguments)], ..Delta::default() }
            }
            None => Delta { content: Some(self.words.get(at).cloned().unwrap_or_default()), ..Delta::default() },
        };
        delta.role = (at == 0).then_some(Role::Assistant);
        ChunkChoice { index, delta, ..ChunkChoice::default() }
    }
}

/// A call comes in two pieces: its name, then its arguments.
fn call_piece(index: u32, at: usize, name: &str, arguments: &str) -> ToolCallDelta {
    let begins = at == 0;
    let function = FunctionDelta {
        name: begins.then(|| name.to_owned()),
        arguments: Some(if begins { String::new() } else { arguments.to_owned() }),
    };
    ToolCallDelta {
        index: 0,
        id: begins.then(|| call_id(index)),
        kind: begins.then(|| "function".to_owned()),
        function: Some(function),
    }
}

fn call_id(index: u32) -> String {
    format!("call_scripted_{index}")
}

/// The function that is called: the one named, else the first, unless calls are ruled out.
fn function(request: &ChatRequest) -> Option<String> {
    match request.choice().ok()? {
        ToolChoice::None => None,
        ToolChoice::Function(name) => Some(name),
        ToolChoice::Auto | ToolChoice::Required => {
            request.tools.iter().flatten().find_map(|tool| Some(tool.function.as_ref()?.name.clone()))
        }
    }
}

fn lorem(at: usize) -> &'static str {
    const WORDS: [&str; 8] = ["lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit"];
    WORDS[at % WORDS.len()]
}

/// The frames of an answer, made as they are taken; those of several choices take turns.
fn frames(call: Call, script: &Script) -> impl Iterator<Item = Result<Frame>> + Send + 'static + use<> {
    let said = Said::by(script, &call.request);
    let usage = said.usage(&call.request);
    let (count, breaks, wants_usage) = (answers(&call.request), script.breaks, call.request.wants_usage());
    let turns = (0..said.pieces()).flat_map(move |at| (0..count).map(move |index| (index, at)));
    let stamp = call.stamp.clone();
    let pieces = turns.map(move |(index, at)| compose::chunk(&call.stamp, &[said.piece(index, at)], wants_usage));
    let last = std::iter::once_with(move || {
        if breaks { Err(Error::failed("the script says so")) } else { compose::end(&stamp, usage, wants_usage) }
    });
    pieces.take(if breaks { 2 } else { usize::MAX }).chain(last)
}
