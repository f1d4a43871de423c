//! The upstream's chunks, made the caller's.
//!
//! The chunks of a stream differ in their `choices` and nowhere else, nearly always. So what stands around the choices
//! is learned from one chunk, and for each further one that has the same around them, ours is put in its place without
//! parsing. A chunk that differs is parsed, and learned from in turn.

use std::sync::LazyLock;

use bytes::{BufMut, BytesMut};
use memchr::memmem::Finder;
use serde_json::{Value, value::RawValue};
use wire::openai::chat::Usage;

use super::{failure, whole};
use crate::{
    Error, Result, Stamp,
    scan::{Member, elements, members},
};

/// What a chunk was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// One of several.
    More,
    /// The end mark.
    Done,
}

/// Makes chunks the caller's, one after the other.
pub(super) struct Chunks {
    /// Up to the members of our own: `data: {"id":…,"object":…,"created":…,"model":…`.
    head: Vec<u8>,
    /// Whether the caller asked for the usage.
    wants_usage: bool,
    around: Option<Around>,
    is_first: bool,
    /// Whether some choice has ended: only then can the stream end well without an end mark.
    has_finished: bool,
    /// A usage that came with choices, as it came: clients expect it on a chunk without.
    owed_usage: Option<String>,
    usage: Option<Usage>,
    calls: CallNumbers,
}

/// What stands around the choices: the upstream's, and ours in its place.
struct Around {
    theirs: (Vec<u8>, Vec<u8>),
    ours: (Vec<u8>, Vec<u8>),
}

/// Keys that tell that a chunk needs a closer look. A text that holds them has its quotes escaped and does not match.
struct Marks {
    usage: Finder<'static>,
    calls: Finder<'static>,
    finish: Finder<'static>,
}

static MARKS: LazyLock<Marks> = LazyLock::new(|| Marks {
    usage: Finder::new("\"usage\""),
    calls: Finder::new("\"tool_calls\""),
    finish: Finder::new("\"finish_reason\""),
});

impl Chunks {
    pub(super) fn new(stamp: &Stamp, wants_usage: bool) -> Self {
        let mut head = Vec::with_capacity(160);
        head.extend_from_slice(b"data: ");
        whole::head(&mut head, stamp, "chat.completion.chunk");
        Self {
            head,
            wants_usage,
            around: None,
            is_first: true,
            has_finished: false,
            owed_usage: None,
            usage: None,
            calls: CallNumbers::default(),
        }
    }

    /// Writes the caller's event for the upstream's `data` to `out`; some need none.
    ///
    /// # Errors
    /// What an error object says; [`Error::Failed`] for what is no chunk.
    pub(super) fn push(&mut self, data: &[u8], out: &mut BytesMut) -> Result<Step> {
        if data.is_empty() {
            return Ok(Step::More); // a comment, or a heartbeat
        }
        if self.swap(data, out) {
            return Ok(Step::More);
        }
        if data.trim_ascii() == b"[DONE]" {
            self.end(out);
            return Ok(Step::Done);
        }
        self.parse(data, out).map(|()| Step::More)
    }

    /// Writes what a whole stream ends with.
    pub(super) fn end(&mut self, out: &mut BytesMut) {
        if let Some(usage) = self.owed_usage.take().filter(|_| self.wants_usage) {
            out.put_slice(&self.head);
            out.put_slice(b",\"choices\":[],\"usage\":");
            out.put_slice(usage.as_bytes());
            out.put_slice(b"}\n\n");
        }
        out.put_slice(&wire::sse::DONE);
    }

    /// Whether the stream is whole even without an end mark.
    pub(super) fn has_finished(&self) -> bool {
        self.has_finished
    }

    /// The usage, once, when it is known.
    pub(super) fn take_usage(&mut self) -> Option<Usage> {
        self.usage.take()
    }

    /// The short way: everything around the choices is as it was.
    fn swap(&mut self, data: &[u8], out: &mut BytesMut) -> bool {
        let Some(Around { theirs, ours }) = &self.around else { return false };
        let Some(rest) = data.strip_prefix(&*theirs.0) else { return false };
        let Some(choices) = rest.strip_suffix(&*theirs.1) else { return false };
        // In its brackets, and text; what else is broken within them is the client's parser's to find.
        let is_list = choices.len() > 2 && choices[0] == b'[' && choices[choices.len() - 1] == b']';
        if !is_list
            || std::str::from_utf8(choices).is_err()
            || MARKS.usage.find(choices).is_some()
            || MARKS.calls.find(choices).is_some()
        {
            return false;
        }
        self.has_finished = self.has_finished || MARKS.has_finish(choices);
        out.reserve(ours.0.len() + choices.len() + ours.1.len());
        out.put_slice(&ours.0);
        out.put_slice(choices);
        out.put_slice(&ours.1);
        true
    }

    /// The long way.
    fn parse(&mut self, data: &[u8], out: &mut BytesMut) -> Result<()> {
        let text = serde_json::from_slice::<&RawValue>(data).map_err(Error::failed)?.get();
        let (mut choices, mut usage) = (None, None);
        for member in members(text) {
            match member.key {
                "error" if member.value != "null" => return Err(failure::in_answer(member.value)),
                "choices" => choices = Some(member),
                "usage" if member.value != "null" => usage = Some(member.value),
                _ => {}
            }
        }
        let Some(choices) = choices.filter(|choices| choices.value.starts_with('[')) else {
            return Err(Error::failed("the stream holds what is no chunk"));
        };
        if let Some(told) = usage.and_then(whole::read_usage) {
            self.usage = Some(told);
        }
        if elements(choices.value).next().is_none() {
            self.without_choices(text, usage, out);
            return Ok(());
        }
        let finishes = MARKS.has_finish(choices.value.as_bytes());
        self.has_finished |= finishes;
        // With the end of a choice the usage is final, and belongs on the chunk after it; before, it is a running count
        // that the caller asked for with an option of the upstream's own.
        let keeps_usage = self.wants_usage && usage.is_some() && !finishes;
        if let (Some(usage), false) = (usage, keeps_usage) {
            self.owed_usage = Some(usage.to_owned());
        }
        let ours = self.ours(text, &choices, usage.filter(|_| keeps_usage));
        let mended = self.mend(choices.value);
        out.put_slice(&ours.0);
        out.put_slice(mended.as_deref().unwrap_or(choices.value).as_bytes());
        out.put_slice(&ours.1);
        if usage.is_none() {
            let theirs = (text[..choices.at.start].into(), text[choices.at.end..].into());
            self.around = Some(Around { theirs, ours });
        }
        self.is_first = false;
        Ok(())
    }

    /// A chunk without choices tells the usage, or something of the upstream's own.
    fn without_choices(&mut self, text: &str, usage: Option<&str>, out: &mut BytesMut) {
        if usage.is_some() {
            self.owed_usage = None;
            if !self.wants_usage {
                return;
            }
        }
        out.put_slice(&self.head);
        out.put_slice(b",\"choices\":[]");
        let mut rest = Vec::new();
        for member in members(text) {
            if !is_stamped(&member) && member.key != "choices" && (member.key != "usage" || self.wants_usage) {
                whole::append(&mut rest, member.key, member.value);
            }
        }
        out.put_slice(&rest);
        out.put_slice(b"}\n\n");
    }

    /// What of ours stands around the choices.
    fn ours(&self, text: &str, choices: &Member<'_>, usage: Option<&str>) -> (Vec<u8>, Vec<u8>) {
        let (mut before, mut after) = (self.head.clone(), Vec::new());
        for member in members(text) {
            if is_stamped(&member) || matches!(member.key, "choices" | "usage") {
                continue;
            }
            let side = if member.at.start < choices.at.start { &mut before } else { &mut after };
            whole::append(side, member.key, member.value);
        }
        before.extend_from_slice(b",\"choices\":");
        if self.wants_usage {
            after.extend_from_slice(b",\"usage\":");
            after.extend_from_slice(usage.unwrap_or("null").as_bytes());
        }
        after.extend_from_slice(b"}\n\n");
        (before, after)
    }

    /// The choices with what clients rely on, where it is missing: the role on the first chunk, the calls' numbers.
    fn mend(&mut self, choices: &str) -> Option<String> {
        if !self.is_first && MARKS.calls.find(choices.as_bytes()).is_none() {
            return None;
        }
        let mut choices: Value = serde_json::from_str(choices).ok()?;
        let mut mended = false;
        for choice in choices.as_array_mut()? {
            let index = choice["index"].as_u64().unwrap_or(0);
            let Some(delta) = choice.get_mut("delta").and_then(Value::as_object_mut) else { continue };
            if self.is_first && delta.get("role").is_none_or(Value::is_null) {
                delta.insert("role".to_owned(), "assistant".into());
                mended = true;
            }
            if delta.get("tool_calls").is_some_and(|calls| calls.as_array().is_none_or(Vec::is_empty)) {
                delta.remove("tool_calls");
                mended = true;
            }
            for call in delta.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
                mended |= self.calls.number(index, call);
            }
        }
        mended.then(|| choices.to_string())
    }
}

fn is_stamped(member: &Member<'_>) -> bool {
    matches!(member.key, "id" | "object" | "created" | "model")
}

impl Marks {
    /// Whether a choice says why it ended.
    fn has_finish(&self, choices: &[u8]) -> bool {
        self.finish.find_iter(choices).any(|at| {
            let rest = choices[at + b"\"finish_reason\"".len()..].trim_ascii_start();
            let Some(value) = rest.strip_prefix(b":") else { return false };
            !value.trim_ascii_start().starts_with(b"null")
        })
    }
}

/// The numbers of calls, for upstreams that leave them out.
#[derive(Default)]
struct CallNumbers(Vec<(u64, u64)>);

impl CallNumbers {
    /// Gives `call` of the choice `choice` its number if it has none; tells whether it did.
    fn number(&mut self, choice: u64, call: &mut Value) -> bool {
        let Some(call) = call.as_object_mut() else { return false };
        if call.get("index").is_some_and(Value::is_u64) {
            return false;
        }
        let begins = call.get("id").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
        let at = if let Some((_, last)) = self.0.iter_mut().find(|(of, _)| *of == choice) {
            *last += u64::from(begins);
            *last
        } else {
            self.0.push((choice, 0));
            0
        };
        call.insert("index".to_owned(), at.into());
        true
    }
}

#[cfg(test)]
mod tests {
    use domain::{Clock, Timestamp, ids::ChatCompletionId};
    use serde_json::json;

    use super::*;

    fn chunks(wants_usage: bool) -> Chunks {
        let clock = Clock::fixed(Timestamp::from_seconds(1));
        let stamp = Stamp { id: ChatCompletionId::new(&clock), created: 42, model: "ours".into() };
        Chunks::new(&stamp, wants_usage)
    }

    /// The events for `data`, without their common head, and the last step.
    fn run(chunks: &mut Chunks, data: &[&str]) -> Result<(Vec<Value>, Step)> {
        let mut out = BytesMut::new();
        let mut step = Step::More;
        for data in data {
            step = chunks.push(data.as_bytes(), &mut out)?;
        }
        let text = String::from_utf8(out.to_vec()).unwrap();
        let events = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
        let events = events.map(|event| match event {
            "[DONE]" => json!("[DONE]"),
            event => {
                let mut value: Value = serde_json::from_str(event).unwrap();
                assert!(value["id"].as_str().unwrap().starts_with("chatcmpl-"));
                assert_eq!((&value["created"], &value["model"]), (&json!(42), &json!("ours")));
                assert_eq!(value["object"], "chat.completion.chunk");
                for key in ["id", "object", "created", "model"] {
                    value.as_object_mut().unwrap().remove(key);
                }
                value
            }
        });
        Ok((events.collect(), step))
    }

    fn chunk(text: &str, finish: &str) -> String {
        format!(
            r#"{{"id":"x","object":"chat.completion.chunk","created":1,"model":"theirs","system_fingerprint":"fp","choices":[{{"index":0,"delta":{{"role":"assistant","content":"{text}"}},"finish_reason":{finish}}}]}}"#
        )
    }

    #[test]
    fn chunks_are_stamped_the_long_and_the_short_way() {
        let mut chunks = chunks(false);
        let data = [chunk("a", "null"), chunk("b", "null"), chunk("\\\"usage\\\"", "null"), chunk("c", "\"stop\"")];
        let (events, step) = run(&mut chunks, &[&data[0], &data[1], &data[2], &data[3], "[DONE]"]).unwrap();
        assert_eq!(events.len(), 5);
        for (event, text) in events.iter().zip(["a", "b", "\"usage\"", "c"]) {
            assert_eq!(event["choices"][0]["delta"]["content"], text);
            assert_eq!(event["system_fingerprint"], "fp");
        }
        assert_eq!((&events[4], step), (&json!("[DONE]"), Step::Done));
        assert!(chunks.has_finished());
    }

    #[test]
    fn a_chunk_as_before_is_not_parsed() {
        let mut chunks = chunks(false);
        let mut out = BytesMut::new();
        assert!(!chunks.swap(chunk("a", "null").as_bytes(), &mut out));
        run(&mut chunks, &[&chunk("a", "null")]).unwrap();
        assert!(chunks.swap(chunk("b", "null").as_bytes(), &mut out));
        assert!(!chunks.has_finished());
        assert!(chunks.swap(chunk("b", "\"stop\"").as_bytes(), &mut out));
        assert!(chunks.has_finished());
        let other = chunk("b", "null").replace("\"created\":1", "\"created\":2");
        assert!(!chunks.swap(other.as_bytes(), &mut out));
        run(&mut chunks, &[&other]).unwrap();
        assert!(chunks.swap(other.as_bytes(), &mut out));
    }

    #[test]
    fn members_in_any_order_and_with_blanks() {
        let mut chunks = chunks(false);
        let data = |text: &str, created: u32| {
            format!(
                r#"{{"choices": [{{"delta": {{"content": "{text}"}}, "finish_reason" : null}}], "created": {created}, "id": "x", "model": "m", "x": 1}}"#
            )
        };
        let (events, _) = run(&mut chunks, &[&data("a", 1), &data("b", 1), &data("c", 2)]).unwrap();
        assert_eq!(
            events[0],
            json!({"choices": [{"delta": {"content": "a", "role": "assistant"}, "finish_reason": null}], "x": 1})
        );
        assert_eq!(events[2], json!({"choices": [{"delta": {"content": "c"}, "finish_reason": null}], "x": 1}));
        assert!(!chunks.has_finished());
    }

    #[test]
    fn the_usage_is_for_those_who_asked() {
        let usage = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"timings":{}}"#;
        let nulled = chunk("a", "null").replace("]}", "],\"usage\":null}");
        let end = chunk("b", "\"stop\"");
        let mut asked = chunks(true);
        let (events, _) = run(&mut asked, &[&nulled, &nulled, &end, usage, "[DONE]"]).unwrap();
        assert_eq!(events.len(), 5);
        for event in &events[..3] {
            assert_eq!(event["usage"], Value::Null);
            assert!(event.as_object().unwrap().contains_key("usage"));
        }
        assert_eq!(events[3]["usage"]["total_tokens"], 3);
        assert_eq!((&events[3]["choices"], &events[3]["timings"]), (&json!([]), &json!({})));
        assert_eq!(asked.take_usage().unwrap().total_tokens, 3);

        let mut silent = chunks(false);
        let (events, _) = run(&mut silent, &[&nulled, &nulled, &end, usage, "[DONE]"]).unwrap();
        assert_eq!(events.len(), 4);
        assert!(events.iter().all(|event| event.get("usage").is_none()));
        assert_eq!(silent.take_usage().unwrap().prompt_tokens, 1);
        // None is invented.
        let (events, _) = run(&mut chunks(true), &[&end, "[DONE]"]).unwrap();
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn a_usage_beside_choices_gets_a_chunk_of_its_own() {
        let end = chunk("b", "\"stop\"")
            .replace("]}", r#"],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#);
        let (events, _) = run(&mut chunks(true), &[&end, "[DONE]"]).unwrap();
        assert_eq!(events[0]["usage"], Value::Null);
        assert_eq!(events[1]["usage"]["total_tokens"], 3);
        assert_eq!(events[1]["choices"], json!([]));
        assert_eq!(events[2], "[DONE]");
        let mut silent = chunks(false);
        let (events, _) = run(&mut silent, &[&end, "[DONE]"]).unwrap();
        assert_eq!(events.len(), 2);
        assert!(events[0].get("usage").is_none());
        assert_eq!(silent.take_usage().unwrap().total_tokens, 3);
        // A running count, asked for with an option of the upstream's, stays where it is.
        let running = chunk("a", "null").replace("]}", r#"],"usage":{"prompt_tokens":1}}"#);
        let (events, _) = run(&mut chunks(true), &[&running, "[DONE]"]).unwrap();
        assert_eq!(events[0]["usage"]["prompt_tokens"], 1);
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn calls_are_numbered() {
        let call = |inner: &str| {
            format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":{inner}}},"finish_reason":null}}]}}"#)
        };
        let data = [
            call(r#"[{"id":"a","function":{"name":"f"}}]"#),
            call(r#"[{"function":{"arguments":"{"}}]"#),
            call(r#"[{"id":"b","function":{"name":"g"}}]"#),
            call(r#"[{"index":7,"id":"c"}]"#),
            call("[]"),
        ];
        let data: Vec<&str> = data.iter().map(String::as_str).collect();
        let (events, _) = run(&mut chunks(false), &data).unwrap();
        let index = |at: usize| &events[at]["choices"][0]["delta"]["tool_calls"][0]["index"];
        assert_eq!([index(0), index(1), index(2), index(3)], [&json!(0), &json!(0), &json!(1), &json!(7)]);
        assert_eq!(events[4]["choices"][0]["delta"], json!({}));
    }

    #[test]
    fn what_is_no_chunk_is_a_failure() {
        for data in [
            "nope",
            "{}",
            "[]",
            "3",
            r#"{"choices":3}"#,
            r#"{"choices":[{]}"#,
            r#"{"error":{"message":"boo"}}"#,
            r#"{"error":"boo"}"#,
        ] {
            let mut chunks = chunks(false);
            run(&mut chunks, &[&chunk("a", "null")]).unwrap();
            assert!(matches!(run(&mut chunks, &[data]), Err(Error::Failed(_))), "{data}");
        }
        let mut chunks = chunks(false);
        run(&mut chunks, &[&chunk("a", "null")]).unwrap();
        let mut no_text = chunk("AA", "null").into_bytes();
        let at = no_text.windows(2).position(|bytes| bytes == b"AA").unwrap();
        no_text[at..at + 2].copy_from_slice(b"\xff\xfe");
        assert!(matches!(chunks.push(&no_text, &mut BytesMut::new()), Err(Error::Failed(_))));
        let busy = r#"{"error":{"code":"429","message":"slow down"}}"#;
        assert!(matches!(run(&mut self::chunks(false), &[busy]), Err(Error::Busy { .. })));
        assert_eq!(run(&mut self::chunks(false), &[""]).unwrap().0.len(), 0);
    }
}
