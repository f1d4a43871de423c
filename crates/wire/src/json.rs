//! Reading JSON so that an error names its field.

use std::{borrow::Cow, fmt::Write as _};

mod cursor;
mod objects;
mod reader;

use domain::Error;
use serde::{Deserialize, de::DeserializeOwned};

pub use self::cursor::Cursor;
use self::objects::Objects;
pub(crate) use self::reader::WRITTEN;

/// Deepest nesting accepted anywhere in a body, as `serde_json` has it for what it reads itself.
pub const MAX_DEPTH: usize = 128;

/// Reads a body, which is an object.
///
/// What nobody here reads is passed on or stored, so the whole body must be sound: the reader itself looks at the
/// encoding of what it reads only. Reading is done twice when it fails: the second time at leisure, to find the field.
///
/// # Errors
/// `invalid_json` for what is no JSON, is no Unicode or nests too deep; `missing_parameter` and `invalid_parameter` with
/// the field's path for JSON of another shape.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    check_depth(body)?;
    let text = text(body).map_err(|error| not_text(error.valid_up_to()))?;
    if has_lone_surrogate(body) {
        return Err(Error::invalid("invalid_json", "The body holds half of a surrogate pair (\\ud800 to \\udfff)."));
    }
    let mut input = serde_json::Deserializer::from_str(text);
    let read = T::deserialize(Objects(&mut input)).and_then(|value| input.end().map(|()| value));
    read.map_err(|_| explain::<T>(text))
}

/// The body as text.
///
/// # Errors
/// Up to where it is UTF-8.
pub fn text(body: &[u8]) -> Result<&str, simdutf8::compat::Utf8Error> {
    simdutf8::compat::from_utf8(body)
}

/// The same for bodies that may be large and are asked for often, such as chats: faster, for more machine code.
///
/// # Errors
/// Those of [`parse`].
pub fn parse_large<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let is_sound = |text: &&str| text.trim_ascii_start().starts_with('{') && !has_lone_surrogate(body);
    let read = text(body).ok().filter(is_sound).and_then(reader::read);
    read.map_or_else(|| parse(body), Ok)
}

/// Reads what comes from elsewhere than a client, such as an upstream's answer: as fast, and without words for what is
/// wrong.
pub fn read<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Option<T> {
    let text = text(json).ok()?;
    reader::read(text).or_else(|| serde_json::from_str(text).ok())
}

#[cold]
fn explain<T: DeserializeOwned>(body: &str) -> Error {
    // A wrong shape may stop the reader before a syntax error further on; broken JSON is the plainer answer. And the
    // reader calls some wrong shapes syntax, such as a number where one of some words is due.
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(body) {
        return not_json(&error);
    }
    let mut input = serde_json::Deserializer::from_str(body);
    match serde_path_to_error::deserialize::<_, T>(Objects(&mut input)) {
        Ok(_) => Error::invalid("invalid_request", "The body is not of the expected shape."),
        Err(error) => {
            let path = error.path().to_string();
            shape(path.trim_start_matches('.'), &error.into_inner().to_string())
        }
    }
}

fn not_json(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    Error::invalid("invalid_json", format!("The body is not valid JSON (line {line}, column {column})."))
}

#[cold]
fn not_text(valid: usize) -> Error {
    Error::invalid("invalid_json", format!("The body is not UTF-8 (after {valid} bytes)."))
}

/// Whether some escape is half of a pair only: such a text cannot be stored or written as UTF-8.
fn has_lone_surrogate(body: &[u8]) -> bool {
    let unit = |at: usize| {
        let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut second_half = None;
    for at in memchr::memmem::find_iter(body, b"\\u") {
        // A backslash before it would make it a backslash and a letter.
        if is_escaped(body, at) {
            continue;
        }
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => second_half = Some(at + 6),
            Some(0xd800..=0xdbff) => return true,
            Some(0xdc00..=0xdfff) if second_half != Some(at) => return true,
            _ => {}
        }
    }
    false
}

/// Whether some text in it holds the character NUL, which stands there as an escape: PostgreSQL cannot store it.
pub fn holds_nul(json: &[u8]) -> bool {
    memchr::memmem::find_iter(json, b"\\u0000").any(|at| !is_escaped(json, at))
}

/// Whether what stands at `at` within a string has a backslash to itself.
fn is_escaped(body: &[u8], at: usize) -> bool {
    body[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn shape(path: &str, text: &str) -> Error {
    let text = plain(text.split(" at line ").next().unwrap_or(text));
    let text = shortened(&text);
    let path = if path == "." || path == "?" { "" } else { path };
    if let Some(field) = text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let param = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        return Error::invalid("missing_parameter", format!("{param} is required.")).param(param);
    }
    if let Some(field) = text.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`')) {
        let param = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        return Error::invalid_parameter(&*param, format!("{param} is there twice."));
    }
    if path.is_empty() {
        return Error::invalid("invalid_request", format!("The body is not of the expected shape: {text}."));
    }
    Error::invalid_parameter(path, format!("{path}: {text}."))
}

/// What was found may be the caller's own text, of whatever length: nobody wants it back whole.
fn shortened(text: &str) -> Cow<'_, str> {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => Cow::Owned(format!("{}…", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

/// The reader's words for a shape in JSON's own: callers know nothing of types here.
fn plain(text: &str) -> String {
    let Some((found, expected)) = text.split_once(", expected ") else {
        return text.replace("expected value", "a value of another type is needed");
    };
    let found = found.replace("type: map", "type: object").replace("type: sequence", "type: array");
    let expected = match expected {
        "f64" | "f32" => "a number",
        "i64" | "i32" | "u64" | "u32" | "u16" | "usize" => "a whole number",
        "a sequence" => "an array",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    format!("{found}, expected {expected}")
}

/// Refuses a body that nests deeper than [`MAX_DEPTH`].
///
/// Parts that are passed on unread are not counted by the parser, so the brackets are counted here; only bodies with
/// more opening brackets than the limit are looked at byte by byte.
pub fn check_depth(body: &[u8]) -> Result<(), Error> {
    let openers = memchr::memchr2_iter(b'{', b'[', body).take(MAX_DEPTH + 1).count();
    if openers <= MAX_DEPTH || depth_within(body, MAX_DEPTH) {
        return Ok(());
    }
    Err(Error::invalid("invalid_json", format!("The body nests deeper than {MAX_DEPTH} levels.")))
}

/// What is no JSON is the parser's to refuse: here only brackets outside of strings count.
fn depth_within(body: &[u8], limit: usize) -> bool {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = body.get(at) {
        at += 1;
        match byte {
            b'"' => match behind_string(body, at) {
                Some(behind) => at = behind,
                None => return true,
            },
            b'{' | b'[' if depth == limit => return false,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// Behind the closing quote of the string whose opening quote is before `at`; `None` if it does not end.
pub fn behind_string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += cursor::plain(text.get(at..)?);
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// What the inside of a string means, which stands between quotes in JSON; `None` for what is no sound string.
pub fn unescaped(inside: &str) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    let mut text = String::with_capacity(inside.len());
    let end = cursor::undo_escapes(inside, 0, &mut text)?;
    (end == inside.len()).then_some(Cow::Owned(text))
}

/// Writes a text as JSON has it, quotes and all.
pub fn push_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    loop {
        let (plain, marked) = rest.split_at(cursor::plain(rest.as_bytes()));
        out.push_str(plain);
        let Some(mark) = marked.chars().next() else { break };
        push_escape(out, mark);
        rest = &marked[1..];
    }
    out.push('"');
}

/// Writes a character that cannot stand for itself, with the shortest escape that there is.
fn push_escape(out: &mut String, mark: char) {
    out.push('\\');
    match mark {
        '"' | '\\' => out.push(mark),
        '\u{8}' => out.push('b'),
        '\u{c}' => out.push('f'),
        '\n' => out.push('n'),
        '\r' => out.push('r'),
        '\t' => out.push('t'),
        control => {
            _ = write!(out, "u{:04x}", u32::from(control));
        }
    }
}

/// Whether a sound JSON text has no escapes but those by which [`push_text`] writes other characters than controls.
pub(crate) fn is_usual(written: &str) -> bool {
    let (bytes, mut at) = (written.as_bytes(), 0);
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        let mark = bytes.get(at + found + 1);
        if !matches!(mark, Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't')) {
            return false;
        }
        at += found + 2;
    }
    true
}

/// A text as JSON has it, quotes and all.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    push_text(&mut quoted, text);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn a_nul_is_told_from_what_looks_like_one() {
        for json in [r#""a\u0000""#, r#"{"a": "\\\u0000"}"#, r#"["\\u0000", "\u0000"]"#] {
            assert!(holds_nul(json.as_bytes()), "{json}");
        }
        for json in [r#""\\u0000""#, r#""\u0001 u0000""#, "[]"] {
            assert!(!holds_nul(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn texts_are_written_and_read_as_the_parser_has_them() {
        for text in
            ["", "plain – é", "a\"b\\c\nd\0\u{7f}\u{1f}", "\u{1f600} and much more text behind that \"is quoted\""]
        {
            let written = quoted(text);
            assert_eq!(written, serde_json::to_string(text).unwrap());
            assert_eq!(unescaped(&written[1..written.len() - 1]).unwrap(), text);
        }
        assert_eq!(unescaped(r"\u00e9\/").unwrap(), "é/");
        for unsound in [r"\ud800", r"\ud800\u0041", r"\x", "\\", r"\u12", "\\n\"", "\\n\n"] {
            assert_eq!(unescaped(unsound), None, "{unsound}");
        }
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        assert_eq!(quoted(&all), serde_json::to_string(&all).unwrap());
    }

    #[test]
    fn usual_texts_are_written_the_same() {
        for usual in [r#""""#, r#""a \" \\ \n \t\r\b\f""#, r#""\\\\u0041""#, "\"\u{7f}é\""] {
            assert!(is_usual(usual), "{usual}");
            assert_eq!(quoted(&unescaped(&usual[1..usual.len() - 1]).unwrap()), usual);
        }
        for unusual in [r#""\/""#, r#""\u0041""#, r#""\n\u000a""#] {
            assert!(!is_usual(unusual), "{unusual}");
        }
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the reading is looked at")]
    struct Sample {
        name: String,
        items: Option<Vec<Item>>,
        raw: Option<Box<RawValue>>,
        kind: Option<Kind>,
    }
    #[derive(Debug, Deserialize)]
    enum Kind {
        #[serde(rename = "a")]
        A,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the reading is looked at")]
    struct Item {
        n: u32,
    }

    /// The refusal, which is the same in both ways of reading.
    fn error(body: &str) -> (String, Option<String>) {
        let error = parse::<Sample>(body.as_bytes()).unwrap_err();
        assert_eq!(parse_large::<Sample>(body.as_bytes()).unwrap_err().to_string(), error.to_string(), "{body}");
        (error.code().to_owned(), error.param_name().map(str::to_owned))
    }

    #[test]
    fn errors_name_the_field() {
        assert_eq!(error("{}"), ("missing_parameter".into(), Some("name".into())));
        assert_eq!(error(r#"{"name":1}"#), ("invalid_parameter".into(), Some("name".into())));
        assert_eq!(
            error(r#"{"name":"a","items":[{"n":1},{"n":-1}]}"#),
            ("invalid_parameter".into(), Some("items[1].n".into()))
        );
        assert_eq!(error(r#"{"name":"a","items":[{}]}"#), ("missing_parameter".into(), Some("items[0].n".into())));
        assert_eq!(error(r#"{"name":"a","name":"b"}"#), ("invalid_parameter".into(), Some("name".into())));
    }

    #[test]
    fn what_is_read_may_lie_in_what_came() {
        #[derive(Deserialize)]
        struct Borrowed<'a> {
            #[serde(borrow)]
            text: Cow<'a, str>,
            #[serde(borrow)]
            raw: Option<&'a RawValue>,
        }
        let json = r#"{"text": "a", "raw": [1, {"b":"c\n"}]}"#;
        let both = [reader::read::<Borrowed<'_>>(json).unwrap(), read(json.as_bytes()).unwrap()];
        for Borrowed { text, raw } in both {
            assert_eq!((text.as_ref(), raw.map(RawValue::get)), ("a", Some(r#"[1, {"b":"c\n"}]"#)));
        }
        assert!(read::<Borrowed<'_>>(b"{\"text\": 1}").is_none() && read::<Borrowed<'_>>(b"\"\xff\"").is_none());
    }

    #[test]
    fn a_body_is_an_object() {
        for body in ["[]", r#" ["a",null,null]"#, r#"[{"name":"a"}]"#, "null", "3", "\"a\""] {
            assert_eq!(error(body), ("invalid_request".into(), None), "{body}");
        }
        let within = r#"{"name":"a","items":[{"n":1},[2]]}"#;
        assert_eq!(error(within), ("invalid_parameter".into(), Some("items[1]".into())));
        assert_eq!(error("[").0, "invalid_json");
    }

    #[test]
    fn errors_speak_of_json() {
        let text = |body: &str| parse::<Sample>(body.as_bytes()).unwrap_err().to_string();
        assert!(text(&format!(r#"{{"name":"a","items":"{}"}}"#, "\u{e9}".repeat(10_000))).len() < 1_000);
        for body in [r#"{"name":"a","items":{}}"#, r#"{"name":"a","items":[{"n":0.5}]}"#, "3", "[3]"] {
            let text = text(body);
            for word in ["struct", "u32", "sequence", "map"] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }

    #[test]
    fn parts_that_nobody_reads_are_sound() {
        for raw in [r#""\ud800""#, r#""\udc00\ud800""#, r#""\ud83d\ude00\ude00""#, r#""\\\ud800x""#, r#"{"\udfff":1}"#]
        {
            assert_eq!(error(&format!(r#"{{"name":"a","other":{raw}}}"#)).0, "invalid_json", "{raw}");
        }
        assert_eq!(parse::<Sample>(b"{\"name\":\"a\",\"other\":\"\xff\"}").unwrap_err().code(), "invalid_json");
        for raw in [r#""\ud83d\ude00""#, r#""\\ud800""#, r#""\u00e9""#] {
            assert!(parse::<Sample>(format!(r#"{{"name":"a","other":{raw}}}"#).as_bytes()).is_ok(), "{raw}");
        }
    }

    #[test]
    fn broken_json_is_told_apart() {
        for body in ["", "{", "nope", r#"{"name":1,"#, "{\"name\":\"\u{1}\"}"] {
            assert_eq!(error(body).0, "invalid_json", "{body:?}");
        }
        assert_eq!(parse::<Sample>(b"{\"name\":\"\xff\"}").unwrap_err().code(), "invalid_json");
        assert_eq!(error(r#"{"name":"\ud800"}"#).0, "invalid_json");
    }

    #[test]
    fn nesting_is_bounded_in_parts_that_are_passed_on() {
        let deep = format!(r#"{{"name":"a","raw":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(error(&deep).0, "invalid_json");
        let fine = format!(r#"{{"name":"{}\"","raw":{}{}}}"#, "[".repeat(500), "[".repeat(100), "]".repeat(100));
        assert!(parse::<Sample>(fine.as_bytes()).is_ok());
        let wide = format!(r#"{{"name":"a","raw":[{}1]}}"#, "[1],".repeat(500));
        assert!(parse::<Sample>(wide.as_bytes()).is_ok());
    }
}
