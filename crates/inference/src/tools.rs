//! Tool calls in the model's text: what to ask for, and how to read what comes.
//!
//! Two forms are read: `<tool_call>{"name": …, "arguments": …}</tool_call>` (Hermes, Qwen), any number of
//! them beside ordinary text, and an answer that is as a whole one such JSON object, bare or in a fenced
//! block. What does not parse as a call of an offered tool stays text.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::request::ToolChoice;
use crate::stop::overlap;

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";
const FENCE: &str = "```json";
/// The most tools a request may offer, as with OpenAI.
const MAX_TOOLS: usize = 128;

/// A call that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// The tools of a request, checked.
pub(crate) struct Tools {
    functions: Vec<(String, Value)>,
}

impl Tools {
    pub(crate) fn read(tools: &Value) -> Result<Self, Error> {
        let list = tools.as_array().ok_or_else(|| Error::request("tools", "not an array"))?;
        if list.len() > MAX_TOOLS {
            return Err(Error::request("tools", format!("at most {MAX_TOOLS} tools are accepted")));
        }
        let function = |tool: &Value| {
            let function = tool.get("function")?;
            let name = function.get("name")?.as_str()?.to_owned();
            let parameters = function.get("parameters").filter(|p| !p.is_null()).cloned();
            Some((name, parameters.unwrap_or_else(|| json!({"type": "object"}))))
        };
        let functions: Option<Vec<_>> = list.iter().map(function).collect();
        let functions = functions.ok_or_else(|| Error::request("tools", "a tool without `function.name`"))?;
        Ok(Self { functions })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.functions.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The schema of a forced call, or nothing if the choice forces none.
    pub(crate) fn forced(&self, choice: &ToolChoice) -> Result<Option<Value>, Error> {
        let chosen: Vec<_> = match choice {
            ToolChoice::None | ToolChoice::Auto => return Ok(None),
            ToolChoice::Required => self.functions.iter().collect(),
            ToolChoice::Function(name) => self.functions.iter().filter(|(n, _)| n == name).collect(),
        };
        if chosen.is_empty() {
            return Err(Error::request("tool_choice", "it asks for a tool that `tools` does not offer"));
        }
        // References are resolved from the root of the schema, so definitions must move there.
        let mut root = Map::new();
        let mut calls = Vec::new();
        for (name, parameters) in chosen {
            let mut parameters = parameters.clone();
            for key in ["$defs", "definitions"] {
                let Some(Value::Object(definitions)) = parameters.as_object_mut().and_then(|p| p.remove(key)) else {
                    continue;
                };
                let Some(known) = root.entry(key).or_insert_with(|| json!({})).as_object_mut() else {
                    continue;
                };
                for (name, definition) in definitions {
                    if known.get(&name).is_some_and(|other| *other != definition) {
                        let message = format!("two tools define {name:?} differently");
                        return Err(Error::request("tools", message));
                    }
                    known.insert(name, definition);
                }
            }
            calls.push(json!({
                "type": "object",
                "properties": {"name": {"const": name}, "arguments": parameters},
                "required": ["name", "arguments"],
                "additionalProperties": false,
            }));
        }
        root.insert("anyOf".to_owned(), Value::Array(calls));
        Ok(Some(Value::Object(root)))
    }
}

/// What to write at the end of the prompt before a forced call.
pub(crate) const FORCED_PREFIX: &str = "<tool_call>\n";

/// For templates that know no tools: what to add to the system message, in the form that is read here.
pub(crate) fn instructions(tools: &Value) -> String {
    let lines: Vec<String> = tools.as_array().into_iter().flatten().map(Value::to_string).collect();
    let lines = lines.join("\n");
    format!(
        "You may call these functions:\n<tools>\n{lines}\n</tools>\nTo call one, answer with\n{OPEN}\n\
         {{\"name\": <function-name>, \"arguments\": <args-json-object>}}\n{CLOSE}"
    )
}

/// Text or a call, as they are found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    Call(Call),
}

/// Separates calls from text as the answer is generated.
pub(crate) struct ToolFilter {
    names: Vec<String>,
    state: State,
    held: String,
}

enum State {
    /// Only white space so far: the whole answer may be one call.
    Start,
    /// Ordinary text, in which a call may begin.
    Text,
    /// Inside the markers.
    Marked,
    /// The whole answer may be a bare call; decided at the end.
    Bare,
}

impl ToolFilter {
    /// Reads calls of these functions. `forced`: the answer is a bare call.
    pub(crate) fn new(names: Vec<String>, forced: bool) -> Self {
        let state = match (names.is_empty(), forced) {
            (true, _) => State::Text,
            (false, true) => State::Bare,
            (false, false) => State::Start,
        };
        Self { names, state, held: String::new() }
    }

    pub(crate) fn push(&mut self, text: &str) -> Vec<Piece> {
        if self.names.is_empty() {
            return if text.is_empty() { vec![] } else { vec![Piece::Text(text.to_owned())] };
        }
        self.held.push_str(text);
        let mut pieces = Vec::new();
        while self.advance(&mut pieces) {}
        pieces
    }

    /// Everything still held, since nothing more follows.
    pub(crate) fn finish(&mut self) -> Vec<Piece> {
        let held = std::mem::take(&mut self.held);
        let content = match self.state {
            State::Bare => unfence(&held),
            State::Marked => held.strip_prefix(OPEN).unwrap_or(&held),
            State::Start | State::Text => "",
        };
        match self.read(content) {
            Some(call) => vec![Piece::Call(call)],
            None if held.is_empty() => vec![],
            None => vec![Piece::Text(held)],
        }
    }

    /// One step; false if more text is needed.
    fn advance(&mut self, pieces: &mut Vec<Piece>) -> bool {
        match self.state {
            State::Start => {
                let begun = self.held.trim_start();
                if begun.is_empty() || (begun.len() < FENCE.len() && FENCE.starts_with(begun)) {
                    return false;
                }
                let bare = begun.starts_with('{') || begun.starts_with(FENCE);
                self.state = if bare { State::Bare } else { State::Text };
                true
            }
            State::Bare => false,
            State::Text => {
                let found = self.held.find(OPEN);
                let end = found.unwrap_or_else(|| self.held.len() - overlap(&self.held, OPEN));
                let rest = self.held.split_off(end);
                let text = std::mem::replace(&mut self.held, rest);
                // White space around calls is layout, not content.
                let layout = found.is_some() && text.trim().is_empty();
                if !layout && !text.is_empty() {
                    pieces.push(Piece::Text(text));
                }
                if found.is_some() {
                    self.state = State::Marked;
                }
                found.is_some()
            }
            State::Marked => {
                let Some(at) = self.held.find(CLOSE) else { return false };
                let end = at + CLOSE.len();
                let piece = match self.read(&self.held[OPEN.len()..at]) {
                    Some(call) => Piece::Call(call),
                    None => Piece::Text(self.held[..end].to_owned()),
                };
                pieces.push(piece);
                self.held.drain(..end);
                self.state = State::Text;
                true
            }
        }
    }

    /// The call that `text` is, if it is one of an offered function.
    fn read(&self, text: &str) -> Option<Call> {
        let value: Value = serde_json::from_str(text.trim()).ok()?;
        let name = value.get("name")?.as_str()?;
        let arguments = match value.get("arguments").or_else(|| value.get("parameters")) {
            None => json!({}),
            Some(Value::String(text)) => serde_json::from_str(text).ok()?,
            Some(other) => other.clone(),
        };
        let known = self.names.iter().any(|n| n == name) && arguments.is_object();
        known.then(|| Call { name: name.to_owned(), arguments: arguments.to_string() })
    }
}

/// The content of a fenced block, or the text itself.
fn unfence(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix(FENCE).and_then(|rest| rest.trim_end().strip_suffix("```")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pieces: &[&str]) -> Vec<Piece> {
        let mut filter = ToolFilter::new(vec!["f".to_owned()], false);
        let mut out: Vec<Piece> = pieces.iter().flat_map(|piece| filter.push(piece)).collect();
        out.extend(filter.finish());
        out
    }

    fn call(arguments: &str) -> Piece {
        Piece::Call(Call { name: "f".to_owned(), arguments: arguments.to_owned() })
    }

    #[test]
    fn marked_calls_beside_text() {
        let found = run(&[
            "Sure: <tool",
            "_call>\n{\"name\": \"f\", \"argu",
            "ments\": {\"x\": 1}}\n</tool_call>\n<tool_call>{\"name\":\"f\"}</tool_call>",
        ]);
        assert_eq!(found, [Piece::Text("Sure: ".to_owned()), call(r#"{"x":1}"#), call("{}")]);
    }

    #[test]
    fn bare_and_fenced_calls() {
        assert_eq!(run(&[" {\"name\":", "\"f\",\"arguments\":{}}"]), [call("{}")]);
        assert_eq!(run(&["```", "json\n{\"name\":\"f\",\"arguments\":\"{}\"}\n```"]), [call("{}")]);
        assert_eq!(run(&["<tool_call>\n{\"name\": \"f\", \"arguments\": {}}"]), [call("{}")]);
    }

    #[test]
    fn what_is_no_call_stays_text() {
        for text in ["{\"name\": \"g\", \"arguments\": {}}", "a < b <tool", "```rust\nfn x() {}\n```", "{"] {
            let all: String = run(&[text])
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Call(call) => panic!("{call:?}"),
                })
                .collect();
            assert_eq!(all, text);
        }
    }

    #[test]
    fn a_forced_call_must_be_offered() {
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let tools = Tools::read(&tools).unwrap();
        assert!(tools.forced(&ToolChoice::Auto).unwrap().is_none());
        assert!(tools.forced(&ToolChoice::Required).unwrap().is_some());
        assert!(tools.forced(&ToolChoice::Function("g".to_owned())).is_err());
    }
}
