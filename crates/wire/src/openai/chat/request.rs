//! What clients send. Fields that are not named here are read by nobody and passed on to the upstream.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use serde_json::value::RawValue;
use utoipa::ToSchema;

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
    /// A label of the caller's end user. It names nobody to this server.
    #[serde(default)]
    pub user: Option<String>,
    /// At most 16 labels.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
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
    #[schema(value_type = Option<Content>)]
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
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Parts of several kinds.
    Parts(Vec<Part>),
}

impl Content {
    /// The text of all its text parts, joined by line feeds.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
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
    /// An `https:`, `http:` or `data:` URL, or a media id.
    pub url: String,
    /// `auto`, `low` or `high`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
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

/// Reads a text or a list, each told apart at once, so that an error keeps its place.
macro_rules! text_or_list {
    ($name:ident, $expecting:literal, text: $text:expr, list: $list:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                struct TextOrList;
                impl<'de> Visitor<'de> for TextOrList {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_str<E>(self, text: &str) -> Result<$name, E> {
                        Ok($text(text.to_owned()))
                    }
                    fn visit_string<E>(self, text: String) -> Result<$name, E> {
                        Ok($text(text))
                    }
                    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<$name, A::Error> {
                        Deserialize::deserialize(SeqAccessDeserializer::new(list)).map($list)
                    }
                }
                input.deserialize_any(TextOrList)
            }
        }
    };
}

text_or_list!(Content, "a string or a list of parts", text: Content::Text, list: Content::Parts);
text_or_list!(Stop, "a string or a list of strings", text: |text| Stop(vec![text]), list: Stop);

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
