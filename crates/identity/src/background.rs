//! What goes on beside the requests: keys are published and learned, revocations heard, notes written, and what is long
//! over forgotten. All of it mends itself when the database was away.

use std::time::Duration;

use domain::Result;
use store::{Revocation, StoreError};
use tokio_util::sync::CancellationToken;

use crate::{Identity, key_rotation, key_set, time};

/// How often the other servers' keys are read, besides when a token names an unknown one.
const LEARN_EVERY: Duration = Duration::from_mins(1);
/// How often the expired is forgotten.
const CLEAN_EVERY: Duration = Duration::from_mins(10);
/// Sessions, and tokens, forgotten in one transaction: others wait for it on SQLite.
const CLEAN_BATCH: u32 = 500;
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
            Box::pin(regularly(&stop, "forget expired sessions", CLEAN_EVERY, || self.clean())),
            Box::pin(self.hear_revocations(&stop)),
            Box::pin(self.0.last_used.write(store, &stop)),
        );
    }

    /// Forgets expired sessions, refresh tokens, and sign-ins that nobody finished.
    async fn clean(&self) -> Result<()> {
        let now = self.0.clock.now();
        loop {
            let forgotten = time::limited(async {
                let mut tx = self.0.store.write().await?;
                let sessions = tx.delete_expired_sessions(now, CLEAN_BATCH).await?;
                let tokens = tx.delete_expired_refresh_tokens(now, CLEAN_BATCH).await?;
                let others = tx.delete_expired_code_flow(now, CLEAN_BATCH).await?;
                tx.commit().await?;
                Ok(sessions.max(tokens).max(others))
            });
            if forgotten.await? < u64::from(CLEAN_BATCH) {
                return Ok(());
            }
        }
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
                Ok(gone) => self.0.verdicts.forget(&gone),
                Err(error) => return error,
            }
        }
    }
}

/// Does `work` again and again; after a failure sooner.
async fn regularly<W, F>(stop: &CancellationToken, what: &'static str, every: Duration, work: W)
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
            tracing::warn!(causes = %error.causes(), "Could not {what}, and will try until it works: {error}");
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
