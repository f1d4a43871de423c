//! Text in HTML.

use std::fmt::{self, Display, Write as _};

/// A text, for an element or a quoted attribute.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '\0']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                _ => "\u{fffd}",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Adds a text to a page.
pub(crate) fn escape(html: &mut String, text: &str) {
    _ = write!(html, "{}", Escaped(text));
}

/// A text, escaped.
pub(crate) fn escaped(text: &str) -> String {
    Escaped(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_means_something_is_left() {
        assert_eq!(escaped("a<b>&\"'\0\u{e9}"), "a&lt;b&gt;&amp;&quot;&#39;\u{fffd}\u{e9}");
        assert_eq!(escaped(""), "");
        assert_eq!(escaped("plain"), "plain");
    }
}
