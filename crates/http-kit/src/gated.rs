//! Waits beside something busy.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// A future that is polled only when it has something to say.
///
/// What waits beside a stream is asked again with each chunk, and a timer or a token that is asked takes locks, which all
/// connections share. With a waker of its own it need not be asked: until that is woken, the answer is as before.
pub(crate) struct Gated<F> {
    gate: Arc<Gate>,
    /// Opens the gate; the future's own.
    opener: Waker,
    /// Who was last told to be woken.
    waiting: Option<Waker>,
    future: F,
}

struct Gate {
    is_open: AtomicBool,
    waiting: AtomicWaker,
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_open.store(true, Ordering::Release);
        self.waiting.wake();
    }
}

impl<F> Gated<F> {
    pub(crate) fn new(future: F) -> Self {
        let gate = Arc::new(Gate { is_open: AtomicBool::new(true), waiting: AtomicWaker::new() });
        Self { opener: Waker::from(Arc::clone(&gate)), gate, waiting: None, future }
    }

    /// The future, to be changed: it is polled the next time.
    pub(crate) fn get_mut(&mut self) -> &mut F {
        self.gate.is_open.store(true, Ordering::Relaxed);
        &mut self.future
    }
}

impl<F: Future + Unpin> Future for Gated<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let is_known = this.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(cx.waker()));
        if is_known && !this.gate.is_open.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // First the waker, then the gate: whoever opens it in between wakes us.
        this.gate.waiting.register(cx.waker());
        if !is_known {
            this.waiting = Some(cx.waker().clone());
        }
        if !this.gate.is_open.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        Pin::new(&mut this.future).poll(&mut Context::from_waker(&this.opener))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, time::Duration};

    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn it_is_polled_when_it_was_woken_and_not_before() {
        let (mut polls, mut inner): (_, Option<Waker>) = (0, None);
        let mut gated = Gated::new(poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            inner = Some(cx.waker().clone());
            Poll::Pending
        }));
        let mut outer = flag();
        for _ in 0..3 {
            assert!(Pin::new(&mut gated).poll(&mut Context::from_waker(&outer.1)).is_pending());
        }
        // Somebody else waits now.
        outer = flag();
        assert!(Pin::new(&mut gated).poll(&mut Context::from_waker(&outer.1)).is_pending());
        gated.opener.wake_by_ref();
        assert!(outer.0.0.load(Ordering::Relaxed), "whoever waits is woken");
        assert!(Pin::new(&mut gated).poll(&mut Context::from_waker(&outer.1)).is_ready());
        drop(gated);
        assert_eq!(polls, 2);
        assert!(inner.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn timers_and_tokens_come_through() {
        let token = CancellationToken::new();
        let cancelled = pin!(token.cancelled());
        let mut cancelled = Gated::new(cancelled);
        let mut timer = Gated::new(Box::pin(tokio::time::sleep(Duration::from_secs(1))));
        for _ in 0..3 {
            tokio::select! {
                biased;
                () = &mut cancelled => panic!("nothing was cancelled"),
                () = &mut timer => {}
            }
            timer.get_mut().as_mut().reset(tokio::time::Instant::now() + Duration::from_secs(1));
        }
        token.cancel();
        cancelled.await;
    }

    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn flag() -> (Arc<Flag>, Waker) {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        (Arc::clone(&flag), Waker::from(flag))
    }
}
