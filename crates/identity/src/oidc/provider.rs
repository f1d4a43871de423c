//! What is known of the provider: its doors and its keys, read in the background and kept while it is down.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use domain::{Clock, Error, Kind, Result, Timestamp};
use tokio::sync::Mutex;

use super::{
    OidcOptions,
    documents::{BadDocument, Metadata, ProviderKeys},
    fetch::{Door, FetchError},
};
use crate::time;

/// How often tokens with unknown keys may send us to the provider.
const UNKNOWN_EVERY: Duration = Duration::from_secs(30);
/// How often those who want to sign in may, while nothing is known.
const RETRY_EVERY: Duration = Duration::from_secs(2);

/// How long a caller waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The configured provider.
pub(crate) struct Provider {
    pub(crate) options: OidcOptions,
    pub(crate) door: Door,
    clock: Clock,
    known: ArcSwapOption<Known>,
    /// One reads at a time; the others wait for what that one finds.
    tries: Mutex<Tries>,
}

/// The provider at one time.
pub(crate) struct Known {
    pub(crate) metadata: Metadata,
    pub(crate) keys: ProviderKeys,
}

/// The last attempts that requests made.
#[derive(Default)]
struct Tries {
    /// To read anything at all.
    first: Option<Timestamp>,
    /// To find an unknown key, and whether that worked.
    unknown: Option<(Timestamp, bool)>,
}

/// Why the provider could not be read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("the discovery document cannot be read")]
    Discovery(#[source] FetchError),
    #[error("the discovery document cannot be used")]
    BadDiscovery(#[source] BadDocument),
    #[error("the keys cannot be read")]
    Keys(#[source] FetchError),
    #[error("the keys cannot be used")]
    BadKeys(#[source] BadDocument),
}

impl Provider {
    pub(crate) fn new(options: OidcOptions, door: Door, clock: Clock) -> Self {
        Self { options, door, clock, known: ArcSwapOption::empty(), tries: Mutex::default() }
    }

    /// Reads the provider's documents; what was known stays when that fails.
    pub(crate) async fn refresh(&self) -> Result<()> {
        let was_known = self.known.load().is_some();
        self.read().await.map_err(|error| unavailable().source(error))?;
        if !was_known {
            tracing::info!(issuer = %self.options.issuer, "The sign-in provider {} is known", self.options.issuer);
        }
        Ok(())
    }

    /// What is known.
    ///
    /// # Errors
    /// `identity_provider_unavailable` while nothing is.
    pub(crate) async fn known(&self) -> Result<Arc<Known>> {
        if let Some(known) = self.known.load_full() {
            return Ok(known);
        }
        tokio::time::timeout(PATIENCE, self.learn()).await.unwrap_or_else(|_| Err(unavailable()))
    }

    async fn learn(&self) -> Result<Arc<Known>> {
        let mut tries = self.tries.lock().await;
        if let Some(known) = self.known.load_full() {
            return Ok(known);
        }
        let now = self.clock.now();
        if tries.first.is_some_and(|at| time::is_within(at, now, RETRY_EVERY)) {
            return Err(unavailable());
        }
        tries.first = Some(now);
        self.read().await.map_err(|error| unavailable().source(error))
    }

    /// The provider with the key called `kid`; none when there is no such key. An unknown one has the keys read again,
    /// now and then.
    ///
    /// # Errors
    /// `identity_provider_unavailable` when the provider had to be asked and did not answer.
    pub(crate) async fn with_key(&self, kid: &str) -> Result<Option<Arc<Known>>> {
        let has = |known: &Arc<Known>| known.keys.has(kid);
        let known = self.known().await?;
        if has(&known) {
            return Ok(Some(known));
        }
        let mut tries = self.tries.lock().await;
        let known = self.known.load_full().unwrap_or(known);
        if has(&known) {
            return Ok(Some(known));
        }
        let now = self.clock.now();
        match tries.unknown {
            Some((at, worked)) if time::is_within(at, now, UNKNOWN_EVERY) => {
                return if worked { Ok(None) } else { Err(unavailable()) };
            }
            _ => {}
        }
        tries.unknown = Some((now, false));
        match self.read_keys(known.metadata.clone()).await {
            Ok(known) => {
                tries.unknown = Some((now, true));
                Ok(Some(known).filter(has))
            }
            Err(error) => {
                let error = unavailable().source(error);
                tracing::warn!(causes = %error.causes(), "The sign-in provider's keys could not be read again: {error}");
                Err(error)
            }
        }
    }

    async fn read(&self) -> Result<Arc<Known>, ReadError> {
        let url = if self.options.discovery_url.is_empty() {
            format!("{}/.well-known/openid-configuration", self.options.issuer.trim_end_matches('/'))
        } else {
            self.options.discovery_url.clone()
        };
        let answer = self.door.get(&url, None).await.and_then(super::fetch::Answer::ok);
        let bytes = answer.map_err(ReadError::Discovery)?;
        let metadata = Metadata::read(&bytes, &self.options).map_err(ReadError::BadDiscovery)?;
        self.read_keys(metadata).await
    }

    async fn read_keys(&self, metadata: Metadata) -> Result<Arc<Known>, ReadError> {
        let answer = self.door.get(&metadata.jwks_uri, None).await.and_then(super::fetch::Answer::ok);
        let keys = ProviderKeys::read(&answer.map_err(ReadError::Keys)?).map_err(ReadError::BadKeys)?;
        tracing::debug!(keys = keys.len(), "Read the sign-in provider's keys");
        let known = Arc::new(Known { metadata, keys });
        self.known.store(Some(Arc::clone(&known)));
        Ok(known)
    }
}

/// The provider does not answer; what it said is for the log only.
#[cold]
pub(crate) fn unavailable() -> Error {
    let message = "The sign-in provider does not answer at the moment.";
    Error::new(Kind::Unavailable(Some(Duration::from_secs(5))), "identity_provider_unavailable", message)
}
