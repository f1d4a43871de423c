//! Answers as they come, gathered into the items that are kept.

use std::borrow::Cow;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use wire::openai::items::ItemIn;

use super::question;

/// Longest answer that is kept, in bytes; of a longer one the beginning is.
const MOST: usize = 8 * 1024 * 1024;
/// Most calls of one answer that are kept.
const MOST_CALLS: usize = 128;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself.
    Whole,
    /// The client left.
    Left,
    /// The model failed.
    Failed,
}

/// The first answer of a completion, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    text: String,
    thoughts: String,
    refusal: String,
    calls: Vec<Call>,
    pub(super) finish_reason: Option<String>,
    cut: bool,
    /// A chunk of it was of a shape that is passed on and not understood here.
    odd: bool,
}

#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

/// A whole answer or a chunk of one.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    /// The same of a whole answer. Some upstreams send both in a stream, the message as far as it has come.
    #[serde(borrow, default)]
    message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    /// A text, or parts with texts.
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallDelta<'a>>>,
}

#[derive(Deserialize)]
struct CallDelta<'a> {
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<FunctionDelta<'a>>,
}

#[derive(Deserialize)]
struct FunctionDelta<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    arguments: Option<Cow<'a, str>>,
}

impl Gathered {
    /// Takes a whole answer; gives what it took, as JSON.
    pub(super) fn whole(&mut self, body: &[u8]) -> Option<String> {
        let Some(chunk) = wire::json::read::<Chunk<'_>>(body) else {
            self.odd = true;
            return None;
        };
        let usage = chunk.usage.map(|usage| usage.get().to_owned());
        self.take(chunk);
        usage
    }

    /// Takes events, and says whether the stream ended with them. `mark` is put into each that ends an answer or tells the
    /// usage: fields of an object, with a comma behind.
    pub(super) fn events(&mut self, events: Bytes, mark: &str) -> (Bytes, bool) {
        let mut ended = false;
        let mut marks: Vec<usize> = Vec::new();
        let mut from = 0;
        while from < events.len() {
            let end = memchr::memchr(b'\n', &events[from..]).map_or(events.len(), |at| from + at);
            if let Some(data) = events[from..end].strip_prefix(b"data: ") {
                if data == b"[DONE]" {
                    ended = true;
                } else {
                    let chunk = wire::json::read::<Chunk<'_>>(data);
                    self.odd |= chunk.is_none();
                    if chunk.is_some_and(|chunk| self.take(chunk)) {
                        marks.push(from + b"data: {".len());
                    }
                }
            }
            from = end + 1;
        }
        (put_in(events, &marks, mark), ended)
    }

    /// Takes what is new; says whether it ends an answer or tells the usage.
    fn take(&mut self, chunk: Chunk<'_>) -> bool {
        let mut ends = chunk.usage.is_some();
        for choice in chunk.choices {
            ends |= choice.finish_reason.is_some();
            if choice.index != 0 {
                continue;
            }
            if let Some(delta) = choice.delta.or(choice.message) {
                self.add_delta(delta);
            }
            if let Some(reason) = choice.finish_reason {
                self.finish_reason = Some(question::plain(reason));
            }
        }
        ends
    }

    fn add_delta(&mut self, delta: Delta<'_>) {
        for (kept, new) in [
            (&mut self.text, delta.content.and_then(text)),
            (&mut self.thoughts, delta.reasoning_content.or(delta.reasoning)),
            (&mut self.refusal, delta.refusal),
        ] {
            self.cut |= !add(kept, new);
        }
        for (place, part) in delta.tool_calls.into_iter().flatten().enumerate() {
            let at = part.index.unwrap_or(place);
            if at >= MOST_CALLS {
                self.cut = true;
                continue;
            }
            if self.calls.len() <= at {
                self.calls.resize_with(at + 1, Call::default);
            }
            let call = &mut self.calls[at];
            let (name, arguments) = part.function.map_or((None, None), |function| (function.name, function.arguments));
            self.cut |= !add(&mut call.id, part.id) | !add(&mut call.name, name) | !add(&mut call.arguments, arguments);
        }
    }

    /// The items to be kept, and how the message ended. An answer that broke off before its first word is none.
    pub(super) fn into_items(self, ending: Ending, with_thoughts: bool) -> Vec<ItemIn> {
        let reason = match (ending, self.finish_reason.as_deref()) {
            (Ending::Left, _) => Some("client_disconnected"),
            (Ending::Failed, _) => Some("upstream_error"),
            (Ending::Whole, Some("length")) => Some("max_output_tokens"),
            (Ending::Whole, Some("content_filter")) => Some("content_filter"),
            (Ending::Whole, _) if self.cut => Some("max_size"),
            (Ending::Whole, _) if self.odd => Some("unknown_shape"),
            (Ending::Whole, _) => None,
        };
        let mut items = Vec::new();
        if with_thoughts && !self.thoughts.is_empty() {
            let body = json!({"summary": [], "content": [{"type": "reasoning_text", "text": self.thoughts}]});
            let body = body.to_string();
            items.push(ItemIn { kind: "reasoning", role: None, status: None, call_id: None, body, text: None });
        }
        let whole = ending == Ending::Whole;
        let calls = self.calls.into_iter().filter(|call| !call.id.is_empty());
        // A call that broke off has half of its arguments.
        let calls: Vec<Call> = calls.filter(|_| whole).collect();
        let says = !self.text.is_empty() || !self.refusal.is_empty();
        if says || (whole && calls.is_empty()) {
            let mut message = question::answer(&self.text);
            if !self.refusal.is_empty() {
                message.body = json!({"content": [{"type": "refusal", "refusal": self.refusal}]}).to_string();
            }
            if let Some(reason) = reason {
                message.status = Some("incomplete");
                let details = json!({"reason": reason}).to_string();
                message.body = wire::openai::items::with_fields(&message.body, &[("incomplete_details", &details)]);
            }
            items.push(message);
        }
        items.extend(calls.into_iter().map(|call| question::call(&call.id, &call.name, &call.arguments)));
        items
    }
}

/// The text of a content, or the texts of its parts.
fn text(content: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow, default)]
        text: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Plain<'a>(#[serde(borrow)] Cow<'a, str>);
    if let Ok(Plain(text)) = serde_json::from_str(content.get()) {
        return Some(text);
    }
    let parts: Vec<Part<'_>> = serde_json::from_str(content.get()).ok()?;
    Some(parts.iter().map(|part| &*part.text).collect::<String>().into())
}

/// Adds what is new, as far as there is room; says whether there was.
fn add(kept: &mut String, new: Option<Cow<'_, str>>) -> bool {
    let Some(new) = new else { return true };
    let room = MOST.saturating_sub(kept.len());
    let fits = new.floor_char_boundary(room.min(new.len()));
    kept.push_str(&new[..fits]);
    fits == new.len()
}

/// The bytes with `mark` at each of these places.
fn put_in(bytes: Bytes, places: &[usize], mark: &str) -> Bytes {
    if places.is_empty() || mark.is_empty() {
        return bytes;
    }
    let mut marked = BytesMut::with_capacity(bytes.len() + places.len() * mark.len());
    let mut from = 0;
    for &place in places {
        marked.put_slice(&bytes[from..place]);
        marked.put_slice(mark.as_bytes());
        from = place;
    }
    marked.put_slice(&bytes[from..]);
    marked.freeze()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn event(data: &Value) -> String {
        format!("data: {data}\n\n")
    }

    fn delta(delta: &Value) -> String {
        event(&json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))
    }

    fn shown(items: &[ItemIn]) -> Vec<(&str, Option<&str>, Value)> {
        items.iter().map(|item| (item.kind, item.status, serde_json::from_str(&item.body).unwrap())).collect()
    }

    #[test]
    fn chunks_become_a_message_and_its_calls() {
        let mut gathered = Gathered::default();
        let events = [
            delta(&json!({"role": "assistant", "reasoning_content": "Hm"})),
            delta(&json!({"content": "Wai"})) + &delta(&json!({"content": "t\u{e9}"})),
            delta(&json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]})),
            delta(&json!({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})),
            event(&json!({"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": null}]})),
        ];
        for events in events {
            let (same, ended) = gathered.events(Bytes::from(events.clone()), "\"x\":1,");
            assert_eq!((&*same, ended), (events.as_bytes(), false));
        }
        let last = event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}));
        let usage = event(&json!({"choices": [], "usage": {"total_tokens": 1}}));
        let (marked, ended) = gathered.events(Bytes::from(format!("{last}{usage}data: [DONE]\n\n")), "\"x\":1,");
        let marked = std::str::from_utf8(&marked).unwrap();
        assert!(
            ended && marked.matches("data: {\"x\":1,").count() == 2 && marked.ends_with("data: [DONE]\n\n"),
            "{marked}"
        );
        assert_eq!(gathered.finish_reason.as_deref(), Some("tool_calls"));
        assert_eq!(
            shown(&gathered.into_items(Ending::Whole, true)),
            [
                ("reasoning", None, json!({"summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]})),
                (
                    "message",
                    Some("completed"),
                    json!({"content": [{"type": "output_text", "text": "Wait\u{e9}", "annotations": []}]})
                ),
                ("mcp_call", Some("in_progress"), json!({"name": "f", "arguments": "{}", "server_label": ""})),
            ]
        );
    }

    #[test]
    fn what_broke_off_says_so() {
        let begun = || {
            let mut gathered = Gathered::default();
            gathered.events(Bytes::from(delta(&json!({"content": "Half"}))), "");
            gathered
        };
        for (ending, reason) in [(Ending::Left, "client_disconnected"), (Ending::Failed, "upstream_error")] {
            let items = begun().into_items(ending, false);
            let [(kind, status, body)] = shown(&items).try_into().unwrap();
            assert_eq!(
                (kind, status, &body["incomplete_details"]["reason"]),
                ("message", Some("incomplete"), &json!(reason))
            );
            assert_eq!(body["content"][0]["text"], "Half");
            assert_eq!(Gathered::default().into_items(ending, false), []);
        }
        let mut long = begun();
        long.finish_reason = Some("length".to_owned());
        assert_eq!(long.into_items(Ending::Whole, false)[0].status, Some("incomplete"));
        assert_eq!(Gathered::default().into_items(Ending::Whole, false).len(), 1, "an empty answer is an answer");
    }

    #[test]
    fn a_whole_answer_is_read() {
        let mut gathered = Gathered::default();
        gathered.whole(br#"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"No."},"finish_reason":"st\u0000op"}]}"#);
        assert_eq!(gathered.finish_reason.as_deref(), Some("stop"), "a column holds no NUL");
        let items = gathered.into_items(Ending::Whole, false);
        assert_eq!(shown(&items)[0].2, json!({"content": [{"type": "refusal", "refusal": "No."}]}));
    }

    #[test]
    fn odd_answers_are_kept_as_far_as_they_are_understood() {
        let mut gathered = Gathered::default();
        let parts = json!([{"type": "text", "text": "In "}, {"type": "text", "text": "parts"}]);
        let both = json!({"choices": [{"index": 0, "delta": {"content": parts}, "message": {"content": "In parts"}}]});
        gathered.events(Bytes::from(event(&both)), "");
        let items = gathered.into_items(Ending::Whole, false);
        assert_eq!((items[0].text.as_deref(), items[0].status), (Some("In parts"), Some("completed")));

        let mut gathered = Gathered::default();
        gathered.events(Bytes::from(delta(&json!({"content": "x"})) + &event(&json!({"choices": 7}))), "");
        let items = gathered.into_items(Ending::Whole, false);
        assert_eq!((items[0].text.as_deref(), items[0].status), (Some("x"), Some("incomplete")));
    }

    #[test]
    fn an_endless_answer_is_kept_up_to_a_bound() {
        let mut gathered = Gathered::default();
        let much = Bytes::from(delta(&json!({"content": "\u{e9}".repeat(3 * 1024 * 1024)})));
        for _ in 0..3 {
            gathered.events(much.clone(), "");
        }
        assert!(gathered.text.len() <= MOST && gathered.text.len() > MOST - 4);
        assert_eq!(gathered.into_items(Ending::Whole, false)[0].status, Some("incomplete"));
    }
}
