//! Messages as some clients write them and no model's server reads them, put as OpenAI has them (contract E12): a text that
//! is a list of parts, `image` with its bytes beside it, `tool_result`, and empty parts between others.
//!
//! Whoever writes none of these pays for a look at the kinds of parts, and at the first letter of texts.

use bytes::Bytes;
use domain::{Error, Result};
use serde_json::{Map, Value, json};
use wire::openai::chat::{
    ChatRequest,
    request::{Content, Message, Part, Role},
};

use super::body::Fields;

/// The kinds of parts that a text is taken for a list of.
const KINDS: [&str; 6] = ["text", "image_url", "input_audio", "file", "image", "tool_result"];

/// Puts the messages of `request` as OpenAI has them, and those of `body`, which is the request as it came.
///
/// # Errors
/// `missing_parameter` or `invalid_parameter` with the part's field.
pub(crate) fn translate(request: &mut ChatRequest, body: Bytes) -> Result<Bytes> {
    if !request.messages.iter().any(is_foreign) {
        return Ok(body);
    }
    let fields = Fields::of_body(&body)?;
    let messages = fields.messages()?.into_iter().zip(&request.messages).enumerate();
    let messages =
        messages.map(|(at, (raw, message))| if is_foreign(message) { translated(raw, at) } else { Ok(raw.to_owned()) });
    let messages = messages.collect::<Result<Vec<_>>>()?;
    let body = fields.with_messages(&messages, &[]);
    *request = wire::json::parse_large(&body)?;
    Ok(body)
}

fn is_foreign(message: &Message) -> bool {
    match &message.content {
        Some(Content::Text(text)) => {
            matches!(message.role, Role::User | Role::Tool) && text.begins_with('[') && parts_in(&text.read()).is_some()
        }
        Some(Content::Parts(parts)) => {
            let is_foreign = |part: &Part| matches!(part.kind.as_str(), "image" | "tool_result");
            parts.iter().any(is_foreign)
                || (parts.len() > 1 && parts.iter().any(|part| is_empty(&part.kind, part.text.as_deref())))
        }
        None => false,
    }
}

/// The parts that a text is a list of, if it is.
fn parts_in(text: &str) -> Option<Vec<Value>> {
    let parts: Vec<Value> = serde_json::from_str(text).ok()?;
    let is_part = |part: &Value| part["type"].as_str().is_some_and(|kind| KINDS.contains(&kind));
    (!parts.is_empty() && parts.iter().all(is_part)).then_some(parts)
}

fn is_empty(kind: &str, text: Option<&str>) -> bool {
    kind == "text" && text == Some("")
}

fn translated(message: &str, at: usize) -> Result<String> {
    let mut message: Map<String, Value> = serde_json::from_str(message).map_err(Error::internal)?;
    let parts = match message.get_mut("content").map(Value::take) {
        Some(Value::String(text)) => parts_in(&text).unwrap_or_default(),
        Some(Value::Array(parts)) => parts,
        _ => Vec::new(),
    };
    let parts = parts.into_iter().enumerate();
    let parts = parts.map(|(index, part)| self::part(part, &format!("messages[{at}].content[{index}]")));
    let mut parts = parts.collect::<Result<Vec<_>>>()?;
    let say_something = |part: &Value| !is_empty(part["type"].as_str().unwrap_or_default(), part["text"].as_str());
    if parts.iter().any(say_something) {
        parts.retain(say_something);
    } else {
        parts.truncate(1);
    }
    message.insert("content".to_owned(), parts.into());
    serde_json::to_string(&message).map_err(Error::internal)
}

fn part(mut part: Value, path: &str) -> Result<Value> {
    let missing = |field: &str| {
        let param = format!("{path}.{field}");
        Error::invalid("missing_parameter", format!("{param} is required.")).param(param)
    };
    match part["type"].as_str() {
        Some("image") => {
            let data = part["data"].as_str().ok_or_else(|| missing("data"))?;
            if data.starts_with("data:") {
                return Ok(image(data));
            }
            let kind = part["mimeType"].as_str().ok_or_else(|| missing("mimeType"))?;
            Ok(image(&format!("data:{kind};base64,{data}")))
        }
        Some("tool_result") => Ok(json!({"type": "text", "text": match part["tool_result"].take() {
            Value::Null => return Err(missing("tool_result")),
            Value::String(text) => text,
            other => other.to_string(),
        }})),
        _ => Ok(part),
    }
}

fn image(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translate_content(role: &str, content: &Value) -> Result<Value> {
        let body =
            json!({"model": "m", "x": 1.0, "messages": [{"role": role, "tool_call_id": "c", "content": content}]});
        let body = Bytes::from(body.to_string());
        let mut request: ChatRequest = wire::json::parse_large(&body)?;
        let sent: Value = serde_json::from_slice(&translate(&mut request, body)?).unwrap();
        request.check()?;
        assert_eq!(sent["x"], json!(1.0));
        Ok(sent["messages"][0]["content"].clone())
    }

    #[test]
    fn dialects_are_put_as_models_read_them() {
        let text = |text: &str| json!({"type": "text", "text": text});
        let png = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
        let image = json!({"type": "image", "data": "AAAA", "mimeType": "image/png"});
        for (role, content, expected) in [
            ("user", json!([image, text("What?")]), json!([png, text("What?")])),
            ("user", json!([{"type": "image", "data": "data:image/png;base64,AAAA"}]), json!([png])),
            ("user", json!(json!([text("a"), image]).to_string()), json!([text("a"), png])),
            ("tool", json!([{"type": "tool_result", "tool_result": {"a": 1}}]), json!([text("{\"a\":1}")])),
            ("tool", json!(json!([{"type": "tool_result", "tool_result": "four"}]).to_string()), json!([text("four")])),
            ("user", json!([text(""), text("a"), text("")]), json!([text("a")])),
            ("user", json!([text(""), text("")]), json!([text("")])),
        ] {
            assert_eq!(translate_content(role, &content).unwrap(), expected, "{content}");
        }
    }

    #[test]
    fn what_only_looks_so_stays_to_the_letter() {
        for (role, content) in [
            ("user", json!("[1, 2] is a list")),
            ("user", json!("[]")),
            ("user", json!("[{\"type\":\"cat\"}]")),
            ("user", json!("[{\"name\":\"x\"}]")),
            ("assistant", json!("[{\"type\":\"text\",\"text\":\"a\"}]")),
            ("user", json!([{"type": "text", "text": ""}])),
        ] {
            assert_eq!(translate_content(role, &content).unwrap(), content, "{content}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (content, code, field) in [
            (json!([{"type": "image", "mimeType": "image/png"}]), "missing_parameter", "data"),
            (json!([{"type": "image", "data": "AAAA"}]), "missing_parameter", "mimeType"),
            (json!([{"type": "tool_result"}]), "missing_parameter", "tool_result"),
            (json!([{"type": "image", "data": "AAAA", "mimeType": "text/html"}]), "invalid_parameter", "image_url.url"),
            (json!([{"type": "image", "data": "data:image/png;jan_1"}]), "media_not_found", "image_url.url"),
        ] {
            let error = translate_content("user", &content).unwrap_err();
            let param = format!("messages[0].content[0].{field}");
            assert_eq!((error.code(), error.param_name()), (code, Some(&*param)), "{content}");
        }
    }
}
