//! The engine's events as a whole completion.

use domain::{Clock, ids::ToolCallId};
use futures_util::future::try_join_all;
use inference::{Event, Finish, Generation};
use providers::{Error, Result, Stamp, Whole, compose};
use wire::openai::chat::answer::{AssistantMessage, Choice, FinishReason, Logprobs, TokenLogprob, TopLogprob, Usage};
use wire::openai::chat::request::{FunctionCall, Role, ToolCall};

use super::ask::Asked;
use super::provider::failed;
use super::served::Use;

/// What stands for a probability of zero, whose logarithm no JSON number is; OpenAI's value.
const NEVER: f64 = -9999.0;

/// Tokens of all answers to one request. The prompt, read for each of them, counts once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    prompt: u64,
    cached: u64,
    completion: u64,
}

impl Tally {
    pub(super) fn started(&mut self, prompt: u32, cached: u32) {
        if self.prompt == 0 {
            (self.prompt, self.cached) = (u64::from(prompt), u64::from(cached));
        }
    }

    pub(super) fn finished(&mut self, completion: u32) {
        self.completion += u64::from(completion);
    }

    pub(super) fn usage(self) -> Usage {
        Usage::new(self.prompt, self.cached, self.completion)
    }
}

/// Answers whole. Dropping the future cancels every answer.
pub(super) async fn complete(engine: &Use, asked: Asked, stamp: &Stamp, clock: &Clock) -> Result<Whole> {
    let mut generations = Vec::new();
    for request in asked.requests() {
        generations.push(engine.engine.submit(request).await.map_err(failed)?);
    }
    let reading = generations.into_iter().enumerate().map(|(index, generation)| read(index, generation, clock));
    let mut tally = Tally::default();
    let mut choices = Vec::new();
    for (choice, one) in try_join_all(reading).await? {
        tally.started(one.prompt as u32, one.cached as u32);
        tally.completion += one.completion;
        choices.push(choice);
    }
    compose::whole(stamp, &choices, tally.usage())
}

/// Reads one answer to its end.
async fn read(index: usize, mut generation: Generation, clock: &Clock) -> Result<(Choice, Tally)> {
    let (mut tally, mut text, mut tool_calls) = (Tally::default(), String::new(), Vec::new());
    let mut tokens = Vec::new();
    let mut has_logprobs = false;
    while let Some(event) = generation.next().await {
        match event {
            Event::Started { prompt_tokens, cached_tokens } => tally.started(prompt_tokens, cached_tokens),
            Event::Text { text: more, logprobs } => {
                text += &more;
                has_logprobs |= !logprobs.is_empty();
                tokens.extend(logprobs.into_iter().map(token));
            }
            Event::ToolCall { name, arguments, .. } => {
                let id = ToolCallId::new(clock).to_string();
                let function = FunctionCall { name, arguments };
                tool_calls.push(ToolCall { id, kind: "function".to_owned(), function });
            }
            Event::Finished { reason, completion_tokens } => {
                tally.finished(completion_tokens);
                let content = (!text.is_empty() || tool_calls.is_empty()).then_some(text);
                let choice = Choice {
                    index: index as u32,
                    message: AssistantMessage {
                        role: Role::Assistant,
                        content,
                        refusal: None,
                        tool_calls,
                        annotations: Vec::new(),
                    },
                    logprobs: has_logprobs.then_some(Logprobs { content: Some(tokens), refusal: None }),
                    finish_reason: finish_reason(reason),
                };
                return Ok((choice, tally));
            }
            Event::Failed(error) => return Err(failed(error)),
        }
    }
    Err(broken())
}

/// The engine ended without ending the answer.
pub(super) fn broken() -> Error {
    Error::Failed("the embedded model broke its answer off".into())
}

pub(super) fn finish_reason(reason: Finish) -> FinishReason {
    match reason {
        Finish::Stop => FinishReason::Stop,
        Finish::Length => FinishReason::Length,
        Finish::ToolCalls => FinishReason::ToolCalls,
    }
}

pub(super) fn token(token: inference::TokenLogprob) -> TokenLogprob {
    let top = |top: inference::TokenLogprob| TopLogprob {
        token: top.token,
        logprob: number(top.logprob),
        bytes: Some(top.bytes),
    };
    TokenLogprob {
        token: token.token,
        logprob: number(token.logprob),
        bytes: Some(token.bytes),
        top_logprobs: token.top.into_iter().map(top).collect(),
    }
}

fn number(logprob: f32) -> f64 {
    if logprob.is_finite() { f64::from(logprob) } else { NEVER }
}
