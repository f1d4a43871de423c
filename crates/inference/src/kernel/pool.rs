//! A pool of threads that share one piece of work at a time.
//!
//! A decoding step has a hundred parallel sections of tens of microseconds each, so handing out work must
//! cost about a microsecond: idle threads spin briefly before they sleep, and parts are claimed with one
//! compare-and-swap. The caller works too, so a descheduled thread delays only the part it holds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Turns of an idle thread before it sleeps; some 50–200 µs.
const SPINS: u32 = 5_000;

/// What a thread of the pool calls: the number of a part.
type Job<'a> = &'a (dyn Fn(usize) + Sync);

struct Shared {
    /// High half: the job's number. Low half: parts not yet claimed.
    ticket: AtomicU64,
    /// The current job; valid while a part of it is unfinished.
    job: AtomicPtr<Job<'static>>,
    /// Parts finished of the current job.
    done: AtomicUsize,
    /// A part panicked.
    failed: AtomicBool,
    stop: AtomicBool,
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
}

/// Threads for arithmetic. Dropping the pool ends them.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool in which `threads` threads work, the caller's included.
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            ticket: AtomicU64::new(0),
            job: AtomicPtr::new(std::ptr::null_mut()),
            done: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        });
        let mut pool = Self { shared, threads: Vec::new() };
        for n in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("model-{n}")).spawn(move || shared.work())?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// The number of threads that work, the caller's included.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// Calls `part` with each number below `parts`, on all threads, and returns when all are done.
    ///
    /// Takes `&mut self` because a pool does one job at a time.
    ///
    /// # Panics
    /// If a part panicked; the pool stays usable.
    pub(crate) fn run(&mut self, parts: usize, part: impl Fn(usize) + Sync) {
        if self.threads.is_empty() || parts < 2 {
            (0..parts).for_each(part);
            return;
        }
        let job: Job<'_> = &part;
        // SAFETY: only the lifetime changes. A thread dereferences the pointer only after it has claimed a
        // part of this job, and this function does not return before every part is finished.
        let job: Job<'static> = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) };
        let shared = &*self.shared;
        shared.done.store(0, Ordering::Relaxed);
        shared.job.store((&raw const job).cast_mut(), Ordering::Release);
        let number = (shared.ticket.load(Ordering::Relaxed) >> 32).wrapping_add(1) << 32;
        shared.ticket.store(number | parts as u64, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            let _guard = shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
            shared.wake.notify_all();
        }
        while shared.claim_and_do() {}
        let mut turns = 0_u32;
        while shared.done.load(Ordering::Acquire) < parts {
            turns += 1;
            if turns.is_multiple_of(SPINS) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
        assert!(!shared.failed.swap(false, Ordering::Relaxed), "a part of a parallel computation panicked");
    }

    /// Calls `each` with the number and the content of every chunk of `data`, on all threads.
    pub(crate) fn chunks<T: Send>(&mut self, data: &mut [T], chunk: usize, each: impl Fn(usize, &mut [T]) + Sync) {
        let length = data.len();
        let parts = length.div_ceil(chunk);
        let base = Disjoint::new(data);
        self.run(parts, |n| {
            let start = n * chunk;
            // SAFETY: chunks of different numbers do not overlap, each is within `data`, and each number
            // is given out once.
            each(n, unsafe { base.slice(start, chunk.min(length - start)) });
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        {
            let _guard = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.wake.notify_all();
        }
        for thread in self.threads.drain(..) {
            // A thread catches every panic of its parts, so there is nothing to learn from the result.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn work(&self) {
        let mut turns = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if self.claim_and_do() {
                turns = 0;
            } else if turns < SPINS {
                turns += 1;
                std::hint::spin_loop();
            } else {
                self.sleep();
                turns = 0;
            }
        }
    }

    fn has_parts(&self) -> bool {
        self.ticket.load(Ordering::SeqCst) as u32 > 0
    }

    fn sleep(&self) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Announced before the last look: whoever publishes a job after that look sees the sleeper.
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !self.has_parts() && !self.stop.load(Ordering::SeqCst) {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Claims one part and does it; false if there was none.
    fn claim_and_do(&self) -> bool {
        let ticket = self.ticket.load(Ordering::Acquire);
        let left = ticket as u32;
        if left == 0 {
            return false;
        }
        let job = self.job.load(Ordering::Acquire);
        if self.ticket.compare_exchange(ticket, ticket - 1, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return true; // somebody else was quicker: look again
        }
        // SAFETY: the exchange succeeded, so between the two loads the ticket was the same job's, with a
        // part left; the pointer is replaced only after a job's last part is finished, and this part is
        // not. (A job's number repeats after 2³² jobs, far longer than a thread stays between two lines.)
        let job = unsafe { *job };
        if catch_unwind(AssertUnwindSafe(|| job(left as usize - 1))).is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        self.done.fetch_add(1, Ordering::Release);
        true
    }
}

/// A mutable slice of which several threads write separate parts.
pub(super) struct Disjoint<'a, T> {
    start: *mut T,
    length: usize,
    _borrow: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: it is a `&mut [T]` whose users promise, by the contract of `slice`, not to overlap.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    pub(super) fn new(data: &'a mut [T]) -> Self {
        Self { start: data.as_mut_ptr(), length: data.len(), _borrow: std::marker::PhantomData }
    }

    /// `length` elements from `at`.
    ///
    /// # Safety
    /// No two slices that live at the same time may overlap.
    #[expect(clippy::mut_from_ref, reason = "that is its purpose; the contract forbids overlap")]
    pub(super) unsafe fn slice(&self, at: usize, length: usize) -> &mut [T] {
        assert!(at.checked_add(length).is_some_and(|end| end <= self.length), "out of bounds");
        // SAFETY: within the borrowed slice by the assertion, not aliased by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once() {
        let mut pool = Pool::new(3).unwrap();
        for parts in [0, 1, 2, 7, 1000] {
            for _ in 0..50 {
                let mut data = vec![0_u32; parts];
                pool.chunks(&mut data, 1, |n, chunk| chunk[0] += n as u32 + 1);
                assert!(data.iter().enumerate().all(|(n, x)| *x == n as u32 + 1));
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_survives() {
        let mut pool = Pool::new(2).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| pool.run(8, |n| assert!(n != 3))));
        assert!(outcome.is_err());
        let sum = AtomicUsize::new(0);
        pool.run(10, |n| {
            sum.fetch_add(n, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 45);
    }
}
