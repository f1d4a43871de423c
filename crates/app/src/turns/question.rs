//! What is new in a request: the messages that a conversation does not have yet.

use std::borrow::Cow;

use domain::{
    Error,
    item::{Head, Item},
};
use serde_json::{Value, json};
use wire::openai::{
    chat::request::{Content, Message, Role},
    items::ItemIn,
};

use crate::{chat::body::Fields, text};

/// A message of the request, read and as it came.
pub(super) type Sent<'a> = (&'a Message, &'a str);

/// The messages of a request that the conversation does not have: what comes after the last answer before the last
/// question; all of them when the conversation has none yet. A client may send the whole history each time, or the last message alone.
pub(super) fn new_messages<'a, 'b>(sent: &'b [Sent<'a>], history: &[Item]) -> &'b [Sent<'a>] {
    let known = if history.is_empty() {
        0
    } else {
        let asks = |(message, _): &Sent<'_>| matches!(message.role, Role::User | Role::Tool);
        let question = sent.iter().rposition(asks).unwrap_or(0);
        sent[..question].iter().rposition(|(message, _)| message.role == Role::Assistant).map_or(0, |at| at + 1)
    };
    &sent[known..]
}

/// The messages as items to be kept. Instructions are the request's and not the conversation's.
///
/// # Errors
/// `internal_error` for what is no message.
pub(super) fn items(messages: &[Sent<'_>]) -> Result<Vec<ItemIn>, Error> {
    let mut items = Vec::with_capacity(messages.len() + 1);
    for (message, raw) in messages {
        match message.role {
            Role::System | Role::Developer | Role::Function => {}
            Role::User => items.extend(asked(message, raw)?),
            Role::Assistant => {
                let text = message.content.as_ref().map(Content::text).filter(|text| !text.is_empty());
                items.extend(text.map(|text| answer(&text)));
                let calls = message.tool_calls.iter().flatten();
                items.extend(calls.map(|call| self::call(&call.id, &call.function.name, &call.function.arguments)));
            }
            Role::Tool => {
                let fields = Fields::of(raw)?;
                let (Some(id), Some(output)) = (&message.tool_call_id, fields.get("content")) else { continue };
                items.push(ItemIn {
                    kind: "function_call_output",
                    role: None,
                    status: Some("completed"),
                    call_id: Some(plain(id)),
                    body: format!("{{\"output\":{output}}}"),
                    text: None,
                });
            }
        }
    }
    Ok(items)
}

/// Whether a message tells the model how to act, in this request.
pub(super) fn is_instruction(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// A user's message.
fn asked(message: &Message, raw: &str) -> Result<Option<ItemIn>, Error> {
    Ok(match &message.content {
        None => None,
        Some(Content::Text(text)) => Some(ItemIn::said("user", plain(text.read()), &text.to_json())),
        Some(Content::Parts(_)) => {
            // As they came: of a part, more may be kept than was read.
            let fields = Fields::of(raw)?;
            let parts: Vec<Value> =
                serde_json::from_str(fields.get("content").unwrap_or("[]")).map_err(Error::internal)?;
            let parts: Vec<Value> = parts.into_iter().map(part).collect();
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            let text = plain(texts.join("\n"));
            Some(ItemIn::message("user", json!({"content": parts}).to_string(), Some(text)))
        }
    })
}

/// Where a question stands at the end of the history already: it was kept, was never answered or the answer broke off,
/// and is asked again.
pub(super) fn kept_at(question: &[ItemIn], history: &[Item]) -> Option<usize> {
    let is_half = |item: &Item| match item.head.kind.as_str() {
        "reasoning" => true,
        _ => item.head.status.as_deref() == Some("incomplete") && item.making.finish_reason.is_none(),
    };
    let end = history.iter().rposition(|item| !is_half(item))? + 1;
    let at = end.checked_sub(question.len())?;
    let is_kept = |(new, item): (&ItemIn, &Item)| {
        let Head { kind, role, call_id, .. } = &item.head;
        let (new_kind, new_role, new_call) = (new.kind, new.role, new.call_id.as_deref());
        (new_kind, new_role, new_call) == (kind, role.as_deref(), call_id.as_deref()) && new.body == item.body
    };
    let is_kept = !question.is_empty() && question.iter().zip(&history[at..end]).all(is_kept);
    is_kept.then_some(at)
}

/// A chat's part as conversations have it.
fn part(mut part: Value) -> Value {
    match part["type"].as_str() {
        Some("text") => part["type"] = json!("input_text"),
        Some("image_url") => {
            let image = part["image_url"].take();
            let mut shown = json!({"type": "input_image", "image_url": image["url"]});
            if let Some(detail) = image.get("detail") {
                shown["detail"] = detail.clone();
            }
            return shown;
        }
        Some("file") => {
            if let Value::Object(mut file) = part["file"].take() {
                file.insert("type".to_owned(), json!("input_file"));
                return Value::Object(file);
            }
        }
        _ => {}
    }
    part
}

/// An answer's text as an item.
pub(super) fn answer(text: &str) -> ItemIn {
    ItemIn::said("assistant", plain(text), &wire::json::quoted(text))
}

/// A call that the model asks for, to be completed by whoever makes it (contract E12, E25).
pub(super) fn call(id: &str, name: &str, arguments: &str) -> ItemIn {
    ItemIn {
        kind: "mcp_call",
        role: None,
        status: Some("in_progress"),
        call_id: Some(plain(id)),
        body: json!({"name": name, "arguments": arguments, "server_label": ""}).to_string(),
        text: None,
    }
}

/// A text for a column of its own: PostgreSQL keeps no NUL there.
pub(super) fn plain<'a>(text: impl Into<Cow<'a, str>>) -> String {
    let text = text.into();
    if text.contains('\0') { text.replace('\0', "") } else { text.into_owned() }
}

/// Longest title that is made of a question, in characters.
const TITLE: usize = 60;

/// A title of what was first asked.
pub(super) fn title(question: &[ItemIn]) -> Option<String> {
    let words = question.iter().find(|item| item.role == Some("user")).and_then(|item| item.text.as_deref())?;
    let title: String = text::title(words).take(TITLE).collect();
    (!title.is_empty()).then(|| title.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(messages: &Value) -> Vec<ItemIn> {
        let messages: Vec<(Message, String)> = messages
            .as_array()
            .unwrap()
            .iter()
            .map(|message| (serde_json::from_value(message.clone()).unwrap(), message.to_string()))
            .collect();
        let sent: Vec<Sent<'_>> = messages.iter().map(|(message, raw)| (message, raw.as_str())).collect();
        items(new_messages(&sent, &[])).unwrap()
    }

    fn body(item: &ItemIn) -> Value {
        serde_json::from_str(&item.body).unwrap()
    }

    #[test]
    fn messages_become_items() {
        let items = sent(&json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
                {"type": "file", "file": {"filename": "a.txt", "file_data": "x"}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            ]},
            {"role": "assistant", "content": "Let me look.", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ]},
            {"role": "tool", "tool_call_id": "c", "content": "found"},
        ]));
        let heads: Vec<_> =
            items.iter().map(|item| (item.kind, item.role, item.status, item.call_id.as_deref())).collect();
        assert_eq!(
            heads,
            [
                ("message", Some("user"), Some("completed"), None),
                ("message", Some("assistant"), Some("completed"), None),
                ("mcp_call", None, Some("in_progress"), Some("c")),
                ("function_call_output", None, Some("completed"), Some("c")),
            ]
        );
        assert_eq!(
            body(&items[0])["content"],
            json!([
                {"type": "input_text", "text": "What?"},
                {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "low"},
                {"type": "input_file", "filename": "a.txt", "file_data": "x"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            ])
        );
        assert_eq!(items[0].text.as_deref(), Some("What?"));
        assert_eq!(body(&items[3]), json!({"output": "found"}));
    }

    #[test]
    fn a_title_is_the_beginning_of_the_first_question() {
        let title = |text: &str| title(&sent(&json!([{"role": "user", "content": text}])));
        assert_eq!(title("  How\n\nmany?\u{7} ").as_deref(), Some("How many?"));
        assert_eq!(title(&"\u{e9}".repeat(100)).unwrap().chars().count(), 60);
        assert_eq!(title(" \n\u{202e}"), None);
        assert_eq!(title("How \u{202e}many\u{2066}?").as_deref(), Some("How many?"));
    }
}
