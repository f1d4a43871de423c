//! The models that can be asked for: which provider serves each, and under which name there.
//!
//! A model's public id is the provider's own id for it. Where two providers have the same id, it means the one that was
//! registered first, and the other's is listed as `PROVIDER/ID`; every model can be asked for in that longer form.
//!
//! Providers are asked again and again in the background. One that does not answer keeps the models it had, so that
//! asking for them says what is wrong instead of that they do not exist.

mod registered;
mod table;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use domain::{Clock, Error, Result};
use futures_util::future::join_all;
use prometheus_client::registry::Registry;
use providers::ChatProvider;
use tokio_util::sync::CancellationToken;

use self::{
    registered::{Circuits, Health, Registered},
    table::Table,
};
pub use table::Model;

/// The registry of models. Clones share it.
#[derive(Clone)]
pub struct Models(Arc<Inner>);

struct Inner {
    providers: Vec<Arc<Registered>>,
    table: ArcSwap<Table>,
    clock: Clock,
    health: Health,
}

impl Models {
    /// A registry of the models of `providers`; those of the first come first. Nobody has been asked yet: see
    /// [`Models::refresh`].
    pub fn new(providers: Vec<Arc<dyn ChatProvider>>, clock: Clock) -> Self {
        let mut registered: Vec<Arc<Registered>> = Vec::with_capacity(providers.len());
        for provider in providers {
            let name = unique(provider.name(), |name| registered.iter().any(|other| *other.name == *name));
            registered.push(Arc::new(Registered::new(name.into(), provider)));
        }
        let table = ArcSwap::from_pointee(Table::default());
        Self(Arc::new(Inner { providers: registered, table, clock, health: Health::default() }))
    }

    /// Asks every provider for its models, at most for `within`: what a start waits for. A provider that takes longer,
    /// or is dead, does not hold it up.
    pub async fn refresh(&self, within: Duration) {
        let asking = join_all(self.0.providers.iter().map(|provider| self.ask(provider)));
        let _late = tokio::time::timeout(within, asking).await;
    }

    /// The background work, until `stop`: asks each provider again in its time.
    pub async fn run(&self, stop: CancellationToken) {
        let keeping = join_all(self.0.providers.iter().map(|provider| async move {
            loop {
                tokio::time::sleep(provider.pause()).await;
                self.ask(provider).await;
            }
        }));
        tokio::select! {
            () = stop.cancelled() => {}
            _never = keeping => {}
        }
    }

    /// The models, those of each provider together and in the order of their ids.
    pub fn list(&self) -> Vec<Arc<Model>> {
        self.0.table.load().list.clone()
    }

    /// The model of a public id.
    ///
    /// # Errors
    /// `model_not_found`.
    pub fn resolve(&self, id: &str) -> Result<Arc<Model>> {
        self.0.table.load().get(id).cloned().ok_or_else(|| {
            // The id came from the caller: said back, but not without end.
            let shown: String = id.chars().filter(|c| !c.is_control()).take(128).collect();
            Error::not_found("model_not_found", format!("There is no model `{shown}`.")).param("model")
        })
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        self.0.health.register(registry);
        registry.register_collector(Box::new(Circuits(self.0.providers.clone())));
    }

    async fn ask(&self, provider: &Arc<Registered>) {
        let answered = provider.ask(self.0.clock.now().seconds()).await;
        self.0.health.set(&provider.name, answered);
        // Providers may answer at the same time: whoever comes later builds from both.
        self.0.table.rcu(|_| Table::of(&self.0.providers));
    }
}

/// `name`, or with a number behind it where it is taken.
fn unique(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut names = std::iter::once(name.to_owned()).chain((2..).map(|number| format!("{name}-{number}")));
    names.find(|name| !taken(name)).unwrap_or_default()
}
