//! Signing in through the page: the authorization code flow with PKCE (RFC 6749, RFC 7636), with this server as both
//! sides.
//!
//! A browser begins with a redirect target from the allow-list, is sent to the sign-in page, comes back with a code and
//! the state it began with, and leaves for its target with tokens. State and code are kept as digests in the database,
//! count once and lapse soon, so any server on the database can finish what another began. The code is bound to the
//! browser that signed in: nobody can be sent back with somebody else's code and find himself in a stranger's account.

use std::{net::IpAddr, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Error, Kind, Result, Secret, ids::UserId, secret, user::User};
use store::{AuthorizationCode, LoginRequest, StoreError, Tx};
use url::{Url, form_urlencoded};

use crate::{
    AccountWish, Identity, SignIn, accounts::invalid_login, oidc::is_loopback, sessions::Pair, time, verdicts,
};

/// The one client: this server's own callback.
const CLIENT: &str = "jan";
const SCOPE: &str = "openid profile email";
/// How long a sign-in may take, and how long a code is good.
pub(crate) const BEGUN: Duration = Duration::from_mins(10);
const GRANTED: Duration = Duration::from_mins(1);
/// Longest redirect target, and state, in bytes.
const MAX_URL: usize = 2_048;
const MAX_STATE: usize = 512;
/// Sign-ins that an address may begin in an hour; each is a row for ten minutes.
const BEGINNINGS: u32 = 600;

/// Where to sign in.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The address of the page.
    pub url: String,
    /// What the browser brings back.
    pub state: String,
}

/// What a browser asks the sign-in page for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: String,
    /// Always `code`.
    pub response_type: String,
    /// Where the code goes.
    pub redirect_uri: String,
    /// What comes back with the code.
    pub state: String,
    /// The digest of the verifier.
    pub code_challenge: String,
    /// Always `S256`.
    pub code_challenge_method: String,
}

/// A sign-in that came to its end.
#[derive(Debug)]
pub struct Landing {
    /// Where the browser is to land.
    pub redirect_url: String,
    /// The tokens to bring along, or why there are none.
    pub outcome: Result<SignIn>,
}

impl Identity {
    /// Begins a sign-in that ends at `redirect_url`, or at this server's own page.
    ///
    /// # Errors
    /// `invalid_redirect_url` for a target that is not allowed; `rate_limit_exceeded`.
    pub async fn begin_login(&self, redirect_url: Option<&str>, from: Option<IpAddr>) -> Result<Authorization> {
        self.begin_login_of(redirect_url, None, from).await
    }

    /// Begins a sign-in after which `guest` is to be who signed in through the provider.
    pub(crate) async fn begin_login_of(
        &self,
        redirect_url: Option<&str>,
        guest: Option<UserId>,
        from: Option<IpAddr>,
    ) -> Result<Authorization> {
        let redirect_url = match redirect_url.filter(|url| !url.is_empty()) {
            Some(url) => self.check_redirect(url)?,
            None => format!("{}/auth/done", self.0.issuer),
        };
        let now = self.0.clock.now();
        self.admit_beginning(from)?;
        let state = BASE64_URL_SAFE_NO_PAD.encode(secret::random::<32>());
        let verifier = BASE64_URL_SAFE_NO_PAD.encode(secret::random::<32>());
        let challenge = challenge(&verifier);
        let request = LoginRequest { verifier, redirect_url, guest, expires_at: now + BEGUN };
        time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.insert_login_request(&verdicts::digest(&state), &request).await?;
            tx.commit().await
        })
        .await?;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", CLIENT)
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", &self.callback())
            .append_pair("scope", SCOPE)
            .append_pair("state", &state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        Ok(Authorization { url: format!("{}/auth/authorize?{query}", self.0.issuer), state })
    }

    /// Counts a sign-in that is begun.
    pub(crate) fn admit_beginning(&self, from: Option<IpAddr>) -> Result<()> {
        self.0.beginnings.admit(from, self.0.clock.now()).map_err(|pause| {
            let message = "Too many sign-ins are begun from this address.";
            Error::new(Kind::RateLimited(Some(pause)), "rate_limit_exceeded", message)
        })
    }

    /// Checks what a browser asks the sign-in page for, before anything is shown or sent anywhere.
    ///
    /// # Errors
    /// 400 that names the field.
    pub fn check_authorization(&self, request: &AuthorizationRequest) -> Result<()> {
        let error = |field: &'static str, message: &'static str| Err(Error::invalid_parameter(field, message));
        let is_digest = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32);
        if request.client_id != CLIENT {
            error("client_id", "There is no such client.")
        } else if request.redirect_uri != self.callback() {
            error("redirect_uri", "The client has no such redirect_uri.")
        } else if request.response_type != "code" {
            error("response_type", "response_type needs to be code.")
        } else if request.code_challenge_method != "S256" {
            error("code_challenge_method", "code_challenge_method needs to be S256.")
        } else if !is_digest(&request.code_challenge) {
            error("code_challenge", "code_challenge needs to be a SHA-256 in base64url.")
        } else if request.state.is_empty() || request.state.len() > MAX_STATE {
            error("state", "state is required, with at most 512 characters.")
        } else {
            Ok(())
        }
    }

    /// Signs a browser in by address or username and password, and says where it goes on with the code.
    ///
    /// # Errors
    /// `invalid_login`; `rate_limit_exceeded`; what [`Identity::check_authorization`] refuses.
    pub async fn authorize(
        &self,
        request: &AuthorizationRequest,
        browser: &str,
        name: &str,
        password: &Secret,
        from: Option<IpAddr>,
    ) -> Result<String> {
        self.check_authorization(request)?;
        self.check_built_in()?;
        self.0.tries.admit(name, from, self.0.clock.now())?;
        let account = self.authenticate(name, password).await?;
        self.grant(request, browser, account.user, account.password_hash.as_deref()).await
    }

    /// Makes an account, signs it in, and says where the browser goes on with the code.
    ///
    /// # Errors
    /// `registration_disabled`; `email_taken`, `username_taken`; `rate_limit_exceeded`; 400 that names the field.
    pub async fn register(
        &self,
        request: &AuthorizationRequest,
        browser: &str,
        wish: AccountWish,
        from: Option<IpAddr>,
    ) -> Result<String> {
        self.check_authorization(request)?;
        self.check_built_in()?;
        if !self.0.options.registration {
            let message = "Accounts are made by the administrator on this server.";
            return Err(Error::new(Kind::Forbidden, "registration_disabled", message));
        }
        self.0.tries.admit(&wish.email, from, self.0.clock.now())?;
        let user = self.register_account(wish).await?;
        self.grant(request, browser, user, None).await
    }

    /// Gives a user a code, if the password that was given still has this hash.
    pub(crate) async fn grant(
        &self,
        request: &AuthorizationRequest,
        browser: &str,
        user: User,
        proven_by: Option<&str>,
    ) -> Result<String> {
        let code = BASE64_URL_SAFE_NO_PAD.encode(secret::random::<32>());
        let granted = AuthorizationCode {
            user_id: user.id,
            challenge: request.code_challenge.clone(),
            browser: verdicts::digest(browser).to_vec(),
            expires_at: self.0.clock.now() + GRANTED,
        };
        let is_granted = time::limited(async {
            let mut tx = self.0.store.write().await?;
            if let Some(hash) = proven_by
                && !tx.has_password(&granted.user_id, hash).await?
            {
                return Ok(false);
            }
            tx.insert_authorization_code(&verdicts::digest(&code), &granted).await?;
            tx.commit().await?;
            Ok(true)
        });
        if !is_granted.await? {
            return Err(invalid_login());
        }
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &request.state)
            .finish();
        Ok(format!("{}?{query}", request.redirect_uri))
    }

    /// Ends a sign-in: exchanges the code for a session. `code` is what the browser brought, or none if it brought an
    /// error. State and code are used up together with what comes of them: when the database does not answer, the
    /// browser may come back with the same.
    ///
    /// # Errors
    /// `invalid_state` for a state that nobody began with, that lapsed, or that was used before.
    pub async fn finish_login(&self, state: &str, code: Option<&str>, browser: Option<&str>) -> Result<Landing> {
        let now = self.0.clock.now();
        let finished = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let begun = tx.take_login_request(&verdicts::digest(state)).await?;
            let Some(begun) = begun.filter(|begun| begun.expires_at > now) else { return Ok(None) };
            let outcome = match code {
                None => Err(Error::invalid("invalid_request", "There is no code.").param("code")),
                Some(code) => self.exchange(&mut tx, code, &begun.verifier, browser).await?,
            };
            tx.commit().await?;
            Ok(Some((begun.redirect_url, outcome)))
        });
        let (redirect_url, outcome) = finished.await?.ok_or_else(invalid_state)?;
        let outcome = match outcome {
            Ok(pair) => Ok(self.hand_out(pair)?),
            Err(error) => Err(error),
        };
        Ok(Landing { redirect_url, outcome })
    }

    /// Uses a code up, and signs in who was granted it if it is good.
    async fn exchange(
        &self,
        tx: &mut Tx,
        code: &str,
        verifier: &str,
        browser: Option<&str>,
    ) -> Result<Result<Pair>, StoreError> {
        let (digest, now) = (verdicts::digest(code), self.0.clock.now());
        let refused = || Error::invalid("token_exchange_failed", "The code is not good. Begin anew.");
        // The user before the code, as whoever keeps the user out has them.
        let Some(id) = tx.authorization_code_user(&digest).await? else { return Ok(Err(refused())) };
        tx.lock_user(&id).await?;
        let Some(granted) = tx.take_authorization_code(&digest).await? else { return Ok(Err(refused())) };
        let is_right = granted.expires_at > now
            && granted.challenge == challenge(verifier)
            && browser.is_some_and(|browser| verdicts::digest(browser)[..] == granted.browser);
        match tx.user(&id).await? {
            Some(user) if is_right && user.disabled_at.is_none() => self.sign_in_as(tx, user, None).await.map(Ok),
            _ => Ok(Err(refused())),
        }
    }

    /// A target that a browser may be sent to with tokens: at this server's own origin or one that is listed.
    pub(crate) fn check_redirect(&self, text: &str) -> Result<String> {
        let refused = || {
            let message = "redirect_url is not at an origin that this server sends tokens to.";
            Error::invalid("invalid_redirect_url", message).param("redirect_url")
        };
        if text.len() > MAX_URL || text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(refused());
        }
        let target = Url::parse(text).map_err(|_| refused())?;
        let is_web = matches!(target.scheme(), "http" | "https");
        if !is_web || !target.username().is_empty() || target.password().is_some() || target.fragment().is_some() {
            return Err(refused());
        }
        let own = Url::parse(&self.0.issuer).ok();
        let is_own = own.as_ref().is_some_and(|own| own.origin() == target.origin());
        // A server that is reached on this machine only is being tried out, with pages on ports of their own.
        let is_local = own.as_ref().is_some_and(is_loopback) && is_loopback(&target);
        let listed = self.0.options.redirect_origins.iter().filter_map(|origin| Url::parse(origin).ok());
        if is_own || is_local || listed.into_iter().any(|listed| listed.origin() == target.origin()) {
            return Ok(target.into());
        }
        Err(refused())
    }

    pub(crate) fn callback(&self) -> String {
        format!("{}/auth/callback", self.0.issuer)
    }
}

pub(crate) fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

#[cold]
pub(crate) fn invalid_state() -> Error {
    let message = "This sign-in was not begun here, took too long, or was finished before. Begin anew.";
    Error::invalid("invalid_state", message).param("state")
}

/// The bound on beginnings.
pub(crate) fn beginnings() -> crate::per_address::PerAddress {
    crate::per_address::PerAddress::new(BEGINNINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_standards() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
