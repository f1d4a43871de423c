//! One chat's account: numbers, the log line's notes and the trace, closed when the answer ends in whatever way.
//!
//! The span follows OpenTelemetry's conventions for generative models. It has a target of its own, `gen_ai`, and the
//! level debug: unless a tracing backend listens to that, it costs a comparison.

use std::{sync::Arc, time::Instant};

use providers::Error;
use tracing::{Span, field::Empty};
use wire::openai::chat::{ChatRequest, Usage};

use super::{
    Notes,
    numbers::{ModelNumbers, Numbers},
};
use crate::models::Model;

/// What is written down about one chat.
pub(super) struct Account {
    numbers: Arc<ModelNumbers>,
    notes: Box<dyn Notes>,
    span: Span,
    begun: Instant,
    /// What the answer took, as last told: some providers keep a running count.
    usage: Option<Usage>,
    streams: bool,
    began: bool,
    ended: bool,
}

impl Account {
    pub(super) fn open(numbers: &Numbers, model: &Model, request: &ChatRequest, notes: Box<dyn Notes>) -> Self {
        let numbers = numbers.of(&model.id, model.provider_name());
        let streams = request.streams();
        if streams {
            numbers.active_streams.inc();
        }
        let span = span(model, request);
        Self { numbers, notes, span, begun: Instant::now(), usage: None, streams, began: false, ended: false }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Events pass to the client.
    pub(super) fn sent(&mut self, usage: Option<&Usage>) {
        if !self.began {
            self.began = true;
            self.numbers.first_token.observe(self.begun.elapsed().as_secs_f64());
            self.notes.began();
        }
        if let Some(usage) = usage {
            self.took(usage);
        }
    }

    /// The provider tells what the answer took so far.
    pub(super) fn took(&mut self, usage: &Usage) {
        self.notes.took(usage);
        self.usage = Some(*usage);
    }

    /// What the answer took so far, as JSON.
    pub(super) fn usage(&self) -> Option<String> {
        self.usage.as_ref().and_then(|usage| serde_json::to_string(usage).ok())
    }

    /// The provider failed: what the caller is told.
    pub(super) fn failed(&mut self, error: Error) -> domain::Error {
        self.ended = true;
        self.numbers.failed(error.class());
        self.span.record("error.type", error.class());
        self.span.record("otel.status_code", "ERROR");
        domain::Error::from(error)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(usage) = self.usage {
            self.numbers.prompt_tokens.inc_by(usage.prompt_tokens);
            self.numbers.completion_tokens.inc_by(usage.completion_tokens);
            self.numbers.tokens_per_request.observe((usage.prompt_tokens + usage.completion_tokens) as f64);
            self.span.record("gen_ai.usage.input_tokens", usage.prompt_tokens);
            self.span.record("gen_ai.usage.output_tokens", usage.completion_tokens);
        }
        if self.streams {
            self.numbers.active_streams.dec();
        }
        if !self.ended {
            self.numbers.duration.observe(self.begun.elapsed().as_secs_f64());
        }
    }
}

fn span(model: &Model, request: &ChatRequest) -> Span {
    tracing::debug_span!(
        target: "gen_ai",
        "chat",
        otel.name = format!("chat {}", model.id),
        otel.kind = "client",
        otel.status_code = Empty,
        error.r#type = Empty,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = &**model.provider_name(),
        gen_ai.request.model = &*model.id,
        gen_ai.request.temperature = request.temperature,
        gen_ai.request.top_p = request.top_p,
        gen_ai.request.max_tokens = request.token_limit(),
        gen_ai.request.choice.count = request.n,
        gen_ai.request.seed = request.seed,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
    )
}
