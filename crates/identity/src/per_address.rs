//! How often something may happen from one address: new guests, sign-ins that begin, credentials that nobody knows.

use std::{future::Future, net::IpAddr, time::Duration};

use domain::{
    Error, Kind, Result, Timestamp,
    rate_limit::{Rate, RateLimiter},
};

use crate::{Identity, REFRESH_MARK};

/// What this machine itself may do in an hour; see [`crate::Options::guest_logins_per_hour`].
const LOOPBACK: u32 = 10_000;
/// Addresses remembered.
const REMEMBERED: usize = 8_192;
/// Credentials of one kind, unknown here, that may come from one address in an hour, all at once if they like. Each is a
/// question to the database; guessing one would take longer than the world lasts.
const UNKNOWN_CREDENTIALS: u32 = 600;

/// So many in an hour from each address.
pub(crate) struct PerAddress {
    per_hour: u32,
    limiter: RateLimiter,
}

impl PerAddress {
    /// A limit of so many in an hour; 0 for none.
    pub(crate) fn new(per_hour: u32) -> Self {
        Self { per_hour, limiter: RateLimiter::new(REMEMBERED) }
    }

    /// The limit of credentials of one kind that nobody knows.
    pub(crate) fn of_unknown_credentials() -> Self {
        Self::new(UNKNOWN_CREDENTIALS)
    }

    /// Takes one of an address's allowance.
    ///
    /// # Errors
    /// How long until there is one again.
    pub(crate) fn admit(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        let Some(rate) = self.rate(from) else { return Ok(()) };
        self.limiter.take_from((), from, rate, now).retry_after.map_or(Ok(()), Err)
    }

    /// Whether an address has one left; none is taken.
    ///
    /// # Errors
    /// How long until there is one again.
    fn look(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        let Some(rate) = self.rate(from) else { return Ok(()) };
        self.limiter.look_from((), from, rate, now).retry_after.map_or(Ok(()), Err)
    }

    /// How large an address's allowance is; none where there is no limit.
    fn rate(&self, from: Option<IpAddr>) -> Option<Rate> {
        let at_least = if from.is_some_and(|from| from.to_canonical().is_loopback()) { LOOPBACK } else { 0 };
        (self.per_hour > 0).then(|| Rate::per_hour(self.per_hour.max(at_least)))
    }
}

impl Identity {
    /// The result of looking a credential up, for an address that has not failed too often at that kind of them: a page
    /// that goes on sending a refresh token of long ago shuts out no API key of its neighbours. Failures count, except
    /// that of a token that was good once: its owner is told to renew it.
    ///
    /// # Errors
    /// `rate_limit_exceeded`, without a look; and those of the look-up.
    pub(crate) async fn counting_failures<T>(
        &self,
        credential: &str,
        from: Option<IpAddr>,
        look_up: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let is_refresh_token = credential.starts_with(REFRESH_MARK);
        let limit = if is_refresh_token { &self.0.unknown_refresh_tokens } else { &self.0.unknown_keys };
        let now = self.0.clock.now();
        limit.look(from, now).map_err(|pause| {
            let message = "Too many credentials that are not valid come from this address.";
            Error::new(Kind::RateLimited(Some(pause)), "rate_limit_exceeded", message)
        })?;
        // On the heap: look-ups are large, and rare beside what is remembered.
        let found = Box::pin(look_up).await;
        if let Err(error) = &found
            && matches!(error.kind(), Kind::Unauthenticated)
            && error.code() != "token_expired"
        {
            // Those who came at the same time may overdraw it; the next one is refused.
            _ = limit.admit(from, now);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_apart_and_networks_are_not() {
        let limit = PerAddress::new(1);
        limit.admit(Some(address("2001:db8:1:2::1")), NOW).unwrap();
        let pause = limit.admit(Some(address("2001:db8:1:2:ffff::9")), NOW).unwrap_err();
        assert_eq!(pause, Duration::from_hours(1));
        limit.admit(Some(address("2001:db8:1:3::1")), NOW).unwrap();
        limit.admit(Some(address("203.0.113.7")), NOW).unwrap();
        assert!(limit.admit(Some(address("::ffff:203.0.113.7")), NOW).is_err(), "one address, two spellings");
    }

    #[test]
    fn many_networks_of_one_customer_have_a_bound_together() {
        let limit = PerAddress::new(1);
        for net in 0..16 {
            limit.admit(Some(address(&format!("2001:db8:1:{net:x}::1"))), NOW).unwrap();
        }
        assert!(limit.look(Some(address("2001:db8:1:ff::1")), NOW).is_err());
        assert!(limit.admit(Some(address("2001:db8:1:ff::1")), NOW).is_err());
        limit.admit(Some(address("2001:db8:2:ff::1")), NOW).unwrap();
    }

    #[test]
    fn no_address_is_an_address_too() {
        let limit = PerAddress::new(1);
        limit.admit(None, NOW).unwrap();
        assert!(limit.admit(None, NOW).is_err());
    }

    #[test]
    fn this_machine_may_do_more() {
        let limit = PerAddress::new(1);
        for _ in 0..LOOPBACK {
            limit.admit(Some(address("127.0.0.1")), NOW).unwrap();
        }
        assert!(limit.admit(Some(address("127.0.0.1")), NOW).is_err());
    }

    #[test]
    fn nought_is_no_limit() {
        let limit = PerAddress::new(0);
        assert!((0..1_000).all(|_| limit.admit(None, NOW).is_ok() && limit.look(None, NOW).is_ok()));
    }
}
