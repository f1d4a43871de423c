//! How many guests an address may make.
//!
//! Each address has an allowance that refills evenly over the hour. One number is kept for each: the time at which its
//! allowance will be whole again. Only so many addresses are remembered; one that is forgotten begins anew.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::Timestamp;
use quick_cache::unsync::Cache;

const HOUR: Duration = Duration::from_hours(1);
/// What this machine itself may make in an hour; see [`crate::Options::guest_logins_per_hour`].
const LOOPBACK: u32 = 10_000;
/// Addresses remembered.
const REMEMBERED: usize = 10_000;

pub(crate) struct GuestLimit {
    per_hour: u32,
    whole_at: Mutex<Cache<Option<IpAddr>, Timestamp>>,
}

impl GuestLimit {
    /// A limit of so many in an hour; 0 for none.
    pub(crate) fn new(per_hour: u32) -> Self {
        Self { per_hour, whole_at: Mutex::new(Cache::new(REMEMBERED)) }
    }

    /// Takes one of an address's allowance.
    ///
    /// # Errors
    /// How long until there is one again.
    pub(crate) fn admit(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        if self.per_hour == 0 {
            return Ok(());
        }
        let from = from.map(whose);
        let is_loopback = from.is_some_and(|from| from.is_loopback());
        let per_hour = if is_loopback { LOOPBACK.max(self.per_hour) } else { self.per_hour };
        take(&mut self.whole_at.lock().unwrap_or_else(PoisonError::into_inner), from, per_hour, now)
    }
}

/// Takes one of `key`'s allowance of so many in an hour.
///
/// # Errors
/// How long until there is one again.
pub(crate) fn take<K: Eq + Hash>(
    whole_at: &mut Cache<K, Timestamp>,
    key: K,
    per_hour: u32,
    now: Timestamp,
) -> Result<(), Duration> {
    let begin = whole_at.get(&key).copied().unwrap_or(now).max(now);
    let next = begin + HOUR / per_hour;
    if next > now + HOUR {
        return Err(Duration::from_micros(next.micros().abs_diff((now + HOUR).micros())));
    }
    whole_at.insert(key, next);
    Ok(())
}

/// The part of an address that belongs to one customer: all of an IPv4 address, and the first half of an IPv6 address.
pub(crate) fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let half = u128::MAX << 64;
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & half))
        }
        other => other,
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
    fn an_allowance_is_used_up_and_refills() {
        let limit = GuestLimit::new(30);
        let from = Some(address("203.0.113.7"));
        for _ in 0..30 {
            limit.admit(from, NOW).unwrap();
        }
        let pause = limit.admit(from, NOW).unwrap_err();
        assert_eq!(pause, Duration::from_mins(2), "one in two minutes");
        assert!(limit.admit(from, NOW + Duration::from_secs(119)).is_err());
        limit.admit(from, NOW + pause).unwrap();
        assert!(limit.admit(from, NOW + pause).is_err());
        limit.admit(Some(address("203.0.113.8")), NOW).unwrap();
    }

    #[test]
    fn a_network_is_one_customer() {
        let limit = GuestLimit::new(1);
        limit.admit(Some(address("2001:db8:1:2::1")), NOW).unwrap();
        assert!(limit.admit(Some(address("2001:db8:1:2:ffff::9")), NOW).is_err());
        limit.admit(Some(address("2001:db8:1:3::1")), NOW).unwrap();
        limit.admit(Some(address("203.0.113.7")), NOW).unwrap();
        assert!(limit.admit(Some(address("::ffff:203.0.113.7")), NOW).is_err(), "one address, two spellings");
    }

    #[test]
    fn no_address_is_an_address_too() {
        let limit = GuestLimit::new(1);
        limit.admit(None, NOW).unwrap();
        assert!(limit.admit(None, NOW).is_err());
    }

    #[test]
    fn this_machine_may_make_more() {
        let limit = GuestLimit::new(1);
        for _ in 0..LOOPBACK {
            limit.admit(Some(address("127.0.0.1")), NOW).unwrap();
        }
        assert!(limit.admit(Some(address("127.0.0.1")), NOW).is_err());
    }

    #[test]
    fn many_addresses_cost_bounded_memory() {
        let limit = GuestLimit::new(1);
        for n in 0..200_000u32 {
            limit.admit(Some(IpAddr::V4(n.into())), NOW).unwrap();
        }
        assert!(limit.whole_at.lock().unwrap().len() <= REMEMBERED + REMEMBERED / 10);
    }
}
