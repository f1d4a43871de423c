//! The process's life: one token that says "begin nothing new", one that says "end now", one tracker of all work.
//!
//! SIGTERM or SIGINT: readiness ends, nothing is accepted any more, what is under way goes on for the drain limit; then,
//! or at a second signal, streams get a last event and connections end. The process leaves when all work has.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// After the hard stop: how long work may take to notice.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The tokens and the tracker. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lifecycle {
    /// Begin nothing new.
    pub draining: CancellationToken,
    /// End now.
    pub closing: CancellationToken,
    /// All work of the process.
    pub tasks: TaskTracker,
}

/// How the waiting ended.
pub(crate) enum Stop {
    /// Somebody asked for it.
    Asked,
    /// A part cannot go on.
    Failed(anyhow::Error),
}

impl Lifecycle {
    /// Waits for the stop, lets work finish, and returns when none is left.
    ///
    /// # Errors
    /// Why a part could not go on, when that was the reason.
    pub(crate) async fn run(
        &self,
        mut signals: Signals,
        failed: oneshot::Receiver<anyhow::Error>,
        drain: Duration,
    ) -> anyhow::Result<()> {
        let failed = async {
            match failed.await {
                Ok(error) => error,
                // The sender ended without a word: nothing failed.
                Err(_) => std::future::pending().await,
            }
        };
        let stop = tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, "Stopping: requests under way may finish");
                Stop::Asked
            }
            error = failed => Stop::Failed(error),
        };
        self.draining.cancel();
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = tokio::time::sleep(drain) => tracing::warn!("The time to finish is over: ending what is left"),
            name = signals.next() => tracing::warn!(signal = name, "Asked again: ending what is left"),
        }
        self.closing.cancel();
        if tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "Work is left undone");
        }
        match stop {
            Stop::Asked => Ok(()),
            Stop::Failed(error) => Err(error),
        }
    }
}

/// The signals that ask a process to end.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes the signals over: from now on they do not kill.
    #[cfg(unix)]
    pub(crate) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next one's name.
    #[cfg(unix)]
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
