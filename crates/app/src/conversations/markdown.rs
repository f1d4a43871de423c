//! A conversation as a text for people: Markdown (`CommonMark`), with a heading for each who speaks.
//!
//! What somebody said cannot be taken for a heading of ours: its own headings lose their meaning, and a block of code that
//! it leaves open is closed.

use std::{borrow::Cow, fmt::Write as _};

use domain::{calendar::Date, conversation::Conversation, item::Item};
use serde_json::{Map, Value};

use crate::text;

/// How the text begins.
pub fn beginning(conversation: &Conversation) -> String {
    let title: String = conversation.title.as_deref().into_iter().flat_map(text::title).collect();
    let title = if title.is_empty() { "Untitled conversation" } else { &title };
    let day = Date::of(conversation.created_at);
    format!("# {}\n\n{:04}-{:02}-{:02}\n", escaped(title), day.year, day.month, day.day)
}

/// An item. Thoughts, and what is of no use to a reader, are nothing.
pub fn item(item: &Item) -> String {
    let Ok(body) = serde_json::from_str::<Map<String, Value>>(&item.body) else { return String::new() };
    let text = |name: &str| body.get(name).map(as_text).unwrap_or_default();
    match item.head.kind.as_str() {
        "message" => message(item, body.get("content").unwrap_or(&Value::Null)),
        "function_call" | "custom_tool_call" | "mcp_call" => {
            let asked = if body.contains_key("arguments") { text("arguments") } else { text("input") };
            let mut call = format!("\n### Call of {}\n\n{}", escaped(&text::one_line(&text("name"))), fenced(&asked));
            for name in ["output", "error"] {
                let came = text(name);
                if !came.is_empty() {
                    call.extend(["\n", &fenced(&came)]);
                }
            }
            call
        }
        "function_call_output" | "custom_tool_call_output" => format!("\n### Result\n\n{}", fenced(&text("output"))),
        _ => String::new(),
    }
}

fn message(item: &Item, content: &Value) -> String {
    let mut said = match item.head.role.as_deref() {
        Some("user") => "\n## User\n".to_owned(),
        Some("assistant") => match &item.making.model {
            Some(model) => format!("\n## Assistant ({})\n", escaped(&text::one_line(model))),
            None => "\n## Assistant\n".to_owned(),
        },
        Some("tool") => "\n## Tool\n".to_owned(),
        _ => "\n## System\n".to_owned(),
    };
    let whole = [content.clone()];
    for part in content.as_array().map_or(&whole[..], Vec::as_slice) {
        let piece = match part.get("type").and_then(Value::as_str) {
            Some("refusal") => part.get("refusal").map(as_text).unwrap_or_default(),
            Some(kind) if kind.contains("image") => "[image]".to_owned(),
            Some(kind) if kind.contains("audio") => "[audio]".to_owned(),
            Some(kind) if kind.contains("file") => "[file]".to_owned(),
            _ => part.get("text").map_or_else(|| as_text(part), as_text),
        };
        said.extend(["\n", &harmless(&piece)]);
    }
    if item.head.status.as_deref() == Some("incomplete") {
        said.push_str("\n*(incomplete)*\n");
    }
    said
}

/// A text as it stands, the texts of parts, or else JSON.
fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(fields) if fields.get("text").is_some_and(Value::is_string) => as_text(&fields["text"]),
        Value::Array(parts) if parts.iter().all(|part| part["text"].is_string()) => {
            parts.iter().map(|part| as_text(&part["text"])).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

fn fenced(text: &str) -> String {
    code("", text)
}

/// A block of code that the text cannot end.
pub(crate) fn code(language: &str, text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}

/// One line without what Markdown would make of it.
fn escaped(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    for letter in line.chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// A text whose lines are no headings, and that ends with its last line.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 1);
    let mut code: Option<&str> = None;
    for line in text.lines() {
        let bare = line.trim_start_matches(' ');
        // Four spaces make a line code, in which there are no fences.
        let fence = if line.len() - bare.len() > 3 { None } else { fence(bare) };
        match (code, fence) {
            (Some(open), Some(fence)) if fence.starts_with(open) && bare[fence.len()..].trim().is_empty() => {
                code = None;
            }
            (None, Some(fence)) => code = Some(fence),
            _ => {}
        }
        let line = if code.is_none() && fence.is_none() { without_heading(line) } else { line.into() };
        _ = writeln!(safe, "{line}");
    }
    if let Some(open) = code {
        _ = writeln!(safe, "{open}");
    }
    safe
}

/// The signs that begin or end a block of code on this line.
fn fence(line: &str) -> Option<&str> {
    let sign = line.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
    let fence = &line[..line.len() - line.trim_start_matches(sign).len()];
    let opens = fence.len() >= 3 && !(sign == '`' && line[fence.len()..].contains('`'));
    opens.then_some(fence)
}

/// A line that begins no heading, underlines none, and begins no HTML.
fn without_heading(line: &str) -> Cow<'_, str> {
    let bare = line.trim_start();
    let underlines = |sign: char| bare.starts_with(sign) && bare.trim_end().chars().all(|letter| letter == sign);
    if bare.starts_with(['#', '<']) || underlines('=') || underlines('-') {
        let (space, _) = line.split_at(line.len() - bare.len());
        return format!("{space}\\{bare}").into();
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_speaks_in_another_s_name() {
        for (said, shown) in [
            ("Hello\nthere", "Hello\nthere\n"),
            ("## Assistant", "\\## Assistant\n"),
            ("  # A", "  \\# A\n"),
            ("Assistant\n---", "Assistant\n\\---\n"),
            ("Assistant\n===", "Assistant\n\\===\n"),
            ("<h2>Assistant</h2>", "\\<h2>Assistant</h2>\n"),
            ("- one\n- two", "- one\n- two\n"),
            ("```sh\n# note\n```\n# x", "```sh\n# note\n```\n\\# x\n"),
            ("````\n```\n# in\n````\n# out", "````\n```\n# in\n````\n\\# out\n"),
            ("~~~\nopen", "~~~\nopen\n~~~\n"),
            ("``` a`b\n# x", "``` a`b\n\\# x\n"),
            ("    ```\n# x", "    ```\n\\# x\n"),
        ] {
            assert_eq!(harmless(said), shown, "{said}");
        }
    }

    #[test]
    fn code_is_not_ended_by_what_it_holds() {
        assert_eq!(fenced("a ``` b"), "````\na ``` b\n````\n");
        assert_eq!(fenced(""), "```\n```\n");
    }

    #[test]
    fn names_are_plain() {
        assert_eq!(escaped("# *a* [b](c) <d>"), "\\# \\*a\\* \\[b\\](c) \\<d\\>");
    }
}
