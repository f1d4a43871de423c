//! Guesses by words: what a question seems to be about. English only, and honest about being a guess.

/// Whether one of `phrases`, in lower case, stands in the text as whole words, or with an `s` at its end.
pub(super) fn has_any(text: &str, phrases: &[&str]) -> bool {
    let text = text.to_lowercase();
    phrases.iter().any(|phrase| {
        text.match_indices(phrase).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = &text[at + phrase.len()..];
            let after = after.strip_prefix('s').unwrap_or(after).chars().next();
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_count() {
        assert!(has_any("Why does my Function fail?", &["function"]));
        assert!(has_any("(rust) functions", &["function"]) && has_any("step by step!", &["step by step"]));
        assert!(!has_any("I trust you, thrusting on", &["rust"]));
        assert!(!has_any("", &["rust"]));
        assert!(has_any("trust in rust", &["rust"]), "a later match counts");
    }
}
