//! Guests: users without an account.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{Error, Kind, Result, Role, Scope, Timestamp, ids::UserId, scope::GuestSwitch, secret, user::User};

use crate::{Identity, SignIn, time};

/// Where guests' placeholder addresses are: a domain that can never exist (RFC 2606).
pub(crate) const DOMAIN: &str = "guest.invalid";

/// How long a count of the guests is believed.
const COUNTED_FOR: Duration = Duration::from_mins(1);

/// How many guests there are, and when that was looked up.
#[derive(Debug, Default)]
pub(crate) struct GuestCount(Mutex<Option<(u32, Timestamp)>>);

impl GuestCount {
    /// With one more; `None` when it is too long ago that they were counted.
    fn add_one(&self, now: Timestamp) -> Option<u32> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (guests, at) = counted.as_mut()?;
        if time::before(now, COUNTED_FOR) >= *at {
            return None;
        }
        *guests = guests.saturating_add(1);
        Some(*guests)
    }

    fn set(&self, guests: u32, now: Timestamp) -> u32 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((guests, now));
        guests
    }
}

impl Identity {
    /// Makes a guest and signs it in. `from` is the client's address.
    ///
    /// # Errors
    /// `guest_login_disabled`; `rate_limit_exceeded` for too many from one address; `guest_limit_reached` for too many in
    /// all.
    pub async fn guest_login(&self, from: Option<IpAddr>) -> Result<SignIn> {
        if !self.0.options.guest_login {
            let message = "Guests may not come in on this server.";
            return Err(Error::new(Kind::Unavailable(None), "guest_login_disabled", message));
        }
        let now = self.0.clock.now();
        self.0.new_guests.admit(from, now).map_err(|pause| {
            let message = "Too many new guests come from this address.";
            Error::new(Kind::RateLimited(Some(pause)), "rate_limit_exceeded", message)
        })?;
        self.find_room(now).await?;
        self.let_in(self.new_guest(now)).await
    }

    /// Refuses one more guest than the operator takes (`security.md` A12). They are counted once a minute, and those who
    /// come through this server until then are added.
    async fn find_room(&self, now: Timestamp) -> Result<()> {
        let most = self.0.options.max_guests;
        if most == 0 {
            return Ok(());
        }
        let guests = if let Some(guests) = self.0.guests.add_one(now) {
            guests
        } else {
            let count = async { self.0.store.read().await?.count_guests(most).await };
            self.0.guests.set(time::limited(count).await? + 1, now)
        };
        if guests <= most {
            return Ok(());
        }
        let message = "This server has as many guests as it takes: sign in, or come back later.";
        Err(Error::new(Kind::Unavailable(Some(COUNTED_FOR)), "guest_limit_reached", message))
    }

    /// Whether the operator lets guests do what the scope names.
    pub fn lets_guests(&self, scope: Scope) -> bool {
        let options = &self.0.options;
        match scope.guest_switch() {
            None => true,
            Some(GuestSwitch::Chat) => options.guest_chat,
            Some(GuestSwitch::Conversations) => options.guest_conversations,
            Some(GuestSwitch::ApiKeys) => options.guest_api_keys,
        }
    }

    fn new_guest(&self, now: Timestamp) -> User {
        let id = UserId::new(&self.0.clock);
        let username = new_username("guest");
        User {
            issuer: self.0.issuer.clone(),
            subject: id.to_string(),
            email: Some(format!("{username}@{DOMAIN}")),
            email_verified: false,
            username,
            name: None,
            roles: vec![Role::Guest],
            created_at: now,
            disabled_at: None,
            id,
        }
    }

    /// Stores a new user with a session, and hands out the session's tokens once both are safe.
    async fn let_in(&self, user: User) -> Result<SignIn> {
        let pair = time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.insert_user(&user).await?;
            let pair = self.begin_session(&mut tx, user).await?;
            tx.commit().await?;
            Ok(pair)
        });
        self.hand_out(pair.await?)
    }
}

/// A name that nobody has, of this kind of user.
pub(crate) fn new_username(kind: &str) -> String {
    format!("{kind}-{}", uuid())
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
