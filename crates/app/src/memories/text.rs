//! The text of a memory: on one line, of a length that a prompt can bear.

use aws_lc_rs::digest::{SHA256, digest as hash};
use domain::{Error, Result, length::check_length, memory::MAX_CHARACTERS};

use crate::text::one_line;

/// The text as it is kept.
///
/// # Errors
/// `missing_parameter` for none, `invalid_parameter` for too much.
pub(crate) fn check(content: &str) -> Result<String> {
    let content = one_line(content);
    if content.is_empty() {
        return Err(Error::invalid_parameter("content", "content needs a text."));
    }
    check_length(&content, MAX_CHARACTERS, "content")?;
    Ok(content)
}

/// What two texts that say the same have in common: their letters, in whatever case, without the marks at the end.
pub(crate) fn digest(content: &str) -> [u8; 32] {
    let plainest = content.to_lowercase();
    let plainest = plainest.trim_end_matches(['.', '!', ' ']);
    let mut digest = [0; 32];
    digest.copy_from_slice(hash(&SHA256, plainest.as_bytes()).as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_plain_and_bounded() {
        assert_eq!(check("  likes\n\ttea ").unwrap(), "likes tea");
        for bad in [" \n", &"\u{e9}".repeat(MAX_CHARACTERS + 1)] {
            assert_eq!(check(bad).unwrap_err().param_name(), Some("content"));
        }
        assert!(check(&"\u{e9}".repeat(MAX_CHARACTERS)).is_ok());
    }

    #[test]
    fn what_says_the_same_has_one_digest() {
        assert_eq!(digest("Likes tea."), digest("likes TEA"));
        assert_ne!(digest("Likes tea?"), digest("Likes tea"));
    }
}
