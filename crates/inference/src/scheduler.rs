//! Decides what the model computes next: continuous batching on a thread of its own.
//!
//! Each step takes one token of every sequence that is being answered and a piece of a waiting prompt, and
//! runs them through the model together, so that they share the reading of the weights. A finished
//! sequence leaves its keys and values behind for a later prompt that begins alike.
//!
//! The thread never waits for a reader: a generation's channel has room for every event it can have.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::answer::{Answer, Progress};
use crate::cache::Cache;
use crate::error::Error;
use crate::kernel::Pool;
use crate::model::{Model, Rows, Scratch};

/// Prompt tokens in a step that also answers: short, so that answers flow on.
const SHORT_PIECE: usize = 48;
/// Prompt tokens in a step that does nothing else.
const LONG_PIECE: usize = 256;

/// A request ready to run.
pub(crate) struct Job {
    /// The prompt.
    pub(crate) tokens: Vec<u32>,
    pub(crate) owner: String,
    pub(crate) answer: Answer,
    pub(crate) place: Place,
}

/// The side of the scheduler that submits.
pub(crate) struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    wake: Condvar,
    stop: AtomicBool,
    /// Places taken, by running, waiting and arriving requests.
    taken: AtomicUsize,
    places: usize,
    parallel: usize,
}

/// A request's right to be in the engine; free again when dropped.
pub(crate) struct Place(Arc<Queue>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Queue {
    /// Room for `parallel` running and `waiting` waiting requests.
    pub(crate) fn new(parallel: usize, waiting: usize) -> Self {
        Self {
            jobs: Mutex::new(VecDeque::new()),
            wake: Condvar::new(),
            stop: AtomicBool::new(false),
            taken: AtomicUsize::new(0),
            places: parallel + waiting,
            parallel,
        }
    }

    /// A place, or `Busy`.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Place, Error> {
        let free = |taken| (taken < self.places).then_some(taken + 1);
        match self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, free) {
            Ok(_) => Ok(Place(Arc::clone(self))),
            // A short answer takes about a second; so many rounds stand before a new request.
            Err(taken) => Err(Error::Busy { retry_after: Duration::from_secs((taken / self.parallel) as u64) }),
        }
    }

    pub(crate) fn submit(&self, job: Job) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).push_back(job);
        self.wake.notify_one();
    }

    /// Ends the scheduler's thread after its current step.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        // Under the lock, so that the thread is either waiting or yet to look.
        let _jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_all();
    }
}

/// A sequence's keys and values, and the answer in progress, if any.
struct Slot {
    cache: Cache,
    /// The sequence: what the cache holds, then what it does not hold yet.
    tokens: Vec<u32>,
    /// Whose sequence it is.
    owner: String,
    work: Option<Work>,
}

struct Work {
    answer: Answer,
    /// Arrival, for fairness among prompts.
    number: u64,
    _place: Place,
}

impl Slot {
    fn missing(&self) -> usize {
        self.tokens.len() - self.cache.len()
    }

    /// How long a prefix of `owner`'s `prompt` the cache holds.
    fn common(&self, owner: &str, prompt: &[u32]) -> usize {
        if self.owner != owner {
            return 0;
        }
        let held = &self.tokens[..self.cache.len()];
        held.iter().zip(prompt).take_while(|(a, b)| a == b).count()
    }
}

/// The side that computes. Owned by its thread.
pub(crate) struct Scheduler {
    queue: Arc<Queue>,
    model: Arc<Model>,
    pool: Pool,
    scratch: Scratch,
    slots: Vec<Slot>,
    arrived: u64,
}

impl Scheduler {
    pub(crate) fn new(queue: Arc<Queue>, model: Arc<Model>, pool: Pool) -> Self {
        let slot = |_| Slot { cache: model.cache(), tokens: Vec::new(), owner: String::new(), work: None };
        let slots = (0..queue.parallel).map(slot).collect();
        Self { queue, model, pool, scratch: Scratch::new(), slots, arrived: 0 }
    }

    /// Works until the queue is stopped.
    pub(crate) fn run(mut self) {
        loop {
            self.admit();
            if self.queue.stop.load(Ordering::Acquire) {
                return;
            }
            self.drop_cancelled();
            if self.slots.iter().all(|slot| slot.work.is_none()) {
                continue; // `admit` waits for a request
            }
            // A defect must cost the requests it met, not the engine.
            if catch_unwind(AssertUnwindSafe(|| self.step())).is_err() {
                tracing::error!("A step of the embedded model panicked; its requests are lost");
                self.abandon();
            }
        }
    }

    /// Gives waiting requests to free slots; waits if there is nothing else to do.
    fn admit(&mut self) {
        let queue = Arc::clone(&self.queue);
        let mut jobs = queue.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Whoever left while waiting gives up the place at once, not when the turn would come.
            jobs.retain(|job| !job.answer.is_cancelled());
            while let Some(job) = jobs.pop_front() {
                let free = self.slots.iter_mut().filter(|slot| slot.work.is_none());
                // The slot that saves most; among equals the one whose loss costs least.
                let key =
                    |slot: &&mut Slot| (slot.common(&job.owner, &job.tokens), std::cmp::Reverse(slot.cache.len()));
                let Some(slot) = free.max_by_key(key) else {
                    jobs.push_front(job);
                    return;
                };
                let Job { tokens, owner, mut answer, place } = job;
                // At least one token is computed: its scores begin the answer.
                let cached = slot.common(&owner, &tokens).min(tokens.len() - 1);
                slot.cache.truncate(cached);
                answer.start(tokens.len(), cached);
                slot.tokens = tokens;
                slot.owner = owner;
                slot.work = Some(Work { answer, number: self.arrived, _place: place });
                self.arrived += 1;
            }
            let busy = self.slots.iter().any(|slot| slot.work.is_some());
            if busy || queue.stop.load(Ordering::Acquire) {
                return;
            }
            jobs = queue.wake.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn drop_cancelled(&mut self) {
        for slot in &mut self.slots {
            if slot.work.as_ref().is_some_and(|work| work.answer.is_cancelled()) {
                slot.work = None;
            }
        }
    }

    /// How many tokens of each slot the next step takes.
    fn plan(&self) -> Vec<usize> {
        let answering = self.slots.iter().any(|slot| slot.work.is_some() && slot.missing() == 1);
        let mut budget = if answering { SHORT_PIECE } else { LONG_PIECE };
        let mut plan = vec![0; self.slots.len()];
        let numbers = self.slots.iter().enumerate();
        let mut order: Vec<_> =
            numbers.filter_map(|(n, slot)| slot.work.as_ref().map(|work| (work.number, n))).collect();
        order.sort_unstable();
        for (_, n) in order {
            let missing = self.slots[n].missing();
            // The next token of an answer always goes along; prompts share the budget, oldest first.
            plan[n] = if missing == 1 { 1 } else { missing.min(budget) };
            if missing > 1 {
                budget -= plan[n];
            }
        }
        plan
    }

    /// Runs one batch and hands out its results.
    fn step(&mut self) {
        let plan = self.plan();
        let mut batch: Vec<Rows<'_>> = Vec::with_capacity(plan.len());
        for (slot, count) in self.slots.iter_mut().zip(&plan).filter(|(_, count)| **count > 0) {
            let missing = &slot.tokens[slot.cache.len()..];
            let logits = *count == missing.len();
            batch.push(Rows { tokens: &missing[..*count], cache: &mut slot.cache, logits });
        }
        let vocabulary = self.model.shape.vocabulary;
        let scores = self.model.step(&mut self.pool, &mut self.scratch, &mut batch);

        let complete = self.slots.iter_mut().zip(&plan).filter(|(slot, n)| **n > 0 && slot.missing() == 0);
        for ((slot, _), scores) in complete.zip(scores.chunks_exact_mut(vocabulary)) {
            match slot.work.as_mut().map(|work| work.answer.next(scores)) {
                Some(Progress::Continue(token)) => slot.tokens.push(token),
                Some(Progress::Done) | None => slot.work = None,
            }
        }
    }

    /// Fails every running request and forgets what a broken step may have left.
    fn abandon(&mut self) {
        for slot in &mut self.slots {
            if let Some(mut work) = slot.work.take() {
                work.answer.fail(Error::Internal("the computation failed".to_owned()));
            }
            slot.cache = self.model.cache();
            slot.tokens.clear();
        }
    }
}
