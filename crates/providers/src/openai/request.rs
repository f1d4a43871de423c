//! The body that the upstream gets: the caller's own, with only that changed which must be.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use super::options::{ENABLE_THINKING, Thinking};
use crate::{
    Call,
    scan::{Member, members},
};

/// Fields of this server's own: to say null is to leave them out, and no upstream need know them.
const OURS: [&str; 4] = [ENABLE_THINKING, "conversation", "deep_research", "store_reasoning"];

/// The caller's body for the upstream. `streams` is how the answer is wanted; with `include_usage` a streamed answer is
/// asked to tell its usage even if the caller did not ask. `thinking` is how the upstream is told whether to think,
/// unless the caller says that in the upstream's own words.
///
/// A body that needs no change is shared, not copied.
pub(super) fn body(call: &Call, streams: bool, include_usage: bool, thinking: Thinking) -> Bytes {
    let renames = *call.model != *call.request.model;
    let flips = streams != call.request.streams();
    let asks = streams && include_usage && !call.request.wants_usage();
    let thinks = call.request.enable_thinking.map(|on| (on, thinking.field(on)));
    let thinks = thinks.filter(|_| thinking != Thinking::EnableThinking);
    let has_null = memmem::find(&call.body, b"null").is_some();
    if !renames && !flips && !asks && thinks.is_none() && !has_null {
        return call.body.clone();
    }
    // The body was parsed before, so it is UTF-8.
    let Ok(text) = std::str::from_utf8(&call.body) else { return call.body.clone() };
    let mut edits = Edits::default();
    let (mut has_stream, mut has_options, mut has_thinking) = (false, false, false);
    let mut missing = usize::from(renames) + usize::from(flips) + usize::from(asks) + 2 * usize::from(thinks.is_some());
    let mut kept = None;
    for member in members(text) {
        let end = member.at.end;
        if has_null && member.value == "null" && OURS.iter().any(|name| member.is(name)) {
            edits.remove(text, kept, end);
            continue;
        }
        let before = kept.replace(end);
        if renames && member.is("model") {
            edits.replace(member.at, json(&call.model));
        } else if flips && member.is("stream") {
            edits.replace(member.at, streams.to_string());
            has_stream = true;
        } else if asks && member.is("stream_options") {
            edits.replace(member.at.clone(), with(&member, "include_usage", true));
            has_options = true;
        } else if thinks.is_some() && member.is(ENABLE_THINKING) {
            edits.remove(text, before, end);
            kept = before;
        } else if let Some((on, (name, _))) = thinks
            && member.is(name)
        {
            let is_said = members(member.value).any(|inner| inner.is(ENABLE_THINKING));
            if thinking == Thinking::ChatTemplateKwargs && !is_said {
                edits.replace(member.at.clone(), with(&member, ENABLE_THINKING, on));
            }
            has_thinking = true;
        } else {
            continue;
        }
        missing -= 1;
        if missing == 0 && !has_null {
            break;
        }
    }
    if edits.0.is_empty() && missing == 0 {
        return call.body.clone();
    }
    let mut front = String::new();
    if flips && !has_stream {
        front.push_str(if streams { "\"stream\":true," } else { "\"stream\":false," });
    }
    if asks && !has_options {
        front.push_str("\"stream_options\":{\"include_usage\":true},");
    }
    if let Some((_, (name, Some(value)))) = thinks.filter(|_| !has_thinking) {
        front.extend(["\"", name, "\":", value, ","]);
    }
    edits.apply(text, &front)
}

/// An object of the caller's that says so.
fn with(options: &Member<'_>, name: &str, on: bool) -> String {
    let mut text = format!("{{\"{name}\":{on}");
    for member in members(options.value).filter(|member| !member.is(name)) {
        text.push_str(",\"");
        text.push_str(member.key);
        text.push_str("\":");
        text.push_str(member.value);
    }
    text.push('}');
    text
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Replacements in a text, in the order of their places.
#[derive(Default)]
struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    fn replace(&mut self, at: Range<usize>, with: String) {
        self.0.push((at, with));
    }

    /// Takes the member out that ends at `end`, with a comma; the last one before it that stays ends at `before`.
    fn remove(&mut self, text: &str, before: Option<usize>, end: usize) {
        let at = match before {
            Some(before) => before..end,
            None => behind(text, 0, '{')..behind(text, end, ','),
        };
        // Those between were taken out already.
        let taken = self.0.last().map_or(0, |(last, _)| last.end);
        self.replace(at.start.max(taken)..at.end, String::new());
    }

    /// The text with its replacements, and with `front` behind its opening brace. The object is not empty: it has a
    /// model.
    fn apply(&self, text: &str, front: &str) -> Bytes {
        let added: usize = self.0.iter().map(|(_, with)| with.len()).sum();
        let mut edited = Vec::with_capacity(text.len() + added + front.len());
        let brace = behind(text, 0, '{');
        edited.extend_from_slice(&text.as_bytes()[..brace]);
        edited.extend_from_slice(front.as_bytes());
        let mut from = brace;
        for (at, with) in &self.0 {
            edited.extend_from_slice(&text.as_bytes()[from..at.start]);
            edited.extend_from_slice(with.as_bytes());
            from = at.end;
        }
        edited.extend_from_slice(&text.as_bytes()[from..]);
        edited.into()
    }
}

/// The place behind the next `letter`.
fn behind(text: &str, from: usize, letter: char) -> usize {
    text[from..].find(letter).map_or(from, |at| from + at + 1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{
        Clock,
        ids::{ChatCompletionId, UserId},
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::Stamp;

    fn call(text: &str, model: &str) -> Call {
        Call {
            caller: UserId::new(&Clock::System),
            request: Arc::new(wire::json::parse(text.as_bytes()).unwrap()),
            body: Bytes::copy_from_slice(text.as_bytes()),
            model: model.into(),
            stamp: Stamp { id: ChatCompletionId::new(&Clock::System), created: 1, model: "public".into() },
        }
    }

    fn sent(text: &str, model: &str, streams: bool) -> String {
        told(text, model, streams, Thinking::default())
    }

    fn told(text: &str, model: &str, streams: bool, thinking: Thinking) -> String {
        String::from_utf8(body(&call(text, model), streams, true, thinking).to_vec()).unwrap()
    }

    #[test]
    fn what_fits_is_not_touched() {
        let text = r#"{"model":"m","messages":[{"role":"user","content":"hi"}], "x" : 1.0 }"#;
        let call = call(text, "m");
        let body = body(&call, false, true, Thinking::default());
        assert_eq!(body.as_ptr(), call.body.as_ptr());
    }

    #[test]
    fn only_the_model_is_replaced() {
        let text = r#" {"messages":[{"role":"user","content":"\"model\":\"m\""}], "x":{"model":"m"}, "model" : "m","seed":1.0e2}"#;
        let text = text.replace("1.0e2", "12");
        assert_eq!(
            sent(&text, "vendor/\"big\"", false),
            text.replace(r#""model" : "m""#, r#""model" : "vendor/\"big\"""#)
        );
        let text = r#"{"mod\u0065l":"m","messages":[{"role":"user","content":"hi"}]}"#;
        assert_eq!(sent(text, "n", false), text.replace("\"m\"", "\"n\""));
    }

    #[test]
    fn a_stream_is_asked_for_its_usage() {
        let base = r#""model":"m","messages":[{"role":"user","content":"hi"}],"stream":true"#;
        for (options, expected) in [
            ("", json!({"include_usage": true})),
            (r#","stream_options":null"#, json!({"include_usage": true})),
            (r#","stream_options":{}"#, json!({"include_usage": true})),
            (r#","stream_options":{"include_usage":false,"x":[1]}"#, json!({"include_usage": true, "x": [1]})),
            (r#","stream_options":{"x":[1],"include_usage":true}"#, json!({"include_usage": true, "x": [1]})),
        ] {
            for model in ["m", "n"] {
                let sent: Value = serde_json::from_str(&sent(&format!("{{{base}{options}}}"), model, true)).unwrap();
                assert_eq!(sent["stream_options"], expected, "{options}");
                assert_eq!(sent["model"], model);
                assert_eq!(sent["messages"][0]["content"], "hi");
            }
        }
        let call = call(&format!("{{{base}}}"), "m");
        assert_eq!(body(&call, true, false, Thinking::default()), call.body);
    }

    #[test]
    fn whether_to_think_is_said_in_the_upstreams_words() {
        use Thinking::{ChatTemplateKwargs, EnableThinking, ReasoningEffort, Thinking as Object};
        let base = r#""model":"m","messages":[{"role":"user","content":"hi"}]"#;
        let off = r#""enable_thinking" : false"#;
        for (thinking, said) in [
            (ChatTemplateKwargs, r#""chat_template_kwargs":{"enable_thinking":false},"#),
            (ReasoningEffort, r#""reasoning_effort":"none","#),
            (Object, r#""thinking":{"type":"disabled"},"#),
        ] {
            for text in [format!("{{{off},{base}}}"), format!("{{{base}, {off}}}")] {
                assert_eq!(told(&text, "m", false, thinking), format!("{{{said}{base}}}"));
            }
            let text = format!(r#"{{"x":1,{off},{base}}}"#);
            assert_eq!(told(&text, "m", false, thinking), format!(r#"{{{said}"x":1,{base}}}"#));
        }
        let on = format!(r#"{{{base},"enable_thinking":true}}"#);
        assert_eq!(told(&on, "m", false, ReasoningEffort), format!("{{{base}}}"));
        assert_eq!(told(&on, "m", false, EnableThinking), on);
        // What the caller says in these words stays.
        for own in [r#""reasoning_effort":"low""#, r#""reasoning_effort":null"#] {
            let text = format!("{{{own},{off},{base}}}");
            assert_eq!(told(&text, "m", false, ReasoningEffort), format!("{{{own},{base}}}"));
        }
        for (own, expected) in [
            (json!({"a": 1}), json!({"a": 1, "enable_thinking": false})),
            (json!({"a": 1, "enable_thinking": true}), json!({"a": 1, "enable_thinking": true})),
            (json!(null), json!({"enable_thinking": false})),
        ] {
            let text = format!(r#"{{{base},"chat_template_kwargs":{own},{off},"stream":true}}"#);
            let sent: Value = serde_json::from_str(&told(&text, "n", true, ChatTemplateKwargs)).unwrap();
            assert_eq!((&sent["chat_template_kwargs"], &sent["model"]), (&expected, &json!("n")));
            assert!(sent.get("enable_thinking").is_none() && sent["stream_options"]["include_usage"] == true);
        }
    }

    #[test]
    fn what_is_ours_and_null_is_left_out() {
        let base = r#""model":"m","messages":[{"role":"user","content":"null"}]"#;
        let first = r#""conversation":null , "enable_thinking" : null,"#;
        let last = r#", "deep_research":null,"store_\u0072easoning": null"#;
        for text in [format!("{{{first}{base}}}"), format!("{{{base}{last}}}"), format!("{{{first}{base}{last}}}")] {
            assert_eq!(sent(&text, "m", false).replace(' ', ""), format!("{{{base}}}"), "{text}");
            let renamed: Value = serde_json::from_str(&sent(&text, "n", true)).unwrap();
            let (names, known) = (renamed.as_object().unwrap(), ["messages", "model", "stream", "stream_options"]);
            assert!(renamed["model"] == "n" && names.keys().all(|name| known.contains(&&**name)), "{renamed}");
        }
        // With one that says something among them, and in the words of an upstream.
        let text = format!(r#"{{"enable_thinking":false,"deep_research":null,{base}}}"#);
        let expected = format!(r#"{{"reasoning_effort":"none",{base}}}"#);
        assert_eq!(told(&text, "m", false, Thinking::ReasoningEffort), expected);
        // What is the upstream's to understand stays, null or not.
        let text = format!(r#"{{{base},"seed":null,"store":null,"stop":null}}"#);
        assert_eq!(sent(&text, "m", false), text);
    }

    #[test]
    fn the_way_of_answering_is_the_callees_to_say() {
        let text = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        let streamed: Value = serde_json::from_str(&sent(text, "n", true)).unwrap();
        assert_eq!((&streamed["stream"], &streamed["model"]), (&json!(true), &json!("n")));
        let text = r#"{"stream":true,"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        let whole: Value = serde_json::from_str(&sent(text, "m", false)).unwrap();
        assert_eq!(whole["stream"], false);
    }
}
