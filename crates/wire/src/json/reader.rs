//! Reads large bodies faster than the general parser: chats, most of which is text with an escape every few words.
//!
//! It knows the usual only: whatever it does not know, and whatever is wrong, is left to the parser, which also has the
//! words for it. So it never refuses anything, and what it accepts the parser accepts with the same result. What that
//! brought is in `docs/performance.md`.

use std::{fmt, iter};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor,
        value::{BorrowedStrDeserializer, MapDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::cursor::{Cursor, Meaning};

/// Reads `text` if it is of the usual kind.
pub(super) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    let mut reader = Reader { cursor: Cursor::new(text), scratch: String::new() };
    let value = T::deserialize(&mut reader).ok()?;
    reader.cursor.is_at_end().then_some(value)
}

/// The text is not of the usual kind, or wrong.
#[derive(Debug)]
struct Unusual;

impl fmt::Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not of the usual kind")
    }
}

impl std::error::Error for Unusual {}

impl serde::de::Error for Unusual {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Result<T> = std::result::Result<T, Unusual>;

/// By this name the parser's raw values ask to be given the text itself. If they asked by another one, they would be
/// unusual.
const RAW: &str = "$serde_json::private::RawValue";

/// By this name a type asks for a text as it is written, as bytes that begin with its quote: what is only passed on needs
/// no escapes undone. Other deserializers know nothing of it and give what they have.
pub(crate) const WRITTEN: &str = "$wire::written";

struct Reader<'de> {
    cursor: Cursor<'de>,
    /// A text without its escapes.
    scratch: String,
}

impl<'de> Reader<'de> {
    fn peek(&mut self) -> Result<u8> {
        self.cursor.peek().ok_or(Unusual)
    }

    fn value(&mut self) -> Result<&'de str> {
        self.cursor.value().ok_or(Unusual)
    }

    /// Whether `mark` is next; goes over it.
    fn take(&mut self, mark: u8) -> bool {
        self.cursor.take(mark)
    }

    fn expect(&mut self, mark: u8) -> Result<()> {
        if self.take(mark) { Ok(()) } else { Err(Unusual) }
    }

    /// Reads what stands between `opener` and `closer`, one level deeper.
    fn nested<T>(&mut self, opener: u8, closer: u8, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.expect(opener)?;
        // The parser goes one level less deep in what it reads itself.
        if self.cursor.room <= 1 {
            return Err(Unusual);
        }
        self.cursor.room -= 1;
        let read = read(self)?;
        self.cursor.room += 1;
        self.expect(closer)?;
        Ok(read)
    }

    /// Reads a string.
    fn string<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.cursor.meaning(&mut self.scratch).ok_or(Unusual)? {
            Meaning::Plain(text) => visitor.visit_borrowed_str(text),
            Meaning::Written => visitor.visit_str(&self.scratch),
        }
    }

    fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let written = self.value()?;
        // So many digits always fit; a zero may have a sign, and a fraction has its own rules.
        if written.len() < 19 && written.bytes().all(|byte| byte.is_ascii_digit()) {
            return visitor.visit_u64(written.parse().map_err(Unusual::custom)?);
        }
        serde_json::Deserializer::from_str(written).deserialize_any(visitor).map_err(Unusual::custom)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unusual;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek()? {
            b'"' => self.string(visitor),
            b'{' => self.nested(b'{', b'}', |reader| visitor.visit_map(Members { reader, is_first: true })),
            b'[' => self.nested(b'[', b']', |reader| visitor.visit_seq(Elements { reader, is_first: true })),
            b't' | b'f' => visitor.visit_bool(self.value()? == "true"),
            b'n' => self.value().and_then(|_null| visitor.visit_unit()),
            _ => self.number(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek()? == b'n' {
            self.value().and_then(|_null| visitor.visit_none())
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value> {
        if name == RAW {
            let written = self.value()?;
            return visitor.visit_map(MapDeserializer::new(iter::once((RAW, BorrowedStrDeserializer::new(written)))));
        }
        if name == WRITTEN && self.peek()? == b'"' {
            return visitor.visit_bytes(self.value()?.as_bytes());
        }
        visitor.visit_newtype_struct(self)
    }

    /// As `objects.rs` has it.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if self.peek()? == b'{' { self.deserialize_any(visitor) } else { Err(Unusual) }
    }

    /// Only variants that are a word.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.cursor.meaning(&mut self.scratch).ok_or(Unusual)? {
            Meaning::Plain(word) => visitor.visit_enum(StrDeserializer::new(word)),
            Meaning::Written => Err(Unusual),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.value()?;
        visitor.visit_unit()
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(Unusual)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(Unusual)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(Unusual)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(Unusual)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string unit unit_struct seq tuple tuple_struct map identifier
    }
}

struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
    is_first: bool,
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Unusual;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if !std::mem::take(&mut self.is_first) {
            if !self.reader.take(b',') {
                return Ok(None);
            }
        } else if self.reader.peek()? == b'}' {
            return Ok(None);
        }
        if self.reader.peek()? != b'"' {
            return Err(Unusual);
        }
        let key = seed.deserialize(&mut *self.reader)?;
        self.reader.expect(b':')?;
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.reader)
    }
}

struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    is_first: bool,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Unusual;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !std::mem::take(&mut self.is_first) {
            if !self.reader.take(b',') {
                return Ok(None);
            }
        } else if self.reader.peek()? == b']' {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, value::RawValue};

    use super::{super::MAX_DEPTH, *};

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "shown")]
    struct Sample {
        text: String,
        #[serde(default)]
        number: Option<f64>,
        whole: Option<i64>,
        flag: Option<bool>,
        role: Option<Role>,
        list: Option<Vec<Sample>>,
        raw: Option<Box<RawValue>>,
        any: Option<Value>,
        table: Option<BTreeMap<String, u32>>,
        pair: Option<(u8, i8)>,
        newtype: Option<Wrapped>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Role {
        User,
        Tool(#[expect(dead_code, reason = "shown")] u8),
    }

    #[derive(Debug, Deserialize)]
    struct Wrapped(#[expect(dead_code, reason = "shown")] u16);

    /// What the reader makes of a text is what the parser makes of it, or nothing.
    fn compare(text: &str) -> bool {
        let parsed = serde_json::from_str::<Sample>(text);
        let read = read::<Sample>(text);
        match (&read, &parsed) {
            (Some(read), Ok(parsed)) => assert_eq!(format!("{read:?}"), format!("{parsed:?}"), "{text:?}"),
            (Some(read), Err(error)) => panic!("{text:?} is {error}, not {read:?}"),
            (None, _) => {}
        }
        read.is_some()
    }

    const USUAL: &str = r#" {"text":"a \"b\" \\ \n\t\r\b\f\/ naïve – 😀","number":-1.5e-3,"whole":-12,"flag":true,"role":"user",
        "list":[{"text":""},{"text":"x","list":[],"whole":0}],"raw":{"a" : [1, "\u0041"]},"any":{"z":[1,-2,3.5,null,"\n"],"a":{}},
        "table":{"a":1,"b\"":4294967295},"unknown":[{"x":null}],"pair":[255,-128],"newtype":7} "#;

    #[test]
    fn the_usual_is_read_as_the_parser_reads_it() {
        assert!(compare(USUAL));
        for text in [
            r#"{"text":"plain"}"#,
            r#"{"text":"\u0041\ud83d\ude00\\u0041"}"#,
            r#"{"te\u0078t":"a","number":1,"whole":null,"raw":"a\\\"b","any":1e400}"#,
            r#"{"text":"a","number":18446744073709551615,"any":-9223372036854775808}"#,
            r#"{"text":"a","any":123456789012345678901234567890,"whole":9223372036854775807}"#,
            r#"{"text":"a","any":-0,"number":-0}"#,
            r#"{"text":"a","raw":null}"#,
            r#"["a",1,2,true,"user",[],1,2,{},[1,2],3]"#,
        ] {
            compare(text);
        }
    }

    #[test]
    fn every_change_of_a_text_is_read_as_the_parser_reads_it_or_not_at_all() {
        let mut read = 0;
        for (at, old) in USUAL.char_indices() {
            for new in ["", "\"", "\\", "}", "]", ",", ":", "0", "-", "e", "n", " ", "\u{1}", "\\u0000", "\\ud800"] {
                read += usize::from(compare(&format!("{}{new}{}", &USUAL[..at], &USUAL[at + old.len_utf8()..])));
            }
            assert!(at + 1 == USUAL.len() || !compare(&USUAL[..at]));
        }
        assert!(read > 500, "{read}");
    }

    #[test]
    fn what_is_wrong_or_unknown_is_left_to_the_parser() {
        for text in [
            "",
            "{}",
            "null",
            r#"{"text":1}"#,
            r#"{"text":"a","text":"b"}"#,
            r#"{"text":"a","role":"nobody"}"#,
            r#"{"text":"a","role":{"tool":3}}"#,
            r#"{"text":"a","whole":1.5}"#,
            r#"{"text":"a","table":{"a":-1}}"#,
            r#"{"text":"\ud800"}"#,
            r#"{"text":"a"}}"#,
            r#"{"text":"a",}"#,
            r#"{"text":"a" "flag":true}"#,
        ] {
            assert!(!compare(text), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!(r#"{{"text":"a","any":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(compare(&nested(100)));
        for depth in MAX_DEPTH - 3..MAX_DEPTH + 3 {
            compare(&nested(depth));
        }
        assert!(!compare(&nested(100_000)));
        let raw = |depth: usize| format!(r#"{{"text":"a","raw":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(read::<Sample>(&raw(MAX_DEPTH - 1)).is_some());
        assert!(read::<Sample>(&raw(MAX_DEPTH)).is_none());
    }
}
