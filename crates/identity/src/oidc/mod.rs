//! Signing in through an external OpenID Connect provider, and its access tokens.
//!
//! A provider is another way to prove who one is: the sign-in still begins at `/auth/login`, ends at `/auth/callback`, and
//! leads to a session of this server. The provider is believed about its own users only, who are known by its issuer and
//! their subject there; an address links nobody to anything.
//!
//! | module | what it does |
//! |---|---|
//! | `options` | what the operator says |
//! | `fetch` | asks the provider, within bounds |
//! | `documents` | reads what it says of itself: doors and keys |
//! | `provider` | keeps that, and reads it again |
//! | `tokens` | judges what it signs |
//! | `asserted` | reads what it says of a user |
//! | `login` | sends a browser there and takes it back |
//! | `exchange` | gets the tokens for the code |
//! | `accounts` | makes and refreshes the user's row |
//! | `upgrade` | makes a guest the provider's user |
//! | `access` | takes its access tokens with requests |
//! | `logout` | ends the session there, too |

mod access;
mod accounts;
mod asserted;
mod documents;
mod exchange;
mod fetch;
mod login;
mod logout;
mod options;
mod provider;
mod tokens;
mod upgrade;

use domain::{Clock, Error, Kind, Principal, Result, user::User};
use outbound::Client;
use store::ExternalProfile;
use tokio_util::sync::CancellationToken;

pub(crate) use login::not_allowed;
pub use login::{Answer, Arrival, Arrived, LoginWish};
pub use options::OidcOptions;
pub(crate) use options::is_loopback;

use crate::{Identity, background, time};
pub(crate) use provider::Provider;

/// The provider that the options name, if they name one.
pub(crate) fn provider(options: &OidcOptions, client: &Client, clock: &Clock) -> Option<Provider> {
    options.enabled().then(|| {
        let door = fetch::Door::new(client.clone(), options);
        Provider::new(options.clone(), door, clock.clone())
    })
}

impl Identity {
    /// What the sign-in page calls the external provider, if there is one.
    pub fn external_sign_in(&self) -> Option<&str> {
        let options = &self.0.options.oidc;
        options.enabled().then_some(options.display_name.as_str())
    }

    /// Whether people sign in with passwords of this server.
    pub fn built_in_sign_in(&self) -> bool {
        self.0.options.oidc.has_built_in()
    }

    /// What the provider says of the caller, if one does.
    pub async fn external_profile(&self, caller: &Principal) -> Result<ExternalProfile> {
        if !self.0.options.oidc.enabled() {
            return Ok(ExternalProfile::default());
        }
        time::limited(async { self.0.store.read().await?.external_profile(&caller.user_id).await }).await
    }

    /// Whether only the provider may say that somebody is this user.
    pub(crate) fn is_providers(&self, user: &User) -> bool {
        self.0.options.oidc.enabled() && user.issuer == self.0.options.oidc.issuer
    }

    /// # Errors
    /// `built_in_sign_in_disabled` when passwords are not taken here.
    pub(crate) fn check_built_in(&self) -> Result<()> {
        if self.built_in_sign_in() {
            return Ok(());
        }
        let message = "Passwords are not taken on this server; sign in through its provider.";
        Err(Error::new(Kind::Forbidden, "built_in_sign_in_disabled", message))
    }

    /// The provider.
    ///
    /// # Errors
    /// 400 that names the field when there is none.
    fn external(&self) -> Result<&Provider> {
        let none = || Error::invalid_parameter("provider", "This server has no external sign-in provider.");
        self.0.provider.get().ok_or_else(none)
    }

    /// Keeps the provider known, until `stop`.
    pub(crate) async fn keep_provider_known(&self, stop: &CancellationToken) {
        let Some(provider) = self.0.provider.get() else { return };
        let every = provider.options.refresh_every();
        background::regularly(stop, "reach the sign-in provider", every, || provider.refresh()).await;
    }
}
