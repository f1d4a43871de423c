//! A whole answer of the upstream, made the caller's: stamped anew and filled up to the shape that clients rely on.
//!
//! What the upstream adds beyond that shape stays, byte for byte.

use serde_json::value::RawValue;
use wire::{
    json::{self, Cursor},
    openai::chat::Usage,
};

use super::failure;
use crate::{Error, Result, Stamp, Whole, scan::elements};

/// The upstream's `body` under our stamp.
///
/// # Errors
/// What the error object in the body says; [`Error::Failed`] for what is no chat completion.
pub(super) fn restamp(body: &[u8], stamp: &Stamp) -> Result<Whole> {
    let text = json::text(body).map_err(Error::failed)?;
    let mut answer = Answer::new(stamp, text.len());
    let mut cursor = Cursor::new(text);
    if answer.read(&mut cursor).is_none() || !cursor.is_at_end() {
        // The parser knows better words for what is wrong.
        let no_object = || Error::failed("the answer is no JSON object");
        return Err(serde_json::from_str::<&RawValue>(text).map_or_else(Error::failed, |_| no_object()));
    }
    if let Some(failure) = answer.failure {
        return Err(failure);
    }
    if !answer.has_choices {
        return Err(Error::failed("the answer has no choices"));
    }
    Ok(Whole { body: answer.out.into(), usage: answer.usage })
}

/// Our answer, written while theirs is read: once, from front to back. Members stay in their order, and what is missing
/// comes at the end.
struct Answer {
    out: Vec<u8>,
    usage: Option<Usage>,
    has_choices: bool,
    /// Why it is no answer, unless it is not even JSON.
    failure: Option<Error>,
}

impl Answer {
    fn new(stamp: &Stamp, length: usize) -> Self {
        let mut out = Vec::with_capacity(length + 256);
        head(&mut out, stamp, "chat.completion");
        Self { out, usage: None, has_choices: false, failure: None }
    }

    fn read(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.object(|cursor, key| {
            if key == "choices" {
                return self.choices(cursor);
            }
            let value = cursor.value()?;
            match key {
                "id" | "object" | "created" | "model" => return Some(()),
                "error" if value != "null" => self.fail(failure::in_answer(value)),
                "usage" => self.usage = read_usage(value),
                _ => {}
            }
            append(&mut self.out, key, value);
            Some(())
        })?;
        self.out.push(b'}');
        Some(())
    }

    fn fail(&mut self, why: Error) {
        self.failure.get_or_insert(why);
    }

    fn choices(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek() != Some(b'[') {
            return cursor.value().map(drop);
        }
        self.out.extend_from_slice(b",\"choices\":[");
        let mut at = 0;
        cursor.array(|cursor| {
            comma(&mut self.out, at);
            self.choice(cursor, at)?;
            at += 1;
            Some(())
        })?;
        self.out.push(b']');
        self.has_choices |= at > 0;
        Some(())
    }

    fn choice(&mut self, cursor: &mut Cursor<'_>, at: usize) -> Option<()> {
        let (mut has_index, mut has_logprobs, mut has_finish) = (false, false, false);
        let mut calls = None;
        let start = self.out.len();
        if cursor.peek() == Some(b'{') {
            cursor.object(|cursor, key| {
                if key == "message" && cursor.peek() == Some(b'{') {
                    self.out.extend_from_slice(b",\"message\":");
                    calls = Some(self.message(cursor)?);
                    return Some(());
                }
                let value = cursor.value()?;
                match key {
                    "index" => has_index = true,
                    "logprobs" => has_logprobs = true,
                    "finish_reason" if value == "null" => return Some(()),
                    "finish_reason" => has_finish = true,
                    _ => {}
                }
                append(&mut self.out, key, value);
                Some(())
            })?;
        } else {
            cursor.value()?;
        }
        let Some(has_calls) = calls else {
            self.fail(Error::failed("a choice has no message"));
            return Some(());
        };
        if !has_index {
            append(&mut self.out, "index", &at.to_string());
        }
        if !has_logprobs {
            append(&mut self.out, "logprobs", "null");
        }
        if !has_finish {
            // A whole answer ended somehow; servers that do not say why ended by themselves.
            append(&mut self.out, "finish_reason", if has_calls { "\"tool_calls\"" } else { "\"stop\"" });
        }
        self.close(start);
        Some(())
    }

    /// Reads a message; tells whether it asks for calls.
    fn message(&mut self, cursor: &mut Cursor<'_>) -> Option<bool> {
        let (mut has_role, mut has_content, mut has_refusal, mut has_annotations) = (false, false, false, false);
        let mut has_calls = false;
        let start = self.out.len();
        cursor.object(|cursor, key| {
            let value = cursor.value()?;
            match key {
                "role" => has_role = true,
                "content" => has_content = true,
                "refusal" => has_refusal = true,
                "annotations" | "function_call" if value == "null" => return Some(()),
                "annotations" => has_annotations = true,
                // Clients test whether these are there, not whether they are empty.
                "tool_calls" if elements(value).next().is_none() => return Some(()),
                "tool_calls" => has_calls = true,
                _ => {}
            }
            append(&mut self.out, key, value);
            Some(())
        })?;
        for (has, key, value) in [
            (has_role, "role", "\"assistant\""),
            (has_content, "content", "null"),
            (has_refusal, "refusal", "null"),
            (has_annotations, "annotations", "[]"),
        ] {
            if !has {
                append(&mut self.out, key, value);
            }
        }
        self.close(start);
        Some(has_calls)
    }

    /// Ends the object that began at `start`. Every member was written with a comma before it; the first one's is the
    /// opening brace.
    fn close(&mut self, start: usize) {
        self.out[start] = b'{';
        self.out.push(b'}');
    }
}

/// `{"id":…,"object":…,"created":…,"model":…`, still open.
pub(super) fn head(out: &mut Vec<u8>, stamp: &Stamp, object: &str) {
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(stamp.id.as_str().as_bytes());
    out.extend_from_slice(b"\",\"object\":\"");
    out.extend_from_slice(object.as_bytes());
    out.extend_from_slice(b"\",\"created\":");
    out.extend_from_slice(stamp.created.to_string().as_bytes());
    out.extend_from_slice(b",\"model\":");
    // A text cannot fail to serialize into memory.
    let _infallible = serde_json::to_writer(out, &*stamp.model);
}

/// The usage, if it is of the known shape: an odd one is passed on but not counted.
pub(super) fn read_usage(value: &str) -> Option<Usage> {
    serde_json::from_str::<Option<Usage>>(value).ok().flatten()
}

/// Adds a member behind others; `key` and `value` are JSON, the key without its quotes.
pub(super) fn append(out: &mut Vec<u8>, key: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value.as_bytes());
}

fn comma(out: &mut Vec<u8>, at: usize) {
    if at > 0 {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use domain::{Clock, Timestamp, ids::ChatCompletionId};
    use serde_json::{Value, json};

    use super::*;

    fn restamped(body: &str) -> Result<(Value, Whole)> {
        let clock = Clock::fixed(Timestamp::from_seconds(1));
        let stamp = Stamp { id: ChatCompletionId::new(&clock), created: 42, model: "a/\"b\"".into() };
        let whole = restamp(body.as_bytes(), &stamp)?;
        let mut value: Value = serde_json::from_slice(&whole.body).unwrap();
        assert_eq!(value["id"], stamp.id.as_str());
        value["id"] = "ours".into();
        Ok((value, whole))
    }

    #[test]
    fn a_bare_answer_is_filled_up() {
        let (value, whole) = restamped(r#" {"choices":[{"message":{}}]} "#).unwrap();
        assert_eq!(
            value,
            json!({"id": "ours", "object": "chat.completion", "created": 42, "model": "a/\"b\"", "choices": [{
                "index": 0, "logprobs": null, "finish_reason": "stop",
                "message": {"role": "assistant", "content": null, "refusal": null, "annotations": []},
            }]})
        );
        assert_eq!(whole.usage, None);
    }

    #[test]
    fn what_the_upstream_adds_stays() {
        let (value, whole) = restamped(
            r#"{"id":"theirs","object":"x","created":1,"model":"theirs","system_fingerprint":"fp","choices":[
                {"finish_reason":"length","index":1,"stop_reason":7,"logprobs":{"content":[]},"message":
                    {"role":"assistant","content":"x","reasoning_content":"r","tool_calls":[],"function_call":null}},
                {"message":{"tool_calls":[{"id":"c"}],"refusal":"no","annotations":[1]}}],
              "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"x":1},"timings":{"a":0.10}}"#,
        )
        .unwrap();
        assert_eq!(
            value["choices"],
            json!([
                {"index": 1, "finish_reason": "length", "stop_reason": 7, "logprobs": {"content": []}, "message":
                    {"role": "assistant", "content": "x", "refusal": null, "annotations": [], "reasoning_content": "r"}},
                {"index": 1, "finish_reason": "tool_calls", "logprobs": null, "message":
                    {"role": "assistant", "content": null, "refusal": "no", "annotations": [1], "tool_calls": [{"id": "c"}]}},
            ])
        );
        assert_eq!((&value["system_fingerprint"], &value["usage"]["x"]), (&json!("fp"), &json!(1)));
        assert!(String::from_utf8_lossy(&whole.body).contains(r#""timings":{"a":0.10}"#));
        assert_eq!(whole.usage.unwrap().total_tokens, 3);
    }

    #[test]
    fn the_order_of_members_means_nothing() {
        let message = [r#""role":"assistant""#, r#""content":"a \"b\" ]}""#, r#""tool_calls":[{"id":"c"}]"#];
        let turned = |members: &[&str], by: usize| {
            let mut members = members.to_vec();
            members.rotate_left(by);
            members.join(", ")
        };
        let answer = |by: usize| {
            let message = format!(r#""message":{{{}}}"#, turned(&message, by));
            let choice = [r#""finish_reason":null"#, &message, r#""index":3"#, r#""x":[{}]"#];
            let choices = format!(r#""choices" : [ {{{}}} ]"#, turned(&choice, by));
            let answer = [
                r#""id":"theirs""#,
                r#""model":"theirs""#,
                &choices,
                r#""usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}"#,
            ];
            restamped(&format!("{{{}}}", turned(&answer, by))).unwrap()
        };
        let (first, whole) = answer(0);
        assert_eq!(first["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(first["choices"][0]["index"], 3);
        for by in 1..4 {
            let (turned, turned_whole) = answer(by);
            assert_eq!((turned, turned_whole.usage), (first.clone(), whole.usage));
        }
    }

    #[test]
    fn what_is_no_completion_is_a_failure() {
        for body in [
            "",
            "nope",
            "<html></html>",
            "[]",
            "{}",
            "null",
            "3",
            r#"{"choices":[]}"#,
            r#"{"choices":null}"#,
            r#"{"choices":{}}"#,
            r#"{"choices":[3]}"#,
            r#"{"choices":[{"message":"x"}]}"#,
            r#"{"choices":[{}]}"#,
            "{\"choices\":[{\"message\":{\"content\":\"\u{1}\"}}]}",
            r#"{"choices":[{"message":{}}]"#,
            r#"{"error":{"message":"boo"}}"#,
            r#"{"error":{"code":429,"message":"slow"}"#,
        ] {
            assert!(matches!(restamped(body), Err(Error::Failed(_))), "{body}");
        }
        assert!(matches!(restamped(r#"{"error":{"code":429,"message":"slow"}}"#), Err(Error::Busy { .. })));
        let odd = r#"{"choices":[{"message":{}}],"usage":{"prompt_tokens":-1},"error":null}"#;
        assert_eq!(restamped(odd).unwrap().1.usage, None);
    }
}
