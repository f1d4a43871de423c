//! Text that no database keeps and no reader takes.

use std::borrow::Cow;

use memchr::{memchr, memmem};

/// What stands for a character that cannot be.
const REPLACEMENT: &str = r"\ufffd";

/// JSON without escapes of the character NUL, which PostgreSQL cannot store, and of halves of surrogate pairs, which are no
/// Unicode: programs that cut texts leave such.
pub(super) fn mend(json: &str) -> Cow<'_, str> {
    let is_suspect =
        [r"\u0000", r"\ud", r"\uD"].iter().any(|start| memmem::find(json.as_bytes(), start.as_bytes()).is_some());
    if !is_suspect {
        return json.into();
    }
    let (mut mended, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match (unit(rest), unit(rest.get(6..).unwrap_or_default())) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0 | 0xd800..=0xdfff), _) => {
                mended.push_str(REPLACEMENT);
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            // Another escape is of two characters, the second of which may be a backslash.
            (None, _) => rest.len().min(2),
        };
        let length = rest.ceil_char_boundary(length);
        mended.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    mended.push_str(rest);
    mended.into()
}

/// The UTF-16 unit that a text begins with as an escape.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_kept_is_replaced() {
        for (json, mended) in [
            (r#""plain \n \u00e9""#, r#""plain \n \u00e9""#),
            (r#""a\u0000b""#, r#""a\ufffdb""#),
            (r#""a\\u0000b""#, r#""a\\u0000b""#),
            (r#""a\\\u0000b""#, r#""a\\\ufffdb""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\uD83D""#, r#""\ufffd""#),
            (r#""\ud83d\u0041\ude00 \ud83d\ud83d\ude00""#, r#""\ufffd\u0041\ufffd \ufffd\ud83d\ude00""#),
            (r#""\ud83d\"#, r#""\ufffd\"#),
            ("\"\\\u{e9}\\ud800\"", "\"\\\u{e9}\\ufffd\""),
        ] {
            assert_eq!(mend(json), mended);
        }
    }
}
