//! A whole answer of the upstream, made the caller's: stamped anew and filled up to the shape that clients rely on.
//!
//! What the upstream adds beyond that shape stays, byte for byte.

use serde_json::value::RawValue;
use wire::openai::chat::Usage;

use super::failure;
use crate::{
    Error, Result, Stamp, Whole,
    scan::{Member, elements, members},
};

/// The upstream's `body` under our stamp.
///
/// # Errors
/// What the error object in the body says; [`Error::Failed`] for what is no chat completion.
pub(super) fn restamp(body: &[u8], stamp: &Stamp) -> Result<Whole> {
    let text = serde_json::from_slice::<&RawValue>(body).map_err(Error::failed)?.get();
    let mut out = Vec::with_capacity(text.len() + 192);
    let mut usage = None;
    let mut has_choices = false;
    head(&mut out, stamp, "chat.completion");
    for member in members(text) {
        match member.key {
            "id" | "object" | "created" | "model" => {}
            "error" if member.value != "null" => return Err(failure::in_answer(member.value)),
            "choices" => {
                out.extend_from_slice(b",\"choices\":[");
                for (at, choice) in elements(member.value).enumerate() {
                    comma(&mut out, at);
                    write_choice(&mut out, at, choice)?;
                    has_choices = true;
                }
                out.push(b']');
            }
            key => {
                if key == "usage" {
                    usage = read_usage(member.value);
                }
                append(&mut out, &member);
            }
        }
    }
    if !has_choices {
        return Err(Error::failed("the answer has no choices"));
    }
    out.push(b'}');
    Ok(Whole { body: out.into(), usage })
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

fn write_choice(out: &mut Vec<u8>, at: usize, choice: &str) -> Result<()> {
    let mut message = None;
    let (mut index, mut logprobs, mut finish) = (None, "null", None);
    let all: Vec<Member<'_>> = members(choice).collect();
    for member in &all {
        match member.key {
            "index" => index = Some(member.value),
            "message" => message = Some(member.value).filter(|value| value.starts_with('{')),
            "logprobs" => logprobs = member.value,
            "finish_reason" => finish = Some(member.value).filter(|value| *value != "null"),
            _ => {}
        }
    }
    let message = message.ok_or_else(|| Error::failed("a choice has no message"))?;
    out.extend_from_slice(b"{\"index\":");
    match index {
        Some(index) => out.extend_from_slice(index.as_bytes()),
        None => out.extend_from_slice(at.to_string().as_bytes()),
    }
    out.extend_from_slice(b",\"message\":");
    let has_calls = write_message(out, message);
    out.extend_from_slice(b",\"logprobs\":");
    out.extend_from_slice(logprobs.as_bytes());
    out.extend_from_slice(b",\"finish_reason\":");
    // A whole answer ended somehow; servers that do not say why ended by themselves.
    let ended = if has_calls { "\"tool_calls\"" } else { "\"stop\"" };
    out.extend_from_slice(finish.unwrap_or(ended).as_bytes());
    for member in &all {
        if !matches!(member.key, "index" | "message" | "logprobs" | "finish_reason") {
            append(out, member);
        }
    }
    out.push(b'}');
    Ok(())
}

/// Writes a message; tells whether it asks for calls.
fn write_message(out: &mut Vec<u8>, message: &str) -> bool {
    let (mut has_role, mut has_content, mut has_refusal, mut has_annotations) = (false, false, false, false);
    let mut has_calls = false;
    let start = out.len();
    for member in members(message) {
        match member.key {
            "role" => has_role = true,
            "content" => has_content = true,
            "refusal" => has_refusal = true,
            "annotations" | "function_call" if member.value == "null" => continue,
            "annotations" => has_annotations = true,
            // Clients test whether these are there, not whether they are empty.
            "tool_calls" if elements(member.value).next().is_none() => continue,
            "tool_calls" => has_calls = true,
            _ => {}
        }
        append(out, &member);
    }
    for (has, text) in [
        (has_role, ",\"role\":\"assistant\""),
        (has_content, ",\"content\":null"),
        (has_refusal, ",\"refusal\":null"),
        (has_annotations, ",\"annotations\":[]"),
    ] {
        if !has {
            out.extend_from_slice(text.as_bytes());
        }
    }
    // Every member was written with a comma before it; the first one's is the opening brace.
    out[start] = b'{';
    out.push(b'}');
    has_calls
}

pub(super) fn append(out: &mut Vec<u8>, member: &Member<'_>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(member.key.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(member.value.as_bytes());
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
        ] {
            assert!(matches!(restamped(body), Err(Error::Failed(_))), "{body}");
        }
        assert!(matches!(restamped(r#"{"error":{"code":429,"message":"slow"}}"#), Err(Error::Busy { .. })));
        let odd = r#"{"choices":[{"message":{}}],"usage":{"prompt_tokens":-1},"error":null}"#;
        assert_eq!(restamped(odd).unwrap().1.usage, None);
    }
}
