//! What is refused of a request before anything is asked of a model.

use std::collections::BTreeMap;

use domain::Error;
use serde::Deserialize;

use super::request::{ChatRequest, Content, ImageUrl, Message, Part, Role, ToolChoice};

/// Most messages of one request.
const MAX_MESSAGES: usize = 10_000;
/// Most functions on offer.
const MAX_TOOLS: usize = 512;
/// Most stop texts.
const MAX_STOPS: usize = 16;

impl ChatRequest {
    /// Checks ranges and everything that the types cannot say.
    ///
    /// # Errors
    /// `invalid_parameter` or `missing_parameter` with the field's path.
    pub fn check(&self) -> Result<(), Error> {
        if self.model.is_empty() || self.model.len() > 256 {
            return Err(Error::invalid_parameter("model", "model must have 1 to 256 characters."));
        }
        self.check_numbers()?;
        self.check_messages()?;
        self.check_tools()?;
        self.check_format()
    }

    fn check_numbers(&self) -> Result<(), Error> {
        range("temperature", self.temperature, 0.0, 2.0)?;
        range("top_p", self.top_p, 0.0, 1.0)?;
        range("min_p", self.min_p, 0.0, 1.0)?;
        range("presence_penalty", self.presence_penalty, -2.0, 2.0)?;
        range("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?;
        range("repetition_penalty", self.repetition_penalty, 0.01, 10.0)?;
        whole("n", self.n, 1, 128)?;
        whole("top_k", self.top_k, -1, 1_000_000)?;
        whole("max_tokens", self.max_tokens, 1, 10_000_000)?;
        whole("max_completion_tokens", self.max_completion_tokens, 1, 10_000_000)?;
        whole("top_logprobs", self.top_logprobs, 0, 20)?;
        if self.top_logprobs.is_some_and(|n| n > 0) && self.logprobs != Some(true) {
            return Err(Error::invalid_parameter("top_logprobs", "top_logprobs needs logprobs to be true."));
        }
        for (token, bias) in self.logit_bias.iter().flatten() {
            let param = || format!("logit_bias.{token}");
            if token.parse::<u32>().is_err() {
                return Err(Error::invalid_parameter(param(), "logit_bias is keyed by token ids."));
            }
            range(&param(), Some(*bias), -100.0, 100.0)?;
        }
        if let Some(stop) = &self.stop {
            if stop.0.len() > MAX_STOPS {
                return Err(Error::invalid_parameter("stop", format!("stop may hold {MAX_STOPS} texts at most.")));
            }
            if let Some(at) = stop.0.iter().position(String::is_empty) {
                return Err(Error::invalid_parameter(format!("stop[{at}]"), "A stop text may not be empty."));
            }
        }
        self.metadata.as_ref().map_or(Ok(()), check_labels)
    }

    fn check_messages(&self) -> Result<(), Error> {
        if self.messages.is_empty() {
            return Err(Error::invalid_parameter("messages", "messages must hold at least one message."));
        }
        if self.messages.len() > MAX_MESSAGES {
            let text = format!("messages may hold {MAX_MESSAGES} messages at most.");
            return Err(Error::invalid_parameter("messages", text));
        }
        self.messages.iter().enumerate().try_for_each(|(at, message)| check_message(at, message))
    }

    fn check_tools(&self) -> Result<(), Error> {
        let tools = self.tools.as_deref().unwrap_or_default();
        if tools.len() > MAX_TOOLS {
            return Err(Error::invalid_parameter("tools", format!("tools may hold {MAX_TOOLS} entries at most.")));
        }
        for (at, tool) in tools.iter().enumerate() {
            match &tool.function {
                Some(function) if !is_function_name(&function.name) => {
                    return Err(Error::invalid_parameter(
                        format!("tools[{at}].function.name"),
                        "A function's name has 1 to 128 letters, digits and _ - . / :.",
                    ));
                }
                Some(function) if function.parameters.as_ref().is_some_and(|schema| !is_schema(schema)) => {
                    return Err(Error::invalid_parameter(
                        format!("tools[{at}].function.parameters"),
                        "A JSON schema is an object or a boolean.",
                    ));
                }
                None if tool.kind == "function" => {
                    return Err(missing(format!("tools[{at}].function")));
                }
                _ => {}
            }
        }
        match self.choice()? {
            ToolChoice::Required if tools.is_empty() => {
                Err(Error::invalid_parameter("tool_choice", "tool_choice needs tools to choose from."))
            }
            ToolChoice::Function(name)
                if !tools.iter().any(|tool| tool.function.as_ref().is_some_and(|f| f.name == name)) =>
            {
                Err(Error::invalid_parameter(
                    "tool_choice",
                    "tool_choice names a function that is not among the tools.",
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_format(&self) -> Result<(), Error> {
        let Some(format) = &self.response_format else { return Ok(()) };
        match (format.kind.as_str(), &format.json_schema) {
            ("json_schema", None) => Err(missing("response_format.json_schema")),
            ("json_schema", Some(schema)) if schema.name.is_empty() || schema.name.len() > 64 => Err(
                Error::invalid_parameter("response_format.json_schema.name", "A schema's name has 1 to 64 characters."),
            ),
            ("json_schema", Some(schema)) if schema.schema.as_ref().is_some_and(|schema| !is_schema(schema)) => {
                Err(Error::invalid_parameter(
                    "response_format.json_schema.schema",
                    "A JSON schema is an object or a boolean.",
                ))
            }
            ("json_schema", Some(_)) | ("text" | "json_object" | "grammar", _) => Ok(()),
            _ => Err(Error::invalid_parameter(
                "response_format.type",
                "response_format.type must be text, json_object or json_schema.",
            )),
        }
    }

    /// Whether and which function; `auto` when the request does not say and offers some, else `none`.
    ///
    /// # Errors
    /// `invalid_parameter` for anything else than the three words or a named function.
    pub fn choice(&self) -> Result<ToolChoice, Error> {
        #[derive(Deserialize)]
        struct Named {
            function: Name,
        }
        #[derive(Deserialize)]
        struct Name {
            name: String,
        }
        let has_tools = self.tools.as_ref().is_some_and(|tools| !tools.is_empty());
        match self.tool_choice.as_deref().map(serde_json::value::RawValue::get) {
            None | Some("null") => Ok(if has_tools { ToolChoice::Auto } else { ToolChoice::None }),
            Some("\"none\"") => Ok(ToolChoice::None),
            Some("\"auto\"") => Ok(ToolChoice::Auto),
            Some("\"required\"" | "\"any\"") => Ok(ToolChoice::Required),
            Some(text) => match serde_json::from_str::<Named>(text) {
                Ok(named) => Ok(ToolChoice::Function(named.function.name)),
                Err(_) => Err(Error::invalid_parameter(
                    "tool_choice",
                    "tool_choice must be none, auto, required or {\"type\":\"function\",\"function\":{\"name\":…}}.",
                )),
            },
        }
    }
}

fn check_message(at: usize, message: &Message) -> Result<(), Error> {
    let field = |name: &str| format!("messages[{at}].{name}");
    match (message.role, &message.content) {
        // Only calls, or an empty turn: clients replay what they once got.
        (Role::Assistant | Role::Function, None) | (_, Some(Content::Text(_))) => {}
        (_, None) => return Err(missing(field("content"))),
        (_, Some(Content::Parts(parts))) => {
            if parts.is_empty() && message.role == Role::User {
                return Err(Error::invalid_parameter(field("content"), "content must hold at least one part."));
            }
            for (index, part) in parts.iter().enumerate() {
                check_part(&format!("messages[{at}].content[{index}]"), part)?;
            }
        }
    }
    if message.role == Role::Tool && message.tool_call_id.as_deref().is_none_or(str::is_empty) {
        return Err(missing(field("tool_call_id")));
    }
    for (index, call) in message.tool_calls.iter().flatten().enumerate() {
        if call.function.name.is_empty() {
            return Err(missing(field(&format!("tool_calls[{index}].function.name"))));
        }
    }
    Ok(())
}

fn check_part(path: &str, part: &Part) -> Result<(), Error> {
    match part.kind.as_str() {
        "" => Err(missing(format!("{path}.type"))),
        "text" if part.text.is_none() => Err(missing(format!("{path}.text"))),
        "image_url" => match &part.image_url {
            None => Err(missing(format!("{path}.image_url"))),
            Some(image) => check_image(&format!("{path}.image_url.url"), &image.url),
        },
        "input_audio" if part.input_audio.is_none() => Err(missing(format!("{path}.input_audio"))),
        "file" if part.file.is_none() => Err(missing(format!("{path}.file"))),
        _ => Ok(()),
    }
}

/// An image is an address, or bytes in a data URL (RFC 2397). The ids of media name none while nothing keeps media.
fn check_image(path: &str, url: &str) -> Result<(), Error> {
    let refuse = |why: &'static str| Err(Error::invalid_parameter(path, why));
    if ImageUrl::names_media(url) {
        let message = "There is no such media: send the image itself, as a data: URL.";
        return Err(Error::invalid("media_not_found", message).param(path));
    }
    if let Some(data) = url.strip_prefix("data:") {
        let Some((kind, _)) = data.split_once([',', ';']) else {
            return refuse("The data URL has no data.");
        };
        if !kind.starts_with("image/") {
            return refuse("The data URL is not of an image type.");
        }
        let Some(text) = data.split_once(";base64,").map(|(_, text)| text) else {
            return refuse("An image in a data URL is written in base64.");
        };
        let base64 = text.trim_end_matches('=').bytes();
        let well_formed = !text.is_empty()
            && text.len() % 4 != 1
            && base64.into_iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'));
        return if well_formed { Ok(()) } else { refuse("The data URL is not valid base64.") };
    }
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(());
    }
    refuse("An image is an https:, http: or data: URL.")
}

/// A JSON schema is an object or a boolean; `null` counts as absent.
fn is_schema(value: &serde_json::value::RawValue) -> bool {
    value.get().starts_with(['{', 't', 'f', 'n'])
}

/// Labels as `OpenAI` has them: few, and short.
fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), Error> {
    if labels.len() > 16 {
        return Err(Error::invalid_parameter("metadata", "metadata may hold 16 entries at most."));
    }
    for (key, value) in labels {
        if key.chars().count() > 64 {
            return Err(Error::invalid_parameter("metadata", "A key of metadata has 64 characters at most."));
        }
        if value.chars().count() > 512 {
            let text = "A value of metadata has 512 characters at most.";
            return Err(Error::invalid_parameter(format!("metadata.{key}"), text));
        }
    }
    Ok(())
}

fn is_function_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':'))
}

fn missing(param: impl Into<String>) -> Error {
    let param = param.into();
    Error::invalid("missing_parameter", format!("{param} is required.")).param(param)
}

fn range(param: &str, value: Option<f64>, low: f64, high: f64) -> Result<(), Error> {
    match value {
        Some(value) if !(low..=high).contains(&value) => {
            Err(Error::invalid_parameter(param, format!("{param} must be between {low} and {high}.")))
        }
        _ => Ok(()),
    }
}

fn whole(param: &str, value: Option<i64>, low: i64, high: i64) -> Result<(), Error> {
    match value {
        Some(value) if !(low..=high).contains(&value) => {
            Err(Error::invalid_parameter(param, format!("{param} must be between {low} and {high}.")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use serde_json::{Value, json};

    fn read(patch: &Value) -> Result<ChatRequest, Error> {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        for (key, value) in patch.as_object().unwrap() {
            body[key] = value.clone();
        }
        let request: ChatRequest = json::parse(body.to_string().as_bytes())?;
        request.check().map(|()| request)
    }

    #[test]
    fn every_refusal_points_at_its_field() {
        let image = |url: &str| json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]});
        let cases = [
            (json!({"model": ""}), "model"),
            (json!({"model": 3}), "model"),
            (json!({"messages": []}), "messages"),
            (json!({"messages": "hi"}), "messages"),
            (json!({"messages": [{"content": "x"}]}), "messages[0].role"),
            (json!({"messages": [{"role": "wizard", "content": "x"}]}), "messages[0].role"),
            (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
            (json!({"messages": [{"role": "user", "content": 7}]}), "messages[0].content"),
            (json!({"messages": [{"role": "user", "content": []}]}), "messages[0].content"),
            (json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]}), "messages[0].content[0].type"),
            (json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}), "messages[0].content[0].text"),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
                "messages[0].content[0].image_url",
            ),
            (image("ftp://x/y.png"), "messages[0].content[0].image_url.url"),
            (image("data:text/html;base64,AAAA"), "messages[0].content[0].image_url.url"),
            (image("data:image/png;base64,???"), "messages[0].content[0].image_url.url"),
            (image("data:image/png"), "messages[0].content[0].image_url.url"),
            (image("jan_01h"), "messages[0].content[0].image_url.url"),
            (image("data:image/png;base64,jan_01h"), "messages[0].content[0].image_url.url"),
            (image("data:image/png;jan_01h"), "messages[0].content[0].image_url.url"),
            (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
            (json!({"temperature": 2.1}), "temperature"),
            (json!({"temperature": "hot"}), "temperature"),
            (json!({"top_p": -0.1}), "top_p"),
            (json!({"n": 0}), "n"),
            (json!({"n": 129}), "n"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"max_tokens": -5}), "max_tokens"),
            (json!({"max_tokens": 1.5}), "max_tokens"),
            (json!({"max_completion_tokens": 0}), "max_completion_tokens"),
            (json!({"presence_penalty": 3}), "presence_penalty"),
            (json!({"frequency_penalty": -3}), "frequency_penalty"),
            (json!({"top_logprobs": 21, "logprobs": true}), "top_logprobs"),
            (json!({"top_logprobs": 2}), "top_logprobs"),
            (json!({"logit_bias": {"5": 101}}), "logit_bias.5"),
            (json!({"logit_bias": {"five": 1}}), "logit_bias.five"),
            (json!({"stop": [""]}), "stop[0]"),
            (json!({"stop": 5}), "stop"),
            (json!({"tools": [{"type": "function"}]}), "tools[0].function"),
            (json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}), "tools[0].function.name"),
            (
                json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]}),
                "tools[0].function.parameters",
            ),
            (json!({"metadata": {"k".repeat(65): "v"}}), "metadata"),
            (json!({"metadata": {"k": "v".repeat(513)}}), "metadata.k"),
            (json!({"tool_choice": "required"}), "tool_choice"),
            (json!({"tool_choice": "sometimes"}), "tool_choice"),
            (json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}), "tool_choice"),
            (json!({"response_format": {"type": "xml"}}), "response_format.type"),
            (json!({"response_format": {"type": "json_schema"}}), "response_format.json_schema"),
            (
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": 3}}}),
                "response_format.json_schema.schema",
            ),
            (json!({"stream": "yes"}), "stream"),
        ];
        for (patch, param) in cases {
            let error = read(&patch).expect_err(&patch.to_string());
            assert_eq!(error.param_name(), Some(param), "{patch} gave {error:?}");
        }
    }

    #[test]
    fn what_clients_send_is_accepted() {
        for patch in [
            json!({"temperature": 0, "top_p": 1, "n": 2, "stop": "\n", "seed": -1, "unknown_field": {"a": [1]}}),
            json!({"stop": ["a", "b"], "logit_bias": {"50256": -100}, "logprobs": true, "top_logprobs": 20}),
            json!({"messages": [
                {"role": "developer", "content": "d"}, {"role": "system", "content": [{"type": "text", "text": "s"}]},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "42"}]}),
            json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}}}),
            json!({"temperature": null, "tools": null, "tool_choice": null, "response_format": {"type": "json_object"}}),
        ] {
            read(&patch).unwrap_or_else(|error| panic!("{patch}: {error:?}"));
        }
    }
}
