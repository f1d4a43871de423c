//! Fields of a change.

use serde::{Deserialize, Deserializer};

/// What is to become of a field: with `#[serde(default)]`, one that is not there is kept and one that is null is cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It has no value from now on.
    Clear,
    /// It has this value from now on.
    Set(T),
}

impl<T> Change<T> {
    /// The value from now on, which is `cleared` when there is to be none; nothing when it stays as it is.
    pub fn cleared_as(self, cleared: T) -> Option<T> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(cleared),
            Self::Set(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(input)?.map_or(Self::Clear, Self::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Fields {
        #[serde(default)]
        name: Change<String>,
    }

    #[test]
    fn null_is_told_from_nothing() {
        let read = |text| serde_json::from_str::<Fields>(text).unwrap().name;
        assert_eq!(read("{}"), Change::Keep);
        assert_eq!(read(r#"{"name":null}"#), Change::Clear);
        assert_eq!(read(r#"{"name":"x"}"#), Change::Set("x".to_owned()));
        assert!(serde_json::from_str::<Fields>(r#"{"name":7}"#).is_err());
        let values = ["{}", r#"{"name":null}"#, r#"{"name":"x"}"#].map(|text| read(text).cleared_as(String::new()));
        assert_eq!(values, [None, Some(String::new()), Some("x".to_owned())]);
    }
}
