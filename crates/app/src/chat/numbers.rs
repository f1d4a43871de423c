//! The numbers of chats, under the names of the contract's section 12.
//!
//! Labels are bounded: models and providers that exist, classes of failure.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use prometheus_client::{
    encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Seconds; from a cached prompt to a long answer.
const SECONDS: [f64; 14] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
const TOKENS: [f64; 10] = [16.0, 64.0, 256.0, 1e3, 4e3, 16e3, 32e3, 64e3, 128e3, 256e3];

type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// The numbers of all chats.
pub(super) struct Numbers {
    prompt_tokens: Family<Labels, Counter>,
    completion_tokens: Family<Labels, Counter>,
    tokens_per_request: Histograms,
    first_token: Histograms,
    duration: Histograms,
    active_streams: Family<Labels, Gauge>,
    errors: Family<ErrorLabels, Counter>,
    by_model: RwLock<HashMap<Labels, Arc<ModelNumbers>, foldhash::fast::RandomState>>,
}

impl Default for Numbers {
    fn default() -> Self {
        let seconds = || Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        Self {
            prompt_tokens: Family::default(),
            completion_tokens: Family::default(),
            tokens_per_request: Family::new_with_constructor(|| Histogram::new(TOKENS)),
            first_token: seconds(),
            duration: seconds(),
            active_streams: Family::default(),
            errors: Family::default(),
            by_model: RwLock::default(),
        }
    }
}

impl Numbers {
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("jan_llm_api");
        registry.register("tokens_prompt", "Tokens read by models", self.prompt_tokens.clone());
        registry.register("tokens_completion", "Tokens written by models", self.completion_tokens.clone());
        registry.register(
            "tokens_per_request",
            "Tokens read and written for one answer",
            self.tokens_per_request.clone(),
        );
        registry.register("first_token_seconds", "Time until a stream's first event", self.first_token.clone());
        registry.register("llm_duration_seconds", "Time a model took for an answer", self.duration.clone());
        registry.register("active_streams", "Streams under way", self.active_streams.clone());
        registry.register("provider_errors", "Failures of providers", self.errors.clone());
    }

    /// The numbers of one model: one look-up for each chat, not one for each number.
    pub(super) fn of(&self, model: &Arc<str>, provider: &Arc<str>) -> Arc<ModelNumbers> {
        let labels = Labels { model: Arc::clone(model), provider: Arc::clone(provider) };
        if let Some(known) = self.by_model.read().unwrap_or_else(PoisonError::into_inner).get(&labels) {
            return Arc::clone(known);
        }
        let mut by_model = self.by_model.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(by_model.entry(labels).or_insert_with_key(|labels| Arc::new(self.make(labels))))
    }

    fn make(&self, labels: &Labels) -> ModelNumbers {
        ModelNumbers {
            prompt_tokens: self.prompt_tokens.get_or_create_owned(labels),
            completion_tokens: self.completion_tokens.get_or_create_owned(labels),
            tokens_per_request: self.tokens_per_request.get_or_create_owned(labels),
            first_token: self.first_token.get_or_create_owned(labels),
            duration: self.duration.get_or_create_owned(labels),
            active_streams: self.active_streams.get_or_create_owned(labels),
            errors: self.errors.clone(),
            labels: labels.clone(),
        }
    }
}

/// The numbers of one model.
pub(super) struct ModelNumbers {
    pub(super) prompt_tokens: Counter,
    pub(super) completion_tokens: Counter,
    pub(super) tokens_per_request: Histogram,
    pub(super) first_token: Histogram,
    pub(super) duration: Histogram,
    pub(super) active_streams: Gauge,
    errors: Family<ErrorLabels, Counter>,
    labels: Labels,
}

impl ModelNumbers {
    pub(super) fn failed(&self, class: &'static str) {
        self.errors.get_or_create(&ErrorLabels { of: self.labels.clone(), class }).inc();
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Labels {
    model: Arc<str>,
    provider: Arc<str>,
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("model", &*self.model).encode(encoder.encode_label())?;
        ("provider", &*self.provider).encode(encoder.encode_label())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ErrorLabels {
    of: Labels,
    class: &'static str,
}

impl EncodeLabelSet for ErrorLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("model", &*self.of.model).encode(encoder.encode_label())?;
        ("provider", &*self.of.provider).encode(encoder.encode_label())?;
        ("error_type", self.class).encode(encoder.encode_label())
    }
}
