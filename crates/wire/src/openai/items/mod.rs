//! Items of conversations and responses: messages, calls, results.
//!
//! There are some thirty types, and more each year. What is decided by a field is read and checked; the rest is kept as
//! its text, so that an item comes back as it was given, with fields that nobody here has heard of.

mod fields;
mod kinds;
mod parts;
mod show;
mod shown;

use domain::Error;
use serde_json::value::RawValue;

use fields::Fields;
pub use parts::texts;
pub use show::{ItemDocument, ItemView};
pub use shown::{Shown, read_shown};

/// Most items of one call.
pub const MAX_ITEMS: usize = 20;
/// Longest id of a call.
const MAX_CALL_ID: usize = 256;

/// What an item says of itself and the server adds: not kept with what was given.
const OURS: [&str; 16] = [
    "id",
    "object",
    "type",
    "role",
    "status",
    "call_id",
    "content_type",
    "branch",
    "sequence_number",
    "created_at",
    "completed_at",
    "incomplete_at",
    "edited_at",
    "rating",
    "rated_at",
    "rating_comment",
];

/// An item, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemIn {
    /// The type, by its present name.
    pub kind: &'static str,
    /// Who speaks in a message.
    pub role: Option<&'static str>,
    /// How far it is; none for a type that has no status.
    pub status: Option<&'static str>,
    /// The call that it is, or belongs to.
    pub call_id: Option<String>,
    /// The JSON object without these.
    pub body: String,
    /// A message's text.
    pub text: Option<String>,
}

impl ItemIn {
    /// A whole message, of a body that is in order.
    pub fn message(role: &'static str, body: String, text: Option<String>) -> Self {
        Self { kind: kinds::MESSAGE, role: Some(role), status: Some("completed"), call_id: None, body, text }
    }

    /// A message that is one text: what it says for readers, and `json`, the text itself as JSON has it.
    pub fn said(role: &'static str, text: String, json: &str) -> Self {
        let content = parts::one_text(parts::usual_kind(Some(role)), json);
        Self::message(role, [r#"{"content":"#, &content, "}"].concat(), Some(text))
    }
}

/// Reads the items of a call; `param` is the list's path.
///
/// # Errors
/// `invalid_parameter` or `missing_parameter` with the field's path, as in `items[3].content[0].text`.
pub fn read_all(items: &[Box<RawValue>], param: &str) -> Result<Vec<ItemIn>, Error> {
    if items.len() > MAX_ITEMS {
        return Err(Error::invalid_parameter(param, format!("{param} may hold {MAX_ITEMS} items at most.")));
    }
    let items = items.iter().enumerate().map(|(at, item)| read(item, &format!("{param}[{at}]")));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    for (at, item) in items.iter().enumerate() {
        let same = |other: &ItemIn| other.kind == item.kind && other.call_id == item.call_id;
        if item.call_id.is_some() && items[..at].iter().any(same) {
            return Err(call_id_exists().param(format!("{param}[{at}].call_id")));
        }
    }
    Ok(items)
}

/// Two items of one type have the same call's id.
pub fn call_id_exists() -> Error {
    let message = "Another item of this type has the same call_id in this conversation.";
    Error::new(domain::Kind::Conflict, "call_id_exists", message)
}

/// Reads an item; `param` is its path, empty when it is the whole body.
///
/// # Errors
/// `invalid_parameter` or `missing_parameter` with the field's path.
pub fn read(item: &RawValue, param: &str) -> Result<ItemIn, Error> {
    let fields = Fields::read(item, param)?;
    let kind = kinds::read_kind(&fields)?;
    let role = kinds::role(&fields, kind)?;
    let status = kinds::status(&fields, kind)?;
    let call_id = call_id(&fields, kind)?;
    kinds::check(&fields, kind)?;
    let mut rest = String::with_capacity(item.get().len());
    let mut text = None;
    for (name, value) in fields.iter().filter(|(name, _)| !OURS.contains(name)) {
        if name == "content" && !fields::is_null(value) {
            let content = parts::read(value, &fields.path(name), role, fields.text("content_type")?.as_deref())?;
            text = content.text.filter(|_| kind == kinds::MESSAGE);
            fields::push(&mut rest, name, &content.json);
        } else {
            fields::push(&mut rest, name, value.get());
        }
    }
    for (name, value) in kinds::defaults(kind) {
        if fields.get(name).is_none() {
            fields::push(&mut rest, name, value);
        }
    }
    Ok(ItemIn { kind, role, status, call_id, body: format!("{{{rest}}}"), text })
}

/// The body of a kept item with other content, and the words in that; `param` is the content's path.
///
/// # Errors
/// `invalid_parameter` or `missing_parameter` with the field's path.
pub fn with_content(
    body: &str,
    role: Option<&str>,
    content: &RawValue,
    param: &str,
) -> Result<(String, Option<String>), Error> {
    let content = parts::read(content, param, role, None)?;
    Ok((with_fields(body, &[("content", &content.json)]), content.text))
}

/// The body of a kept item with these fields, each given as JSON, in place of those of the same names.
pub fn with_fields(body: &str, changes: &[(&str, &str)]) -> String {
    let mut object = String::with_capacity(body.len());
    for (name, value) in fields::of(body) {
        let change = changes.iter().find(|(changed, _)| *changed == name);
        fields::push(&mut object, &name, change.map_or(value.get(), |(_, value)| value));
    }
    for (name, value) in changes {
        if !fields::of(body).iter().any(|(kept, _)| kept == name) {
            fields::push(&mut object, name, value);
        }
    }
    format!("{{{object}}}")
}

fn call_id(fields: &Fields<'_>, kind: &str) -> Result<Option<String>, Error> {
    // What OpenAI calls the id of such an output is the call's.
    let field = if kind == "local_shell_call_output" && fields.get("call_id").is_none() { "id" } else { "call_id" };
    let Some(call_id) = fields.text(field)? else { return Ok(None) };
    let length = call_id.chars().count();
    if length == 0 || length > MAX_CALL_ID {
        let text = format!("{field} must have 1 to {MAX_CALL_ID} characters.");
        return Err(Error::invalid_parameter(fields.path(field), text));
    }
    Ok(Some(call_id.into_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_value(item: &Value) -> Result<ItemIn, Error> {
        let raw = serde_json::value::to_raw_value(item).unwrap();
        read(&raw, "items[3]")
    }

    fn body(item: &ItemIn) -> Value {
        serde_json::from_str(&item.body).unwrap()
    }

    #[test]
    fn a_message_needs_no_type_and_its_text_becomes_a_part() {
        let item = read_value(&json!({"role": "user", "content": "Hi"})).unwrap();
        assert_eq!((item.kind, item.role, item.status), ("message", Some("user"), Some("completed")));
        assert_eq!(body(&item), json!({"content": [{"type": "input_text", "text": "Hi"}]}));
        assert_eq!(item.text.as_deref(), Some("Hi"));
        let item = read_value(&json!({"type": "message", "role": "assistant", "content": "Ho"})).unwrap();
        assert_eq!(body(&item), json!({"content": [{"type": "output_text", "text": "Ho", "annotations": []}]}));
        let item = read_value(&json!({"role": "user", "content": "x", "content_type": "text", "phase": null})).unwrap();
        assert_eq!(body(&item), json!({"content": [{"type": "text", "text": "x"}], "phase": null}));
    }

    #[test]
    fn what_is_not_known_is_kept_to_the_letter() {
        let text = r#"{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}","x":1.0,"y":12345678901234567890123,"z":{"b":1,"a":[ 2 ]}}"#;
        let item = read(&RawValue::from_string(text.to_owned()).unwrap(), "").unwrap();
        assert_eq!(
            item.body,
            r#"{"name":"f","arguments":"{}","x":1.0,"y":12345678901234567890123,"z":{"b":1,"a":[ 2 ]}}"#
        );
        assert_eq!((item.call_id.as_deref(), item.text), (Some("c"), None));
    }

    #[test]
    fn fields_of_a_kept_item_are_exchanged() {
        let body = r#"{"content":[],"phase":"x"}"#;
        let content = RawValue::from_string(r#""Hi""#.to_owned()).unwrap();
        let (changed, text) = with_content(body, Some("user"), &content, "content").unwrap();
        assert_eq!(changed, r#"{"content":[{"type":"input_text","text":"Hi"}],"phase":"x"}"#);
        assert_eq!(text.as_deref(), Some("Hi"));
        assert_eq!(with_fields(body, &[("a", "1"), ("phase", "null")]), r#"{"content":[],"phase":null,"a":1}"#);
        assert_eq!(with_fields("{}", &[("a", "1")]), r#"{"a":1}"#);
    }

    #[test]
    fn former_names_are_understood() {
        for (former, present) in [
            ("file_search", "file_search_call"),
            ("web_search", "web_search_call"),
            ("code_interpreter", "code_interpreter_call"),
            ("computer_use", "computer_call"),
            ("mcp_item", "mcp_call"),
            ("image_generation", "image_generation_call"),
        ] {
            assert_eq!(read_value(&json!({"type": former})).unwrap().kind, present);
        }
    }

    #[test]
    fn each_fault_names_its_field() {
        let long = "x".repeat(100_001);
        let many: Vec<Value> = (0..101).map(|_| json!({"type": "input_text", "text": "x"})).collect();
        for (item, code, param) in [
            (json!("text"), "invalid_parameter", "items[3]"),
            (json!({}), "missing_parameter", "items[3].type"),
            (json!({"type": "messages"}), "invalid_parameter", "items[3].type"),
            (json!({"type": 7}), "invalid_parameter", "items[3].type"),
            (json!({"type": "item_reference", "id": "msg_1"}), "invalid_parameter", "items[3].type"),
            (json!({"type": "message", "content": "x"}), "missing_parameter", "items[3].role"),
            (json!({"role": "boss", "content": "x"}), "invalid_parameter", "items[3].role"),
            (json!({"role": "user"}), "missing_parameter", "items[3].content"),
            (json!({"role": "user", "content": null}), "missing_parameter", "items[3].content"),
            (json!({"role": "user", "content": 7}), "invalid_parameter", "items[3].content"),
            (json!({"role": "user", "content": []}), "invalid_parameter", "items[3].content"),
            (json!({"role": "user", "content": many}), "invalid_parameter", "items[3].content"),
            (json!({"role": "user", "content": long}), "invalid_parameter", "items[3].content"),
            (
                json!({"role": "user", "content": "x", "content_type": "x"}),
                "invalid_parameter",
                "items[3].content_type",
            ),
            (json!({"role": "user", "content": "x", "status": "done"}), "invalid_parameter", "items[3].status"),
            (json!({"role": "user", "content": ["x"]}), "invalid_parameter", "items[3].content[0]"),
            (json!({"role": "user", "content": [{"text": "x"}]}), "missing_parameter", "items[3].content[0].type"),
            (json!({"role": "user", "content": [{"type": "x"}]}), "invalid_parameter", "items[3].content[0].type"),
            (
                json!({"role": "user", "content": [{"type": "input_text"}]}),
                "missing_parameter",
                "items[3].content[0].text",
            ),
            (
                json!({"role": "user", "content": [{"type": "input_text", "text": long}]}),
                "invalid_parameter",
                "items[3].content[0].text",
            ),
            (
                json!({"role": "user", "content": [{"type": "text", "text": {"text": 7}}]}),
                "invalid_parameter",
                "items[3].content[0].text.text",
            ),
            (
                json!({"role": "user", "content": [{"type": "code", "code": "x".repeat(50_001)}]}),
                "invalid_parameter",
                "items[3].content[0].code",
            ),
            (
                json!({"role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": 7}]}),
                "invalid_parameter",
                "items[3].content[0].annotations",
            ),
            (
                json!({"role": "user", "content": [{"type": "image", "size": 20_000_001}]}),
                "invalid_parameter",
                "items[3].content[0].size",
            ),
            (
                json!({"role": "assistant", "content": [{"type": "tool_calls", "tool_calls": vec![1; 17]}]}),
                "invalid_parameter",
                "items[3].content[0].tool_calls",
            ),
            (json!({"type": "function_call", "name": "f", "arguments": "{}"}), "missing_parameter", "items[3].call_id"),
            (json!({"type": "function_call", "call_id": "c"}), "missing_parameter", "items[3].name"),
            (
                json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}),
                "invalid_parameter",
                "items[3].arguments",
            ),
            (json!({"type": "function_call_output", "call_id": "c"}), "missing_parameter", "items[3].output"),
            (json!({"type": "mcp_call", "call_id": ""}), "invalid_parameter", "items[3].call_id"),
            (json!({"type": "mcp_call", "call_id": "c".repeat(257)}), "invalid_parameter", "items[3].call_id"),
            (json!({"type": "reasoning", "summary": "x"}), "invalid_parameter", "items[3].summary"),
            (json!({"type": "mcp_approval_response", "approve": "yes"}), "invalid_parameter", "items[3].approve"),
        ] {
            let error = read_value(&item).unwrap_err();
            let shown: String = item.to_string().chars().take(120).collect();
            assert_eq!((error.code(), error.param_name()), (code, Some(param)), "{shown}");
        }
        let twice = RawValue::from_string(r#"{"type":"mcp_call","name":"a","name":"b"}"#.to_owned()).unwrap();
        assert_eq!(read(&twice, "").unwrap_err().param_name(), Some("name"));
    }

    #[test]
    fn the_bounds_themselves_are_fine() {
        let parts: Vec<Value> = (0..100).map(|_| json!({"type": "input_text", "text": "x"})).collect();
        assert!(read_value(&json!({"role": "user", "content": parts})).is_ok());
        let text = "\u{e9}".repeat(100_000);
        assert!(read_value(&json!({"role": "user", "content": text})).is_ok());
        assert!(read_value(&json!({"role": "user", "content": ""})).is_ok());
    }

    #[test]
    fn calls_of_one_call_have_ids_of_their_own() {
        let items = |kinds: [&str; 2]| {
            let item = |kind| serde_json::value::to_raw_value(&json!({"type": kind, "call_id": "c"})).unwrap();
            kinds.map(item)
        };
        let error = read_all(&items(["mcp_call", "mcp_call"]), "items").unwrap_err();
        assert_eq!((error.code(), error.param_name()), ("call_id_exists", Some("items[1].call_id")));
        assert!(read_all(&items(["mcp_call", "custom_tool_call_output"]), "items").is_ok());
        let many: Vec<_> = (0..11).flat_map(|_| items(["reasoning", "reasoning"])).collect();
        assert_eq!(read_all(&many, "items").unwrap_err().param_name(), Some("items"));
    }
}
