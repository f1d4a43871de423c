//! What an operator may choose about callers.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::OidcOptions;

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
    /// Guests at most, from wherever they come; 0 for no bound. Those who do not come back make room again.
    pub max_guests: u32,
    /// Whether guests may chat.
    pub guest_chat: bool,
    /// Whether guests may keep conversations, projects and shares.
    pub guest_conversations: bool,
    /// Whether guests may have API keys.
    pub guest_api_keys: bool,
    /// How long an access token is good, in seconds.
    pub access_token_seconds: u64,
    /// How long a sign-in lasts without being renewed: the life of a refresh token, in seconds.
    pub refresh_token_seconds: u64,
    /// After how many days an account's user has to sign in again, however often the sign-in was renewed; 0 for never.
    /// Guests cannot sign in again: theirs lasts as long as they renew it.
    pub session_days: u64,
    /// After how many days of absence a guest is deleted who has left nothing: no key that is good, and nothing of its
    /// own. 0 for never.
    pub idle_guest_days: u64,
    /// For how many days lines of the audit log are kept; 0 for ever.
    pub audit_log_days: u64,
    /// After how many days access tokens are signed with a new key; 0 for never. Tokens of the old one stay good until
    /// they lapse.
    pub signing_key_days: u64,
    /// What API keys begin with; itself it begins with `sk_`, by which a key is told from an access token.
    pub api_key_prefix: String,
    /// How long an API key is good if its maker asks for nothing else, and at most, in hours.
    pub api_key_hours: u64,
    /// API keys that a user may have at a time; revoked and expired ones do not count.
    pub api_keys_per_user: u32,
    /// An external OpenID Connect provider whose users may sign in.
    pub oidc: OidcOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            guest_login: true,
            registration: true,
            redirect_origins: Vec::new(),
            guest_logins_per_hour: 30,
            max_guests: 100_000,
            guest_chat: true,
            guest_conversations: true,
            guest_api_keys: true,
            access_token_seconds: 60 * 60,
            refresh_token_seconds: 30 * 24 * 60 * 60,
            session_days: 90,
            idle_guest_days: 30,
            audit_log_days: 365,
            signing_key_days: 90,
            api_key_prefix: "sk_live".to_owned(),
            api_key_hours: 90 * 24,
            api_keys_per_user: 5,
            oidc: OidcOptions::default(),
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
        let days = [
            ("session_days", self.session_days),
            ("idle_guest_days", self.idle_guest_days),
            ("audit_log_days", self.audit_log_days),
            ("signing_key_days", self.signing_key_days),
        ];
        for (field, value) in days {
            if value > most_days {
                return error(field, format!("must be at most {most_days}"));
            }
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
        self.oidc.check()?;
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
        days(self.signing_key_days)
    }

    /// None when a sign-in lasts as long as it is renewed.
    pub(crate) fn session_life(&self) -> Option<Duration> {
        days(self.session_days)
    }

    /// None when guests are kept for ever.
    pub(crate) fn idle_guest_life(&self) -> Option<Duration> {
        days(self.idle_guest_days)
    }

    /// None when the log is kept for ever.
    pub(crate) fn audit_log_life(&self) -> Option<Duration> {
        days(self.audit_log_days)
    }

    pub(crate) fn api_key_life(&self) -> Duration {
        Duration::from_secs(self.api_key_hours.saturating_mul(3_600))
    }
}

/// A number of days; none for 0.
fn days(count: u64) -> Option<Duration> {
    if count == 0 { None } else { Some(Duration::from_hours(count * 24)) }
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
        assert_eq!(check(|o| o.session_days = u64::MAX), "session_days");
        assert_eq!(check(|o| o.idle_guest_days = u64::MAX), "idle_guest_days");
        assert_eq!(check(|o| o.audit_log_days = u64::MAX), "audit_log_days");
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
