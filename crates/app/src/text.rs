//! Texts of people, on one line.

/// The words of a text: what stands between spaces, ends of lines and characters that control something.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(parts_words).filter(|word| !word.is_empty())
}

fn parts_words(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control()
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

/// A text on one line as a title, without what cannot be seen; read only as far as letters are asked for.
pub(crate) fn title(text: &str) -> impl Iterator<Item = char> {
    let mut letters = text.chars().filter(|letter| !is_invisible(*letter));
    let (mut has_begun, mut first) = (false, None);
    std::iter::from_fn(move || {
        if let Some(letter) = first.take() {
            return Some(letter);
        }
        let mut letter = letters.next()?;
        if !parts_words(letter) {
            has_begun = true;
            return Some(letter);
        }
        while parts_words(letter) {
            letter = letters.next()?;
        }
        if !std::mem::replace(&mut has_begun, true) {
            return Some(letter);
        }
        first = Some(letter);
        Some(' ')
    })
}

/// Marks that turn the direction of what follows, up to what stands around the title, and those that show nothing by
/// themselves. Joiners stay: scripts and emoji need them.
pub(crate) fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_words_and_nothing_else() {
        assert_eq!(one_line("  How\n\nmany?\u{7}\tNow "), "How many? Now");
        assert_eq!(one_line(" \n"), "");
    }

    #[test]
    fn a_title_has_no_marks_that_turn_the_page_around_it() {
        let title = |text| title(text).collect::<String>();
        assert_eq!(title("\u{202e}a\u{2066} \u{200f} b\u{200e}c \u{2069}\n"), "a bc");
        assert_eq!(title(" \u{200f}\n\u{7}How\t\nmany? "), "How many?");
        assert_eq!(title("\u{1f469}\u{200d}\u{1f9af}"), "\u{1f469}\u{200d}\u{1f9af}");
        assert_eq!(title(" \u{202e}\n"), "");
    }
}
