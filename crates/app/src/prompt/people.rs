//! What prompts need to know of users, remembered for a moment: a chat does not ask the database who it is for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{
    Clock, Result, Timestamp,
    ids::UserId,
    memory::{MAX_OF_USER, Memory},
};
use quick_cache::{Weighter, sync::Cache};
use store::Store;
use wire::settings::Settings;

/// How long what was read is believed. What a user changes through this process counts at once; what is changed through
/// another process counts after this.
const FRESH: Duration = Duration::from_secs(10);
/// Users remembered, and the bytes of all of them.
const CAPACITY: usize = 10_000;
const BYTES: u64 = 32 * 1024 * 1024;

/// A user, as far as prompts are concerned.
#[derive(Debug)]
pub(crate) struct Person {
    /// Who it is.
    pub(crate) id: UserId,
    /// What the user wants.
    pub(crate) settings: Settings,
    /// Everything that is remembered, newest first.
    pub(crate) memories: Vec<Memory>,
    read_at: Timestamp,
}

/// The users who were here lately. Clones share them.
#[derive(Clone)]
pub struct People(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    known: Cache<UserId, Arc<Person>, Weigh>,
    /// Counts changes, so that what was read before one is not remembered after it.
    changes: AtomicU64,
}

/// A change of what is known of a user: when it is over, however it ended, the user is read anew.
pub(crate) struct Changing<'a> {
    people: &'a People,
    user: &'a UserId,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.people.0.changes.fetch_add(1, Ordering::AcqRel);
        self.people.0.known.remove(self.user);
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<UserId, Arc<Person>> for Weigh {
    fn weight(&self, _: &UserId, person: &Arc<Person>) -> u64 {
        let of_memory = |memory: &Memory| {
            let vector = memory.meaning.as_ref().map_or(0, |meaning| meaning.vector.len() * 4);
            size_of::<Memory>() + memory.content.len() + vector
        };
        let memories: usize = person.memories.iter().map(of_memory).sum();
        let profile = &person.settings.profile_settings;
        (1_024 + memories + profile.custom_instructions.len() + profile.more_about_you.len()) as u64
    }
}

impl People {
    /// The users that `store` knows.
    pub fn new(store: Store, clock: Clock) -> Self {
        let known = Cache::with_weighter(CAPACITY, BYTES, Weigh);
        Self(Arc::new(Inner { store, clock, known, changes: AtomicU64::new(0) }))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The user as known, or as the database has it.
    pub(crate) async fn get(&self, id: &UserId) -> Result<Arc<Person>> {
        let now = self.0.clock.now();
        if let Some(known) = self.0.known.get(id) {
            let age = now.micros() - known.read_at.micros();
            if u128::try_from(age).is_ok_and(|age| age < FRESH.as_micros()) {
                return Ok(known);
            }
        }
        let changes = self.0.changes.load(Ordering::Acquire);
        let person = Arc::new(self.read(id, now).await?);
        if self.0.changes.load(Ordering::Acquire) == changes {
            self.0.known.insert(id.clone(), Arc::clone(&person));
            if self.0.changes.load(Ordering::Acquire) != changes {
                self.0.known.remove(id);
            }
        }
        Ok(person)
    }

    /// Begins a change of a user.
    pub(crate) fn changing<'a>(&'a self, user: &'a UserId) -> Changing<'a> {
        Changing { people: self, user }
    }

    async fn read(&self, id: &UserId, now: Timestamp) -> Result<Person> {
        let mut reader = self.0.store.read().await?;
        let changed = reader.user_settings(id).await?;
        let settings = match changed.map(|changed| Settings::read(&changed.changes)) {
            None => Settings::default(),
            Some(Ok(settings)) => settings,
            Some(Err(error)) => {
                // A newer server may allow what this one does not.
                tracing::warn!(%error, user = %id, "A user's settings are not understood; the defaults are used");
                Settings::default()
            }
        };
        let memories =
            if settings.memory_config.enabled { reader.all_memories(id, MAX_OF_USER).await? } else { Vec::new() };
        Ok(Person { id: id.clone(), settings, memories, read_at: now })
    }
}
