//! An API key, as shown: its digest never is, and the key itself once.

use domain::{Secret, Timestamp, api_key::ApiKey};
use serde::Serialize;
use utoipa::ToSchema;

/// An API key. Times are seconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct View {
    /// Always `api_key`.
    #[schema(example = "api_key")]
    object: &'static str,
    #[schema(example = "key_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    pub(crate) id: String,
    #[schema(example = "laptop")]
    name: String,
    /// What the key begins with.
    #[schema(example = "sk_live")]
    prefix: String,
    /// Its last four characters.
    #[schema(example = "9f3a")]
    suffix: String,
    /// What the key is limited to; empty for no limit.
    scopes: Vec<String>,
    /// `active`, `revoked` or `expired`.
    #[schema(example = "active")]
    status: &'static str,
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    #[schema(example = 1_807_776_000)]
    expires_at: i64,
    /// To the minute; null before the first use.
    #[schema(required)]
    last_used_at: Option<i64>,
    #[schema(required)]
    revoked_at: Option<i64>,
    /// The key itself: shown when it is made and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "sk_live_5f0c4a7be6d1984f2b3c0e7d6a5948372615f0c4a7be9f3a")]
    key: Option<String>,
}

impl View {
    /// The key as it is at `now`.
    pub(super) fn new(key: ApiKey, now: Timestamp) -> Self {
        Self {
            object: "api_key",
            status: key.status(now).as_str(),
            id: key.id.to_string(),
            name: key.name,
            prefix: key.prefix,
            suffix: key.suffix,
            scopes: key.scopes,
            created_at: key.created_at.seconds(),
            expires_at: key.expires_at.seconds(),
            last_used_at: key.last_used_at.map(Timestamp::seconds),
            revoked_at: key.revoked_at.map(Timestamp::seconds),
            key: None,
        }
    }

    /// The same with the key itself, for its maker.
    pub(super) fn with_secret(self, secret: &Secret) -> Self {
        Self { key: Some(secret.expose().to_owned()), ..self }
    }
}
