//! Verdicts on credentials, remembered for a moment, so that a request costs a digest and a look-up.
//!
//! A credential is known by its SHA-256 here. A good one is believed for [`STALE`] after its proof was read from the
//! database; from [`FRESH`] on, one request reads the proof again while the others go on with the old one. What this
//! process takes back is forgotten at once, what others take back as soon as they say so, and everything within
//! [`STALE`] whatever happens.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::digest;
use domain::{Method, Principal, Timestamp};
use quick_cache::sync::Cache;
use store::Revocation;

use crate::{credentials::Refusal, time};

/// How long nobody looks again.
const FRESH: Duration = Duration::from_millis(800);
/// How long a verdict may be believed. Below the two seconds within which a revocation must have taken effect
/// everywhere, since the verdict may have taken a while to come back from the database.
const STALE: Duration = Duration::from_millis(1_500);
/// Verdicts kept of each kind; a few megabytes when full.
const CAPACITY: usize = 10_000;

/// A credential's SHA-256.
pub(crate) type Digest = [u8; 32];

pub(crate) fn digest(credential: &str) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, credential.as_bytes()).as_ref());
    bytes
}

/// A caller whose credential was found good.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) principal: Arc<Principal>,
    /// When reading the proof began.
    pub(crate) proven_at: Timestamp,
    /// When the credential lapses by itself.
    pub(crate) expires_at: Timestamp,
    /// Whether a request is reading the proof again.
    pub(crate) renewing: AtomicBool,
}

/// The verdicts. Good and bad ones are apart, so that guessing does not push out those who belong here.
pub(crate) struct Verdicts {
    known: Cache<Digest, Arc<Known>>,
    refused: Cache<Digest, (Refusal, Timestamp)>,
    /// Counts what was taken back, so that a proof read before is not remembered after.
    revocations: Mutex<u64>,
}

impl Verdicts {
    pub(crate) fn new() -> Self {
        Self { known: Cache::new(CAPACITY), refused: Cache::new(CAPACITY), revocations: Mutex::new(0) }
    }

    /// The verdict, unless it is unknown or somebody has to look again and that is now this caller.
    pub(crate) fn get(&self, digest: &Digest, now: Timestamp) -> Option<Result<Arc<Principal>, Refusal>> {
        if let Some(known) = self.known.get(digest) {
            if now >= known.expires_at || !time::is_within(known.proven_at, now, STALE) {
                return None;
            }
            if !time::is_within(known.proven_at, now, FRESH) && !known.renewing.swap(true, Ordering::Relaxed) {
                return None;
            }
            return Some(Ok(Arc::clone(&known.principal)));
        }
        let (refusal, at) = self.refused.get(digest)?;
        if time::is_within(at, now, FRESH) { Some(Err(refusal)) } else { None }
    }

    /// Whether the credential was good when it was last looked at, however long ago, unless that is forgotten.
    pub(crate) fn knew(&self, digest: &Digest) -> bool {
        self.known.peek(digest).is_some()
    }

    /// What was taken back so far; ask before reading a proof.
    pub(crate) fn revocations(&self) -> u64 {
        *self.lock()
    }

    /// Remembers a caller, unless something was taken back since `seen`: then the proof may be older than that.
    pub(crate) fn remember(&self, digest: Digest, known: Known, seen: u64) {
        // Under the lock: it is remembered before the next revocation counts, which then sweeps it out, or not at all.
        let revocations = self.lock();
        if *revocations == seen {
            self.known.insert(digest, Arc::new(known));
        }
    }

    /// Remembers that a credential is not good.
    pub(crate) fn refuse(&self, digest: Digest, refusal: Refusal, now: Timestamp) {
        self.known.remove(&digest);
        self.refused.insert(digest, (refusal, now));
    }

    /// Forgets the callers who were known by what was taken back or changed.
    pub(crate) fn forget(&self, gone: &Revocation) {
        *self.lock() += 1;
        let gone = match gone {
            Revocation::ApiKey(id) => Method::ApiKey(id.clone()),
            Revocation::Session(id) => Method::Jwt(Some(id.clone())),
            Revocation::User(id) => return self.known.retain(|_, known| known.principal.user_id != *id),
            Revocation::Unknown => return self.known.clear(),
        };
        self.known.retain(|_, known| known.principal.method != gone);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, u64> {
        self.revocations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Clock, Role,
        ids::{ApiKeyId, UserId},
    };

    use super::*;

    fn known(key: &ApiKeyId, at: Timestamp) -> Known {
        let clock = Clock::fixed(at);
        let user_id = UserId::new(&clock);
        let principal = Principal {
            subject: user_id.to_string(),
            user_id,
            username: "ada".to_owned(),
            email: None,
            name: None,
            roles: vec![Role::User],
            scopes: vec![],
            method: Method::ApiKey(key.clone()),
        };
        let expires_at = at + Duration::from_hours(1);
        Known { principal: Arc::new(principal), proven_at: at, expires_at, renewing: AtomicBool::new(false) }
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    #[test]
    fn one_looks_again_while_the_others_go_on() {
        let verdicts = Verdicts::new();
        let name = digest("sk_live_1");
        verdicts.remember(name, known(&ApiKeyId::new(&Clock::System), NOW), verdicts.revocations());
        assert!(verdicts.get(&name, NOW).is_some());
        let later = NOW + FRESH;
        assert!(verdicts.get(&name, later).is_none(), "the first is to look again");
        assert!(verdicts.get(&name, later).is_some(), "the second is not");
        assert!(verdicts.get(&name, NOW + STALE).is_none(), "in the end all do");
        assert!(verdicts.get(&name, Timestamp::from_seconds(0)).is_none(), "also when the clock was put back");
    }

    #[test]
    fn what_was_taken_back_is_forgotten_and_not_remembered_again() {
        let verdicts = Verdicts::new();
        let (first, second) = (ApiKeyId::new(&Clock::System), ApiKeyId::new(&Clock::System));
        let seen = verdicts.revocations();
        verdicts.remember(digest("1"), known(&first, NOW), seen);
        verdicts.remember(digest("2"), known(&second, NOW), seen);
        verdicts.forget(&Revocation::ApiKey(first.clone()));
        assert!(verdicts.get(&digest("1"), NOW).is_none());
        assert!(verdicts.get(&digest("2"), NOW).is_some(), "other keys stay known");
        // A proof that was read before the revocation arrives after it.
        verdicts.remember(digest("1"), known(&first, NOW), seen);
        assert!(verdicts.get(&digest("1"), NOW).is_none());
        verdicts.forget(&Revocation::Unknown);
        assert!(verdicts.get(&digest("2"), NOW).is_none());
    }

    #[test]
    fn guesses_do_not_push_out_the_known() {
        let verdicts = Verdicts::new();
        let name = digest("sk_live_1");
        verdicts.remember(name, known(&ApiKeyId::new(&Clock::System), NOW), verdicts.revocations());
        for guess in 0..3 * CAPACITY {
            verdicts.refuse(digest(&guess.to_string()), Refusal::ApiKey, NOW);
        }
        assert!(verdicts.get(&name, NOW).is_some());
        assert!(verdicts.refused.len() <= CAPACITY + CAPACITY / 10);
    }
}
