//! `jan-server openapi`: the documents of the services, from the routes themselves, without a database.

use std::path::Path;

use anyhow::Context;
use domain::Clock;
use serde_json::{Map, Value};
use store::Store;

use crate::{
    commands::{block_on, print},
    config::Config,
    lifecycle::Lifecycle,
    parts::{self, Parts},
    services::ServiceName,
};

pub(crate) fn run(service: Option<ServiceName>) -> anyhow::Result<()> {
    let mut documents = all()?;
    let shown = match service {
        Some(service) => documents
            .remove(service.name())
            .context("the gateway has no document of its own: it passes on to the services, which do")?,
        None => Value::Object(documents),
    };
    print(&format!("{shown:#}\n"))
}

/// The documents by service.
pub(crate) fn all() -> anyhow::Result<Map<String, Value>> {
    // For what building the parts leaves behind.
    let place = tempfile::tempdir().context("cannot make a temporary directory")?;
    block_on(async { documents(place.path()) })
}

fn documents(data: &Path) -> anyhow::Result<Map<String, Value>> {
    let mut config = Config::default();
    config.server.data_dir = data.join("data");
    config.database.path = data.join("jan.db");
    let client = outbound::Client::new(&config.outbound)?;
    let store = Store::connect_lazy(&config.database)?;
    let identity = parts::identity(&config, &store, &Clock::System)?;
    let parts = Parts::build(&config, store, identity, &client, &Lifecycle::default(), false)?;
    let mut documents = Map::new();
    for service in ServiceName::ALL {
        if let Some(described) = parts.service(service) {
            documents.insert(service.name().to_owned(), serde_json::to_value(described.document())?);
        }
    }
    Ok(documents)
}
