//! Telling what a credential is good for, without using it (in the manner of RFC 7662).

use std::sync::Arc;

use domain::{Error, Kind, Principal, Result, Timestamp, scope::Scope};

use crate::{Identity, REFRESH_MARK, api_key};

/// A credential that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
    /// Whom it proves.
    pub principal: Arc<Principal>,
    /// When it lapses by itself.
    pub expires_at: Timestamp,
}

impl Identity {
    /// What an access token or API key is good for; none when it is not good, or when it is another's and the caller does
    /// not administer the server: then the caller learns nothing, and bad keys count against the address.
    ///
    /// # Errors
    /// 400 for a refresh token, which is judged by its exchange; `rate_limit_exceeded`.
    pub async fn introspect(&self, caller: &Principal, token: &str) -> Result<Option<Introspection>> {
        if token.starts_with(REFRESH_MARK) {
            let message = "A refresh token is not validated; exchange it at /auth/refresh-token.";
            return Err(Error::invalid_parameter("token", message));
        }
        let may_see_all = caller.is_admin() && caller.allows(Scope::Admin);
        let proving = self.proof(token);
        // A token proves itself; and an administrator asks for others, whose bad credentials are no guesses of his own.
        let is_guess = !may_see_all && token.starts_with(api_key::MARK);
        let found = if is_guess { self.counting_failures(token, self.address(), proving).await } else { proving.await };
        match found {
            Ok((principal, expires_at)) if may_see_all || principal.user_id == caller.user_id => {
                Ok(Some(Introspection { principal, expires_at }))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == Kind::Unauthenticated => Ok(None),
            Err(error) => Err(error),
        }
    }
}
