//! Reading JSON so that an error names its field.

use domain::Error;
use serde::de::DeserializeOwned;

/// Deepest nesting accepted anywhere in a body, as `serde_json` has it for what it reads itself.
pub const MAX_DEPTH: usize = 128;

/// Reads a body.
///
/// Reading is done twice when it fails: the second time at leisure, to find the field.
///
/// # Errors
/// `invalid_json` for what is no JSON, is no UTF-8 or nests too deep; `missing_parameter` and `invalid_parameter` with
/// the field's path for JSON of another shape.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    check_depth(body)?;
    serde_json::from_slice(body).map_err(|error| explain::<T>(body, &error))
}

#[cold]
fn explain<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> Error {
    if !error.is_data() {
        return not_json(error);
    }
    // A wrong shape may stop the reader before a syntax error further on; broken JSON is the plainer answer.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        return not_json(&error);
    }
    let mut input = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut input) {
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

fn shape(path: &str, text: &str) -> Error {
    let text = text.split(" at line ").next().unwrap_or(text);
    let path = if path == "." || path == "?" { "" } else { path };
    if let Some(field) = text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let param = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        return Error::invalid("missing_parameter", format!("{param} is required.")).param(param);
    }
    if path.is_empty() {
        return Error::invalid("invalid_request", format!("The body is not of the expected shape: {text}."));
    }
    Error::invalid_parameter(path, format!("{path}: {text}."))
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

fn depth_within(body: &[u8], limit: usize) -> bool {
    let mut depth = 0usize;
    let mut rest = body;
    while let Some(at) = rest.iter().position(|b| matches!(b, b'"' | b'{' | b'[' | b'}' | b']')) {
        match rest[at] {
            b'"' => match string_end(&rest[at + 1..]) {
                Some(end) => {
                    rest = &rest[at + 1 + end..];
                    continue;
                }
                None => return true, // an open string is the parser's to refuse
            },
            b'{' | b'[' => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
        if depth > limit {
            return false;
        }
        rest = &rest[at + 1..];
    }
    true
}

/// Where the string that begins at `text` ends: just after its closing quote.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &text[from..])?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        from = at + 2;
        if from > text.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::value::RawValue;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the reading is looked at")]
    struct Sample {
        name: String,
        items: Option<Vec<Item>>,
        raw: Option<Box<RawValue>>,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the reading is looked at")]
    struct Item {
        n: u32,
    }

    fn error(body: &str) -> (String, Option<String>) {
        let error = parse::<Sample>(body.as_bytes()).unwrap_err();
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
        assert_eq!(error("[]").0, "invalid_request");
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
