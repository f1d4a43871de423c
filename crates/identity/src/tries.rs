//! How often a password may be guessed: for one account from one place, for one account from everywhere, and from one
//! place for all accounts.
//!
//! The second bound is far above the first, so that whoever guesses at somebody's account does not keep its owner out.

use std::{net::IpAddr, time::Duration};

use domain::{
    Error, Kind, Result, Timestamp,
    ids::UserId,
    rate_limit::{Rate, RateLimiter, Standing},
};

/// Tries in an hour.
const ONE_ACCOUNT_FROM_ONE_PLACE: u32 = 20;
const ONE_ACCOUNT: u32 = 500;
const ONE_PLACE: u32 = 200;
/// Accounts that a guest may ask for in an hour. Each try costs a hash, and says whether an address is taken.
const ONE_GUEST: u32 = 20;
/// Accounts and places remembered.
const REMEMBERED: usize = 10_000;

pub(crate) struct Tries(RateLimiter);

impl Tries {
    pub(crate) fn new() -> Self {
        Self(RateLimiter::new(3 * REMEMBERED))
    }

    /// Counts a try at the account of this name.
    ///
    /// # Errors
    /// `rate_limit_exceeded`.
    pub(crate) fn admit(&self, name: &str, from: Option<IpAddr>, now: Timestamp) -> Result<()> {
        let name = name.trim().to_lowercase();
        // All who come from this machine may be one proxy.
        let per_place =
            if from.is_some_and(|from| from.to_canonical().is_loopback()) { 100 * ONE_PLACE } else { ONE_PLACE };
        let Self(limiter) = self;
        allowed(limiter.take_from(("both", &name), from, Rate::per_hour(ONE_ACCOUNT_FROM_ONE_PLACE), now))?;
        allowed(limiter.take_from("place", from, Rate::per_hour(per_place), now))?;
        allowed(limiter.take(("account", &name), Rate::per_hour(ONE_ACCOUNT), now))
    }

    /// Counts a guest's try to get an account.
    ///
    /// # Errors
    /// `rate_limit_exceeded`.
    pub(crate) fn admit_upgrade(&self, guest: &UserId, now: Timestamp) -> Result<()> {
        allowed(self.0.take(("upgrade", guest), Rate::per_hour(ONE_GUEST), now))
    }
}

fn allowed(standing: Standing) -> Result<()> {
    standing.retry_after.map_or(Ok(()), |pause| Err(too_many(pause)))
}

#[cold]
fn too_many(pause: Duration) -> Error {
    let message = "There were too many tries; wait a while.";
    Error::new(Kind::RateLimited(Some(pause)), "rate_limit_exceeded", message)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)));
    const ELSEWHERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 8)));

    /// How many of these many tries are admitted.
    fn admitted(tries: &Tries, each: impl Fn(u32) -> (String, Option<IpAddr>), many: u32) -> u32 {
        let admit = |n| {
            let (name, from) = each(n);
            u32::from(tries.admit(&name, from, NOW).is_ok())
        };
        (0..many).map(admit).sum()
    }

    #[test]
    fn guessing_at_one_account_ends_soon_and_only_there() {
        let tries = Tries::new();
        assert_eq!(admitted(&tries, |_| ("ada".to_owned(), HERE), 50), ONE_ACCOUNT_FROM_ONE_PLACE);
        let error = tries.admit(" ADA ", HERE, NOW).unwrap_err();
        assert!(matches!(error.kind(), Kind::RateLimited(Some(pause)) if pause == Duration::from_mins(3)), "{error:?}");
        tries.admit("eve", HERE, NOW).unwrap();
        tries.admit("ada", ELSEWHERE, NOW).expect("its owner is not kept out");
        tries.admit("ada", HERE, NOW + Duration::from_mins(3)).unwrap();
    }

    #[test]
    fn guessing_at_all_accounts_from_one_place_ends_too() {
        let tries = Tries::new();
        assert_eq!(admitted(&tries, |n| (format!("user{n}"), HERE), 300), ONE_PLACE);
    }

    #[test]
    fn whoever_guesses_from_many_networks_of_one_customer_does_not_keep_the_owner_out() {
        let tries = Tries::new();
        let network = |n: u32| ("ada".to_owned(), Some(IpAddr::V6(Ipv6Addr::from_bits(u128::from(n) << 64))));
        assert!(admitted(&tries, network, 10_000) < ONE_ACCOUNT);
        tries.admit("ada", HERE, NOW).unwrap();
    }

    #[test]
    fn guessing_at_one_account_from_everywhere_ends_too() {
        let tries = Tries::new();
        let elsewhere = |n: u32| ("ada".to_owned(), Some(IpAddr::V4(n.into())));
        assert_eq!(admitted(&tries, elsewhere, 600), ONE_ACCOUNT);
    }
}
