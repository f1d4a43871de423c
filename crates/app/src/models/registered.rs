//! A provider in the registry: its name there, what it offered last, and when to ask it again.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{
        MetricType,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};
use providers::{ChatProvider, Offer};
use tokio::time::Instant;

/// Between two questions to a provider that answers.
const INTERVAL: Duration = Duration::from_mins(1);
/// After a first failure; doubled with each further one.
const BACKOFF: Duration = Duration::from_secs(2);
/// Between two questions to a provider that is dead.
const MAX_BACKOFF: Duration = Duration::from_mins(5);

pub(super) struct Registered {
    pub(super) name: Arc<str>,
    pub(super) provider: Arc<dyn ChatProvider>,
    state: Mutex<State>,
}

struct State {
    offers: Vec<Offer>,
    failures: u32,
    due: Instant,
}

impl Registered {
    pub(super) fn new(name: Arc<str>, provider: Arc<dyn ChatProvider>) -> Self {
        let state = State { offers: Vec::new(), failures: 0, due: Instant::now() };
        Self { name, provider, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn offers(&self) -> Vec<Offer> {
        self.state().offers.clone()
    }

    /// How long to wait before the next question.
    pub(super) fn pause(&self) -> Duration {
        self.state().due.saturating_duration_since(Instant::now())
    }

    /// Asks for the models; tells whether there was an answer. `now` is when models without a date were first seen.
    pub(super) async fn ask(&self, now: i64) -> bool {
        match self.provider.models().await {
            Ok(mut offers) => {
                let mut state = self.state();
                let seen: HashMap<&str, i64> =
                    state.offers.iter().map(|before| (before.id.as_str(), before.created)).collect();
                for offer in offers.iter_mut().filter(|offer| offer.created <= 0) {
                    offer.created = seen.get(offer.id.as_str()).copied().unwrap_or(now);
                }
                if state.failures > 0 {
                    tracing::info!(provider = &*self.name, "the provider answers again");
                }
                *state = State { offers, failures: 0, due: Instant::now() + INTERVAL };
                true
            }
            Err(error) => {
                let mut state = self.state();
                let pause = BACKOFF.saturating_mul(1 << state.failures.min(10)).min(MAX_BACKOFF);
                state.failures += 1;
                state.due = Instant::now() + pause;
                if state.failures == 1 {
                    // Once for each time it goes away; the metric tells how long.
                    let causes = domain::Error::internal(error).causes();
                    tracing::warn!(provider = &*self.name, causes, "the provider does not list its models");
                }
                false
            }
        }
    }
}

/// Which providers are left alone, as they are when somebody looks.
pub(super) struct Circuits(pub(super) Vec<Arc<Registered>>);

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|provider| &provider.name)).finish()
    }
}

impl Collector for Circuits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Whether the provider failed again and again and is left alone";
        let mut family =
            encoder.encode_descriptor("jan_llm_api_provider_circuit_open", help, None, MetricType::Gauge)?;
        for provider in &self.0 {
            let is_open = ConstGauge::new(i64::from(provider.provider.is_suspended()));
            is_open.encode(family.encode_family(&[("provider", &*provider.name)])?)?;
        }
        Ok(())
    }
}

/// Whether each provider answers.
#[derive(Default)]
pub(super) struct Health(Family<[(&'static str, String); 1], Gauge>);

impl Health {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Whether the provider listed its models when last asked";
        registry.register("jan_llm_api_provider_health", help, self.0.clone());
    }

    pub(super) fn set(&self, provider: &str, answers: bool) {
        self.0.get_or_create(&[("provider", provider.to_owned())]).set(i64::from(answers));
    }
}
