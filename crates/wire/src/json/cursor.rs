//! Goes through a JSON text once, from front to back, and says where things stand. It makes nothing of them.
//!
//! It accepts what the parser accepts, so a text that was gone through is sound. Whoever only passes a text on, with a
//! member replaced here and there, needs no more: a whole answer is read so in a quarter of the time that parsing it
//! first took.

use std::ops::Range;

use super::MAX_DEPTH;

/// A place in a JSON text. Every step goes over one thing; `None` says that the text is no JSON there.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// How deep what it goes over may still nest.
    pub(super) room: usize,
}

impl<'a> Cursor<'a> {
    /// The front of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, room: MAX_DEPTH }
    }

    /// The first byte of what comes next; `None` at the end of the text.
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                next => return next.copied(),
            }
        }
    }

    /// Whether nothing but blanks is left.
    pub fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Goes over a value of any kind and gives it as it stands.
    pub fn value(&mut self) -> Option<&'a str> {
        let at = self.span()?;
        self.text.get(at)
    }

    /// Goes over a value of any kind; says where it stands.
    pub fn span(&mut self) -> Option<Range<usize>> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'{' | b'[' => self.nest()?,
            _ => self.scalar(first)?,
        }
        Some(start..self.at)
    }

    /// Goes over an object; `member` is told each key, escapes and all, and goes over the value.
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Some(());
        }
        loop {
            let key = self.key()?;
            member(self, key)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Goes over an array; `element` goes over each element.
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Some(());
        }
        loop {
            element(self)?;
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }

    /// Whether `mark` is next; goes over it.
    pub(super) fn take(&mut self, mark: u8) -> bool {
        let is_there = self.peek() == Some(mark);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, mark: u8) -> Option<()> {
        self.take(mark).then_some(())
    }

    fn key(&mut self) -> Option<&'a str> {
        self.peek().filter(|first| *first == b'"')?;
        let start = self.at + 1;
        self.string()?;
        let key = self.text.get(start..self.at - 1)?;
        self.expect(b':')?;
        Some(key)
    }

    /// Goes over an object or an array without calling itself: what comes from elsewhere may nest as it likes.
    fn nest(&mut self) -> Option<()> {
        // One bit for each level: whether it is an object's.
        let (mut objects, mut depth) = (0_u128, 0);
        loop {
            let first = self.peek()?;
            if matches!(first, b'{' | b'[') {
                if depth == self.room {
                    return None;
                }
                let is_object = first == b'{';
                self.at += 1;
                if !self.take(if is_object { b'}' } else { b']' }) {
                    depth += 1;
                    objects = objects << 1 | u128::from(is_object);
                    if is_object {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.scalar(first)?;
            }
            // A value has ended, and with it perhaps what it stands in.
            while depth > 0 {
                let is_object = objects & 1 == 1;
                if self.take(b',') {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                self.expect(if is_object { b'}' } else { b']' })?;
                depth -= 1;
                objects >>= 1;
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn scalar(&mut self, first: u8) -> Option<()> {
        match first {
            b'"' => self.string(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let mut at = usize::from(rest.first() == Some(&b'-'));
        let digits = |from: usize| {
            let count = rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            (count > 0).then_some(from + count)
        };
        let whole = digits(at)?;
        if rest[at] == b'0' && whole > at + 1 {
            return None; // no zeros in front
        }
        at = whole;
        if rest.get(at) == Some(&b'.') {
            at = digits(at + 1)?;
        }
        if matches!(rest.get(at), Some(b'e' | b'E')) {
            at += 1;
            at = digits(at + usize::from(matches!(rest.get(at), Some(b'+' | b'-'))))?;
        }
        self.at += at;
        Some(())
    }

    /// Goes over a string and says what it means; where that does not stand in the text, it is written to `out`. `None`
    /// also for half of a surrogate pair.
    pub(super) fn meaning(&mut self, out: &mut String) -> Option<Meaning<'a>> {
        self.expect(b'"')?;
        let from = self.at;
        let at = from + plain(&self.text.as_bytes()[from..]);
        let plain = self.text.get(from..at)?;
        if self.take_at(at, b'"') {
            return Some(Meaning::Plain(plain));
        }
        out.clear();
        out.push_str(plain);
        let end = undo_escapes(self.text, at, out)?;
        self.take_at(end, b'"').then_some(Meaning::Written)
    }

    /// Whether `mark` is at this place; goes over it.
    fn take_at(&mut self, at: usize, mark: u8) -> bool {
        let is_there = self.text.as_bytes().get(at) == Some(&mark);
        if is_there {
            self.at = at + 1;
        }
        is_there
    }

    /// Goes over a string, whose opening quote is next.
    fn string(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        loop {
            at += plain(&bytes[at..]);
            match bytes.get(at)? {
                b'"' => {
                    self.at = at + 1;
                    return Some(());
                }
                b'\\' => match bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                    b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => at += 6,
                    _ => return None,
                },
                _ => return None,
            }
        }
    }
}

/// What a string means.
pub(super) enum Meaning<'a> {
    /// As it stands in the text.
    Plain(&'a str),
    /// Something else, since it holds escapes: it was written elsewhere.
    Written,
}

/// Writes to `out` what the inside of a string means from `from` on, up to a quote or the end of `text`; says where that is.
/// `None` for what is no sound string, and for half of a surrogate pair.
pub(super) fn undo_escapes(text: &str, mut from: usize, out: &mut String) -> Option<usize> {
    let bytes = text.as_bytes();
    loop {
        let at = from + plain(bytes.get(from..)?);
        out.push_str(text.get(from..at)?);
        let (char, behind) = match (bytes.get(at), bytes.get(at + 1)) {
            (None | Some(b'"'), _) => return Some(at),
            (Some(b'\\'), Some(mark)) => match mark {
                b'"' | b'\\' | b'/' => (char::from(*mark), at + 2),
                b'b' => ('\u{8}', at + 2),
                b'f' => ('\u{c}', at + 2),
                b'n' => ('\n', at + 2),
                b'r' => ('\r', at + 2),
                b't' => ('\t', at + 2),
                b'u' => by_number(bytes, at)?,
                _ => return None,
            },
            _ => return None,
        };
        out.push(char);
        from = behind;
    }
}

/// The character whose escape by number stands at `at`, and behind it; half of a pair is none.
fn by_number(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    };
    let first = unit(at)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).map(|char| (char, at + 6));
    }
    let second = unit(at + 6).filter(|second| (0xdc00..0xe000).contains(second))?;
    let char = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
    Some((char, at + 12))
}

/// How many bytes at the front of a string's rest stand for themselves: up to a quote, a backslash or a control
/// character.
///
/// Keys, words, and texts with an escape every few words are looked at eight bytes at a time, in one register; a search
/// that is faster on long texts takes as long as that to set out.
pub(super) fn plain(bytes: &[u8]) -> usize {
    /// So many words before the search sets out.
    const NEAR: usize = 8;
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // The lowest byte whose highest bit is set is below `limit`; what stands above it may be a mistake.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words.iter().take(NEAR) {
        let word = u64::from_le_bytes(*word);
        let marks = (equal(word, b'"') | equal(word, b'\\') | below(word, b' ')) & (ONES << 7);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = &bytes[at..];
    let found = if rest.len() < 8 {
        rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))
    } else {
        memchr::memchr2(b'"', b'\\', rest)
    };
    let text = &rest[..found.unwrap_or(rest.len())];
    // The least byte is found without stopping anywhere, which the processor does for many bytes at once.
    if text.iter().fold(u8::MAX, |least, byte| least.min(*byte)) >= b' ' {
        return at + text.len();
    }
    at + text.iter().take_while(|byte| **byte >= b' ').count()
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn accepts(text: &str) -> bool {
        let mut cursor = Cursor::new(text);
        cursor.value().is_some() && cursor.is_at_end()
    }

    #[test]
    fn it_accepts_what_the_parser_accepts() {
        let sound = [
            r#" {"a" : [1, -0, 0.5e+7, 1E2, -12.25e-3], "b":{}, "":[], "c":{"d":[[],{}]} , "e":[true,false,null]} "#,
            r#""\"\\\/\b\f\n\r\t\u00e9\ud800 naïve""#,
            "0",
            "[[[]]]",
            "\"\"",
            "\t[1\n,\r2 ]",
        ];
        let broken = [
            "",
            " ",
            "{",
            "[",
            "}",
            "]",
            ",",
            "{,}",
            "[,]",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "[1 2]",
            "[1}",
            "{\"a\":1]",
            "tru",
            "truee",
            "nul",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "1e+",
            "0x1",
            "--1",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12\"",
            "\"a\nb\"",
            "\"\t\"",
            "\"\u{1f}\"",
            "[1]]",
            "1 2",
            "{}{}",
            "'a'",
            "NaN",
            "[[]",
        ];
        for text in sound.into_iter().chain(broken) {
            assert_eq!(accepts(text), serde_json::from_str::<&RawValue>(text).is_ok(), "{text:?}");
        }
        assert!(sound.into_iter().all(accepts));
    }

    #[test]
    fn every_cut_of_a_text_is_judged_as_the_parser_judges_it() {
        let text = r#"{"id":"chatcmpl-\u00e9x","n":-1.5e3,"list":[{"a":"a long text with \"quotes\" and \\ in it"},null,[true]]}"#;
        for (at, _) in text.char_indices() {
            for replaced in ["", "\"", "\\", "}", "]", ",", ":", " ", "1", "\u{1}"] {
                let changed = format!("{}{replaced}{}", &text[..at], &text[at + 1..]);
                assert_eq!(accepts(&changed), serde_json::from_str::<&RawValue>(&changed).is_ok(), "{changed:?}");
            }
            assert!(!accepts(&text[..at]));
        }
    }

    #[test]
    fn marks_are_found_wherever_they_stand() {
        for length in 0..120 {
            let text = "é".repeat(length);
            assert_eq!(plain(text.as_bytes()), text.len());
            for mark in ["\"", "\\", "\0", "\u{1f}"] {
                assert_eq!(plain(format!("{text}{mark}{text}").as_bytes()), text.len(), "{length} {mark:?}");
            }
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(accepts(&nested(MAX_DEPTH)));
        assert!(!accepts(&nested(MAX_DEPTH + 1)));
        assert!(!accepts(&"[".repeat(1_000_000)));
    }

    #[test]
    fn members_and_elements_are_told_in_order() {
        let text = r#" { "a" : 1.50 , "b\n":"x\"}\\","c":{"d":[{"e":"]"}]}, "f":[ 1,"a,b",[2,3] , {"x":"]"}] } "#;
        let (mut members, mut elements) = (Vec::new(), Vec::new());
        let mut cursor = Cursor::new(text);
        let read = cursor.object(|cursor, key| {
            if key == "f" {
                return cursor.array(|cursor| cursor.value().map(|value| elements.push(value)));
            }
            cursor.value().map(|value| members.push((key, value)))
        });
        assert!(read.is_some() && cursor.is_at_end());
        assert_eq!(members, [("a", "1.50"), ("b\\n", r#""x\"}\\""#), ("c", r#"{"d":[{"e":"]"}]}"#)]);
        assert_eq!(elements, ["1", r#""a,b""#, "[2,3]", r#"{"x":"]"}"#]);
    }
}
