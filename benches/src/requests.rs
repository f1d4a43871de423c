//! The request bodies: a small chat (1 KB) and an agent's turn (67 KB, with tools and their results).
//! They are plain chat completions, so that any OpenAI-compatible server can be measured.

use bytes::Bytes;
use serde_json::{Value, json};

/// Which body a case sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// About 1 KB.
    Small,
    /// The same, to be kept in a conversation of its own; an upstream does not know that field.
    Stored,
    /// About 67 KB, as a coding agent sends in mid-task.
    Agent,
}

/// One chat completion request for `model`.
pub(crate) fn chat(size: Size, model: &str, stream: bool) -> Bytes {
    let mut request = match size {
        Size::Small | Size::Stored => small(),
        Size::Agent => agent(),
    };
    if size == Size::Stored {
        request["conversation"] = json!({});
    }
    request["model"] = model.into();
    request["stream"] = stream.into();
    Bytes::from(request.to_string())
}

fn small() -> Value {
    json!({
        "messages": [
            { "role": "system", "content": prose(60) },
            { "role": "user", "content": prose(60) },
        ],
        "temperature": 0.7,
        "max_tokens": 256,
    })
}

fn agent() -> Value {
    let mut messages = vec![json!({ "role": "system", "content": prose(1600) })];
    messages.push(json!({ "role": "user", "content": prose(120) }));
    for turn in 0..24 {
        let call = format!("call_{turn:04}");
        let arguments = json!({ "path": format!("src/module_{turn}.rs"), "start": turn * 40, "end": turn * 40 + 200 });
        messages.push(json!({
            "role": "assistant",
            "content": null,
            "tool_calls": [{
                "id": call,
                "type": "function",
                "function": { "name": "tool_3", "arguments": arguments.to_string() },
            }],
        }));
        messages.push(json!({ "role": "tool", "tool_call_id": call, "content": prose(235) }));
    }
    messages.push(json!({ "role": "user", "content": prose(40) }));
    json!({ "messages": messages, "tools": (0..12).map(tool).collect::<Vec<_>>(), "tool_choice": "auto" })
}

fn tool(number: usize) -> Value {
    json!({
        "type": "function",
        "function": {
            "name": format!("tool_{number}"),
            "description": prose(60),
            "parameters": {
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": prose(12) },
                    "start": { "type": "integer", "minimum": 0 },
                    "end": { "type": "integer", "minimum": 0 },
                    "flags": { "type": "array", "items": { "type": "string", "enum": ["a", "b", "c"] } },
                },
                "required": ["path"],
            },
        },
    })
}

/// `words` words with what real text makes a parser do: quotes, line breaks, letters beyond ASCII.
fn prose(words: usize) -> String {
    const WORDS: [&str; 12] = [
        "the",
        "reader",
        "\"quoted\"",
        "across",
        "naïve",
        "function",
        "returns\n",
        "bytes,",
        "never",
        "waits",
        "für",
        "answers",
    ];
    let mut text = String::with_capacity(words * 7);
    for index in 0..words {
        text.push_str(WORDS[(index * 7 + index / 5) % WORDS.len()]);
        text.push(' ');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_are_what_the_goals_name() {
        let small = chat(Size::Small, "mock-json", false).len();
        assert!((900..1200).contains(&small), "{small}");
        let agent = chat(Size::Agent, "mock-json", false).len();
        assert!((64_000..70_000).contains(&agent), "{agent}");
    }
}
