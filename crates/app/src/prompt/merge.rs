//! Puts the prompt before a chat's messages: in the request as parsed, and in its body as it goes on.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{Error, Result};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use wire::openai::chat::request::{ChatRequest, Content, Message, Part, Role};

/// An object, its values unread.
type Raw = BTreeMap<String, Box<RawValue>>;

/// Puts `prompt` before the messages as the one system message; what the client's own first system message says is
/// kept after it, since many models allow one only. Gives the body that says the same.
pub(crate) fn put_before(prompt: &str, request: &mut ChatRequest, body: &[u8]) -> Result<Bytes> {
    let mut fields: Raw = serde_json::from_slice(body).map_err(Error::internal)?;
    let messages = fields.get("messages").map_or("[]", |messages| messages.get());
    let mut messages: Vec<Box<RawValue>> = serde_json::from_str(messages).map_err(Error::internal)?;
    match (request.messages.first_mut(), messages.first_mut()) {
        (Some(first), Some(own)) if matches!(first.role, Role::System | Role::Developer) => {
            *own = join_raw(prompt, own)?;
            first.content = Some(join(prompt, first.content.take())?);
        }
        _ => {
            messages.insert(0, raw(&json!({"role": "system", "content": prompt}))?);
            let content = Some(Content::Text(prompt.into()));
            let message = Message { role: Role::System, content, name: None, tool_calls: None, tool_call_id: None };
            request.messages.insert(0, message);
        }
    }
    fields.insert("messages".to_owned(), raw(&messages)?);
    // It was meant for this server, and is done.
    fields.remove("deep_research");
    serde_json::to_vec(&fields).map(Bytes::from).map_err(Error::internal)
}

fn join(prompt: &str, own: Option<Content>) -> Result<Content> {
    Ok(match own {
        None => Content::Text(prompt.into()),
        Some(Content::Text(own)) => Content::Text(both(prompt, &own.read()).into()),
        Some(Content::Parts(mut parts)) => {
            let part: Part = serde_json::from_value(part(prompt)).map_err(Error::internal)?;
            parts.insert(0, part);
            Content::Parts(parts)
        }
    })
}

/// The same to a message as it came: everything else in it stays to the letter, what nobody here knows included.
fn join_raw(prompt: &str, message: &RawValue) -> Result<Box<RawValue>> {
    let mut fields: Raw = serde_json::from_str(message.get()).map_err(Error::internal)?;
    let own = fields.get("content").map_or("null", |content| content.get());
    let content = match own.as_bytes().first() {
        Some(b'"') => {
            let own: String = serde_json::from_str(own).map_err(Error::internal)?;
            raw(&both(prompt, &own))?
        }
        Some(b'[') => {
            let mut parts: Vec<Box<RawValue>> = serde_json::from_str(own).map_err(Error::internal)?;
            parts.insert(0, raw(&part(prompt))?);
            raw(&parts)?
        }
        _ => raw(&prompt)?,
    };
    fields.insert("content".to_owned(), content);
    raw(&fields)
}

fn both(prompt: &str, own: &str) -> String {
    format!("{prompt}\n\n{own}")
}

fn part(text: &str) -> serde_json::Value {
    json!({"type": "text", "text": text})
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The body after the prompt was put before it, and whether the parsed request says the same.
    fn after(body: &str) -> Value {
        let mut request: ChatRequest = wire::json::parse(body.as_bytes()).unwrap();
        let rewritten = put_before("P", &mut request, body.as_bytes()).unwrap();
        let again: ChatRequest = wire::json::parse(&rewritten).unwrap();
        let texts = |request: &ChatRequest| serde_json::to_value(&request.messages).unwrap();
        assert_eq!(texts(&request), texts(&again));
        serde_json::from_slice(&rewritten).unwrap()
    }

    #[test]
    fn there_is_one_system_message_and_the_clients_own_text_is_kept() {
        let hi = json!({"role": "user", "content": "Hi"});
        for (messages, expected) in [
            (json!([hi]), json!([{"role": "system", "content": "P"}, hi])),
            (
                json!([{"role": "system", "content": "Own", "name": "n", "odd": [1]}, hi]),
                json!([{"role": "system", "content": "P\n\nOwn", "name": "n", "odd": [1]}, hi]),
            ),
            (
                json!([{"role": "developer", "content": [{"type": "text", "text": "Own", "cache_control": {"a": 1}}]}, hi]),
                json!([{"role": "developer", "content": [
                    {"type": "text", "text": "P"}, {"type": "text", "text": "Own", "cache_control": {"a": 1}}
                ]}, hi]),
            ),
            (
                json!([hi, {"role": "system", "content": "Later"}]),
                json!([{"role": "system", "content": "P"}, hi, {"role": "system", "content": "Later"}]),
            ),
        ] {
            let body = json!({"model": "m", "messages": messages}).to_string();
            assert_eq!(after(&body)["messages"], expected, "{body}");
        }
    }

    #[test]
    fn everything_else_stays_to_the_letter() {
        let body = r#"{"model":"m","x":1.0000000000000000000001,"messages":[{"role":"user","content":"Hi"}],
            "deep_research":true,"y":{"b":1e5,"a":"\u00e9"}}"#;
        let mut request: ChatRequest = wire::json::parse(body.as_bytes()).unwrap();
        let rewritten = put_before("P", &mut request, body.as_bytes()).unwrap();
        let text = std::str::from_utf8(&rewritten).unwrap();
        assert!(text.contains("1.0000000000000000000001") && text.contains(r#"{"b":1e5,"a":"\u00e9"}"#), "{text}");
        assert!(!text.contains("deep_research"), "{text}");
    }
}
