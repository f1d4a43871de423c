//! What the types of a configuration cannot say.

use std::collections::BTreeMap;

use http_kit::rate_limits::RouteRate;
use providers::openai::InvalidOptions;
use url::Url;

use super::Config;
use crate::{commands::openapi, services::ServiceName, telemetry};

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
    #[cfg(feature = "embedded")]
    note("embedded.hugging_face", base_url(&config.embedded.hugging_face));
    found.extend(routes(&config.rate_limits.routes));
    found.extend(out_of_bounds(config));
    found.extend(twice(config));
    found
}

/// Routes with an allowance of their own that no service has: nobody would notice that it does nothing.
fn routes(own: &[RouteRate]) -> Vec<(String, String)> {
    if own.is_empty() {
        return Vec::new();
    }
    // On a thread of its own: some commands read their configuration inside a runtime, which allows no second one.
    let documents = match std::thread::spawn(openapi::all).join() {
        Ok(Ok(documents)) => documents,
        Ok(Err(error)) => return vec![("rate_limits.routes".to_owned(), format!("cannot be checked: {error:#}"))],
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let is_there = |verb: &str, path: &str| {
        documents.values().any(|document| document["paths"][path].get(verb.to_ascii_lowercase()).is_some())
    };
    let known = |own: &RouteRate| match own.parse()? {
        (verb, path) if is_there(verb.as_str(), path) => Ok(()),
        _ => Err(format!("`{}` is no route of this server; `jan-server openapi` lists them", own.route)),
    };
    let wrong = |(index, own)| Some((format!("rate_limits.routes[{index}].route"), known(own).err()?));
    own.iter().enumerate().filter_map(wrong).collect()
}

/// A day, in seconds: a wait longer than that is a mistake, and far longer ones are no moments that a clock has.
const DAY: u64 = 86_400;

/// Numbers with which the server would start and then not serve.
fn out_of_bounds(config: &Config) -> Vec<(String, String)> {
    let (listener, outbound) = (&config.listener, &config.outbound);
    let times = [
        ("listener.first_byte_timeout", listener.first_byte_timeout, 1),
        ("listener.header_timeout", listener.header_timeout, 1),
        ("listener.idle_timeout", listener.idle_timeout, 1),
        ("listener.write_timeout", listener.write_timeout, 1),
        ("listener.drain_timeout", listener.drain_timeout, 0),
        ("edge.body_grace", config.edge.body_grace, 1),
        ("database.acquire_timeout_seconds", config.database.acquire_timeout_seconds, 1),
        ("outbound.connect_timeout_secs", outbound.connect_timeout_secs, 1),
        ("outbound.idle_timeout_secs", outbound.idle_timeout_secs, 0),
    ];
    #[cfg_attr(not(feature = "embedded"), expect(unused_mut, reason = "the embedded models have more"))]
    let mut counts = vec![
        ("listener.max_connections", listener.max_connections, 1, 1_000_000),
        ("listener.max_connections_per_address", listener.max_connections_per_address, 0, 1_000_000),
        ("listener.max_head_bytes", listener.max_head_bytes, 8 * 1024, 1024 * 1024),
        ("edge.max_in_flight", config.edge.max_in_flight, 1, 1_000_000),
        ("rate_limits.address", config.rate_limits.address as usize, 0, 1_000_000),
        ("rate_limits.chat", config.rate_limits.chat as usize, 0, 1_000_000),
        ("rate_limits.auth", config.rate_limits.auth as usize, 0, 1_000_000),
        ("rate_limits.share", config.rate_limits.share as usize, 0, 1_000_000),
        ("rate_limits.other", config.rate_limits.other as usize, 0, 1_000_000),
        ("rate_limits.concurrent_chats", config.rate_limits.concurrent_chats as usize, 0, 1_000_000),
        ("database.max_connections", config.database.max_connections as usize, 1, 10_000),
        ("outbound.max_fetches", outbound.max_fetches, 1, 1_000_000),
        ("server.worker_threads", config.server.worker_threads, 0, 1_024),
    ];
    #[cfg(feature = "embedded")]
    counts.extend([
        ("embedded.threads", config.embedded.threads.unwrap_or(1), 1, 256),
        ("embedded.parallel", config.embedded.parallel, 1, 256),
        ("embedded.queue", config.embedded.queue, 0, 100_000),
        ("embedded.context", config.embedded.context, 64, 1_000_000),
        ("embedded.answer_tokens", config.embedded.answer_tokens as usize, 1, 1_000_000),
    ]);
    let of_upstreams = config.upstreams.iter().enumerate().flat_map(|(at, upstream)| {
        [
            ("first_byte_secs", upstream.first_byte_secs),
            ("idle_secs", upstream.idle_secs),
            ("total_secs", upstream.total_secs),
            ("breaker_secs", upstream.breaker_secs),
        ]
        .map(|(field, value)| (format!("upstreams[{at}].{field}"), value, 1, DAY))
    });
    let times = times.map(|(path, value, least)| (path.to_owned(), value, least, DAY));
    let counts = counts.into_iter().map(|(path, value, least, most)| (path.to_owned(), value as u64, least, most));
    times
        .into_iter()
        .chain(counts)
        .chain(of_upstreams)
        .filter(|(_, value, least, most)| !(least..=most).contains(&value))
        .map(|(path, _, least, most)| (path, format!("must be between {least} and {most}")))
        .collect()
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

/// Two of those that listen on one port.
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
    if let Some(other) = config.metrics.port.and_then(|port| users.get(&port)) {
        found.push(("metrics.port".to_owned(), format!("is the port of {}, too", other.name())));
    }
    found
}
