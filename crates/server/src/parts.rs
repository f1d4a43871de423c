//! Builds each part once and hands each service its state: the only file that sees everything.

use std::{sync::Arc, time::Duration};

use app::{
    chat::Chat, conversations::Conversations, memories::Embedder, models::Models, prompt::Prompt, sharing::Sharing,
    turns::Turns,
};
use domain::Clock;
use http_kit::{Edge, Idempotency, MountedService, Service};
use identity::Identity;
use outbound::Client;
use providers::{Breaker, ChatProvider, OpenAi, Scripted};
use store::Store;

#[cfg(feature = "embedded")]
use crate::progress::Reporter;
use crate::{config::Config, data, lifecycle::Lifecycle, services::ServiceName, telemetry};

/// The longest wait of a start for the upstreams' lists of models.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// What the services share.
pub(crate) struct Parts {
    config: Config,
    pub(crate) store: Store,
    pub(crate) identity: Identity,
    pub(crate) edge: Edge,
    models: Models,
    turns: Turns,
    sharing: Sharing,
    idempotency: Idempotency,
    #[cfg(feature = "embedded")]
    embedded: Option<app::embedded::Embedded>,
}

impl Parts {
    /// Builds the parts. None of them waits for the network or the database here.
    pub(crate) fn build(
        config: &Config,
        store: Store,
        identity: Identity,
        client: &Client,
        life: &Lifecycle,
        traced: bool,
    ) -> anyhow::Result<Self> {
        let clock = Clock::System;
        identity.reach_provider_through(client);
        let verifier = Arc::new(identity.clone());
        let (draining, closing) = (life.draining.clone(), life.closing.clone());
        let mut edge = Edge::new(config.edge.clone(), verifier, clock.clone(), draining, closing);
        edge = edge.with_limits(&config.rate_limits);
        let idempotency = Idempotency::new(store.clone(), clock.clone(), life.tasks.clone(), life.closing.clone());
        edge = edge.with_idempotency(idempotency.clone());
        if config.metrics.port.is_some() {
            edge = edge.with_metrics_apart();
        }
        if traced {
            edge = edge.with_span(telemetry::request_span);
        }
        #[cfg(feature = "embedded")]
        let embedded = embedded(config, client, &clock, life)?;
        let mut providers: Vec<Arc<dyn ChatProvider>> = Vec::new();
        #[cfg(feature = "embedded")]
        providers.extend(embedded.clone().map(|embedded| Arc::new(embedded) as Arc<dyn ChatProvider>));
        for upstream in &config.upstreams {
            providers.push(Arc::new(Breaker::around(OpenAi::new(upstream, client.clone())?, upstream.breaker())));
        }
        if config.models.scripted {
            providers.push(Arc::new(Scripted));
        }
        let models = Models::new(providers, clock.clone());
        let chat = Chat::new(models.clone(), clock.clone());
        let sharing = Sharing::new(store.clone(), clock.clone(), &config.server.public_url, config.sharing);
        let prompt = Prompt::new(config.prompt, store.clone(), clock.clone(), encoder(config, client, life)?);
        let conversations = Conversations::new(store.clone(), clock.clone());
        let turns = Turns::new(chat, models.clone(), prompt, conversations, store.clone(), clock, life.tasks.clone());
        Ok(Self {
            config: config.clone(),
            store,
            identity,
            edge,
            models,
            turns,
            sharing,
            idempotency,
            #[cfg(feature = "embedded")]
            embedded,
        })
    }

    /// Asks the upstreams for their models, for a moment: those that are near are known when the first request comes,
    /// and those that are far or dead hold nobody up.
    pub(crate) async fn first_look(&self) {
        self.models.refresh(FIRST_LOOK).await;
    }

    /// Begins the work beside requests.
    pub(crate) fn start(&self, life: &Lifecycle) {
        let (identity, stop) = (self.identity.clone(), life.draining.clone());
        life.tasks.spawn(async move { identity.run(stop).await });
        let (idempotency, stop) = (self.idempotency.clone(), life.draining.clone());
        life.tasks.spawn(async move { idempotency.run(stop).await });
        let (sharing, stop) = (self.sharing.clone(), life.draining.clone());
        life.tasks.spawn(async move { sharing.run(stop).await });
        let conversations = Conversations::new(self.store.clone(), self.identity.clock().clone());
        let (options, stop) = (self.config.conversations, life.draining.clone());
        life.tasks.spawn(async move { Box::pin(conversations.run(options, stop)).await });
        let (models, stop) = (self.models.clone(), life.draining.clone());
        life.tasks.spawn(async move { models.run(stop).await });
    }

    /// Begins the work of the models in this process: fetching what is not there.
    #[cfg(feature = "embedded")]
    pub(crate) fn start_embedded(&self, life: &Lifecycle, reporter: Reporter) {
        let Some(embedded) = self.embedded.clone() else { return };
        let stop = life.draining.clone();
        life.tasks.spawn(async move {
            tokio::select! {
                () = embedded.run(stop, |id, at| reporter.report(id, at.bytes, at.total)) => {}
                () = reporter.forget_stale() => {}
            }
            reporter.end();
        });
    }

    /// A model to show in examples: this process's own, else one that an upstream has listed by now.
    pub(crate) fn example_model(&self) -> Option<String> {
        #[cfg(feature = "embedded")]
        if let Some(embedded) = &self.embedded {
            return embedded.status().into_iter().next().map(|model| model.id);
        }
        let listed = self.models.list();
        let real = listed.iter().find(|model| !Scripted::has(&model.id)).map(|model| model.id.to_string());
        real.or_else(|| self.config.models.scripted.then(|| "scripted/echo".to_owned()))
    }

    /// A service, mounted; none for the gateway, which is made of the others.
    pub(crate) fn mount(&self, service: ServiceName) -> Option<MountedService> {
        Some(self.service(service)?.mount(&self.edge))
    }

    /// A service before it is mounted.
    pub(crate) fn service(&self, service: ServiceName) -> Option<Service> {
        Some(match service {
            ServiceName::LlmApi => llm_api::service(llm_api::State {
                turns: self.turns.clone(),
                sharing: self.sharing.clone(),
                models: self.models.clone(),
                identity: self.identity.clone(),
                store: self.store.clone(),
            }),
            ServiceName::ResponseApi => response_api::service(),
            ServiceName::MediaApi => media_api::service(),
            ServiceName::McpTools => mcp_tools::service(),
            ServiceName::TemplateApi => template_api::service(template_api::State {
                store: self.store.clone(),
                options: self.config.template_api,
            }),
            ServiceName::Gateway => return None,
        })
    }
}

/// Who verifies callers.
pub(crate) fn identity(config: &Config, store: &Store, clock: &Clock) -> anyhow::Result<Identity> {
    let issuer = config.server.public_url.trim_end_matches('/').to_owned();
    let keys = data::keys(&config.server.data_dir);
    Ok(Identity::open(config.identity.clone(), store.clone(), &keys, issuer, clock.clone())?)
}

/// What compares memories by their meaning, where there is such a thing.
#[cfg(feature = "embedded")]
fn encoder(config: &Config, client: &Client, life: &Lifecycle) -> anyhow::Result<Option<Arc<dyn Embedder>>> {
    if !config.embedded.enabled || !config.embedded.encoder {
        return Ok(None);
    }
    let encoder = app::embedded::Encoder::new(&config.embedded, client.clone(), life.tasks.clone())?;
    Ok(Some(Arc::new(encoder)))
}

#[cfg(not(feature = "embedded"))]
#[expect(clippy::unnecessary_wraps, reason = "as where the models are built in")]
fn encoder(_: &Config, _: &Client, _: &Lifecycle) -> anyhow::Result<Option<Arc<dyn Embedder>>> {
    Ok(None)
}

#[cfg(feature = "embedded")]
fn embedded(
    config: &Config,
    client: &Client,
    clock: &Clock,
    life: &Lifecycle,
) -> anyhow::Result<Option<app::embedded::Embedded>> {
    if !config.embedded.enabled {
        return Ok(None);
    }
    let (options, tasks) = (config.embedded.clone(), life.tasks.clone());
    Ok(Some(app::embedded::Embedded::new(options, client.clone(), clock.clone(), tasks)?))
}
