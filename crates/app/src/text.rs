//! Texts of people, on one line.

/// The words of a text: what stands between spaces, ends of lines and characters that control something.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|word| !word.is_empty())
}

/// A text on one line: its words, with a space between.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in words(text) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_words_and_nothing_else() {
        assert_eq!(one_line("  How\n\nmany?\u{7}\tNow "), "How many? Now");
        assert_eq!(one_line(" \n"), "");
    }
}
