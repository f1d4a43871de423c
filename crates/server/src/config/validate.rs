//! What the types of a configuration cannot say.

use std::collections::BTreeMap;

use providers::openai::InvalidOptions;
use url::Url;

use super::Config;
use crate::{services::ServiceName, telemetry};

/// The paths at fault, and why.
pub(crate) fn check(config: &Config) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut note = |path: &str, what: Result<(), String>| {
        if let Err(what) = what {
            found.push((path.to_owned(), what));
        }
    };
    note("server.public_url", base_url(&config.server.public_url));
    note("log.level", telemetry::check_levels(&config.log.level));
    if let Err(error) = config.identity.check() {
        note(&format!("identity.{}", error.field), Err(error.problem));
    }
    if let Some(endpoint) = &config.telemetry.otlp_endpoint {
        note("telemetry.otlp_endpoint", base_url(endpoint));
    }
    if let Some(headers) = &config.telemetry.otlp_headers {
        note("telemetry.otlp_headers", telemetry::headers(headers).map(drop));
    }
    if !(0.0..=1.0).contains(&config.telemetry.sample_ratio) {
        note("telemetry.sample_ratio", Err("is not between 0 and 1".to_owned()));
    }
    for (index, upstream) in config.upstreams.iter().enumerate() {
        if let Err(error) = upstream.check() {
            let field = match error {
                InvalidOptions::Url(_) | InvalidOptions::Credentials => "url",
                InvalidOptions::Name(_) => "name",
                InvalidOptions::Key => "key",
            };
            note(&format!("upstreams[{index}].{field}"), Err(error.to_string()));
        }
    }
    #[cfg(feature = "embedded")]
    for (index, name) in config.embedded.models.iter().enumerate() {
        if let Err(error) = app::embedded::Reference::parse(name) {
            note(&format!("embedded.models[{index}]"), Err(error.to_string()));
        }
    }
    found.extend(twice(config));
    found
}

fn base_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    match url.scheme() {
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            Err("holds a name or a password; use the field for the key".to_owned())
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
            Err("is more than a base address: leave out what follows the path".to_owned())
        }
        "http" | "https" => Ok(()),
        _ => Err("begins neither with http:// nor with https://".to_owned()),
    }
}

/// Two services on one port.
fn twice(config: &Config) -> Vec<(String, String)> {
    let mut users: BTreeMap<u16, ServiceName> = BTreeMap::new();
    let mut found = Vec::new();
    for service in ServiceName::selected(&config.server.services) {
        let port = config.ports.of(service);
        if port == 0 {
            continue;
        }
        if let Some(other) = users.insert(port, service) {
            let path = format!("ports.{}", service.name().replace('-', "_"));
            found.push((path, format!("{port} is the port of {}, too", other.name())));
        }
    }
    found
}
