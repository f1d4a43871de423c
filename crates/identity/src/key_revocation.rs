//! Taking a signing key back at once, because somebody else may have it.
//!
//! The key is marked in the database, and every server looks there whenever it reads the proof of a token: so no token of
//! that key is good anywhere after two seconds, whether or not the servers can call each other. The server that signed
//! with it finds the mark and makes a key of its own. Sign-ins go on: their refresh tokens are not signed, and get access
//! tokens of the new key.

use std::time::Duration;

use domain::{Error, Result, audit::Act};
use store::{Revocation, SigningKeyState, StoreError};

use crate::{Identity, key_rotation::blocking, signing_key::SigningKey, time};

/// How often a server looks whether its own key was taken back.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Identity {
    /// What became of the signing keys, the newest first.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyState>> {
        time::limited(async { self.0.store.read().await?.signing_key_states().await }).await
    }

    /// The name of the key that this server signs with.
    pub fn signing_key_name(&self) -> String {
        self.0.signing_key.load().public().kid.clone()
    }

    /// Takes a key back with every token that it signed. If it is this server's own, another is in its place afterwards.
    ///
    /// # Errors
    /// `signing_key_not_found` for a name that no key has, or only one that was taken back before. When the key's
    /// directory cannot be written, the key is taken back all the same.
    pub async fn revoke_signing_key(&self, kid: &str) -> Result<()> {
        let found = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let found = self.0.keys.revoke(&mut tx, kid).await?;
            if found {
                self.note(&mut tx, Act::SigningKeyRevoked, None, kid).await?;
            }
            tx.commit().await?;
            Ok::<_, StoreError>(found)
        });
        if !found.await? {
            let message = "There is no such signing key, or it was taken back before.";
            return Err(Error::not_found("signing_key_not_found", message));
        }
        self.0.verdicts.forget(&Revocation::Unknown);
        self.leave_revoked_key().await
    }

    /// Makes another key if our own was taken back; or takes the one that another process on the same directory made.
    pub(crate) async fn leave_revoked_key(&self) -> Result<()> {
        if !self.0.keys.own_is_revoked(&self.0.store).await? {
            return Ok(());
        }
        let directory = self.0.keys_dir.clone();
        let found = blocking(move || SigningKey::open(&directory)).await?;
        if found.public().kid == self.signing_key_name() {
            self.renew_signing_key(true).await?;
        } else {
            self.0.keys.publish_next(found.public(), &self.0.store).await?;
            self.adopt(found, true);
        }
        tracing::warn!(kid = self.signing_key_name(), "The signing key was taken back; another is in its place");
        // Tokens of the old one may have been looked up meanwhile.
        self.0.verdicts.forget(&Revocation::Unknown);
        Ok(())
    }
}
