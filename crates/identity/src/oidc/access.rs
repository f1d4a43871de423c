//! The provider's access tokens, as they come with requests.
//!
//! A token proves the provider's user; whether that user may do anything, the user's row says, as with our own tokens.
//! The row is read when the verdict is not at hand, and written only when the provider says something new.

use domain::{Method, Result, Timestamp};
use store::{ExternalUser, Revocation};

use super::{
    accounts,
    asserted::Asserted,
    provider::{Known as KnownProvider, Provider},
    tokens::{self, Claims, Fault},
};
use crate::{
    Identity,
    credentials::{self, Refusal},
    time,
    verdicts::{self, Digest, Known},
};

impl Identity {
    /// The caller whom a token of the provider proves; none for a token that does not claim to be one.
    pub(crate) async fn prove_external(&self, token: &str, now: Timestamp) -> Result<Option<Result<Known, Refusal>>> {
        let Some(provider) = self.provider_of(token) else { return Ok(None) };
        let claims = match self.external_claims(provider, token, now).await? {
            Ok(claims) => claims,
            Err(refusal) => return Ok(Some(Err(refusal))),
        };
        let Some(asserted) = Asserted::read(&[&claims], &provider.options) else {
            return Ok(Some(Err(Refusal::Token)));
        };
        if !asserted.allowed {
            return Ok(Some(Err(Refusal::NotAllowed)));
        }
        let digest = signed_part(token);
        let (issuer, subject) = (&provider.options.issuer, &asserted.subject);
        let found = async { self.0.store.read().await?.external_user(issuer, subject, &digest).await };
        let user = match time::limited(found).await? {
            Some(ExternalUser { denied: true, .. }) => return Ok(Some(Err(Refusal::Token))),
            Some(found) if accounts::change(&found, &asserted, false).is_none() => found.user,
            _ => self.settle_alone(&asserted).await?,
        };
        if user.disabled_at.is_some() {
            return Ok(Some(Err(Refusal::Token)));
        }
        let until = Timestamp::from_seconds(tokens::time(&claims, "exp").ok().flatten().unwrap_or(0));
        Ok(Some(Ok(credentials::known(user, Method::Jwt(None), vec![], now, until + skew(provider)))))
    }

    async fn settle_alone(&self, asserted: &Asserted) -> Result<domain::user::User> {
        time::limited(async {
            let mut tx = self.0.store.write().await?;
            let user = self.settle(&mut tx, asserted, false).await?;
            tx.commit().await?;
            Ok(user)
        })
        .await
    }

    /// Takes a token of the provider back until it lapses, at once here and within two seconds on every other server;
    /// `false` for a token that does not claim to be one.
    pub(crate) async fn deny_external(&self, token: &str, now: Timestamp) -> Result<bool> {
        let Some(provider) = self.provider_of(token) else { return Ok(false) };
        let claims = match self.external_claims(provider, token, now).await? {
            Ok(claims) => claims,
            Err(refusal) => return Err(refusal.to_error()),
        };
        let until = Timestamp::from_seconds(tokens::time(&claims, "exp").ok().flatten().unwrap_or(0)) + skew(provider);
        let Some(asserted) = Asserted::read(&[&claims], &provider.options).filter(|asserted| asserted.allowed) else {
            return Ok(true); // It is good for nothing as it is.
        };
        let gone = time::limited(async {
            let mut tx = self.0.store.write().await?;
            // Also of a user who was never here: the token would make the row, and come in.
            let user = self.settle(&mut tx, &asserted, false).await?;
            tx.deny_token(&user.id, &signed_part(token), until).await?;
            tx.commit().await?;
            Ok(user.id)
        });
        self.0.verdicts.forget(&Revocation::User(gone.await?));
        Ok(true)
    }

    fn provider_of(&self, token: &str) -> Option<&Provider> {
        let provider = self.0.provider.get()?;
        (tokens::claimed_issuer(token)? == provider.options.issuer).then_some(provider)
    }

    async fn external_claims(
        &self,
        provider: &Provider,
        token: &str,
        now: Timestamp,
    ) -> Result<Result<Claims, Refusal>> {
        let Ok((_, kid)) = tokens::header(token) else { return Ok(Err(Refusal::Token)) };
        let Some(known) = provider.with_key(&kid).await? else { return Ok(Err(Refusal::Token)) };
        Ok(judge(token, &known, provider, now))
    }
}

fn judge(token: &str, known: &KnownProvider, provider: &Provider, now: Timestamp) -> Result<Claims, Refusal> {
    tokens::access_token(token, known, &provider.options, now).map_err(|fault| {
        tracing::debug!(%fault, "A token of the sign-in provider is not good");
        if fault == Fault::Expired { Refusal::ExpiredToken } else { Refusal::Token }
    })
}

fn skew(provider: &Provider) -> std::time::Duration {
    std::time::Duration::from_secs(provider.options.skew().unsigned_abs())
}

/// The digest of what is signed: with some algorithms others can write the signature another way.
fn signed_part(token: &str) -> Digest {
    verdicts::digest(token.rsplit_once('.').map_or(token, |(signed, _)| signed))
}
