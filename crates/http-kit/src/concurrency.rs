//! How many of something each user may have going on at a time.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::ids::UserId;

/// Locks; users are spread over them.
const SHARDS: usize = 16;

type Counts = HashMap<u64, u32, foldhash::fast::RandomState>;

/// The users who have something going on, by the hash of their id, and how much. Only requests under way are in it, so
/// their bound is its bound. The tables need no hash of their own that is hard to foresee: that one is.
pub(crate) struct Concurrency {
    limit: u32,
    hasher: RandomState,
    counts: [Mutex<Counts>; SHARDS],
}

impl Concurrency {
    pub(crate) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { limit, hasher: RandomState::new(), counts: Default::default() })
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// Counts one more until the result is dropped; `None` when the user has enough.
    pub(crate) fn enter(self: &Arc<Self>, user: &UserId) -> Option<Place> {
        let user = self.hasher.hash_one(user);
        let mut counts = self.counts(user);
        let count = counts.entry(user).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place { of: Arc::clone(self), user })
    }

    fn counts(&self, user: u64) -> MutexGuard<'_, Counts> {
        self.counts[user as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those that a user may have.
pub(crate) struct Place {
    of: Arc<Concurrency>,
    user: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.of.counts(self.user);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Clock;

    use super::*;

    #[test]
    fn each_user_has_places_and_gets_them_back() {
        let places = Concurrency::new(2);
        let (ada, eve) = (UserId::new(&Clock::System), UserId::new(&Clock::System));
        let first = places.enter(&ada).unwrap();
        let second = places.enter(&ada).unwrap();
        assert!(places.enter(&ada).is_none());
        let other = places.enter(&eve).unwrap();
        drop(first);
        let third = places.enter(&ada).unwrap();
        assert!(places.enter(&ada).is_none());
        drop((second, third, other));
        assert!(places.counts.iter().all(|counts| counts.lock().unwrap().is_empty()), "nobody is left over");
    }
}
