//! Puts the prompt before a chat's messages.

use bytes::Bytes;
use domain::Result;
use wire::{
    json,
    openai::chat::request::{ChatRequest, Role},
};

use crate::chat::body::{self, Fields, RawMessage};

/// Puts `prompt` before the messages of a request and its body. Gives the body that says the same.
pub(crate) fn put_before(prompt: &str, request: &mut ChatRequest, body: &[u8]) -> Result<Bytes> {
    let fields = Fields::of_body(body)?;
    let read = std::mem::take(&mut request.messages).into_iter().zip(fields.messages()?);
    let mut messages = read.map(|(message, json)| RawMessage { message, json: json.to_owned() }).collect();
    put_into(prompt, &mut messages)?;
    let body = fields.with_messages(&messages, &[]);
    request.messages = messages.into_iter().map(|told| told.message).collect();
    Ok(body)
}

/// Puts `prompt` before messages as the one system message; what the first of them says to the model is kept after it, since
/// many models allow one only.
pub(crate) fn put_into(prompt: &str, messages: &mut Vec<RawMessage>) -> Result<()> {
    match messages.first_mut() {
        Some(first) if matches!(first.message.role, Role::System | Role::Developer) => {
            *first = RawMessage::read(join(prompt, &first.json)?)?;
        }
        _ => {
            let system = format!(r#"{{"role":"system","content":{}}}"#, json::quoted(prompt));
            messages.insert(0, RawMessage::read(system)?);
        }
    }
    Ok(())
}

/// A message that says `prompt` before its own content: everything else in it stays to the letter, what nobody here knows
/// included.
fn join(prompt: &str, message: &str) -> Result<String> {
    let mut fields = Fields::of(message)?;
    let own = fields.get("content").unwrap_or("null");
    let content = match own.as_bytes().first() {
        Some(b'"') => {
            // Two texts are one without the quotes between them.
            let mut content = json::quoted(prompt);
            content.pop();
            content.push_str(r"\n\n");
            content.push_str(&own[1..]);
            content
        }
        Some(b'[') => {
            let part = format!(r#"{{"type":"text","text":{}}}"#, json::quoted(prompt));
            let mut parts = body::elements(own)?;
            parts.insert(0, &part);
            body::list(&parts)
        }
        _ => json::quoted(prompt),
    };
    fields.set("content", &content);
    Ok(fields.to_json())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::Composed, *};

    /// The body after the prompt was put before it, and whether the parsed request says the same.
    fn after(body: &str) -> Value {
        let mut request: ChatRequest = wire::json::parse(body.as_bytes()).unwrap();
        let composed = Composed { text: "P".to_owned(), ..Composed::default() };
        let rewritten = composed.put_before(&mut request, Bytes::copy_from_slice(body.as_bytes())).unwrap();
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
            "y":{"b":1e5,"a":"\u00e9"}}"#;
        let mut request = wire::json::parse(body.as_bytes()).unwrap();
        let rewritten = put_before("P", &mut request, body.as_bytes()).unwrap();
        let text = std::str::from_utf8(&rewritten).unwrap();
        assert!(text.contains("1.0000000000000000000001") && text.contains(r#"{"b":1e5,"a":"\u00e9"}"#), "{text}");
    }
}
