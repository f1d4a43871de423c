//! Text in HTML.

/// Adds a text, for an element or a quoted attribute.
pub(super) fn escape(html: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '\0']) {
        html.push_str(&rest[..at]);
        html.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => "\u{fffd}",
        });
        rest = &rest[at + 1..];
    }
    html.push_str(rest);
}

/// A text, for an element or a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    escape(&mut html, text);
    html
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
