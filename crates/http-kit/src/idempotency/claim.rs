//! A key that this process has claimed: it is answered, or given up.

use domain::Error;
use store::{Holder, IdempotentRequest};

use super::{Idempotency, KEPT_FOR, LOCK};

/// A claimed key. Dropped without an end, it is given up.
pub(super) struct Claim {
    keys: Idempotency,
    holder: Holder,
    is_over: bool,
}

impl Idempotency {
    /// Claims the request's key; none when another request has it.
    pub(super) async fn claim(&self, asked: &IdempotentRequest<'_>) -> domain::Result<Option<Claim>> {
        let (holder, now) = (domain::secret::random(), self.0.clock.now());
        let mut tx = self.0.store.write().await?;
        if !tx.claim_idempotency_key(asked, &holder, now, now + LOCK, now + KEPT_FOR).await? {
            return Ok(None);
        }
        // From here on it is given up again, whatever becomes of the commit.
        let claim = Claim { keys: self.clone(), holder, is_over: false };
        self.live().insert(holder);
        tx.commit().await?;
        Ok(Some(claim))
    }
}

impl Claim {
    /// Ends the claim with its answer. A failure is told to the operator: the lock runs out, and the key is free then.
    pub(super) async fn finish(&mut self, answer: Option<(u16, &[u8])>) {
        let done = async {
            let mut tx = self.keys.0.store.write().await?;
            tx.answer_idempotency_key(&self.holder, answer).await?;
            tx.commit().await
        };
        let done = done.await;
        self.end();
        if let Err(error) = done {
            tracing::warn!(causes = Error::from(error).causes(), "The answer of an idempotency key could not be kept");
        }
    }

    /// Gives the key up.
    pub(super) async fn release(&mut self) {
        self.end();
        self.keys.release(&self.holder).await;
    }

    pub(super) fn keys(&self) -> &Idempotency {
        &self.keys
    }

    fn end(&mut self) {
        self.is_over = true;
        self.keys.live().remove(&self.holder);
    }
}

impl Idempotency {
    async fn release(&self, holder: &Holder) {
        let done = async {
            let mut tx = self.0.store.write().await?;
            tx.release_idempotency_key(holder).await?;
            tx.commit().await
        };
        if let Err(error) = done.await {
            let causes = Error::from(error).causes();
            tracing::warn!(causes, "An idempotency key could not be given up; its lock runs out soon");
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_over {
            self.end();
            let (keys, holder) = (self.keys.clone(), self.holder);
            self.keys.0.tasks.spawn(async move { keys.release(&holder).await });
        }
    }
}
