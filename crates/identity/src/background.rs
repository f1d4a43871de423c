//! What goes on beside the requests: keys are published and learned, revocations heard, notes written, and what is long
//! over forgotten. All of it mends itself when the database was away.

use std::time::Duration;

use domain::Result;
use store::{Revocation, StoreError};
use tokio_util::sync::CancellationToken;

use crate::{Identity, clean_up, key_revocation, key_rotation, key_set};

/// How often the other servers' keys are read, besides when a token names an unknown one.
const LEARN_EVERY: Duration = Duration::from_mins(1);
/// The pauses after failures.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Identity {
    /// The background work, until `stop`. Requests are answered without it too, only that other servers' revocations
    /// then take up to two seconds.
    pub async fn run(&self, stop: CancellationToken) {
        let keys = &self.0.keys;
        let store = &self.0.store;
        // On the heap, since each is some kilobytes and whoever waits for them would be as large as all together.
        tokio::join!(
            Box::pin(regularly(&stop, "publish the signing key", key_set::PUBLISH_EVERY, || keys.maintain(store))),
            Box::pin(regularly(&stop, "read the signing keys", LEARN_EVERY, || keys.read(store))),
            Box::pin(regularly(&stop, "renew the signing key", key_rotation::EVERY, || self.keep_signing_key_young())),
            Box::pin(regularly(&stop, "follow a signing key's end", key_revocation::LOOK_EVERY, || {
                self.leave_revoked_key()
            })),
            Box::pin(regularly(&stop, "forget what is over", clean_up::EVERY, || self.clean_up())),
            Box::pin(regularly(&stop, "forget idle guests", clean_up::GUESTS_EVERY, || self.forget_idle_guests())),
            Box::pin(self.keep_provider_known(&stop)),
            Box::pin(self.hear_revocations(&stop)),
            Box::pin(self.0.last_used.write(store, &stop)),
        );
    }

    /// Forgets what other servers take back.
    async fn hear_revocations(&self, stop: &CancellationToken) {
        let mut pauses = Pauses::default();
        loop {
            let error = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                error = self.hear(&mut pauses) => error,
            };
            if !pauses.after(&error.into(), "hear revocations", stop).await {
                return;
            }
        }
    }

    /// Hears until the connection is lost.
    async fn hear(&self, pauses: &mut Pauses) -> StoreError {
        let mut revocations = match self.0.store.listen_revocations().await {
            Ok(revocations) => revocations,
            Err(error) => return error,
        };
        // While nobody listened, anything may have been taken back.
        self.0.verdicts.forget(&Revocation::Unknown);
        *pauses = Pauses::default();
        loop {
            match revocations.next().await {
                Ok(gone) => {
                    self.0.verdicts.forget(&gone);
                    // It may have been a key; if the database is away, the regular look finds it.
                    if gone == Revocation::Unknown {
                        self.leave_revoked_key().await.ok();
                        self.0.keys.read(&self.0.store).await.ok();
                    }
                }
                Err(error) => return error,
            }
        }
    }
}

/// Does `work` again and again; after a failure sooner.
pub(crate) async fn regularly<W, F>(stop: &CancellationToken, what: &'static str, every: Duration, work: W)
where
    W: Fn() -> F,
    F: Future<Output = Result<()>>,
{
    let mut pauses = Pauses::default();
    loop {
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            done = work() => done,
        };
        let go_on = match done {
            Ok(()) => {
                pauses = Pauses::default();
                rest(stop, every).await
            }
            Err(error) => pauses.after(&error, what, stop).await,
        };
        if !go_on {
            return;
        }
    }
}

/// The pauses between attempts, each longer than the one before.
struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pauses {
    /// Waits after a failure, of which the first of a row is told to the operator; `false` when it is time to stop.
    async fn after(&mut self, error: &domain::Error, what: &str, stop: &CancellationToken) -> bool {
        if self.0 == FIRST_PAUSE {
            tracing::warn!(task = what, %error, causes = %error.causes(), "A background task failed and is tried again");
        }
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        rest(stop, pause).await
    }
}

/// Waits; `false` when it is time to stop.
async fn rest(stop: &CancellationToken, pause: Duration) -> bool {
    tokio::time::timeout(pause, stop.cancelled()).await.is_err()
}
