//! Sends a browser to the provider, and takes it back.
//!
//! What is sent along is kept as a digest, counts once, lapses soon, and is bound to the browser: who is sent back with
//! somebody else's code does not find himself in a stranger's account.

use std::net::IpAddr;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Error, Kind, Result, Secret, ids::UserId, secret};
use serde::Deserialize;
use store::{ExternalLogin, Revocation};
use url::Url;

use super::{asserted::Asserted, exchange::Proven};
use crate::{Authorization, AuthorizationRequest, Identity, SignIn, code_flow, time, verdicts};

/// The name of the external provider in requests.
const NAME: &str = "oidc";
/// Longest code of a provider, in bytes; some hold whole documents.
const MAX_CODE: usize = 8 * 1024;

/// How somebody would like to sign in.
#[derive(Clone, Debug, Default)]
pub struct LoginWish<'a> {
    /// Where the browser is to land.
    pub redirect_url: Option<&'a str>,
    /// Through which provider; this server's page has a link to it otherwise.
    pub provider: Option<&'a str>,
    /// The guest who is to become the account ([`Identity::upgrading`]): then the browser lands with a code for that.
    pub guest: Option<UserId>,
}

/// What a browser brings back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// What the sign-in began with.
    pub state: String,
    /// What the page or the provider granted.
    pub code: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// Which provider answers (RFC 9207).
    pub iss: Option<String>,
}

/// A sign-in that came to its end.
#[derive(Debug)]
pub struct Arrival {
    /// Where the browser is to land.
    pub redirect_url: String,
    /// What it is to bring along, or why there is nothing.
    pub outcome: Result<Arrived>,
}

/// What somebody who came through gets.
#[derive(Debug)]
pub enum Arrived {
    /// A session.
    SignedIn(Box<SignIn>),
    /// A code with which a guest becomes the account.
    Vouched(Secret),
}

impl Identity {
    /// Begins a sign-in.
    ///
    /// # Errors
    /// `invalid_redirect_url` for a target that is not allowed; 400 that names the field; `rate_limit_exceeded`;
    /// `identity_provider_unavailable`.
    pub async fn begin_sign_in(&self, wish: LoginWish<'_>, from: Option<IpAddr>) -> Result<Authorization> {
        let is_external = match wish.provider.filter(|name| !name.is_empty()) {
            Some(NAME) => true,
            Some(_) => return Err(Error::invalid_parameter("provider", "provider is oidc, or is left out.")),
            None => !self.built_in_sign_in(),
        };
        if is_external || wish.guest.is_some() {
            // Told now and not in the middle of the way.
            self.external()?.known().await?;
        }
        let mut begun = self.begin_login_of(wish.redirect_url, wish.guest, from).await?;
        if is_external {
            begun.url.push_str("&provider=oidc");
        }
        Ok(begun)
    }

    /// Whether what a browser asks the sign-in page for leads to the provider at once.
    pub fn leads_out(&self, provider: Option<&str>) -> bool {
        self.external_sign_in().is_some() && (provider == Some(NAME) || !self.built_in_sign_in())
    }

    /// Where a browser goes on that signs in through the provider.
    ///
    /// # Errors
    /// `invalid_state` for a sign-in that was not begun here; `rate_limit_exceeded`; `identity_provider_unavailable`.
    pub async fn begin_external(
        &self,
        request: &AuthorizationRequest,
        browser: &str,
        from: Option<IpAddr>,
    ) -> Result<String> {
        self.check_authorization(request)?;
        let provider = self.external()?;
        let known = provider.known().await?;
        self.admit_beginning(from)?;
        let now = self.0.clock.now();
        let asked = verdicts::digest(&request.state);
        let begun = time::limited(async { self.0.store.read().await?.login_request(&asked).await }).await?;
        let is_right = |verifier: &str| code_flow::challenge(verifier) == request.code_challenge;
        let begun = begun.filter(|begun| begun.expires_at > now && is_right(&begun.verifier));
        let begun = begun.ok_or_else(code_flow::invalid_state)?;

        let [state, verifier, nonce] = std::array::from_fn(|_| BASE64_URL_SAFE_NO_PAD.encode(secret::random::<32>()));
        let target = authorization(
            &known.metadata.authorization_endpoint,
            &[
                ("client_id", &provider.options.client_id),
                ("response_type", "code"),
                ("redirect_uri", &self.callback()),
                ("scope", &provider.options.scopes.join(" ")),
                ("state", &state),
                ("nonce", &nonce),
                ("code_challenge", &code_flow::challenge(&verifier)),
                ("code_challenge_method", "S256"),
            ],
        )?;
        let login = ExternalLogin {
            issuer: provider.options.issuer.clone(),
            verifier,
            nonce,
            browser: verdicts::digest(browser).to_vec(),
            redirect_url: begun.redirect_url,
            guest: begun.guest,
            expires_at: now + code_flow::BEGUN,
        };
        time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.insert_external_login(&verdicts::digest(&state), &login).await?;
            tx.commit().await
        })
        .await?;
        Ok(target)
    }

    /// Ends a sign-in, wherever it went.
    ///
    /// # Errors
    /// `invalid_state` for a state that nobody began with, that lapsed, or that was used before.
    pub async fn arrive(&self, answer: &Answer, browser: Option<&str>) -> Result<Arrival> {
        if self.0.provider.get().is_some()
            && let Some(arrival) = self.arrive_from_provider(answer, browser).await?
        {
            return Ok(arrival);
        }
        let landing = self.finish_login(&answer.state, answer.code.as_deref(), browser).await?;
        let outcome = landing.outcome.map(|sign_in| Arrived::SignedIn(Box::new(sign_in)));
        Ok(Arrival { redirect_url: landing.redirect_url, outcome })
    }

    /// None when the sign-in did not go to the provider.
    async fn arrive_from_provider(&self, answer: &Answer, browser: Option<&str>) -> Result<Option<Arrival>> {
        let state = verdicts::digest(&answer.state);
        let begun = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let begun = tx.take_external_login(&state).await?;
            tx.commit().await?;
            Ok(begun)
        });
        let Some(begun) = begun.await? else { return Ok(None) };
        if begun.expires_at <= self.0.clock.now() || begun.issuer != self.external()?.options.issuer {
            return Err(code_flow::invalid_state());
        }
        let outcome = match self.complete(answer, &begun, browser).await {
            Ok(proven) => self.let_through(&proven, begun.guest).await?,
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            tracing::info!(code = error.code(), causes = %error.causes(), "A sign-in through the provider failed: {error}");
        }
        Ok(Some(Arrival { redirect_url: begun.redirect_url, outcome }))
    }

    /// Checks what came back and exchanges the code.
    async fn complete(&self, answer: &Answer, begun: &ExternalLogin, browser: Option<&str>) -> Result<Proven> {
        if browser.is_none_or(|browser| verdicts::digest(browser)[..] != begun.browser) {
            let message = "This sign-in was begun in another browser, or this one keeps no cookies. Begin anew.";
            return Err(Error::invalid("invalid_state", message).param("state"));
        }
        let provider = self.external()?;
        let known = provider.known().await?;
        let is_announced = known.metadata.authorization_response_iss_parameter_supported;
        match answer.iss.as_deref() {
            None if is_announced => return Err(mixed_up()),
            Some(iss) if iss != provider.options.issuer => return Err(mixed_up()),
            _ => {}
        }
        if let Some(error) = answer.error.as_deref() {
            return Err(refused(error));
        }
        match answer.code.as_deref().filter(|code| !code.is_empty() && code.len() <= MAX_CODE) {
            Some(code) => self.exchange_external(provider, &known, code, begun).await,
            None => Err(Error::invalid("invalid_request", "There is no code.").param("code")),
        }
    }

    /// Gives who came through a session, or a guest the code to become the account.
    async fn let_through(&self, proven: &Proven, guest: Option<UserId>) -> Result<Result<Arrived>> {
        if !proven.asserted.allowed {
            self.turn_out(&proven.asserted).await?;
            return Ok(Err(not_allowed()));
        }
        if let Some(guest) = guest
            && !self.has_account(&proven.asserted).await?
        {
            return self.vouch(proven, guest).await.map(|code| Ok(Arrived::Vouched(code)));
        }
        let sign_in = self.sign_in_external(proven).await?;
        Ok(sign_in.map(|sign_in| Arrived::SignedIn(Box::new(sign_in))))
    }

    /// Ends the sessions of one who came in before and may not any more. What the provider says of roles counts all the same.
    async fn turn_out(&self, asserted: &Asserted) -> Result<()> {
        let issuer = &self.external()?.options.issuer;
        let gone = time::limited(async {
            let mut tx = self.0.store.write().await?;
            if tx.external_user(issuer, &asserted.subject, &[0; 32]).await?.is_none() {
                return Ok(None);
            }
            let user = self.settle(&mut tx, asserted, true).await?;
            tx.end_sessions(&user.id, self.0.clock.now()).await?;
            tx.commit().await?;
            Ok(Some(user.id))
        });
        let gone = gone.await?;
        self.note_refusal(gone.as_ref());
        if let Some(user) = gone {
            self.0.verdicts.forget(&Revocation::User(user));
        }
        Ok(())
    }

    async fn has_account(&self, asserted: &Asserted) -> Result<bool> {
        let issuer = &self.external()?.options.issuer;
        let found = time::limited(async {
            self.0.store.read().await?.external_user(issuer, &asserted.subject, &[0; 32]).await
        });
        Ok(found.await?.is_some())
    }
}

/// The provider's page with these parameters beside its own.
fn authorization(endpoint: &str, parameters: &[(&str, &str)]) -> Result<String> {
    let mut url = Url::parse(endpoint).map_err(Error::internal)?;
    url.query_pairs_mut().extend_pairs(parameters);
    Ok(url.into())
}

/// What the provider says instead of a code. Its words are not passed on.
fn refused(error: &str) -> Error {
    match error {
        "access_denied" => Error::new(Kind::Forbidden, "access_denied", "The provider did not let you through."),
        "temporarily_unavailable" => super::provider::unavailable(),
        _ => Error::invalid("server_error", "The provider could not sign you in."),
    }
}

#[cold]
fn mixed_up() -> Error {
    Error::invalid("invalid_request", "The answer is not the configured provider's.").param("iss")
}

#[cold]
pub(crate) fn not_allowed() -> Error {
    let message = "The provider knows you, but you may not use this server.";
    Error::new(Kind::Forbidden, "access_denied", message)
}
