//! Whether a message asks to be remembered. Only the plainest way of asking counts, at the very beginning, so that nobody
//! is surprised.

/// How a message begins that asks to be remembered, in lower case.
const BEGINNINGS: [&str; 3] = ["remember that ", "please remember that ", "remember: "];

/// What a message asks to have remembered.
pub(super) fn asked_for(message: &str) -> Option<&str> {
    let message = message.trim_start();
    let begins =
        |beginning: &&&str| message.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning));
    let beginning = BEGINNINGS.iter().find(begins)?;
    Some(message[beginning.len()..].trim()).filter(|content| !content.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plainest_way_counts() {
        for (message, content) in [
            ("Remember that I like tea.", Some("I like tea.")),
            (" please REMEMBER that I like tea", Some("I like tea")),
            ("remember: \u{e9}", Some("\u{e9}")),
            ("Remember that ", None),
            ("Do you remember that day?", None),
            ("Remember when we met?", None),
            ("I remember that I like tea", None),
            ("remembe\u{e9}", None),
            ("", None),
        ] {
            assert_eq!(asked_for(message), content, "{message}");
        }
    }
}
