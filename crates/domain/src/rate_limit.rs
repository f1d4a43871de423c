//! How often something may happen: for each key so many times in a period, all of them at once if it likes.
//!
//! The allowance refills evenly (a token bucket). One number is kept for each key: the time at which its allowance is
//! whole again. Memory is bounded: keys share a table of small sets, and where a set is full, the key whose allowance is
//! nearest to being whole is forgotten, which gives away the least. A look-up is a hash and a few comparisons; a lock is
//! held for these, and eight keys share one.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use crate::{Timestamp, network::Network};

/// Keys of a set.
const WAYS: usize = 8;

/// So many times in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    times: u32,
    /// Microseconds until one more is allowed; the period is this by `times`.
    step: i64,
}

impl Rate {
    /// `times` in `period`; at least one.
    pub fn new(times: u32, period: Duration) -> Self {
        let times = times.max(1);
        // Longer ones than some ten thousand years would leave the numbers that a moment has.
        let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 4);
        Self { times, step: (period / i64::from(times)).max(1) }
    }

    /// `times` in a minute.
    pub fn per_minute(times: u32) -> Self {
        Self::new(times, Duration::from_mins(1))
    }

    /// `times` in an hour.
    pub fn per_hour(times: u32) -> Self {
        Self::new(times, Duration::from_hours(1))
    }

    /// How many times.
    pub fn times(self) -> u32 {
        self.times
    }

    /// So many allowances in one.
    fn by(self, times: u32) -> Self {
        Self { times: self.times.saturating_mul(times), step: (self.step / i64::from(times)).max(1) }
    }

    fn period(self) -> i64 {
        self.step.saturating_mul(i64::from(self.times))
    }
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many times it may in all.
    pub limit: u32,
    /// How many of them are left.
    pub remaining: u32,
    /// When all of them are there again.
    pub whole_at: Timestamp,
    /// How long until there is one again; none while one is left or was just given.
    pub retry_after: Option<Duration>,
}

/// The allowances of many keys.
#[derive(Debug)]
pub struct RateLimiter {
    hasher: RandomState,
    /// A power of two.
    count: usize,
    /// So many, from the first key on: most limits of most servers never meet one.
    sets: OnceLock<Box<[Mutex<[Slot; WAYS]>]>>,
}

/// A key by its hash. A slot that was never used belongs to a key whose allowance is whole.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u64,
    whole_at: i64,
}

impl RateLimiter {
    /// A limiter that remembers so many keys, or a few more.
    pub fn new(keys: usize) -> Self {
        let count = keys.div_ceil(WAYS).next_power_of_two();
        Self { hasher: RandomState::new(), count, sets: OnceLock::new() }
    }

    /// Takes one of `key`'s allowance; an allowance that is used up stays as it is, and the result says for how long.
    pub fn take(&self, key: impl Hash, rate: Rate, now: Timestamp) -> Standing {
        let key = self.hasher.hash_one(key);
        let mut set = self.set(key);
        let slot = find(&mut set, key);
        let next = slot.next(rate, now);
        if next > now.micros().saturating_add(rate.period()) {
            return slot.standing(rate, now);
        }
        slot.whole_at = next;
        Standing { retry_after: None, ..slot.standing(rate, now) }
    }

    /// Where `key` stands; nothing is taken.
    pub fn look(&self, key: impl Hash, rate: Rate, now: Timestamp) -> Standing {
        let key = self.hasher.hash_one(key);
        let set = self.set(key);
        let slot = set.iter().find(|slot| slot.key == key).copied().unwrap_or_default();
        slot.standing(rate, now)
    }

    /// Takes one of what an address may of `what`: of the allowance of each network that it counts for. The standing is
    /// that of the narrowest, unless a wider one has none left.
    pub fn take_from(&self, what: impl Hash, address: Option<IpAddr>, rate: Rate, now: Timestamp) -> Standing {
        in_all(address, |network| self.take((&what, network), rate.by(network.allowances()), now))
    }

    /// Where an address stands with `what`; nothing is taken.
    pub fn look_from(&self, what: impl Hash, address: Option<IpAddr>, rate: Rate, now: Timestamp) -> Standing {
        in_all(address, |network| self.look((&what, network), rate.by(network.allowances()), now))
    }

    fn set(&self, key: u64) -> MutexGuard<'_, [Slot; WAYS]> {
        let sets = self.sets.get_or_init(|| (0..self.count).map(|_| Mutex::default()).collect());
        sets[key as usize & (sets.len() - 1)].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The standing of the narrowest network, unless a wider one refuses. Who is refused by the former is not counted in the
/// latter: it takes nothing from its neighbours.
fn in_all(address: Option<IpAddr>, standing: impl Fn(Network) -> Standing) -> Standing {
    let (narrow, wide) = Network::of(address);
    let narrow = standing(narrow);
    let wide = wide.filter(|_| narrow.retry_after.is_none()).map(standing);
    wide.filter(|wide| wide.retry_after.is_some()).unwrap_or(narrow)
}

/// The key's slot, or the one that it takes over.
fn find(set: &mut [Slot; WAYS], key: u64) -> &mut Slot {
    let mut at = 0;
    for (here, slot) in set.iter().enumerate() {
        if slot.key == key {
            return &mut set[here];
        }
        if slot.whole_at < set[at].whole_at {
            at = here;
        }
    }
    set[at] = Slot { key, whole_at: 0 };
    &mut set[at]
}

impl Slot {
    /// When the allowance is whole without this one. No allowance is ever further from whole than a period: one that
    /// seems so was written before the clock was put back.
    fn begin(self, rate: Rate, now: Timestamp) -> i64 {
        let now = now.micros();
        if self.whole_at > now.saturating_add(rate.period()) { now } else { self.whole_at.max(now) }
    }

    fn next(self, rate: Rate, now: Timestamp) -> i64 {
        self.begin(rate, now).saturating_add(rate.step)
    }

    fn standing(self, rate: Rate, now: Timestamp) -> Standing {
        let horizon = now.micros().saturating_add(rate.period());
        let begin = self.begin(rate, now);
        let late = begin.saturating_add(rate.step).saturating_sub(horizon);
        Standing {
            limit: rate.times,
            remaining: u32::try_from((horizon - begin) / rate.step).unwrap_or(rate.times),
            whole_at: Timestamp::from_micros(begin),
            retry_after: (late > 0).then(|| Duration::from_micros(late.unsigned_abs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn admits(limiter: &RateLimiter, key: &str, rate: Rate, now: Timestamp) -> bool {
        limiter.take(key, rate, now).retry_after.is_none()
    }

    #[test]
    fn an_allowance_is_used_up_and_refills() {
        let (limiter, rate) = (RateLimiter::new(100), Rate::per_hour(30));
        for left in (0..30).rev() {
            let standing = limiter.take("a", rate, NOW);
            assert_eq!((standing.limit, standing.remaining, standing.retry_after), (30, left, None));
        }
        let refused = limiter.take("a", rate, NOW);
        assert_eq!((refused.remaining, refused.retry_after), (0, Some(Duration::from_mins(2))), "one in two minutes");
        assert_eq!(refused.whole_at, NOW + Duration::from_hours(1));
        assert!(!admits(&limiter, "a", rate, NOW + Duration::from_secs(119)));
        assert!(admits(&limiter, "a", rate, NOW + Duration::from_mins(2)));
        assert!(!admits(&limiter, "a", rate, NOW + Duration::from_mins(2)));
        assert!(admits(&limiter, "b", rate, NOW));
        let whole = limiter.look("a", rate, NOW + Duration::from_hours(2));
        assert_eq!((whole.remaining, whole.whole_at), (30, NOW + Duration::from_hours(2)));
    }

    #[test]
    fn a_look_takes_nothing() {
        let (limiter, rate) = (RateLimiter::new(8), Rate::per_minute(1));
        assert_eq!(limiter.look("a", rate, NOW).remaining, 1);
        assert!(admits(&limiter, "a", rate, NOW));
        assert_eq!(limiter.look("a", rate, NOW).retry_after, Some(Duration::from_mins(1)));
    }

    #[test]
    fn odd_rates_allow_exactly_what_they_say() {
        for times in [1, 3, 7, 1_000, 7_777, u32::MAX] {
            let rate = Rate::new(times, Duration::from_millis(1));
            assert_eq!(RateLimiter::new(8).look("a", rate, NOW).remaining, times);
        }
        assert_eq!(Rate::per_minute(0).times(), 1);
        let slow = Rate::new(1, Duration::MAX);
        let limiter = RateLimiter::new(8);
        assert!(admits(&limiter, "a", slow, NOW));
        assert!(!admits(&limiter, "a", slow, NOW));
    }

    #[test]
    fn a_clock_that_was_put_back_locks_nobody_out() {
        let (limiter, rate) = (RateLimiter::new(8), Rate::per_minute(2));
        assert!(admits(&limiter, "a", rate, NOW + Duration::from_hours(24)));
        assert!(admits(&limiter, "a", rate, NOW));
        assert!(admits(&limiter, "a", rate, NOW));
        assert!(!admits(&limiter, "a", rate, NOW));
    }

    #[test]
    fn where_there_is_no_room_the_least_burdened_is_forgotten() {
        let (limiter, rate) = (RateLimiter::new(WAYS), Rate::per_hour(3));
        for _ in 0..3 {
            assert!(admits(&limiter, "busy", rate, NOW));
        }
        for other in 0..10_000 {
            assert!(admits(&limiter, &other.to_string(), rate, NOW));
        }
        assert!(!admits(&limiter, "busy", rate, NOW), "whoever asks a lot is remembered");
        assert_eq!(limiter.count, 1);
    }

    /// How many of these addresses are admitted, one after the other.
    fn admitted(limiter: &RateLimiter, addresses: impl Iterator<Item = String>) -> usize {
        let from = |address: &String| limiter.take_from((), address.parse().ok(), Rate::per_hour(10), NOW);
        addresses.filter(|address| from(address).retry_after.is_none()).count()
    }

    #[test]
    fn whoever_has_many_networks_has_not_as_many_allowances() {
        let limiter = RateLimiter::new(8_192);
        let network = |site: u32| (0..1_000).map(move |net| format!("2001:db8:{site:x}:{net:x}::1"));
        assert_eq!(admitted(&limiter, network(1)), 160, "sixteen times what one may");
        let refused = limiter.look_from((), "2001:db8:1:ffff::1".parse().ok(), Rate::per_hour(10), NOW);
        assert_eq!(refused.retry_after, Some(Duration::from_hours(1) / 160));
        assert_eq!(admitted(&limiter, network(2)), 160, "another's network is not disturbed");
        assert_eq!(admitted(&limiter, (0..40).map(|host| format!("2001:db8:3:1::{host:x}"))), 10);
        let others = (0..150).map(|net| format!("2001:db8:3:{:x}::1", net + 2));
        assert_eq!(admitted(&limiter, others), 150, "what one was refused is not taken from its neighbours");
        let v4 = (0..1_000).map(|host| format!("203.0.{}.{}", host / 250, host % 250));
        assert_eq!(admitted(&limiter, v4), 1_000, "addresses of IPv4 are apart");
    }
}
