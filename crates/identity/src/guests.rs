//! Guests: users without an account.

use std::net::IpAddr;

use domain::{
    Error, Kind, Result, Role, Secret, Timestamp,
    ids::{SessionId, UserId},
    secret,
    session::Session,
    user::User,
};

use crate::{
    Identity,
    access_token::{self, Claims},
    time, verdicts,
};

/// Where guests' placeholder addresses are: a domain that can never exist (RFC 2606).
const DOMAIN: &str = "guest.invalid";

/// A sign-in, with the tokens that prove it.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Who signed in.
    pub user: User,
    /// The access token.
    pub access_token: Secret,
    /// The token that gets the next access token.
    pub refresh_token: Secret,
    /// When the access token expires.
    pub expires_at: Timestamp,
    /// For how many seconds the access token is good.
    pub expires_in: i64,
}

impl Identity {
    /// Makes a guest and signs it in. `from` is the address of the connection, never one that a header names.
    ///
    /// # Errors
    /// `guest_login_disabled`; `rate_limit_exceeded` for too many from one address.
    pub async fn guest_login(&self, from: Option<IpAddr>) -> Result<SignIn> {
        if !self.0.options.guest_login {
            let message = "Guests may not come in on this server.";
            return Err(Error::new(Kind::Unavailable(None), "guest_login_disabled", message));
        }
        let now = self.0.clock.now();
        self.0.guest_limit.admit(from, now).map_err(|pause| {
            let message = "Too many new guests come from this address.";
            Error::new(Kind::RateLimited(Some(pause)), "rate_limit_exceeded", message)
        })?;
        self.sign_in(self.new_guest(now)).await
    }

    fn new_guest(&self, now: Timestamp) -> User {
        let id = UserId::new(&self.0.clock);
        let username = format!("guest-{}", uuid());
        User {
            issuer: self.0.issuer.clone(),
            subject: id.to_string(),
            email: Some(format!("{username}@{DOMAIN}")),
            username,
            name: None,
            roles: vec![Role::Guest],
            created_at: now,
            id,
        }
    }

    /// Stores a new user with a session, and hands out the session's tokens once both are safe.
    async fn sign_in(&self, user: User) -> Result<SignIn> {
        let options = &self.0.options;
        let now = self.0.clock.now();
        let session = Session {
            id: SessionId::new(&self.0.clock),
            user_id: user.id.clone(),
            created_at: now,
            expires_at: now + options.refresh_token_life(),
        };
        let claims = Claims::new(&self.0.issuer, &user, &session, options.access_token_life(), &self.0.clock);
        let access_token = access_token::sign(&claims, &self.0.signing_key)?;
        let refresh_token = format!("rt_{}", secret::hex(&secret::random::<32>()));

        let published = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let published = self.0.keys.publish(&mut tx).await?;
            tx.insert_user(&user).await?;
            tx.insert_session(&session).await?;
            let digest = verdicts::digest(&refresh_token);
            tx.insert_refresh_token(&session.id, &digest, now, session.expires_at).await?;
            tx.commit().await?;
            Ok(published)
        })
        .await?;
        self.0.keys.published(published);
        Ok(SignIn {
            user,
            access_token: Secret::new(access_token),
            refresh_token: Secret::new(refresh_token),
            expires_at: Timestamp::from_seconds(claims.exp),
            expires_in: claims.exp - claims.iat,
        })
    }
}

/// A random UUID (RFC 9562, version 4), for the names of guests.
fn uuid() -> String {
    let mut bytes = secret::random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = secret::hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_its_version() {
        let uuid = uuid();
        assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    }
}
