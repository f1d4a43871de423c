//! The table of models: read on every request, made anew when a provider has been asked.

use std::{collections::HashMap, sync::Arc};

use providers::ChatProvider;

use super::registered::Registered;

/// A model that can be asked for.
pub struct Model {
    /// Its public id.
    pub id: Arc<str>,
    /// Its id with its provider.
    pub upstream_id: Arc<str>,
    /// When it was made, or first seen, in Unix seconds.
    pub created: i64,
    /// Who serves it.
    pub owned_by: Arc<str>,
    /// Its place in the list: that of its provider, and its own among that provider's models, both from 0.
    pub place: (usize, usize),
    provider: Arc<Registered>,
}

impl Model {
    /// The name of its provider here.
    pub fn provider_name(&self) -> &Arc<str> {
        &self.provider.name
    }

    /// How many tokens the model reads at most, if its provider knows.
    pub(crate) fn window(&self) -> Option<usize> {
        self.provider().window(&self.upstream_id)
    }

    /// Whether the model thinks before it answers, if its provider knows.
    pub(crate) fn reasons(&self) -> Option<bool> {
        self.provider().reasons(&self.upstream_id)
    }

    /// How many tokens a text has for this model, if its provider can count at this moment.
    pub(crate) fn count_tokens(&self, text: &str) -> Option<usize> {
        self.provider().count_tokens(&self.upstream_id, text)
    }

    pub(crate) fn provider(&self) -> &dyn ChatProvider {
        &*self.provider.provider
    }
}

#[derive(Default)]
pub(super) struct Table {
    pub(super) list: Vec<Arc<Model>>,
    ids: HashMap<Arc<str>, Arc<Model>>,
}

impl Table {
    pub(super) fn of(providers: &[Arc<Registered>]) -> Self {
        let mut table = Self::default();
        for (group, provider) in providers.iter().enumerate() {
            let mut offers = provider.offers();
            offers.sort_by(|a, b| a.id.cmp(&b.id));
            offers.dedup_by(|a, b| a.id == b.id);
            for (at, offer) in offers.into_iter().enumerate() {
                let long: Arc<str> = format!("{}/{}", provider.name, offer.id).into();
                let upstream_id: Arc<str> = offer.id.into();
                let taken = table.ids.contains_key(&upstream_id);
                let model = Arc::new(Model {
                    id: if taken { Arc::clone(&long) } else { Arc::clone(&upstream_id) },
                    upstream_id,
                    created: offer.created,
                    owned_by: offer.owned_by.map_or_else(|| Arc::clone(&provider.name), Into::into),
                    place: (group, at),
                    provider: Arc::clone(provider),
                });
                table.ids.insert(Arc::clone(&model.id), Arc::clone(&model));
                table.list.push(model);
            }
        }
        table.add_long_ids();
        table
    }

    /// The longer form of each id, unless some model is called that.
    fn add_long_ids(&mut self) {
        for model in &self.list {
            let long = format!("{}/{}", model.provider_name(), model.upstream_id);
            self.ids.entry(long.into()).or_insert_with(|| Arc::clone(model));
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<Model>> {
        self.ids.get(id)
    }
}
