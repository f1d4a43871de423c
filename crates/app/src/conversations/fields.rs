//! What clients say of a conversation, within its bounds.

use std::collections::BTreeMap;

use domain::{Error, Result, length::check_length};

use crate::text;

/// Longest title, in characters.
pub(crate) const MAX_TITLE: usize = 256;
/// Longest referrer, in characters.
const MAX_REFERRER: usize = 64;
/// Most entries of the metadata.
pub const MAX_METADATA: usize = 16;
const MAX_KEY: usize = 64;
/// Longest value of the metadata, in characters.
pub(crate) const MAX_VALUE: usize = 512;

/// What is to become of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataChange {
    /// This and nothing else.
    Replace(BTreeMap<String, String>),
    /// What there is, with these entries; those without a value go.
    Merge(BTreeMap<String, Option<String>>),
}

impl MetadataChange {
    pub(crate) fn apply(self, metadata: &mut BTreeMap<String, String>) -> Result<()> {
        match self {
            Self::Replace(all) => {
                all.iter().try_for_each(|(key, value)| check(key, value))?;
                *metadata = all;
            }
            Self::Merge(changes) => {
                for (key, value) in changes {
                    match value {
                        Some(value) => {
                            check(&key, &value)?;
                            metadata.insert(key, value);
                        }
                        None => _ = metadata.remove(&key),
                    }
                }
            }
        }
        if metadata.len() > MAX_METADATA {
            let text = format!("metadata may have {MAX_METADATA} entries at most.");
            return Err(Error::invalid_parameter("metadata", text));
        }
        Ok(())
    }
}

fn check(key: &str, value: &str) -> Result<()> {
    let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':' | '/' | ' ');
    let length = key.chars().count();
    if length == 0 || length > MAX_KEY || key.starts_with('_') || !key.chars().all(is_name) {
        let text = format!(
            "A key of the metadata has 1 to {MAX_KEY} letters, digits and _ - . : / or spaces, and begins with no _."
        );
        return Err(Error::invalid_parameter("metadata", text));
    }
    if value.chars().count() > MAX_VALUE {
        let text = format!("A value of the metadata has {MAX_VALUE} characters at most.");
        return Err(Error::invalid_parameter(format!("metadata.{key}"), text));
    }
    Ok(())
}

/// Reads a title: one line, without what cannot be seen. An empty one is none.
///
/// # Errors
/// 400 when it is too long.
pub fn read_title(text: &str) -> Result<Option<String>> {
    read_line(text, "title", MAX_TITLE)
}

/// Reads a referrer, as a title is read.
///
/// # Errors
/// 400 when it is too long.
pub fn read_referrer(text: &str) -> Result<Option<String>> {
    read_line(text, "referrer", MAX_REFERRER)
}

fn read_line(text: &str, field: &'static str, most: usize) -> Result<Option<String>> {
    let line: String = text::title(text).collect();
    check_length(&line, most, field)?;
    Ok((!line.is_empty()).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn titles_are_one_line_of_what_can_be_seen() {
        let read = |text: &str| read_title(text).unwrap();
        assert_eq!(read("  A\n\t title \u{7}").as_deref(), Some("A title"));
        assert_eq!(read("\u{202e}evil\u{200b}").as_deref(), Some("evil"));
        assert_eq!(read("<b>bold</b>").as_deref(), Some("<b>bold</b>"), "escaping is for who shows it");
        assert_eq!(read(" \n "), None);
        assert_eq!(read(&"\u{e9}".repeat(256)).map(|title| title.chars().count()), Some(256));
        assert_eq!(read_title(&"x".repeat(257)).unwrap_err().param_name(), Some("title"));
        assert_eq!(read_referrer(&"x".repeat(65)).unwrap_err().param_name(), Some("referrer"));
    }

    #[test]
    fn metadata_is_replaced_or_merged() {
        let mut metadata = map(&[("a", "1"), ("b", "2")]);
        let changes = [("a", None), ("b", Some("3")), ("c", Some("4")), ("d", None)];
        let changes = changes.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        MetadataChange::Merge(BTreeMap::from(changes)).apply(&mut metadata).unwrap();
        assert_eq!(metadata, map(&[("b", "3"), ("c", "4")]));
        MetadataChange::Replace(map(&[("x", "y")])).apply(&mut metadata).unwrap();
        assert_eq!(metadata, map(&[("x", "y")]));
    }

    #[test]
    fn each_bound_names_its_field() {
        let refused = |entries: BTreeMap<String, String>| {
            let error = MetadataChange::Replace(entries).apply(&mut BTreeMap::new()).unwrap_err();
            error.param_name().unwrap().to_owned()
        };
        assert_eq!(refused((0..17).map(|n| (format!("k{n}"), String::new())).collect()), "metadata");
        for key in ["", "_hidden", "a\nb", "a<b", &"k".repeat(65)] {
            assert_eq!(refused(map(&[(key, "")])), "metadata", "{key}");
        }
        assert_eq!(refused(map(&[("k", &"v".repeat(513))])), "metadata.k");
        let fine = map(&[("user-id", ""), ("a.b:c/d", &"\u{e9}".repeat(512)), ("\u{e9}t\u{e9} 1", "x")]);
        MetadataChange::Replace(fine).apply(&mut BTreeMap::new()).unwrap();
        let mut full: BTreeMap<_, _> = (0..16).map(|n| (format!("k{n}"), String::new())).collect();
        let swap = BTreeMap::from([("k0".to_owned(), None), ("new".to_owned(), Some(String::new()))]);
        MetadataChange::Merge(swap).apply(&mut full).unwrap();
        let more = BTreeMap::from([("one more".to_owned(), Some(String::new()))]);
        assert!(MetadataChange::Merge(more).apply(&mut full).is_err());
    }
}
