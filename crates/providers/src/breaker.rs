//! A circuit breaker around a provider (`security.md` G7): one that failed again and again is left alone for a moment, and
//! whoever asks is told so at once instead of waiting for the next failure.
//!
//! What counts is the provider's own fault: it cannot be reached, answers with a 5xx or nonsense, is too slow, or breaks
//! off. A request that it refuses shows that it lives, and one whose caller leaves shows nothing. While the circuit is
//! open, one request in each pause goes through to see; the pauses double, and the first answer closes the circuit.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use tokio::time::Instant;

use crate::{BoxFuture, Call, ChatProvider, Error, Frame, Frames, Offer, Result, Whole};

/// The longest pause, unless the first is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerOptions {
    /// Failures in a row; 0 for never.
    pub failures: u32,
    /// The first pause.
    pub pause: Duration,
}

/// A provider behind a circuit breaker.
#[derive(Debug)]
pub struct Breaker<P> {
    provider: P,
    circuit: Arc<Circuit>,
}

impl<P: ChatProvider> Breaker<P> {
    /// Puts a circuit breaker around a provider.
    pub fn around(provider: P, options: BreakerOptions) -> Self {
        let circuit =
            Circuit { name: provider.name().to_owned(), options, failures: AtomicU32::new(0), open: Mutex::new(None) };
        Self { provider, circuit: Arc::new(circuit) }
    }
}

impl<P: ChatProvider> ChatProvider for Breaker<P> {
    fn name(&self) -> &str {
        self.provider.name()
    }

    /// Always asked: it is asked rarely anyway, and what it has is not what it can do.
    fn models(&self) -> BoxFuture<'_, Result<Vec<Offer>>> {
        self.provider.models()
    }

    fn complete(&self, call: Call) -> BoxFuture<'_, Result<Whole>> {
        Box::pin(async move {
            let pass = self.circuit.admit()?;
            let whole = self.provider.complete(call).await;
            pass.judge(whole.as_ref().err());
            whole
        })
    }

    fn stream(&self, call: Call) -> BoxFuture<'_, Result<Frames>> {
        Box::pin(async move {
            let pass = self.circuit.admit()?;
            match self.provider.stream(call).await {
                Ok(frames) => Ok(Box::pin(Judged { frames, pass, ended: false }) as Frames),
                Err(error) => {
                    pass.judge(Some(&error));
                    Err(error)
                }
            }
        })
    }

    fn window(&self, model: &str) -> Option<usize> {
        self.provider.window(model)
    }

    fn count_tokens(&self, model: &str, text: &str) -> Option<usize> {
        self.provider.count_tokens(model, text)
    }

    fn is_suspended(&self) -> bool {
        self.circuit.open().is_some()
    }
}

/// The state of a circuit.
#[derive(Debug)]
struct Circuit {
    name: String,
    options: BreakerOptions,
    /// In a row. [`Circuit::OPEN`] while the circuit is open, so that the usual case costs a look at one number.
    failures: AtomicU32,
    open: Mutex<Option<Open>>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    /// The next pause, without its jitter.
    pause: Duration,
    /// When somebody may see again.
    until: Instant,
}

impl Circuit {
    const OPEN: u32 = u32::MAX;

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call through, or says when to come back.
    fn admit(self: &Arc<Self>) -> Result<Pass> {
        let mut is_probe = false;
        if self.failures.load(Relaxed) == Self::OPEN
            && let Some(open) = &mut *self.open()
        {
            let now = Instant::now();
            if now < open.until {
                return Err(Error::Suspended { retry_after: open.until - now });
            }
            // A probe may take as long as an answer: if it does, another one follows.
            open.until = now + jittered(open.pause);
            is_probe = true;
        }
        Ok(Pass { circuit: Arc::clone(self), is_probe })
    }

    /// The provider answers.
    fn close(&self) {
        if self.failures.load(Relaxed) == 0 {
            return;
        }
        let mut open = self.open();
        self.failures.store(0, Relaxed);
        if open.take().is_some() {
            drop(open);
            tracing::info!(provider = self.name, "The provider answers again: its circuit is closed");
        }
    }

    fn fail(&self, is_probe: bool, error: &Error) {
        let mut open = self.open();
        if let Some(open) = &mut *open {
            // What was under way when the circuit opened says nothing new.
            if is_probe {
                open.pause = (open.pause * 2).min(LONGEST_PAUSE.max(self.options.pause));
                open.until = Instant::now() + jittered(open.pause);
            }
            return;
        }
        let failures = self.failures.load(Relaxed).saturating_add(1).min(Self::OPEN - 1);
        if self.options.failures == 0 || failures < self.options.failures {
            self.failures.store(failures, Relaxed);
            return;
        }
        let pause = self.options.pause;
        *open = Some(Open { pause, until: Instant::now() + jittered(pause) });
        self.failures.store(Self::OPEN, Relaxed);
        drop(open);
        tracing::warn!(
            provider = self.name,
            failures,
            class = error.class(),
            "The provider failed again and again: its circuit is open, and requests are refused until it answers"
        );
    }
}

/// A call that was let through. Dropped without a word, it says nothing about the provider.
#[derive(Debug)]
struct Pass {
    circuit: Arc<Circuit>,
    is_probe: bool,
}

impl Pass {
    fn judge(&self, error: Option<&Error>) {
        match error {
            Some(error) if error.is_outage() => self.circuit.fail(self.is_probe, error),
            _ => self.circuit.close(),
        }
    }
}

/// A stream whose end says how the provider did.
struct Judged {
    frames: Frames,
    pass: Pass,
    ended: bool,
}

impl Stream for Judged {
    type Item = Result<Frame>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let polled = self.frames.as_mut().poll_next(cx);
        match &polled {
            Poll::Pending => {}
            // Its end may be minutes away, and everybody waits for what the probe says.
            Poll::Ready(Some(Ok(_))) => {
                if self.pass.is_probe {
                    self.pass.is_probe = false;
                    self.pass.circuit.close();
                }
            }
            Poll::Ready(Some(Err(error))) => {
                self.ended = true;
                self.pass.judge(Some(error));
            }
            Poll::Ready(None) if self.ended => {}
            Poll::Ready(None) => {
                self.ended = true;
                self.pass.judge(None);
            }
        }
        polled
    }
}

/// Between three quarters and the whole of `pause`, so that several servers do not come back together.
fn jittered(pause: Duration) -> Duration {
    let [random] = domain::secret::random::<1>();
    pause * 3 / 4 + pause.mul_f64(f64::from(random) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(8);

    fn circuit(failures: u32) -> Arc<Circuit> {
        let options = BreakerOptions { failures, pause: PAUSE };
        Arc::new(Circuit { name: "p".to_owned(), options, failures: AtomicU32::new(0), open: Mutex::new(None) })
    }

    fn down() -> Error {
        Error::Timeout("no answer".into())
    }

    fn fail(circuit: &Arc<Circuit>) {
        circuit.admit().unwrap().judge(Some(&down()));
    }

    fn retry_after(circuit: &Arc<Circuit>) -> Duration {
        match circuit.admit() {
            Err(Error::Suspended { retry_after }) => retry_after,
            other => panic!("the circuit is closed: {other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_only() {
        let circuit = circuit(3);
        for _ in 0..5 {
            fail(&circuit);
            fail(&circuit);
            circuit.admit().unwrap().judge(None);
        }
        fail(&circuit);
        fail(&circuit);
        circuit.admit().unwrap().judge(Some(&Error::NoSuchModel));
        fail(&circuit);
        fail(&circuit);
        drop(circuit.admit().unwrap());
        assert!(circuit.open().is_none());
        fail(&circuit);
        assert!(circuit.open().is_some());
        let pause = retry_after(&circuit);
        assert!((PAUSE * 3 / 4..=PAUSE).contains(&pause), "{pause:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_goes_through_and_its_answer_decides() {
        let circuit = circuit(1);
        let late = circuit.admit().unwrap();
        fail(&circuit);
        late.judge(Some(&down()));
        let mut longest = PAUSE;
        for _ in 0..6 {
            tokio::time::advance(retry_after(&circuit)).await;
            let probe = circuit.admit().expect("one goes through");
            assert!(probe.is_probe);
            retry_after(&circuit);
            probe.judge(Some(&down()));
            longest = (longest * 2).min(LONGEST_PAUSE);
            let pause = retry_after(&circuit);
            assert!((longest * 3 / 4..=longest).contains(&pause), "{pause:?} of {longest:?}");
        }
        tokio::time::advance(LONGEST_PAUSE).await;
        let lost = circuit.admit().unwrap();
        drop(lost);
        retry_after(&circuit);
        tokio::time::advance(LONGEST_PAUSE).await;
        circuit.admit().expect("a probe whose caller left is followed by another").judge(None);
        assert!(circuit.open().is_none());
        fail(&circuit);
        assert!(retry_after(&circuit) <= PAUSE, "it begins anew");
    }

    #[test]
    fn it_may_be_off() {
        let circuit = circuit(0);
        for _ in 0..1_000 {
            fail(&circuit);
        }
        assert!(circuit.open().is_none());
    }
}
