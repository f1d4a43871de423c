//! `jan-server openapi`: the documents of the services, from the routes themselves, without a database.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value};

use crate::{
    commands::{block_on, print},
    config::Config,
    lifecycle::Lifecycle,
    parts::Parts,
    services::ServiceName,
};

pub(crate) fn run(service: Option<ServiceName>) -> anyhow::Result<()> {
    let place = Place::make()?;
    let mut documents = block_on(async { documents(&place.0) })?;
    let shown = match service {
        Some(service) => documents
            .remove(service.name())
            .context("the gateway has no document of its own: it passes on to the services, which do")?,
        None => Value::Object(documents),
    };
    print(&format!("{shown:#}\n"))
}

/// The documents by service.
fn documents(data: &Path) -> anyhow::Result<Map<String, Value>> {
    let mut config = Config::default();
    config.server.data_dir = data.to_owned();
    config.database.path = data.join("jan.db");
    let client = outbound::Client::new(&config.outbound)?;
    let parts = Parts::build(&config, &client, &Lifecycle::default(), false)?;
    let mut documents = Map::new();
    for service in ServiceName::ALL {
        if let Some(described) = parts.service(service) {
            documents.insert(service.name().to_owned(), serde_json::to_value(described.document())?);
        }
    }
    Ok(documents)
}

/// A directory for what building the parts leaves behind, gone with the value.
struct Place(PathBuf);

impl Place {
    fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("jan-server-openapi-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stays behind is in the place for such things.
        _ = std::fs::remove_dir_all(&self.0);
    }
}
