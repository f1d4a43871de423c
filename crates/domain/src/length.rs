//! How long a text from outside may be.

use crate::{Error, Result};

/// Refuses a text that has more than `most` characters.
///
/// # Errors
/// `invalid_parameter` at `field`.
pub fn check_length(text: &str, most: usize, field: &str) -> Result<()> {
    // A character has at least a byte: most texts need no counting.
    if text.len() <= most || text.chars().count() <= most {
        return Ok(());
    }
    Err(Error::invalid_parameter(field, format!("{field} has at most {most} characters.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_and_not_bytes() {
        for text in ["", "abc", "\u{e9}\u{e9}\u{e9}"] {
            assert!(check_length(text, 3, "name").is_ok(), "{text}");
        }
        let error = check_length("abcd", 3, "name").unwrap_err();
        assert_eq!((error.code(), error.param_name()), ("invalid_parameter", Some("name")));
    }
}
