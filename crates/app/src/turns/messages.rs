//! What was said, as a model is told it: the items of a conversation become the messages of a chat.

use std::{borrow::Cow, collections::BTreeMap};

use domain::{Error, item::Item};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use wire::openai::chat::request::{FunctionCall, ImageUrl, Role, ToolCall};

use super::images::{NO_IMAGE, parts_with_images};
use crate::chat::body::RawMessage;

/// What stands in the place of a result that nobody noted. Models insist on a result for each call.
const NO_RESULT: &str = "The call was not completed.";

/// A message for the model.
#[derive(Debug)]
pub(super) struct PromptMessage {
    pub(super) role: Role,
    pub(super) content: Content,
    calls: Vec<ToolCall>,
    answers: Option<String>,
}

/// What a message holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing but calls.
    None,
    Text(String),
    Parts(Vec<PromptPart>),
    /// The whole message as the client sent it.
    Sent(Box<RawMessage>),
}

/// A part of a message, as JSON.
#[derive(Debug)]
pub(super) struct PromptPart {
    pub(super) json: Box<RawValue>,
    pub(super) is_image: bool,
}

/// The messages so far. Results follow their calls at once, whatever order they were noted in.
#[derive(Debug, Default)]
pub(super) struct Messages {
    messages: Vec<PromptMessage>,
    /// The calls of the last message, each with its result as far as it is known.
    open: Vec<(String, Option<PromptMessage>)>,
}

/// A message's body, or a call's. What is not named here is not told to models.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    content: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    input: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_audio: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file_data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    filename: Option<&'a RawValue>,
}

/// A part's text, plain or with annotations.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    Plain(#[serde(borrow)] Cow<'a, str>),
    Object {
        #[serde(borrow)]
        text: Cow<'a, str>,
    },
}

impl Messages {
    /// Adds an item. One that says nothing to a model is passed over.
    pub(super) fn item(&mut self, item: &Item) {
        let Ok(body) = serde_json::from_str::<Body<'_>>(&item.body) else { return };
        let call_id = item.head.call_id.as_deref();
        match (item.head.kind.as_str(), call_id) {
            ("message", _) => self.message(item.head.role.as_deref(), &body),
            ("function_call" | "mcp_call", Some(id)) => {
                let result = body.output.or(body.error).map(|raw| result(id, raw));
                self.call(id, &body.name, body.arguments.as_deref().unwrap_or("{}"), result);
            }
            ("custom_tool_call", Some(id)) => {
                let arguments = json!({"input": body.input.as_deref().unwrap_or_default()}).to_string();
                self.call(id, &body.name, &arguments, None);
            }
            ("function_call_output" | "custom_tool_call_output", Some(id)) => {
                if let Some(raw) = body.output {
                    self.result(id, result(id, raw));
                }
            }
            _ => {}
        }
    }

    fn message(&mut self, role: Option<&str>, body: &Body<'_>) {
        let role = match role {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system" | "developer") => Role::System,
            _ => return,
        };
        let parts = body.content.iter().filter_map(|part| serde_json::from_str::<Part<'_>>(part.get()).ok());
        let content = if role == Role::User { pieces(parts) } else { Content::Text(texts(parts)) };
        let empty = match &content {
            Content::Text(text) => text.is_empty(),
            Content::Parts(parts) => parts.is_empty(),
            Content::None | Content::Sent(_) => false,
        };
        // An answer that was broken off before its first word.
        if !empty {
            self.push(PromptMessage { role, content, calls: Vec::new(), answers: None });
        }
    }

    fn call(&mut self, id: &str, name: &str, arguments: &str, result: Option<PromptMessage>) {
        let call = ToolCall {
            id: id.to_owned(),
            kind: "function".to_owned(),
            function: FunctionCall { name: name.to_owned(), arguments: arguments.to_owned() },
        };
        let goes_on = self.messages.last().is_some_and(|last| last.role == Role::Assistant);
        if !goes_on {
            self.push(PromptMessage {
                role: Role::Assistant,
                content: Content::None,
                calls: Vec::new(),
                answers: None,
            });
        }
        if let Some(last) = self.messages.last_mut() {
            last.calls.push(call);
            self.open.push((id.to_owned(), result));
        }
    }

    /// The result of a call; of a call that nobody made, nothing.
    fn result(&mut self, id: &str, result: PromptMessage) -> bool {
        let call = self.open.iter_mut().find(|(open, _)| open == id);
        call.map(|(_, place)| *place = Some(result)).is_some()
    }

    /// Adds a message as the client sent it.
    pub(super) fn sent(&mut self, told: RawMessage) {
        let role = told.message.role;
        let answers = told.message.tool_call_id.clone().filter(|_| role == Role::Tool);
        let call = answers.clone().filter(|id| self.open.iter().any(|(open, _)| open == id));
        let said = PromptMessage { role, content: Content::Sent(Box::new(told)), calls: Vec::new(), answers };
        match call {
            Some(id) => _ = self.result(&id, said),
            None => self.push(said),
        }
    }

    fn push(&mut self, said: PromptMessage) {
        self.settle();
        self.messages.push(said);
    }

    fn settle(&mut self) {
        for (id, result) in std::mem::take(&mut self.open) {
            let none = || PromptMessage {
                role: Role::Tool,
                content: Content::Text(NO_RESULT.to_owned()),
                calls: Vec::new(),
                answers: Some(id.clone()),
            };
            self.messages.push(result.unwrap_or_else(none));
        }
    }

    /// All of them.
    pub(super) fn finish(mut self) -> Vec<PromptMessage> {
        self.settle();
        self.messages
    }
}

impl PromptMessage {
    /// Whether it goes with the message before it: a result goes with its call.
    pub(super) fn follows(&self) -> bool {
        self.role == Role::Tool
    }

    /// What the result of a call says, if that may be longer than `least` bytes.
    pub(super) fn long_result(&self, least: usize) -> Option<Cow<'_, str>> {
        match &self.content {
            Content::Text(text) if self.follows() && text.len() > least => Some(Cow::Borrowed(text)),
            Content::Sent(told) if self.follows() && told.json.len() > least => {
                told.message.content.as_ref().map(|content| Cow::Owned(content.text()))
            }
            _ => None,
        }
    }

    /// As the model is told it.
    ///
    /// # Errors
    /// `internal_error` for what cannot be read back.
    pub(super) fn into_raw(self) -> Result<RawMessage, Error> {
        #[derive(Serialize)]
        struct Message<'a> {
            role: Role,
            content: Option<Shown>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            tool_calls: &'a [ToolCall],
            #[serde(skip_serializing_if = "Option::is_none")]
            tool_call_id: Option<&'a str>,
        }
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Shown {
            Text(String),
            Parts(Vec<Box<RawValue>>),
        }
        let content = match self.content {
            Content::Sent(told) => return Ok(*told),
            Content::None => None,
            Content::Text(text) => Some(Shown::Text(text)),
            Content::Parts(parts) => Some(Shown::Parts(parts.into_iter().map(|part| part.json).collect())),
        };
        let message =
            Message { role: self.role, content, tool_calls: &self.calls, tool_call_id: self.answers.as_deref() };
        RawMessage::read(serde_json::to_string(&message).map_err(Error::internal)?)
    }

    /// What it says, for counting, and how many images it has.
    pub(super) fn words(&self) -> (Vec<&str>, usize) {
        let (text, parts) = match &self.content {
            Content::None => (None, Vec::new()),
            Content::Text(text) => (Some(text.as_str()), Vec::new()),
            Content::Parts(parts) => (None, parts.iter().map(|part| (part.json.get(), part.is_image)).collect()),
            Content::Sent(told) => (None, parts_with_images(&told.json).unwrap_or_else(|| vec![(&*told.json, false)])),
        };
        let images = parts.iter().filter(|(_, is_image)| *is_image).count();
        let parts = parts.iter().filter(|(_, is_image)| !is_image).map(|(part, _)| *part);
        let mut words: Vec<&str> = text.into_iter().chain(parts).collect();
        words.extend(self.calls.iter().flat_map(|call| [&*call.function.name, &*call.function.arguments]));
        (words, images)
    }
}

/// The result of a call, as a message.
fn result(id: &str, raw: &RawValue) -> PromptMessage {
    let content = Content::Text(result_text(raw));
    PromptMessage { role: Role::Tool, content, calls: Vec::new(), answers: Some(id.to_owned()) }
}

fn result_text(raw: &RawValue) -> String {
    // A text; or parts, of which models are told the texts; or an object, of which they are told all.
    serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| {
        let parts = serde_json::from_str::<Vec<Part<'_>>>(raw.get());
        parts.map_or_else(|_| raw.get().to_owned(), |parts| texts(parts.into_iter()))
    })
}

fn texts<'a>(parts: impl Iterator<Item = Part<'a>>) -> String {
    let mut all = String::new();
    for part in parts {
        let hidden = matches!(&*part.kind, "reasoning_text" | "summary_text" | "thinking");
        let Some(text) = part.text.map(Text::into_inner).or(part.refusal).filter(|_| !hidden) else { continue };
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(&text);
    }
    all
}

impl<'a> Text<'a> {
    fn into_inner(self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) | Self::Object { text } => text,
        }
    }
}

/// What a user's message holds: its text, or its parts when there are others than one text.
fn pieces<'a>(parts: impl Iterator<Item = Part<'a>>) -> Content {
    let mut pieces = Vec::new();
    let mut only = None;
    for part in parts {
        let mut is_image = matches!(&*part.kind, "input_image" | "image_url" | "image");
        only = None;
        let json = match (&*part.kind, part.text) {
            ("input_text" | "text" | "output_text", Some(text)) => {
                let text = text.into_inner();
                let json = json!({"type": "text", "text": text});
                only = Some(text.into_owned());
                json
            }
            (_, _) if is_image => {
                let shown = image(part.image_url.or(part.url), part.detail);
                is_image = shown.is_some();
                shown.unwrap_or_else(|| json!({"type": "text", "text": NO_IMAGE}))
            }
            ("input_audio", _) => json!({"type": "input_audio", "input_audio": part.input_audio}),
            ("file", _) if part.file.is_some() => json!({"type": "file", "file": part.file}),
            ("input_file" | "file", _) => {
                let fields = [("file_id", part.file_id), ("file_data", part.file_data), ("filename", part.filename)];
                let given: BTreeMap<_, _> = fields.into_iter().filter(|(_, value)| value.is_some()).collect();
                json!({"type": "file", "file": given})
            }
            _ => continue,
        };
        if let Ok(json) = serde_json::value::to_raw_value(&json) {
            pieces.push(PromptPart { json, is_image });
        }
    }
    match only {
        Some(text) if pieces.len() == 1 => Content::Text(text),
        _ => Content::Parts(pieces),
    }
}

/// An image's address is a text with us and an object in a chat. Without one that a model could follow there is none.
fn image(address: Option<&RawValue>, detail: Option<&RawValue>) -> Option<serde_json::Value> {
    let address: serde_json::Value = serde_json::from_str(address?.get()).ok()?;
    let mut object = match address {
        serde_json::Value::Object(object) => object,
        address @ serde_json::Value::String(_) => [("url".to_owned(), address)].into_iter().collect(),
        _ => return None,
    };
    let url = object.get("url").and_then(serde_json::Value::as_str)?;
    if ImageUrl::names_media(url) {
        return None;
    }
    if let Some(detail) = detail.and_then(|detail| serde_json::from_str(detail.get()).ok()) {
        object.insert("detail".to_owned(), detail);
    }
    Some(json!({"type": "image_url", "image_url": object}))
}
