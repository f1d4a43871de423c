//! How long a new key is to be good, in the spellings that clients use.

use std::time::Duration;

use domain::{Error, Result, span};
use serde::Deserialize;
use utoipa::ToSchema;

/// A span of time.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a whole number, or a text such as 720h, is needed")]
pub(crate) enum ExpiresIn {
    /// Seconds; from 10^9 on nanoseconds, as Go writes durations.
    #[schema(example = 2_592_000)]
    Number(i64),
    /// Numbers with units, as in `720h` or `1h30m`: d, h, m, s, ms, us, ns.
    #[schema(example = "720h")]
    Text(String),
}

/// What was asked for, and in which field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    /// `None` when nothing was.
    pub(super) duration: Option<Duration>,
    field: &'static str,
}

impl Life {
    /// An error about the span, pointing at the field in which it was.
    pub(super) fn name_field(self, error: Error) -> Error {
        if error.param_name() == Some("expires_in") { error.param(self.field) } else { error }
    }
}

/// Reads the two fields, of which at most one may be there.
pub(super) fn read(expires_in: Option<ExpiresIn>, expires_in_days: Option<i64>) -> Result<Life> {
    match (expires_in, expires_in_days) {
        (Some(_), Some(_)) => {
            let message = "Give expires_in or expires_in_days, not both.";
            Err(Error::invalid_parameter("expires_in_days", message))
        }
        (None, None) => Ok(Life { duration: None, field: "expires_in" }),
        (None, Some(days)) => {
            let field = "expires_in_days";
            let days = positive(days, field)?;
            Ok(Life { duration: Some(Duration::from_secs(days.saturating_mul(86_400))), field })
        }
        (Some(span), None) => {
            let field = "expires_in";
            let duration = match span {
                ExpiresIn::Number(number) => span::of_number(positive(number, field)?),
                ExpiresIn::Text(text) => span::parse(&text)
                    .ok_or_else(|| Error::invalid_parameter(field, "expires_in needs a form such as 720h or 1h30m."))?,
            };
            Ok(Life { duration: Some(duration), field })
        }
    }
}

fn positive(number: i64, field: &'static str) -> Result<u64> {
    match u64::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::invalid_parameter(field, format!("{field} must be greater than 0."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_nanoseconds() {
        let read = |number| read(Some(ExpiresIn::Number(number)), None);
        assert_eq!(read(3_600).unwrap().duration, Some(Duration::from_hours(1)));
        assert_eq!(read(999_999_999).unwrap().duration, Some(Duration::from_secs(999_999_999)));
        assert_eq!(read(3_600_000_000_000).unwrap().duration, Some(Duration::from_hours(1)));
        for bad in [0, -1, i64::MIN] {
            assert_eq!(read(bad).unwrap_err().param_name(), Some("expires_in"));
        }
    }

    #[test]
    fn errors_point_at_the_field_that_was_given() {
        let days = read(None, Some(30)).unwrap();
        assert_eq!(days.duration, Some(Duration::from_hours(720)));
        let error = || Error::invalid_parameter("expires_in", "Too long.");
        assert_eq!(days.name_field(error()).param_name(), Some("expires_in_days"));
        assert_eq!(read(None, None).unwrap().name_field(error()).param_name(), Some("expires_in"));
        assert_eq!(days.name_field(Error::invalid_parameter("name", "No.")).param_name(), Some("name"));
        assert_eq!(read(None, Some(0)).unwrap_err().param_name(), Some("expires_in_days"));
        assert_eq!(read(Some(ExpiresIn::Number(1)), Some(1)).unwrap_err().param_name(), Some("expires_in_days"));
    }
}
