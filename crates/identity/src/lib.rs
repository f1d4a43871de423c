//! Who is calling: issues and verifies credentials.
//!
//! [`Identity`] knows two kinds of credentials. An access token is a text signed by this server (or another on the same
//! database) that proves a sign-in; an API key is a long random text whose digest is in the database. [`Identity::cached`]
//! answers for every request in microseconds, [`Identity::verify`] reads the proof; what is taken back stops working at
//! once here and within two seconds on every other server.
//!
//! The use-cases are: come in as a guest; make an account of it; sign in; change the password; renew a sign-in and end it; make, list and take back API keys; look oneself up; and the public keys for
//! those who verify tokens themselves. Users of one external OpenID Connect provider may come in as well (`oidc`).
//!
//! The crate serves no HTTP: it neither sees a request's headers nor answers it. It trusts no key that is not its own, in
//! the database or the provider's, and no role that is not in the user's row.

mod access_token;
mod accounts;
mod administration;
mod api_key;
mod audit;
mod background;
mod clean_up;
mod code_flow;
mod credentials;
mod email_proof;
mod error;
mod guests;
mod introspection;
mod jwk;
mod key_revocation;
mod key_rotation;
mod key_set;
mod last_used;
mod oidc;
mod options;
mod password_change;
mod passwords;
mod per_address;
mod sessions;
mod setup;
mod signing_key;
mod time;
mod tries;
mod verdicts;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use domain::{Clock, Error, Kind, Principal, Result, audit::Origin, user::User};
use outbound::Client;
use store::Store;

pub use accounts::AccountWish;
pub use administration::UserChange;
pub use api_key::NewKey;
pub use code_flow::{Authorization, AuthorizationRequest, Landing};
pub use credentials::{Credentials, Verdict};
pub use error::OpenError;
pub use introspection::Introspection;
pub use jwk::Jwk;
pub use oidc::{Answer, Arrival, Arrived, LoginWish, OidcOptions};
pub use options::{Options, OptionsError};
pub use sessions::{MARK as REFRESH_MARK, SignIn};
pub use store::ExternalProfile;

use crate::{
    key_set::KeySet, last_used::LastUsed, passwords::Passwords, per_address::PerAddress, signing_key::SigningKey,
    tries::Tries, verdicts::Verdicts,
};

/// The algorithm of our signatures.
pub const ALGORITHM: &str = "RS256";

/// Issues and verifies credentials. Clones share everything but where their acts come from.
#[derive(Clone)]
pub struct Identity(Arc<Inner>, Option<Arc<Origin>>);

struct Inner {
    options: Options,
    issuer: String,
    clock: Clock,
    store: Store,
    keys_dir: PathBuf,
    signing_key: ArcSwap<SigningKey>,
    keys: KeySet,
    verdicts: Verdicts,
    last_used: LastUsed,
    /// Guests that addresses make.
    new_guests: PerAddress,
    /// How many guests there are.
    guests: guests::GuestCount,
    /// Sign-ins that addresses begin.
    beginnings: PerAddress,
    /// Whose users come in besides ours.
    provider: OnceLock<oidc::Provider>,
    /// Refresh tokens unknown here that addresses send.
    unknown_refresh_tokens: PerAddress,
    /// API keys, and whatever else, unknown here that addresses send.
    unknown_keys: PerAddress,
    tries: Tries,
    passwords: Passwords,
}

impl Identity {
    /// Reads the signing key in `keys_dir`, or makes one; touches no database. `issuer` is this server's public address,
    /// without a slash at its end: tokens name it, and those of another issuer are refused.
    ///
    /// # Errors
    /// When the options cannot be followed or the key cannot be used.
    pub fn open(
        options: Options,
        store: Store,
        keys_dir: &Path,
        issuer: String,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        options.check()?;
        let signing_key = SigningKey::open(keys_dir)?;
        let keys = KeySet::new(signing_key.public().clone(), options.access_token_life(), clock.clone());
        let new_guests = PerAddress::new(options.guest_logins_per_hour);
        let inner = Inner {
            options,
            issuer,
            clock,
            store,
            keys_dir: keys_dir.to_owned(),
            signing_key: ArcSwap::from_pointee(signing_key),
            keys,
            verdicts: Verdicts::new(),
            last_used: LastUsed::new(),
            new_guests,
            guests: guests::GuestCount::default(),
            beginnings: code_flow::beginnings(),
            provider: OnceLock::new(),
            unknown_refresh_tokens: PerAddress::of_unknown_credentials(),
            unknown_keys: PerAddress::of_unknown_credentials(),
            tries: Tries::new(),
            passwords: Passwords::new(),
        };
        Ok(Self(Arc::new(inner), None))
    }

    /// From now on the external provider is asked through `client`, if one is configured; without this, nobody comes in
    /// through it.
    pub fn reach_provider_through(&self, client: &Client) {
        if let Some(provider) = oidc::provider(&self.0.options.oidc, client, &self.0.clock) {
            let _first = self.0.provider.set(provider);
        }
    }

    /// What tokens name as their issuer.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whether anybody may make an account.
    pub fn registration(&self) -> bool {
        self.0.options.registration && self.built_in_sign_in()
    }

    /// The clock that decides what has expired.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The public keys that verify the tokens of all servers on this database.
    pub fn public_keys(&self) -> Vec<Jwk> {
        self.0.keys.current().public().to_vec()
    }

    /// The caller's own row.
    ///
    /// # Errors
    /// `invalid_token` for a user who is gone since the credential was verified.
    pub async fn user(&self, caller: &Principal) -> Result<User> {
        let user = time::limited(async { self.0.store.read().await?.user(&caller.user_id).await }).await?;
        user.ok_or_else(|| Error::new(Kind::Unauthenticated, "invalid_token", "The user is gone."))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}
