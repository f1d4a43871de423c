//! Puts the prompt before a chat's messages.

use bytes::Bytes;
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use wire::openai::chat::request::Role;

use crate::chat::body::{self, Fields};

/// Puts `prompt` before the messages of a body. Gives the body that says the same.
pub(crate) fn put_before(prompt: &str, body: &[u8]) -> Result<Bytes> {
    let fields = body::fields(body)?;
    let mut messages: Vec<_> = body::messages(&fields)?.into_iter().map(ToOwned::to_owned).collect();
    put_into(prompt, &mut messages)?;
    body::with_messages(&fields, &messages, &[])
}

/// Puts `prompt` before messages as the one system message; what the first of them says to the model is kept after it, since
/// many models allow one only.
pub(crate) fn put_into(prompt: &str, messages: &mut Vec<Box<RawValue>>) -> Result<()> {
    #[derive(Deserialize)]
    struct Spoken {
        role: Role,
    }
    let role = |message: &RawValue| serde_json::from_str::<Spoken>(message.get()).ok().map(|spoken| spoken.role);
    match messages.first_mut() {
        Some(first) if matches!(role(first), Some(Role::System | Role::Developer)) => *first = join(prompt, first)?,
        _ => messages.insert(0, raw(&json!({"role": "system", "content": prompt}))?),
    }
    Ok(())
}

/// A message that says `prompt` before its own content: everything else in it stays to the letter, what nobody here knows
/// included.
fn join(prompt: &str, message: &RawValue) -> Result<Box<RawValue>> {
    let mut fields: Fields<'_> = serde_json::from_str(message.get()).map_err(Error::internal)?;
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
    fields.insert("content".into(), &content);
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
    use wire::openai::chat::ChatRequest;

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
        let rewritten = put_before("P", body.as_bytes()).unwrap();
        let text = std::str::from_utf8(&rewritten).unwrap();
        assert!(text.contains("1.0000000000000000000001") && text.contains(r#"{"b":1e5,"a":"\u00e9"}"#), "{text}");
    }
}
