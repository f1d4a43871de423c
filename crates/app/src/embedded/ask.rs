//! A chat request as the engine takes it, or what this kind of model cannot do.

use inference::{Format, Request, Sampling, ToolChoice};
use providers::{Call, Error, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use wire::openai::chat::request::{
    ChatRequest, Content, Message, Part, ResponseFormat, Role, Tool, ToolChoice as Choice,
};

use super::catalogue::Defaults;

/// What to ask an engine, and how often.
#[derive(Debug)]
pub(super) struct Asked {
    request: Request,
    /// Answers, at least one.
    answers: usize,
    /// Whether a streamed answer ends with its usage.
    pub(super) wants_usage: bool,
}

impl Asked {
    /// One request for each answer. A seed gives each answer its own, or they would all be the same.
    pub(super) fn requests(self) -> impl Iterator<Item = Request> {
        (0..self.answers).map(move |n| {
            let mut request = self.request.clone();
            request.sampling.seed = request.sampling.seed.map(|seed| seed.wrapping_add(n as u64));
            request
        })
    }
}

/// Converts a checked request. `most` is how many answers an engine takes at all.
pub(super) fn ask(call: &Call, defaults: Defaults, answer_tokens: u32, most: usize) -> Result<Asked> {
    let request = &*call.request;
    let answers = usize::try_from(request.n.unwrap_or(1)).unwrap_or(1).max(1);
    if answers > most {
        return Err(refused("n", format!("This model gives {most} answers to a request at most.")));
    }
    let tool_choice = match request.choice().map_err(|error| refused("tool_choice", error.message().to_owned()))? {
        Choice::None => ToolChoice::None,
        Choice::Auto => ToolChoice::Auto,
        Choice::Required => ToolChoice::Required,
        Choice::Function(name) => ToolChoice::Function(name),
    };
    let limit = request.token_limit().and_then(|limit| u32::try_from(limit).ok());
    let engine = Request {
        messages: messages(&request.messages)?,
        tools: tools(request.tools.as_deref().unwrap_or_default())?,
        tool_choice,
        parallel_tool_calls: request.parallel_tool_calls.unwrap_or(true),
        format: format(request.response_format.as_ref())?,
        sampling: sampling(request, defaults),
        max_tokens: Some(limit.unwrap_or(answer_tokens)),
        owner: call.caller.to_string(),
        stop: request.stop.as_ref().map(|stop| stop.0.clone()).unwrap_or_default(),
        logprobs: match request.logprobs {
            Some(true) => Some(request.top_logprobs.and_then(|n| u8::try_from(n).ok()).unwrap_or(0)),
            _ => None,
        },
    };
    Ok(Asked { request: engine, answers, wants_usage: request.wants_usage() })
}

fn refused(param: impl Into<String>, message: impl Into<String>) -> Error {
    Error::Refused { param: Some(param.into()), message: message.into() }
}

fn sampling(request: &ChatRequest, defaults: Defaults) -> Sampling {
    let or = |value: Option<f64>, default: f32| value.map_or(default, |value| value as f32);
    Sampling {
        temperature: or(request.temperature, defaults.temperature),
        top_p: or(request.top_p, defaults.top_p),
        // Negative means all, as with other servers.
        top_k: request.top_k.map_or(defaults.top_k, |k| u32::try_from(k).unwrap_or(0)),
        min_p: or(request.min_p, 0.0),
        repetition_penalty: or(request.repetition_penalty, 1.0).max(0.1),
        presence_penalty: or(request.presence_penalty, 0.0),
        frequency_penalty: or(request.frequency_penalty, 0.0),
        logit_bias: (request.logit_bias.iter().flatten())
            .filter_map(|(token, bias)| Some((token.parse().ok()?, *bias as f32)))
            .collect(),
        seed: request.seed.map(i64::cast_unsigned),
    }
}

fn messages(messages: &[Message]) -> Result<Value> {
    messages.iter().enumerate().map(|(at, message)| one(at, message)).collect::<Result<Vec<_>>>().map(Value::Array)
}

/// A message in the form that chat templates expect.
fn one(at: usize, message: &Message) -> Result<Value> {
    let role = match message.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool | Role::Function => "tool",
    };
    let content = match &message.content {
        None => String::new(),
        Some(Content::Text(text)) => text.read().into_owned(),
        Some(Content::Parts(parts)) => {
            let texts = parts.iter().enumerate().map(|(index, part)| text_of(at, index, part));
            texts.collect::<Result<Vec<_>>>()?.join("\n")
        }
    };
    let mut out = Map::new();
    out.insert("role".to_owned(), json!(role));
    out.insert("content".to_owned(), json!(content));
    let texts = [("name", &message.name), ("tool_call_id", &message.tool_call_id)];
    out.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), json!(text.as_ref()?)))));
    if let Some(calls) = message.tool_calls.as_ref().filter(|calls| !calls.is_empty()) {
        out.insert("tool_calls".to_owned(), json!(calls));
    }
    Ok(Value::Object(out))
}

fn text_of(at: usize, index: usize, part: &Part) -> Result<&str> {
    match (part.kind.as_str(), &part.text) {
        ("image_url" | "input_audio" | "file", _) | (_, None) => {
            let what = match part.kind.as_str() {
                "image_url" => "images",
                "input_audio" => "sound",
                "file" => "files",
                _ => "this kind of part",
            };
            let message = format!("This model reads text only; it cannot take {what}.");
            Err(refused(format!("messages[{at}].content[{index}]"), message))
        }
        (_, Some(text)) => Ok(text),
    }
}

/// The functions on offer. Tools of other kinds are for other servers: they are left out, not refused.
fn tools(tools: &[Tool]) -> Result<Option<Value>> {
    let mut functions = Vec::new();
    for (at, tool) in tools.iter().enumerate() {
        let Some(function) = &tool.function else { continue };
        let mut out = Map::new();
        out.insert("name".to_owned(), json!(function.name));
        if let Some(description) = &function.description {
            out.insert("description".to_owned(), json!(description));
        }
        if let Some(parameters) = &function.parameters {
            let schema = schema(parameters, || format!("tools[{at}].function.parameters"))?;
            out.insert("parameters".to_owned(), schema);
        }
        functions.push(json!({"type": "function", "function": out}));
    }
    Ok((!functions.is_empty()).then_some(Value::Array(functions)))
}

/// A JSON schema as an object. `true` is one without conditions; nothing satisfies `false`.
fn schema(raw: &RawValue, param: impl Fn() -> String) -> Result<Value> {
    match serde_json::from_str(raw.get()) {
        Ok(schema @ Value::Object(_)) => Ok(schema),
        Ok(Value::Bool(true) | Value::Null) => Ok(json!({})),
        Ok(_) => Err(refused(param(), "No value satisfies this schema.")),
        Err(_) => Err(refused(param(), "The schema is nested too deeply.")),
    }
}

fn format(format: Option<&ResponseFormat>) -> Result<Format> {
    let Some(format) = format else { return Ok(Format::Text) };
    match (format.kind.as_str(), &format.json_schema) {
        ("text", _) => Ok(Format::Text),
        ("json_object", _) => Ok(Format::JsonObject),
        ("json_schema", Some(named)) => match &named.schema {
            Some(raw) => Ok(Format::JsonSchema(schema(raw, || "response_format.json_schema.schema".to_owned())?)),
            None => Ok(Format::JsonSchema(json!({}))),
        },
        _ => Err(refused("response_format.type", "This model gives text, json_object and json_schema.")),
    }
}
