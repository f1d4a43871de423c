//! The content of items: parts of text, images, files, calls.

use std::borrow::Cow;

use domain::{Error, length::check_length};
use serde_json::value::RawValue;

use super::fields::{self, Fields, wrong};

/// Most parts of one item.
const MAX_PARTS: usize = 100;
/// Longest text of a part, in characters.
const MAX_TEXT: usize = 100_000;
/// Longest code or thought, in characters.
const MAX_CODE: usize = 50_000;
const MAX_TOOL_CALLS: usize = 16;
const MAX_ANNOTATIONS: usize = 100;
const MEGABYTE: u64 = 1_000_000;

const TYPES: [&str; 22] = [
    "text",
    "input_text",
    "output_text",
    "reasoning_text",
    "summary_text",
    "tool_result",
    "refusal",
    "thinking",
    "image",
    "input_image",
    "image_url",
    "file",
    "input_file",
    "audio",
    "input_audio",
    "code",
    "computer_screenshot",
    "computer_action",
    "function_call",
    "function_call_output",
    "tool_calls",
    "tool_call_id",
];

/// What the content of an item is.
pub(super) struct Content {
    /// As it is kept: a list of parts.
    pub(super) json: String,
    /// The words in it.
    pub(super) text: Option<String>,
}

/// Reads the content at `path`: a text, which becomes a part of the type that fits the role or that is given, or parts.
pub(super) fn read(
    content: &RawValue,
    path: &str,
    role: Option<&str>,
    content_type: Option<&str>,
) -> Result<Content, Error> {
    if let Some(text) = fields::text(content) {
        check_length(&text, MAX_TEXT, path)?;
        let kind = match (content_type, role) {
            (Some(given @ ("text" | "input_text" | "output_text")), _) => given,
            (Some(_), _) => {
                let path = format!("{}content_type", path.trim_end_matches("content"));
                return Err(wrong(&path, "text, input_text or output_text"));
            }
            (None, role) => usual_kind(role),
        };
        return Ok(Content { json: one_text(kind, content.get()), text: Some(text.into_owned()) });
    }
    let parts: Vec<&RawValue> =
        serde_json::from_str(content.get()).map_err(|_| wrong(path, "a string or an array of parts"))?;
    if parts.is_empty() || parts.len() > MAX_PARTS {
        return Err(Error::invalid_parameter(path, format!("{path} must hold 1 to {MAX_PARTS} parts.")));
    }
    let mut json = Vec::with_capacity(parts.len());
    let mut words: Vec<Cow<'_, str>> = Vec::new();
    for (at, part) in parts.into_iter().enumerate() {
        let path = format!("{path}[{at}]");
        let part_fields = Fields::read(part, &path)?;
        let kind = check_type(&part_fields)?;
        words.extend(check_text(&part_fields, &kind)?);
        check_sizes(&part_fields, &kind)?;
        json.push(completed(part, &part_fields, &kind));
    }
    let text = (!words.is_empty()).then(|| words.join("\n"));
    Ok(Content { json: format!("[{}]", json.join(",")), text })
}

/// The type of part that a text of this role is.
pub(super) fn usual_kind(role: Option<&str>) -> &'static str {
    if role == Some("assistant") { "output_text" } else { "input_text" }
}

/// The content of a text that is written as JSON: its part, of this type.
pub(super) fn one_text(kind: &str, text: &str) -> String {
    let annotations = if kind == "output_text" { r#","annotations":[]"# } else { "" };
    [r#"[{"type":""#, kind, r#"","text":"#, text, annotations, "}]"].concat()
}

fn check_type<'a>(part: &Fields<'a>) -> Result<Cow<'a, str>, Error> {
    let kind = part.text("type")?.ok_or_else(|| part.missing("type"))?;
    if TYPES.contains(&&*kind) || kind == "mcp_call" {
        return Ok(kind);
    }
    let path = part.path("type");
    Err(Error::invalid_parameter(&*path, format!("{path} is no type of part.")))
}

/// The part's text, whatever field the type has it in.
fn check_text<'a>(part: &Fields<'a>, kind: &str) -> Result<Option<Cow<'a, str>>, Error> {
    let (names, most): (&[&str], usize) = match kind {
        "text" | "input_text" | "output_text" | "reasoning_text" | "summary_text" => (&["text"], MAX_TEXT),
        "tool_result" => (&["text", "tool_result"], MAX_TEXT),
        "refusal" => (&["refusal", "text"], MAX_TEXT),
        "thinking" => (&["thinking", "text"], MAX_CODE),
        "code" => (&["code"], MAX_CODE),
        _ => return Ok(None),
    };
    let Some((name, value)) = names.iter().find_map(|name| part.value(name).map(|value| (*name, value))) else {
        return if kind == "code" { Ok(None) } else { Err(part.missing(names[0])) };
    };
    let path = part.path(name);
    let text = match fields::text(value) {
        Some(text) => text,
        // A text with its annotations.
        None if value.get().starts_with('{') && name != "code" => {
            let inner = Fields::read(value, &path)?;
            check_annotations(&inner)?;
            match inner.value("text") {
                Some(text) => fields::text(text).ok_or_else(|| wrong(&inner.path("text"), "a string"))?,
                None if kind == "tool_result" => return Ok(None),
                None => return Err(inner.missing("text")),
            }
        }
        None if kind == "tool_result" => return Ok(None),
        None => return Err(wrong(&path, "a string")),
    };
    check_length(&text, most, &path)?;
    check_annotations(part)?;
    Ok(matches!(kind, "text" | "input_text" | "output_text" | "refusal").then_some(text))
}

fn check_annotations(part: &Fields<'_>) -> Result<(), Error> {
    check_list(part, "annotations", MAX_ANNOTATIONS)
}

fn check_sizes(part: &Fields<'_>, kind: &str) -> Result<(), Error> {
    check_list(part, "tool_calls", MAX_TOOL_CALLS)?;
    let megabytes = match kind {
        "image" | "input_image" | "image_url" => 20,
        "audio" | "input_audio" => 25,
        "file" | "input_file" => 512,
        _ => return Ok(()),
    };
    let Some(size) = part.value("size") else { return Ok(()) };
    let path = part.path("size");
    match size.get().parse::<u64>() {
        Ok(size) if size <= megabytes * MEGABYTE => Ok(()),
        Ok(_) => Err(Error::invalid_parameter(&*path, format!("{path} may be {megabytes} MB at most."))),
        // Some clients say width and height by this name.
        Err(_) => Ok(()),
    }
}

fn check_list(part: &Fields<'_>, name: &str, most: usize) -> Result<(), Error> {
    let Some(list) = part.value(name) else { return Ok(()) };
    let path = part.path(name);
    let entries: Vec<&RawValue> = serde_json::from_str(list.get()).map_err(|_| wrong(&path, "an array"))?;
    if entries.len() > most {
        return Err(Error::invalid_parameter(&*path, format!("{path} may hold {most} entries at most.")));
    }
    Ok(())
}

/// The part with what clients expect of its type.
fn completed<'a>(part: &'a RawValue, fields: &Fields<'_>, kind: &str) -> Cow<'a, str> {
    let default = match kind {
        "output_text" => ("annotations", "[]"),
        "input_image" => ("detail", "\"auto\""),
        _ => return Cow::Borrowed(part.get()),
    };
    if fields.value(default.0).is_some() {
        return Cow::Borrowed(part.get());
    }
    let mut object = String::new();
    for (name, value) in fields.iter().filter(|(name, _)| *name != default.0) {
        fields::push(&mut object, name, value.get());
    }
    fields::push(&mut object, default.0, default.1);
    Cow::Owned(format!("{{{object}}}"))
}

/// The words in the content of a kept item: those by which it is found.
pub fn texts(body: &str) -> String {
    let fields = fields::of(body);
    let Some((_, content)) = fields.iter().find(|(name, _)| name == "content") else { return String::new() };
    if let Some(text) = fields::text(content) {
        return text.into_owned();
    }
    let parts: Vec<&RawValue> = serde_json::from_str(content.get()).unwrap_or_default();
    parts.into_iter().filter_map(words).collect::<Vec<_>>().join("\n")
}

/// The words of a kept part, if it has any that are for readers.
fn words(part: &RawValue) -> Option<Cow<'_, str>> {
    let fields = fields::of(part.get());
    let value = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| *value);
    let name = match &*fields::text(value("type")?)? {
        "text" | "input_text" | "output_text" => "text",
        "refusal" => "refusal",
        _ => return None,
    };
    let value = value(name).or_else(|| value("text"))?;
    fields::text(value).or_else(|| {
        let inner = fields::of(value.get());
        inner.iter().find(|(name, _)| name == "text").and_then(|(_, text)| fields::text(text))
    })
}
