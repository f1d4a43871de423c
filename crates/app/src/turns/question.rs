//! What is new in a request: the messages that a conversation does not have yet.

use std::borrow::Cow;

use domain::{Error, item::Item};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use wire::openai::{
    chat::request::{Role, ToolCall},
    items::ItemIn,
};

use crate::{
    chat::body::{self, Fields},
    text,
};

/// A message of the request.
#[derive(Deserialize)]
pub(super) struct Sent<'a> {
    pub(super) role: Role,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCall>>,
    #[serde(borrow, default)]
    pub(super) tool_call_id: Option<Cow<'a, str>>,
}

/// A message of the request, read and as it came.
pub(super) type Message<'a> = (Sent<'a>, &'a RawValue);

/// The messages of a request that was checked.
pub(super) fn read<'a>(fields: &Fields<'a>) -> Result<Vec<Message<'a>>, Error> {
    let read = body::messages(fields)?.into_iter().map(|raw| serde_json::from_str(raw.get()).map(|sent| (sent, raw)));
    read.collect::<Result<_, _>>().map_err(Error::internal)
}

/// The messages of a request that the conversation does not have: what comes after the last answer before the last
/// question; all of them when the conversation has none yet. A client may send the whole history each time, or the last message alone.
pub(super) fn new_messages<'a, 'b>(sent: &'b [Message<'a>], history: &[Item]) -> &'b [Message<'a>] {
    let known = if history.is_empty() {
        0
    } else {
        let asks = |(message, _): &Message<'_>| matches!(message.role, Role::User | Role::Tool);
        let question = sent.iter().rposition(asks).unwrap_or(0);
        sent[..question].iter().rposition(|(message, _)| message.role == Role::Assistant).map_or(0, |at| at + 1)
    };
    &sent[known..]
}

/// The messages as items to be kept. Instructions are the request's and not the conversation's.
pub(super) fn items(messages: &[Message<'_>]) -> Vec<ItemIn> {
    messages.iter().flat_map(|(message, _)| message.items()).collect()
}

/// Where a question stands at the end of the history already: it was kept, was never answered or the answer broke off,
/// and is asked again.
pub(super) fn kept_at(question: &[ItemIn], history: &[Item]) -> Option<usize> {
    let [one] = question else { return None };
    let is_half = |item: &Item| match item.head.kind.as_str() {
        "reasoning" => true,
        _ => item.head.status.as_deref() == Some("incomplete") && item.making.finish_reason.is_none(),
    };
    let at = history.iter().rposition(|item| !is_half(item))?;
    let last = &history[at];
    let is_same = one.role == Some("user") && last.head.role.as_deref() == one.role && last.body == one.body;
    is_same.then_some(at)
}

impl Sent<'_> {
    /// Whether it tells the model how to act, in this request.
    pub(super) fn is_instruction(&self) -> bool {
        matches!(self.role, Role::System | Role::Developer)
    }

    fn items(&self) -> Vec<ItemIn> {
        match self.role {
            Role::System | Role::Developer | Role::Function => Vec::new(),
            Role::User => self.parts().map(|parts| message("user", &parts)).into_iter().collect(),
            Role::Assistant => {
                let calls = self.tool_calls.iter().flatten();
                let calls = calls.map(|call| self::call(&call.id, &call.function.name, &call.function.arguments));
                self.text().map(|text| answer(&text)).into_iter().chain(calls).collect()
            }
            Role::Tool => {
                let (Some(id), Some(output)) = (&self.tool_call_id, self.content) else { return Vec::new() };
                vec![ItemIn {
                    kind: "function_call_output",
                    role: None,
                    status: Some("completed"),
                    call_id: Some(plain(id)),
                    body: json!({"output": output}).to_string(),
                    text: None,
                }]
            }
        }
    }

    /// The parts of a user's message, as conversations have them.
    fn parts(&self) -> Option<Vec<Value>> {
        Some(match serde_json::from_str(self.content?.get()).ok()? {
            Value::String(text) => vec![json!({"type": "input_text", "text": text})],
            Value::Array(parts) => parts.into_iter().map(part).collect(),
            _ => return None,
        })
    }

    fn text(&self) -> Option<String> {
        let text = match serde_json::from_str(self.content?.get()).ok()? {
            Value::String(text) => text,
            Value::Array(parts) => {
                let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
                texts.join("\n")
            }
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }
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

fn message(role: &'static str, parts: &[Value]) -> ItemIn {
    let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    let text = plain(&texts.join("\n"));
    let body = json!({"content": parts}).to_string();
    ItemIn::message(role, body, Some(text))
}

/// An answer's text as an item.
pub(super) fn answer(text: &str) -> ItemIn {
    message("assistant", &[json!({"type": "output_text", "text": text, "annotations": []})])
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
fn plain(text: &str) -> String {
    text.replace('\0', "")
}

/// Longest title that is made of a question, in characters.
const TITLE: usize = 60;

/// A title of what was first asked.
pub(super) fn title(question: &[ItemIn]) -> Option<String> {
    let words = question.iter().find(|item| item.role == Some("user")).and_then(|item| item.text.as_deref())?;
    let title: String = text::title(words).chars().take(TITLE).collect();
    (!title.is_empty()).then(|| title.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(messages: &Value) -> Vec<ItemIn> {
        let raw: Vec<Box<RawValue>> = serde_json::from_str(&messages.to_string()).unwrap();
        let sent: Vec<_> = raw.iter().map(|raw| (serde_json::from_str(raw.get()).unwrap(), &**raw)).collect();
        items(new_messages(&sent, &[]))
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
