//! What clients get: a whole completion or the chunks of one.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::request::{Role, ToolCall};

/// A whole answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Completion {
    /// `chatcmpl-…`.
    pub id: String,
    /// Always `chat.completion`.
    #[schema(example = "chat.completion")]
    pub object: String,
    /// When it was made, in Unix seconds.
    pub created: i64,
    /// The model's public id.
    pub model: String,
    /// As many answers as were asked for.
    pub choices: Vec<Choice>,
    /// What it took.
    pub usage: Option<Usage>,
    /// Which state of the model answered, if it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_fingerprint: Option<String>,
}

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Choice {
    /// Which of the answers, from 0.
    pub index: u32,
    /// What the model says.
    pub message: AssistantMessage,
    /// The tokens' log-probabilities, if asked for.
    pub logprobs: Option<Logprobs>,
    /// Why it ended.
    pub finish_reason: FinishReason,
}

/// What the model says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssistantMessage {
    /// Always `assistant`.
    pub role: Role,
    /// The text; null when there are only calls.
    pub content: Option<String>,
    /// Why it refused, if it did.
    pub refusal: Option<String>,
    /// The functions that it asks to have called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Sources of the text.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub annotations: Vec<Box<RawValue>>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was whole, or met a stop text.
    Stop,
    /// It met a limit of tokens.
    Length,
    /// It asks for calls.
    ToolCalls,
    /// It was held back.
    ContentFilter,
}

impl FinishReason {
    /// The reason as written on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
        }
    }
}

/// What an answer took, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Tokens read.
    #[serde(default)]
    pub prompt_tokens: u64,
    /// Tokens written.
    #[serde(default)]
    pub completion_tokens: u64,
    /// Both together.
    #[serde(default)]
    pub total_tokens: u64,
    /// More about the tokens read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_details: Option<PromptTokensDetails>,
    /// More about the tokens written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens_details: Option<CompletionTokensDetails>,
}

/// More about the tokens read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromptTokensDetails {
    /// Tokens that needed no work because an earlier request began alike.
    #[serde(default)]
    pub cached_tokens: Option<u64>,
}

/// More about the tokens written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompletionTokensDetails {
    /// Tokens of thought.
    #[serde(default)]
    pub reasoning_tokens: Option<u64>,
}

impl Usage {
    /// Usage of `prompt` tokens read, `cached` of them without work, and `completion` tokens written.
    pub fn new(prompt: u64, cached: u64, completion: u64) -> Self {
        Self {
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: prompt + completion,
            prompt_tokens_details: Some(PromptTokensDetails { cached_tokens: Some(cached) }),
            completion_tokens_details: Some(CompletionTokensDetails { reasoning_tokens: Some(0) }),
        }
    }
}

/// The log-probabilities of an answer's tokens.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Logprobs {
    /// Those of its text.
    pub content: Option<Vec<TokenLogprob>>,
    /// Those of its refusal.
    #[serde(default)]
    pub refusal: Option<Vec<TokenLogprob>>,
}

/// A token's log-probability.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// The token's bytes, which need not be whole characters.
    pub bytes: Option<Vec<u8>>,
    /// The likeliest tokens at its place.
    #[serde(default)]
    pub top_logprobs: Vec<TopLogprob>,
}

/// A likely token's log-probability.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TopLogprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// The token's bytes.
    pub bytes: Option<Vec<u8>>,
}

/// A piece of a streamed answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Chunk {
    /// The same on every chunk of a stream.
    pub id: String,
    /// Always `chat.completion.chunk`.
    #[schema(example = "chat.completion.chunk")]
    pub object: String,
    /// The same on every chunk of a stream, in Unix seconds.
    pub created: i64,
    /// The model's public id.
    pub model: String,
    /// What is new of each answer; empty on the chunk that tells the usage.
    pub choices: Vec<ChunkChoice>,
    /// What it took, on the last chunk, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>)]
    pub usage: Option<Option<Usage>>,
}

/// What is new of one answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ChunkChoice {
    /// Which of the answers, from 0.
    pub index: u32,
    /// What is new.
    pub delta: Delta,
    /// The new tokens' log-probabilities, if asked for.
    #[serde(default)]
    pub logprobs: Option<Logprobs>,
    /// Why it ended, on its last chunk.
    #[serde(default)]
    pub finish_reason: Option<FinishReason>,
}

/// What is new of a message.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Delta {
    /// Who speaks, on the first chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// More text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// More of the calls asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCallDelta>,
}

/// More of a call.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ToolCallDelta {
    /// Which of the calls, from 0.
    pub index: u32,
    /// The call's id, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `function`, once.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionDelta>,
}

/// More of a function's call.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct FunctionDelta {
    /// The function's name, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// More of the arguments' JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
}
