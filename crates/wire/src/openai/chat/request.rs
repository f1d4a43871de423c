//! What clients send. Fields that are not named here are read by nobody and passed on to the upstream.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        self, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::value::RawValue;
use utoipa::ToSchema;

pub use super::text::Text;
use crate::json::WRITTEN;

/// A chat completion request.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ChatRequest {
    /// The model's public id.
    #[schema(example = "jan-small", min_length = 1, max_length = 256)]
    pub model: String,
    /// The conversation so far; at least one message.
    #[schema(min_items = 1, max_items = 10_000)]
    pub messages: Vec<Message>,
    /// Whether the answer comes in chunks as it is made.
    #[serde(default)]
    pub stream: Option<bool>,
    /// What a streamed answer carries besides text.
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
    /// How many answers, 1 to 128.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 128)]
    pub n: Option<i64>,
    /// Randomness, 0 to 2; 0 takes the likeliest token always.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// Only the likeliest tokens that together have this probability, 0 to 1.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    pub top_p: Option<f64>,
    /// Only so many of the likeliest tokens; 0 for all.
    #[serde(default)]
    #[schema(minimum = -1, maximum = 1_000_000)]
    pub top_k: Option<i64>,
    /// Only tokens at least this likely beside the likeliest, 0 to 1.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    pub min_p: Option<f64>,
    /// Tokens at most; the older name.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000_000)]
    pub max_tokens: Option<i64>,
    /// Tokens at most; wins over `max_tokens`.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000_000)]
    pub max_completion_tokens: Option<i64>,
    /// Texts that end the answer: one, or a list of at most 16.
    #[serde(default)]
    #[schema(value_type = Option<TextOrTexts>)]
    pub stop: Option<Stop>,
    /// Makes tokens less likely that have appeared at all, −2 to 2.
    #[serde(default)]
    #[schema(minimum = -2, maximum = 2)]
    pub presence_penalty: Option<f64>,
    /// Makes tokens less likely by how often they have appeared, −2 to 2.
    #[serde(default)]
    #[schema(minimum = -2, maximum = 2)]
    pub frequency_penalty: Option<f64>,
    /// Divides the likelihood of tokens that have appeared; above 0 and at most 10, 1 for none.
    #[serde(default)]
    #[schema(minimum = 0.01, maximum = 10)]
    pub repetition_penalty: Option<f64>,
    /// Added to a token's logit, −100 to 100, by token id.
    #[serde(default)]
    pub logit_bias: Option<BTreeMap<String, f64>>,
    /// Whether each token's log-probability is told.
    #[serde(default)]
    pub logprobs: Option<bool>,
    /// How many likely tokens are told beside each, 0 to 20.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 20)]
    pub top_logprobs: Option<i64>,
    /// The same seed and request give the same answer, as far as the model can.
    #[serde(default)]
    pub seed: Option<i64>,
    /// Functions that the model may ask to have called.
    #[serde(default)]
    #[schema(max_items = 512)]
    pub tools: Option<Vec<Tool>>,
    /// Whether and which function: `none`, `auto`, `required`, or one by name.
    #[serde(default)]
    #[schema(value_type = Option<WordOrFunction>)]
    pub tool_choice: Option<Box<RawValue>>,
    /// Whether several calls may come at once.
    #[serde(default)]
    pub parallel_tool_calls: Option<bool>,
    /// Plain text, any JSON object, or JSON of a schema.
    #[serde(default)]
    pub response_format: Option<ResponseFormat>,
    /// Whether to research at length: how is put before the messages. Needs a model that reasons.
    #[serde(default)]
    pub deep_research: Option<bool>,
    /// Whether to think before answering; true when not given.
    #[serde(default)]
    pub enable_thinking: Option<bool>,
    /// The conversation that this chat goes on with: its history is put before the messages, and the new ones and the
    /// answer are added to it. An id, or an object; one without an id makes a conversation.
    #[serde(default)]
    #[schema(value_type = Option<IdOrConversation>)]
    pub conversation: Option<ConversationRef>,
    /// Whether the conversation keeps the new messages and the answer; true when not given. Without a conversation it is
    /// the upstream's to understand.
    #[serde(default)]
    pub store: Option<bool>,
    /// Whether the conversation keeps the model's thoughts, too.
    #[serde(default)]
    pub store_reasoning: Option<bool>,
    /// A label of the caller's end user. It names nobody to this server.
    #[serde(default)]
    pub user: Option<String>,
    /// At most 16 labels.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// A conversation, as chats name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationRef {
    /// Its id; none to make one.
    pub id: Option<String>,
    /// The branch to go on with; the active one when none is named.
    pub branch: Option<String>,
}

impl<'de> Deserialize<'de> for ConversationRef {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct IdOrObject;
        impl<'de> Visitor<'de> for IdOrObject {
            type Value = ConversationRef;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an object")
            }
            fn visit_str<E>(self, id: &str) -> Result<ConversationRef, E> {
                Ok(ConversationRef { id: Some(id.to_owned()), branch: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<ConversationRef, A::Error> {
                let fields = ConversationFields::deserialize(MapAccessDeserializer::new(object))?;
                Ok(ConversationRef { id: fields.id, branch: fields.branch })
            }
        }
        input.deserialize_any(IdOrObject)
    }
}

/// How a [`ConversationRef`] is written as an object.
#[derive(Deserialize, ToSchema)]
struct ConversationFields {
    /// The conversation's id; without one a conversation is made.
    #[serde(default)]
    id: Option<String>,
    /// The branch to go on with; the active one when none is named.
    #[serde(default)]
    branch: Option<String>,
}

/// How a [`ConversationRef`] is written.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document")]
enum IdOrConversation {
    /// The conversation's id.
    Id(String),
    /// The same, with a branch, or to make one.
    Object(ConversationFields),
}

/// What a streamed answer carries besides text.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct StreamOptions {
    /// Whether a last chunk tells the usage.
    #[serde(default)]
    pub include_usage: Option<bool>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The operator of the conversation.
    System,
    /// The same by its newer name.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A function that the model asked for.
    Tool,
    /// The same by its older name.
    Function,
}

/// One message.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said: a text or a list of parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TextOrParts>)]
    pub content: Option<Content>,
    /// The speaker's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The functions that the model asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCall>>,
    /// Which of them this message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

/// A message's content.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(Text),
    /// Parts of several kinds.
    Parts(Vec<Part>),
}

impl Content {
    /// The text of all its text parts, joined by line feeds.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.read().into_owned(),
            Self::Parts(parts) => {
                let texts: Vec<&str> = parts.iter().filter_map(|part| part.text.as_deref()).collect();
                texts.join("\n")
            }
        }
    }
}

/// A content part. `type` says which of the other fields counts.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Part {
    /// `text`, `image_url`, `input_audio`, `file`, `refusal`, or an upstream's own kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text of a text part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The image of an image part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<ImageUrl>,
    /// The sound of an audio part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub input_audio: Option<Box<RawValue>>,
    /// The file of a file part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub file: Option<Box<RawValue>>,
}

/// An image by address.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ImageUrl {
    /// An `https:`, `http:` or `data:` URL.
    pub url: String,
    /// `auto`, `low` or `high`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl ImageUrl {
    /// Whether an address is the id of media, bare or in a data URL.
    pub fn names_media(url: &str) -> bool {
        let payload = url.strip_prefix("data:").and_then(|data| data.split_once([',', ';']));
        payload.map_or(url, |(_, payload)| payload.trim_start_matches("base64,")).starts_with("jan_")
    }
}

/// A call that the model asked for.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ToolCall {
    /// The call's id; its result names it.
    pub id: String,
    /// `function`.
    #[serde(rename = "type", default = "function")]
    pub kind: String,
    /// What to call.
    pub function: FunctionCall,
}

fn function() -> String {
    "function".to_owned()
}

/// A function and its arguments.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FunctionCall {
    /// The function's name.
    pub name: String,
    /// The arguments as JSON text.
    #[serde(default)]
    pub arguments: String,
}

/// A function on offer.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Tool {
    /// `function`, or an upstream's own kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<Function>,
}

/// A function's description.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Function {
    /// Its name: 1 to 128 letters, digits and `_` `-` `.` `/` `:`.
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A JSON schema of its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Box<RawValue>>,
    /// Whether the arguments must fit the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// What the answer's text must be.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ResponseFormat {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The schema of `json_schema`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<JsonSchema>,
}

/// A named JSON schema.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct JsonSchema {
    /// Its name.
    pub name: String,
    /// The schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Box<RawValue>>,
    /// Whether the answer must fit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// Whether and which function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// No function.
    None,
    /// As the model sees fit.
    Auto,
    /// At least one function.
    Required,
    /// This function.
    Function(String),
}

/// A message's content.
#[derive(ToSchema)]
#[schema(as = Content)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document")]
enum TextOrParts {
    /// Plain text.
    Text(String),
    /// Parts of several kinds.
    Parts(Vec<Part>),
}

/// How [`Stop`] is written.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document")]
enum TextOrTexts {
    Text(String),
    /// 16 at most.
    Texts(Vec<String>),
}

/// How [`ToolChoice`] is written.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document")]
enum WordOrFunction {
    /// `none`, `auto` or `required`.
    Word(String),
    /// `{"type": "function", "function": {"name": …}}`.
    Function(serde_json::Map<String, serde_json::Value>),
}

/// Texts that end the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stop(pub Vec<String>);

/// Reads a text or a list, each told apart at once, so that an error keeps its place. The text stays as it is written
/// where the reader can say how that is.
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct TextOrParts;
        impl<'de> Visitor<'de> for TextOrParts {
            type Value = Content;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of parts")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, input: D) -> Result<Content, D::Error> {
                input.deserialize_any(self)
            }
            fn visit_bytes<E: de::Error>(self, written: &[u8]) -> Result<Content, E> {
                Text::written(written).map(Content::Text).ok_or_else(|| E::custom("no text"))
            }
            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.into()))
            }
            fn visit_string<E>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Content, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(parts)).map(Content::Parts)
            }
        }
        input.deserialize_newtype_struct(WRITTEN, TextOrParts)
    }
}

/// The same for one text or several.
impl<'de> Deserialize<'de> for Stop {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct TextOrTexts;
        impl<'de> Visitor<'de> for TextOrTexts {
            type Value = Stop;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E>(self, text: &str) -> Result<Stop, E> {
                Ok(Stop(vec![text.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, texts: A) -> Result<Stop, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(texts)).map(Stop)
            }
        }
        input.deserialize_any(TextOrTexts)
    }
}

impl ChatRequest {
    /// Whether the answer comes in chunks.
    pub fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// Whether a last chunk tells the usage.
    pub fn wants_usage(&self) -> bool {
        self.stream_options.and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// Tokens at most, if the caller says.
    pub fn token_limit(&self) -> Option<i64> {
        self.max_completion_tokens.or(self.max_tokens)
    }
}
