//! Finds the parts of a JSON text without reading them.
//!
//! What passes through is copied, not parsed and printed again: unknown fields, the order of members and the spelling
//! of numbers stay as they came. Only for texts that a parser has accepted before; on anything else the walk ends early.

use std::ops::Range;

use wire::json::behind_string;

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// The key between its quotes; escapes are not undone.
    pub(crate) key: &'a str,
    /// The value as it stands.
    pub(crate) value: &'a str,
    /// Where the value stands in the text.
    pub(crate) at: Range<usize>,
}

impl Member<'_> {
    /// Whether the key is `name`, however it is spelled.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.key == name || self.key.contains('\\') && unescape(self.key).is_some_and(|key| key == name)
    }
}

fn unescape(key: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{key}\"")).ok()
}

/// The members of the object that `text` is; none if it is no object.
pub(crate) fn members(text: &str) -> Members<'_> {
    Members(Walk::into(text, b'{'))
}

/// The elements of the array that `text` is; none if it is no array.
pub(crate) fn elements(text: &str) -> Elements<'_> {
    Elements(Walk::into(text, b'['))
}

/// See [`members`].
pub(crate) struct Members<'a>(Walk<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let key = self.0.value()?;
        self.0.skip(b':');
        let at = self.0.value()?;
        self.0.skip(b',');
        let text = self.0.text;
        Some(Member { key: text.get(key.start + 1..key.end - 1)?, value: text.get(at.clone())?, at })
    }
}

/// See [`elements`].
pub(crate) struct Elements<'a>(Walk<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let at = self.0.value()?;
        self.0.skip(b',');
        self.0.text.get(at)
    }
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// Stands behind the opening bracket, or at the end if the text does not begin with it.
    fn into(text: &'a str, opener: u8) -> Self {
        let mut walk = Self { text, at: 0 };
        walk.blanks();
        if walk.peek() == Some(opener) {
            walk.at += 1;
        } else {
            walk.at = text.len();
        }
        walk
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn skip(&mut self, mark: u8) {
        self.blanks();
        if self.peek() == Some(mark) {
            self.at += 1;
        }
    }

    /// Where the value that begins here stands; `None` at a closing bracket or the end.
    fn value(&mut self) -> Option<Range<usize>> {
        self.blanks();
        let start = self.at;
        self.at = match self.peek()? {
            b'"' => behind_string(self.bytes(), start + 1)?,
            b'{' => self.nest_end(start, b'{', b'}')?,
            b'[' => self.nest_end(start, b'[', b']')?,
            b'}' | b']' => return None,
            _ => {
                let rest = &self.bytes()[start..];
                let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\n' | b'\r');
                start + rest.iter().position(ends).unwrap_or(rest.len())
            }
        };
        (self.at > start).then_some(start..self.at)
    }

    /// Behind the bracket that closes the one at `start`. In an accepted text the other kind of bracket is balanced
    /// in between and need not be looked at.
    fn nest_end(&self, start: usize, opener: u8, closer: u8) -> Option<usize> {
        let bytes = self.bytes();
        let mut depth = 1usize;
        let mut from = start + 1;
        loop {
            // Between strings there is little: the next mark is a few bytes away.
            let rest = bytes.get(from..)?;
            let at = from + rest.iter().position(|byte| *byte == b'"' || *byte == opener || *byte == closer)?;
            from = at + 1;
            if bytes[at] == b'"' {
                from = behind_string(bytes, from)?;
            } else if bytes[at] == opener {
                depth += 1;
            } else {
                depth -= 1;
                if depth == 0 {
                    return Some(from);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(&str, &str)> {
        members(text).map(|member| (member.key, member.value)).collect()
    }

    #[test]
    fn members_stand_where_they_stand() {
        let text = r#" { "a" : 1.50 , "b":"x\"}\\","c":{"d":[{"e":"]"}]}, "f":[ ] ,"g":null,"h" : true} "#;
        assert_eq!(
            pairs(text),
            [
                ("a", "1.50"),
                ("b", r#""x\"}\\""#),
                ("c", r#"{"d":[{"e":"]"}]}"#),
                ("f", "[ ]"),
                ("g", "null"),
                ("h", "true")
            ]
        );
        for member in members(text) {
            assert_eq!(&text[member.at.clone()], member.value);
        }
        assert_eq!(
            elements(r#"[ 1,"a,b",[2,3] , {"x":"]"}]"#).collect::<Vec<_>>(),
            ["1", "\"a,b\"", "[2,3]", r#"{"x":"]"}"#]
        );
    }

    #[test]
    fn a_key_is_known_in_every_spelling() {
        let text = r#"{"mod\u0065l":"x"}"#;
        assert!(members(text).next().unwrap().is("model"));
        assert!(!members(text).next().unwrap().is("mode"));
    }

    #[test]
    fn what_is_no_json_ends_the_walk() {
        for text in
            ["", "{", "[", "{\"a", "{\"a\":", "{\"a\":\"", "{\"a\":[", "{\"a\\", "}", "{,}", "{\"\\", "3", "\"{\""]
        {
            assert!(members(text).count() <= 1, "{text}");
            assert!(elements(text).count() <= 1, "{text}");
        }
    }
}
