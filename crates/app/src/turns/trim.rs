//! What of a history a model is told, when it has no room for all.

use super::messages::{Content, PromptMessage};
use domain::Error;

/// What a model is assumed to read at most when nobody knows, in tokens (contract E12).
pub(super) const USUAL_WINDOW: usize = 220_000;
/// How much of the window the history and the question may fill; the rest is for tools and the answer.
const SHARE: f64 = 0.66;
/// Longest result of a call, in tokens: the rest of it is cut off.
const MAX_RESULT: usize = 20_000;
/// Most images of users that are told, and of results of calls: the newest.
const MAX_IMAGES: usize = 15;
const MAX_RESULT_IMAGES: usize = 10;
/// What a message costs beside its words, and what an image costs, in tokens.
const MESSAGE: usize = 4;
const IMAGE: usize = 800;

/// How many tokens a text has, as the model counts; nothing when nobody knows.
pub(super) type Count<'a> = &'a dyn Fn(&str) -> Option<usize>;

/// The messages a model is told.
#[derive(Debug)]
pub(super) struct Fitted {
    pub(super) messages: Vec<PromptMessage>,
    /// Whether something was left out or cut.
    pub(super) trimmed: bool,
}

/// Leaves out the oldest of `history` until it and `question` fit into `window` tokens. A call stays together with its
/// results.
///
/// # Errors
/// `context_length_exceeded` when the question alone does not fit.
pub(super) fn fit(
    mut history: Vec<PromptMessage>,
    question: usize,
    window: usize,
    count: Count<'_>,
) -> Result<Fitted, Error> {
    let room = (window as f64 * SHARE) as usize;
    let mut trimmed = cut_results(&mut history[..]) | leave_out_images(&mut history);
    let mut asked = history.len() - question.min(history.len());
    // A result that is the question needs its call.
    while asked > 0 && history.get(asked).is_some_and(PromptMessage::follows) {
        asked -= 1;
    }
    let mut used = 0;
    for said in &history[asked..] {
        used += cost(said, room, count);
        if used > window {
            let message = format!("The message does not fit into the model's context of {window} tokens.");
            return Err(Error::invalid("context_length_exceeded", message).param("messages"));
        }
    }
    let mut whole = asked;
    // The newest first: what nobody has room for is not counted.
    for (from, said) in history[..asked].iter().enumerate().rev() {
        used += cost(said, room, count);
        if used > room {
            break;
        }
        // A result without its call means nothing.
        if !said.follows() {
            whole = from;
        }
    }
    trimmed |= whole > 0;
    history.drain(..whole);
    Ok(Fitted { messages: history, trimmed })
}

/// What a message costs: exactly where it matters and somebody can say it.
fn cost(said: &PromptMessage, room: usize, count: Count<'_>) -> usize {
    let (words, images) = said.words();
    let words: usize = words.into_iter().map(|text| tokens(text, room, count)).sum();
    MESSAGE + words + images * IMAGE
}

/// A token has at least a byte: what is far from filling the room need not be counted.
fn tokens(text: &str, room: usize, count: Count<'_>) -> usize {
    if text.len() * 64 < room { estimate(text) } else { count(text).unwrap_or_else(|| estimate(text)) }
}

/// Four letters to a token; one and a half of a script that has a sign for a word.
fn estimate(text: &str) -> usize {
    if text.is_ascii() {
        return text.len().div_ceil(4);
    }
    let is_sign =
        |letter: &char| matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}');
    // The first of them begins with the byte E2, and most texts of scripts with letters have none so high.
    let may_have_signs = text.bytes().any(|byte| byte >= 0xe2);
    let signs = if may_have_signs { text.chars().filter(is_sign).count() } else { 0 };
    let letters = text.chars().count() - signs;
    letters.div_ceil(4) + (signs * 2).div_ceil(3)
}

fn cut_results(history: &mut [PromptMessage]) -> bool {
    let mut cut = false;
    for said in history {
        // A token has at least a byte.
        let Some(text) = said.long_result(MAX_RESULT) else { continue };
        let tokens = estimate(&text);
        if tokens > MAX_RESULT {
            let end = text.floor_char_boundary(text.len() * MAX_RESULT / tokens);
            said.content = Content::Text(format!("{}\n[cut off here]", &text[..end]));
            cut = true;
        }
    }
    cut
}

fn leave_out_images(history: &mut [PromptMessage]) -> bool {
    let (mut of_users, mut of_results) = (MAX_IMAGES, MAX_RESULT_IMAGES);
    let mut left_out = false;
    for said in history.iter_mut().rev() {
        left_out |= said.keep_images(if said.follows() { &mut of_results } else { &mut of_users });
    }
    left_out
}

#[cfg(test)]
mod tests {
    use domain::{
        Clock,
        ids::ItemId,
        item::{Head, Item, Making},
    };

    use serde_json::json;

    use super::{
        super::{images::NO_IMAGE, messages::Messages},
        *,
    };
    use crate::chat::body::RawMessage;

    fn item(kind: &str, role: Option<&str>, call_id: Option<&str>, body: &serde_json::Value) -> Item {
        let head = Head {
            kind: kind.to_owned(),
            role: role.map(str::to_owned),
            status: None,
            call_id: call_id.map(str::to_owned),
        };
        let (id, created_at) = (ItemId::new(&Clock::System), Clock::System.now());
        Item {
            id,
            branch: "MAIN".to_owned(),
            sequence: 1,
            head,
            body: body.to_string(),
            making: Making::default(),
            rating: None,
            created_at,
            ended_at: None,
            edited_at: None,
        }
    }

    fn user(text: &str) -> Item {
        item("message", Some("user"), None, &json!({"content": [{"type": "input_text", "text": text}]}))
    }

    fn told(
        items: &[Item],
        question: usize,
        window: usize,
        count: Count<'_>,
    ) -> Result<(serde_json::Value, bool), Error> {
        let mut messages = Messages::default();
        for item in items {
            messages.item(item);
        }
        let fitted = fit(messages.finish(), question, window, count)?;
        Ok((fitted.messages.into_iter().map(as_told).collect(), fitted.trimmed))
    }

    fn as_told(said: PromptMessage) -> serde_json::Value {
        serde_json::from_str(&said.into_raw().unwrap().json).unwrap()
    }

    const UNKNOWN: Count<'static> = &|_| None;

    #[test]
    fn the_newest_that_fit_are_told() {
        let long = "word ".repeat(200);
        let items: Vec<Item> = (0..10).map(|_| user(&long)).collect();
        let (all, trimmed) = told(&items, 1, 100_000, UNKNOWN).unwrap();
        assert_eq!((all.as_array().unwrap().len(), trimmed), (10, false));
        let (some, trimmed) = told(&items, 1, 1_000, UNKNOWN).unwrap();
        assert_eq!((some.as_array().unwrap().len(), trimmed), (2, true));
        let (exact, _) = told(&items, 1, 1_000, &|_| Some(100)).unwrap();
        assert_eq!(exact.as_array().unwrap().len(), 6);
        let error = told(&items, 1, 100, UNKNOWN).unwrap_err();
        assert_eq!((error.code(), error.param_name()), ("context_length_exceeded", Some("messages")));
    }

    #[test]
    fn a_call_stays_with_its_result_and_has_one_always() {
        let call = |id: &str| item("mcp_call", None, Some(id), &json!({"name": "f", "arguments": "{\"a\":1}"}));
        let output = item("function_call_output", None, Some("b"), &json!({"output": "found"}));
        let answer = item(
            "message",
            Some("assistant"),
            None,
            &json!({"content": [
                {"type": "output_text", "text": "Let me look.", "annotations": []}
            ]}),
        );
        let items = [user("Look"), answer, call("a"), call("b"), output, user("Well?")];
        let (all, _) = told(&items, 1, 10_000, UNKNOWN).unwrap();
        let calls =
            |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}});
        assert_eq!(
            all,
            json!([
                {"role": "user", "content": "Look"},
                {"role": "assistant", "content": "Let me look.", "tool_calls": [calls("a"), calls("b")]},
                {"role": "tool", "content": "The call was not completed.", "tool_call_id": "a"},
                {"role": "tool", "content": "found", "tool_call_id": "b"},
                {"role": "user", "content": "Well?"},
            ])
        );
        // There is room for the results, and not for their calls.
        let (some, trimmed) = told(&items, 1, 50, UNKNOWN).unwrap();
        assert_eq!((some, trimmed), (json!([{"role": "user", "content": "Well?"}]), true));
    }

    #[test]
    fn parts_of_all_kinds_are_told_as_chats_have_them() {
        let message = item(
            "message",
            Some("user"),
            None,
            &json!({"content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                {"type": "image", "url": "https://x.example/b.png", "detail": "high"},
                {"type": "image", "url": "jan_01h"},
                {"type": "image", "file_id": "jan_01h"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,AA=="},
                {"type": "text", "text": {"text": "Well?", "annotations": []}},
            ]}),
        );
        let (all, _) = told(&[message], 1, 10_000, UNKNOWN).unwrap();
        assert_eq!(
            all[0]["content"],
            json!([
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                {"type": "image_url", "image_url": {"url": "https://x.example/b.png", "detail": "high"}},
                {"type": "text", "text": NO_IMAGE},
                {"type": "text", "text": NO_IMAGE},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:text/plain;base64,AA==", "filename": "a.txt"}},
                {"type": "text", "text": "Well?"},
            ])
        );
    }

    #[test]
    fn only_the_newest_images_and_the_beginning_of_long_results_are_told() {
        let image = || {
            item(
                "message",
                Some("user"),
                None,
                &json!({"content": [
                    {"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "https://x.example/a.png"}
                ]}),
            )
        };
        let items: Vec<Item> = (0..17).map(|_| image()).collect();
        let (all, trimmed) = told(&items, 1, 1_000_000, UNKNOWN).unwrap();
        assert!(trimmed);
        let shown = all.as_array().unwrap().iter().filter(|message| message["content"][1]["type"] == "image_url");
        assert_eq!(shown.count(), MAX_IMAGES);
        assert_eq!(all[0]["content"][1]["text"], NO_IMAGE);
        let call = item("function_call", None, Some("a"), &json!({"name": "f", "arguments": "{}"}));
        let output = item("function_call_output", None, Some("a"), &json!({"output": "x".repeat(200_001)}));
        let (all, trimmed) = told(&[user("x"), call, output, user("y")], 1, 1_000_000, UNKNOWN).unwrap();
        let cut = all[2]["content"].as_str().unwrap().strip_suffix("\n[cut off here]").unwrap();
        assert!(trimmed && (MAX_RESULT * 4 - 4..=MAX_RESULT * 4).contains(&cut.len()), "{}", cut.len());
    }

    #[test]
    fn images_are_counted_and_left_out_as_the_client_sends_them() {
        let images = |count: usize| -> serde_json::Value {
            // Far longer than the model's window, if it were read as text.
            let url = format!("data:image/png;base64,{}", "A".repeat(50_000));
            let image = json!({"type": "image_url", "image_url": {"url": url}});
            std::iter::once(json!({"type": "text", "text": "x"})).chain(vec![image; count]).collect()
        };
        let mut messages = Messages::default();
        messages.item(&item("function_call", None, Some("a"), &json!({"name": "f", "arguments": "{}"})));
        let mut send = |message: serde_json::Value| messages.sent(RawMessage::read(message.to_string()).unwrap());
        send(json!({"role": "tool", "tool_call_id": "a", "content": images(12), "odd": 1.5}));
        send(json!({"role": "user", "content": images(16), "name": "ada"}));
        let fitted = fit(messages.finish(), 1, 40_000, UNKNOWN).unwrap();
        assert!(fitted.trimmed);
        let told: Vec<serde_json::Value> = fitted.messages.into_iter().map(as_told).collect();
        for (at, field, kept, left_out) in [(1, "odd", 10, 2), (2, "name", 15, 1)] {
            let message = &told[at];
            let parts = message["content"].as_array().unwrap();
            let kinds: Vec<&str> = parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
            assert_eq!(kinds, [vec!["text"; 1 + left_out], vec!["image_url"; kept]].concat());
            assert_eq!(parts[left_out]["text"], NO_IMAGE);
            assert!(message.get(field).is_some(), "everything else stays");
        }
    }

    #[test]
    fn long_results_are_cut_as_the_client_sends_them() {
        let text = "\u{e9}".repeat(90_000);
        for content in [json!(text), json!([{"type": "text", "text": text}])] {
            let mut messages = Messages::default();
            messages.item(&item("function_call", None, Some("a"), &json!({"name": "f", "arguments": "{}"})));
            let sent = json!({"role": "tool", "tool_call_id": "a", "content": content});
            messages.sent(RawMessage::read(sent.to_string()).unwrap());
            let mut fitted = fit(messages.finish(), 1, 1_000_000, UNKNOWN).unwrap();
            assert!(fitted.trimmed);
            let told = as_told(fitted.messages.remove(1));
            assert_eq!((&told["role"], &told["tool_call_id"]), (&json!("tool"), &json!("a")));
            let words = told["content"].as_str().unwrap();
            assert!(words.ends_with("[cut off here]") && words.chars().count() < 81_000, "{}", words.len());
        }
    }

    #[test]
    fn thoughts_and_empty_answers_are_not_told() {
        let thought = item(
            "reasoning",
            None,
            None,
            &json!({"summary": [], "content": [{"type": "reasoning_text", "text": "t"}]}),
        );
        let empty = item(
            "message",
            Some("assistant"),
            None,
            &json!({"content": [
                {"type": "output_text", "text": "", "annotations": []}
            ]}),
        );
        let (all, _) = told(&[user("x"), thought, empty, user("y")], 1, 10_000, UNKNOWN).unwrap();
        assert_eq!(all, json!([{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]));
    }
}
