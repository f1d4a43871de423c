//! Renders chat messages with the template that comes with the model file.
//!
//! Templates are Jinja as the `transformers` library runs it: Python's methods on values, `tojson` without
//! escapes for HTML, `raise_exception` and `strftime_now`. A template is untrusted: its work is bounded.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use domain::calendar::Date;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, ErrorKind, Value as Item, context};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::Error;

/// Instructions a rendering may take; a message takes some dozens.
const FUEL: u64 = 20_000_000;
/// The longest prompt, in bytes; longer than what any request may hold.
const MAX_PROMPT: usize = 64 << 20;
/// What is used where the file has no template; the form most small models were trained on.
const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}\
                      {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// A compiled chat template.
pub(crate) struct Template {
    environment: Environment<'static>,
    knows_tools: bool,
    begin: String,
    end: String,
}

impl Template {
    /// Compiles the file's template, or a `ChatML` one if there is none.
    pub(crate) fn new(source: Option<String>, begin: &str, end: &str) -> Result<Self, Error> {
        let source = source.unwrap_or_else(|| CHATML.to_owned());
        let knows_tools = source.contains("tools");
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| Error::Internal(e.to_string()))?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        #[expect(clippy::disallowed_methods, reason = "what a template writes into a prompt is the real date")]
        environment.add_function("strftime_now", |format: String| date(&format, SystemTime::now()));
        environment.add_function("raise_exception", |message: String| -> Result<Item, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned("chat", source)
            .map_err(|e| Error::file(format!("the chat template does not compile: {e}")))?;
        Ok(Self { environment, knows_tools, begin: begin.to_owned(), end: end.to_owned() })
    }

    /// Whether the template writes the tools into the prompt itself.
    pub(crate) fn knows_tools(&self) -> bool {
        self.knows_tools
    }

    /// The prompt for these messages, up to where the answer begins.
    pub(crate) fn render(&self, messages: &Value, tools: Option<&Value>) -> Result<String, Error> {
        let template = self.environment.get_template("chat").map_err(|e| Error::Internal(e.to_string()))?;
        let mut prompt = Bounded(Vec::new());
        template
            .render_captured_to(
                context! {
                    messages => Item::from(Serde(messages)),
                    tools => tools.map(|tools| Item::from(Serde(tools))),
                    add_generation_prompt => true,
                    bos_token => self.begin.as_str(),
                    eos_token => self.end.as_str(),
                },
                &mut prompt,
            )
            .map_err(|e| Error::request("messages", format!("the model's chat template refuses them: {e}")))?;
        String::from_utf8(prompt.0).map_err(|e| Error::Internal(e.to_string()))
    }
}

/// Text that may grow to a bound.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_PROMPT {
            return Err(std::io::Error::other("the prompt is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Brings OpenAI's messages into the form that templates expect: every content a text, arguments of earlier
/// calls as objects, `developer` as `system`. `text` is applied to every text in them.
pub(crate) fn normalize(messages: &Value, text: &impl Fn(&str) -> String) -> Result<Value, Error> {
    let wrong = |n: usize, what: &str| Error::request("messages", format!("message {n}: {what}"));
    let list = messages.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| Error::request("messages", "not an array with at least one message"))?;
    let mut out = Vec::with_capacity(list.len());
    for (n, message) in list.iter().enumerate() {
        let mut message = message.as_object().cloned().ok_or_else(|| wrong(n, "not an object"))?;
        let role = match message.get("role").and_then(Value::as_str) {
            Some("developer") => "system",
            Some(role) => role,
            None => return Err(wrong(n, "no role")),
        };
        let role = json!(text(role));
        let content = match message.get("content") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(content)) => content.clone(),
            Some(Value::Array(parts)) => {
                let part = |part: &Value| Some(part.get("text")?.as_str()?.to_owned());
                let parts: Option<Vec<_>> = parts.iter().map(part).collect();
                parts.ok_or_else(|| wrong(n, "this model reads text only"))?.concat()
            }
            Some(_) => return Err(wrong(n, "`content` is neither a text nor a list of parts")),
        };
        message.insert("role".to_owned(), role);
        message.insert("content".to_owned(), Value::String(content));
        if let Some(Value::Array(calls)) = message.get_mut("tool_calls") {
            for call in calls {
                let arguments = call.get_mut("function").and_then(|function| function.get_mut("arguments"));
                if let Some(arguments) = arguments
                    && let Some(Ok(parsed)) = arguments.as_str().map(serde_json::from_str::<Value>)
                {
                    *arguments = parsed;
                }
            }
        }
        out.push(map_texts(Value::Object(message), text));
    }
    Ok(Value::Array(out))
}

/// Applies `text` to every text in a value, the names of fields included.
pub(crate) fn map_texts(value: Value, text: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(content) => Value::String(text(&content)),
        Value::Array(items) => items.into_iter().map(|item| map_texts(item, text)).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (text(&name), map_texts(value, text)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// JSON as Python writes it: a space after `:` and `,`, nothing escaped that need not be.
#[expect(clippy::needless_pass_by_value, reason = "the form of a filter's function")]
fn to_json(value: &Item, options: Kwargs) -> Result<Item, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Accepted for templates that pass it; this is how it is written anyway.
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut out = Vec::new();
    let written = match indent {
        Some(width) => {
            let indent = " ".repeat(width.min(16));
            let pretty = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, pretty))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Spaced)),
    };
    let invalid = |e: String| minijinja::Error::new(ErrorKind::InvalidOperation, e);
    written.map_err(|e| invalid(e.to_string()))?;
    Ok(Item::from_safe_string(String::from_utf8(out).map_err(|e| invalid(e.to_string()))?))
}

/// Spaces after separators, on one line.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

/// A moment in UTC in the letters of C's `strftime`; letters that no template uses are left as they are.
fn date(format: &str, now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs().cast_signed());
    let day = Date::of(Timestamp::from_seconds(seconds));
    let time = seconds % 86_400;
    let (name, weekday) = (day.month_name(), day.weekday());

    let mut out = String::new();
    let two = |number: i64| format!("{number:02}");
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('Y') => out += &day.year.to_string(),
            Some('m') => out += &two(day.month),
            Some('d') => out += &two(day.day),
            Some('H') => out += &two(time / 3600),
            Some('M') => out += &two(time / 60 % 60),
            Some('S') => out += &two(time % 60),
            Some('B') => out += name,
            Some('b') => out += &name[..3],
            Some('A') => out += weekday,
            Some('a') => out += &weekday[..3],
            other => out.extend(['%'].into_iter().chain(other)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_right() {
        let at = |seconds| date("%A %d %B %Y, %b %a %m %H:%M:%S %q%", UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "Thursday 01 January 1970, Jan Thu 01 00:00:00 %q%");
        assert_eq!(at(1_709_210_096), "Thursday 29 February 2024, Feb Thu 02 12:34:56 %q%");
        assert_eq!(at(4_102_444_799), "Thursday 31 December 2099, Dec Thu 12 23:59:59 %q%");
    }

    #[test]
    fn python_is_understood() {
        let source = "{% for m in messages %}{{ m.content.strip().split(' ')[0] }}{% endfor %}\
                      {{ tools | tojson }}{{ bos_token }}";
        let template = Template::new(Some(source.to_owned()), "<s>", "</s>").unwrap();
        let prompt = template.render(&json!([{"content": " a b"}]), Some(&json!([{"x": [1, "<é>"]}]))).unwrap();
        assert_eq!(prompt, r#"a[{"x": [1, "<é>"]}]<s>"#);
    }

    #[test]
    fn refusals_and_endless_loops_are_errors() {
        let render = |source: &str| {
            Template::new(Some(source.to_owned()), "", "").unwrap().render(&json!([]), None).unwrap_err()
        };
        assert!(render("{{ raise_exception('no system messages') }}").to_string().contains("no system"));
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(render(endless).to_string().contains("fuel"));
    }

    #[test]
    fn messages_are_brought_into_form() {
        let messages = json!([
            {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": null,
             "tool_calls": [{"function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
        ]);
        let upper = |text: &str| text.to_uppercase();
        let out = normalize(&messages, &upper).unwrap();
        assert_eq!(out[0], json!({"ROLE": "SYSTEM", "CONTENT": "AB"}));
        assert_eq!(out[1]["TOOL_CALLS"][0]["FUNCTION"]["ARGUMENTS"], json!({"X": 1}));
        let image = json!([{"role": "user", "content": [{"type": "image_url"}]}]);
        for bad in [json!([]), json!({}), json!([{"content": "x"}]), json!(["x"]), image] {
            assert!(normalize(&bad, &upper).is_err(), "{bad}");
        }
    }
}
