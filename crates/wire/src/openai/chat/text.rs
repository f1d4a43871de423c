//! A message's text.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::json;

/// A message's text, which mostly passes on with the body it came in and is read by nobody here: so it stays as it is
/// written until somebody asks. Undoing the escapes of an agent's texts took half of the time that reading its request
/// took.
#[derive(Clone, Debug)]
pub struct Text(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Read(String),
    /// Sound JSON, with its quotes.
    Written(Box<str>),
}

impl Text {
    /// What it says.
    pub fn read(&self) -> Cow<'_, str> {
        match &self.0 {
            Kept::Read(text) => Cow::Borrowed(text),
            // It was looked at when it came.
            Kept::Written(text) => text.get(1..text.len() - 1).and_then(json::unescaped).unwrap_or_default(),
        }
    }

    /// As JSON has it, quotes and all, and the same for texts that say the same.
    pub fn to_json(&self) -> Cow<'_, str> {
        match &self.0 {
            Kept::Written(text) if json::is_usual(text) => Cow::Borrowed(text),
            _ => Cow::Owned(json::quoted(&self.read())),
        }
    }

    /// Whether its first letter is this one, which JSON does not escape.
    pub fn begins_with(&self, letter: char) -> bool {
        match &self.0 {
            Kept::Read(text) => text.starts_with(letter),
            Kept::Written(text) => text[1..].starts_with(letter),
        }
    }

    /// A text as it is written in JSON, quotes and all; `None` for what is no text.
    pub(super) fn written(text: &[u8]) -> Option<Self> {
        Some(Self(Kept::Written(json::text(text).ok()?.into())))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Kept::Read(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.read() == other.read()
    }
}

impl Eq for Text {}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&self.read())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{json, openai::chat::request::Content};

    #[derive(serde::Deserialize)]
    struct Message {
        content: Content,
    }

    #[test]
    fn a_text_says_the_same_however_it_was_kept() {
        for written in [r#""""#, r#""plain – é""#, r#""\"a\"\\\/\b\f\n\r\t\u0041\ud83d\ude00""#] {
            let body = format!(r#"{{"content":{written}}}"#);
            let text: String = serde_json::from_str(written).unwrap();
            let kept: Message = json::parse_large(body.as_bytes()).unwrap();
            let read: Message = json::parse(body.as_bytes()).unwrap();
            for message in [kept, read] {
                assert_eq!(message.content.text(), text);
                assert_eq!(serde_json::to_value(&message.content).unwrap(), Value::from(text.as_str()));
                let Content::Text(own) = message.content else { panic!("{written} is a text") };
                assert_eq!(own, text.as_str().into());
                assert_eq!(own.to_json(), serde_json::to_string(&text).unwrap());
            }
        }
    }

    #[test]
    fn what_is_no_text_is_told_apart_in_either_way_of_reading() {
        for (body, param) in [
            (r#"{"content":1}"#, "content"),
            (r#"{"content":null}"#, "content"),
            (r#"{"content":{}}"#, "content"),
            (r#"{"content":[{"type":"text","text":1}]}"#, "content[0].text"),
        ] {
            for read in [json::parse::<Message>, json::parse_large::<Message>] {
                assert_eq!(
                    read(body.as_bytes()).err().and_then(|error| error.param_name().map(str::to_owned)).as_deref(),
                    Some(param),
                    "{body}"
                );
            }
        }
        let parts: Message = json::parse_large(br#"{"content":[{"type":"text","text":"a\nb"}]}"#).unwrap();
        assert_eq!(parts.content.text(), "a\nb");
        assert!(json::parse_large::<Message>(br#"{"content":"\ud800"}"#).is_err());
    }
}
