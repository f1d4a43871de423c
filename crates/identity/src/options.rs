//! What an operator may choose about callers.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

/// Longest life of anything, ten years: far enough to be no limit, near enough that no sum overflows.
const LONGEST_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

/// Who may come in, and for how long.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether anybody may come in as a guest, without an account.
    pub guest_login: bool,
    /// Whether anybody may make an account on the sign-in page.
    pub registration: bool,
    /// Origins whose pages may get tokens when a sign-in ends there, such as `https://app.example.org`. This server's own
    /// is among them, and those of this machine while `public_url` is one of this machine.
    pub redirect_origins: Vec<String>,
    /// New guests in an hour from one address, all of them at once if they like; 0 for no limit. What comes from this
    /// machine itself (loopback) is development, tests or a proxy that hides the addresses, and may make
    /// 10 000.
    pub guest_logins_per_hour: u32,
    /// Whether guests may make API keys.
    pub guest_api_keys: bool,
    /// How long an access token is good, in seconds.
    pub access_token_seconds: u64,
    /// How long a sign-in lasts without being renewed: the life of a refresh token, in seconds.
    pub refresh_token_seconds: u64,
    /// After how many days access tokens are signed with a new key; 0 for never. Tokens of the old one stay good until
    /// they lapse.
    pub signing_key_days: u64,
    /// What API keys begin with; itself it begins with `sk_`, by which a key is told from an access token.
    pub api_key_prefix: String,
    /// How long an API key is good if its maker asks for nothing else, and at most, in hours.
    pub api_key_hours: u64,
    /// API keys that a user may have at a time; revoked and expired ones do not count.
    pub api_keys_per_user: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            guest_login: true,
            registration: true,
            redirect_origins: Vec::new(),
            guest_logins_per_hour: 30,
            guest_api_keys: true,
            access_token_seconds: 60 * 60,
            refresh_token_seconds: 30 * 24 * 60 * 60,
            signing_key_days: 90,
            api_key_prefix: "sk_live".to_owned(),
            api_key_hours: 90 * 24,
            api_keys_per_user: 5,
        }
    }
}

/// A choice that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct OptionsError {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Options {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// Names the field that cannot be followed.
    pub fn check(&self) -> Result<(), OptionsError> {
        let error = |field, problem: String| Err(OptionsError { field, problem });
        let lives = [
            ("access_token_seconds", self.access_token_seconds, LONGEST_SECONDS),
            ("refresh_token_seconds", self.refresh_token_seconds, LONGEST_SECONDS),
            ("api_key_hours", self.api_key_hours, LONGEST_SECONDS / 3_600),
        ];
        for (field, value, most) in lives {
            if !(1..=most).contains(&value) {
                return error(field, format!("must be between 1 and {most}"));
            }
        }
        let most_days = LONGEST_SECONDS / 86_400;
        if self.signing_key_days > most_days {
            return error("signing_key_days", format!("must be at most {most_days}"));
        }
        if self.refresh_token_seconds < self.access_token_seconds {
            return error("refresh_token_seconds", "must not be less than access_token_seconds".to_owned());
        }
        for origin in &self.redirect_origins {
            let is_origin = |url: &url::Url| {
                matches!(url.scheme(), "http" | "https")
                    && url.origin().ascii_serialization() == origin.trim_end_matches('/')
            };
            if !url::Url::parse(origin).is_ok_and(|url| is_origin(&url)) {
                return error(
                    "redirect_origins",
                    format!("holds {origin}, which is no origin such as https://app.example.org"),
                );
            }
        }
        let prefix = &self.api_key_prefix;
        let well_formed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !prefix.starts_with("sk_") || prefix.len() > 32 || !prefix.bytes().all(well_formed) {
            let problem = "must begin with sk_ and hold at most 32 of a-z, 0-9 and _".to_owned();
            return error("api_key_prefix", problem);
        }
        Ok(())
    }

    pub(crate) fn access_token_life(&self) -> Duration {
        Duration::from_secs(self.access_token_seconds)
    }

    pub(crate) fn refresh_token_life(&self) -> Duration {
        Duration::from_secs(self.refresh_token_seconds)
    }

    /// None when the key is kept for ever.
    pub(crate) fn signing_key_life(&self) -> Option<Duration> {
        if self.signing_key_days == 0 { None } else { Some(Duration::from_hours(self.signing_key_days * 24)) }
    }

    pub(crate) fn api_key_life(&self) -> Duration {
        Duration::from_secs(self.api_key_hours.saturating_mul(3_600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_followed() {
        assert_eq!(Options::default().check(), Ok(()));
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        let check = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options.check().unwrap_err().field
        };
        assert_eq!(check(|o| o.access_token_seconds = 0), "access_token_seconds");
        assert_eq!(check(|o| o.api_key_hours = u64::MAX), "api_key_hours");
        assert_eq!(check(|o| o.signing_key_days = u64::MAX), "signing_key_days");
        assert_eq!(check(|o| o.refresh_token_seconds = 60), "refresh_token_seconds");
        for origin in ["app.example", "*", "https://app.example/path", "javascript:1", "https://u:p@app.example"] {
            let options = Options { redirect_origins: vec![origin.to_owned()], ..Options::default() };
            assert_eq!(options.check().unwrap_err().field, "redirect_origins", "{origin:?}");
        }
        let origins = ["https://app.example", "http://localhost:3000/"].map(str::to_owned).to_vec();
        assert_eq!(Options { redirect_origins: origins, ..Options::default() }.check(), Ok(()));
        for prefix in ["jan_live", "", "sk_Live", "sk_ live", "sk_0123456789012345678901234567890"] {
            let options = Options { api_key_prefix: prefix.to_owned(), ..Options::default() };
            assert_eq!(options.check().unwrap_err().field, "api_key_prefix", "{prefix:?}");
        }
    }
}
