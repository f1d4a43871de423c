//! Who is woken when a connection has something to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Nobody is at it: whoever wants something done wakes the owner.
const RESTING: u8 = 0;
/// The owner is at it.
const DRIVING: u8 = 1;
/// Something is to be done.
const WOKEN: u8 = 2;

/// So many turns are taken before other tasks get theirs.
const TURNS: usize = 8;

/// The waker of a connection's two ends.
///
/// The end that reads the socket and the end that takes the answer wake each other, though one task polls both, one
/// after the other. While it does, being woken means one more turn, and no second round through the scheduler.
pub(super) struct Gate {
    shared: Arc<Shared>,
    waker: Waker,
}

struct Shared {
    state: AtomicU8,
    owner: AtomicWaker,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == RESTING {
            self.owner.wake();
        }
    }
}

impl Gate {
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared { state: AtomicU8::new(RESTING), owner: AtomicWaker::new() });
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    /// Takes turns until one gives a result or there is nothing more to do. The task of `cx` is the owner from now on.
    pub(super) fn turns<T>(&self, cx: &mut Context<'_>, mut turn: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let Shared { state, owner } = &*self.shared;
        owner.register(cx.waker());
        for _ in 0..TURNS {
            state.store(DRIVING, Ordering::Release);
            if let Poll::Ready(result) = turn(&mut Context::from_waker(&self.waker)) {
                return Poll::Ready(result);
            }
            if state.compare_exchange(DRIVING, RESTING, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        state.store(RESTING, Ordering::Release);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Forgets the owner: whoever it was has done with the connection.
    pub(super) fn disown(&self) {
        drop(self.shared.owner.take());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A waker and how often it was woken.
    fn owner() -> (Waker, impl Fn() -> usize) {
        let count = Arc::new(Count::default());
        (Waker::from(Arc::clone(&count)), move || count.0.load(Ordering::Relaxed))
    }

    #[test]
    fn who_is_woken_at_work_takes_another_turn() {
        let (gate, (waker, woken)) = (Gate::new(), owner());
        let mut turns = 0;
        let polled = gate.turns(&mut Context::from_waker(&waker), |cx| {
            turns += 1;
            if turns < 3 {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((turns, woken()), (3, 0));
        gate.waker.wake_by_ref();
        gate.waker.wake_by_ref();
        assert_eq!(woken(), 1, "at rest the owner is woken, once");
    }

    #[test]
    fn who_always_has_something_to_do_lets_others_go_first() {
        let (gate, (waker, woken)) = (Gate::new(), owner());
        let mut turns = 0;
        let polled = gate.turns(&mut Context::from_waker(&waker), |cx| {
            turns += 1;
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((turns, woken()), (TURNS, 1));
    }

    #[test]
    fn a_former_owner_is_left_alone() {
        let (gate, (first, woken)) = (Gate::new(), owner());
        assert!(gate.turns(&mut Context::from_waker(&first), |_| Poll::<()>::Pending).is_pending());
        let (second, woken_second) = owner();
        assert!(gate.turns(&mut Context::from_waker(&second), |_| Poll::<()>::Pending).is_pending());
        gate.waker.wake_by_ref();
        assert_eq!((woken(), woken_second()), (0, 1));
        assert!(gate.turns(&mut Context::from_waker(&second), |_| Poll::<()>::Pending).is_pending());
        gate.disown();
        gate.waker.wake_by_ref();
        assert_eq!((woken(), woken_second()), (0, 1));
    }
}
