//! How often callers may come, and how many chats one of them may have at a time (contract 6.4 and 6.5, `security.md`
//! G8).
//!
//! A request counts for its caller; without one, for the client's address. Routes that belong together share an
//! allowance, which refills evenly over a minute. It is kept in this process: behind several processes a caller has as
//! many allowances.

use std::{sync::Arc, time::Duration};

use domain::{
    Clock, Error, Kind,
    rate_limit::{Rate, RateLimiter, Standing},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{concurrency::Concurrency, context::Context};

/// Callers and addresses remembered; half a megabyte.
const REMEMBERED: usize = 32 * 1024;

/// Routes that share an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteClass {
    /// What asks a model.
    Chat,
    /// Signing in, tokens, API keys.
    Auth,
    /// What anybody may read who knows where it is.
    Share,
    /// Everything else.
    Other,
}

/// Requests in a minute; 0 for no limit. An allowance may be used up at once and refills evenly. It counts for the caller,
/// and where there is none for the client's address; each process keeps its own count.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitOptions {
    /// All requests from one address, before it is asked who is calling. Health checks do not count.
    pub address: u32,
    /// Chats.
    pub chat: u32,
    /// Signing in, tokens and API keys.
    pub auth: u32,
    /// Reading what was shared.
    pub share: u32,
    /// Everything else.
    pub other: u32,
    /// Chats that one caller may have at a time; no rate, but a number. One that is far below it, such as 8, keeps a
    /// caller from taking a model for itself; a key that serves many people needs more.
    pub concurrent_chats: u32,
    /// Routes with an allowance of their own, in place of that of their kind.
    pub routes: Vec<RouteRate>,
}

impl Default for RateLimitOptions {
    fn default() -> Self {
        Self { address: 0, chat: 0, auth: 0, share: 0, other: 0, concurrent_chats: 512, routes: Vec::new() }
    }
}

/// The allowance of one route.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RouteRate {
    /// The route as in the documents: verb and path, such as `PATCH /v1/projects/{project_id}`.
    pub route: String,
    /// Requests in a minute; 0 for no limit.
    pub per_minute: u32,
}

impl RouteRate {
    /// The verb and the path.
    ///
    /// # Errors
    /// What is wrong with `route`.
    pub fn parse(&self) -> Result<(Method, &str), String> {
        let (verb, path) = self.route.split_once(' ').unwrap_or_default();
        let verb = Method::from_bytes(verb.as_bytes()).ok();
        match verb.filter(|verb| crate::metrics::is_known(verb) && path.starts_with('/')) {
            Some(verb) => Ok((verb, path)),
            None => Err(format!("`{}` is no verb and path, such as `GET /v1/models`", self.route)),
        }
    }
}

/// The limits at work.
pub(crate) struct RateLimits {
    address: Option<Rate>,
    classes: [(RouteClass, &'static str, Option<Rate>); 4],
    routes: Vec<(Method, String, Option<Rate>)>,
    limiter: RateLimiter,
    chats: Option<Arc<Concurrency>>,
}

/// Which requests an allowance is for.
#[derive(Clone, Copy, Hash)]
enum Which {
    /// Before it is asked who is calling.
    All,
    Class(RouteClass),
    /// By its place among the routes of the settings.
    Route(usize),
}

impl RateLimits {
    pub(crate) fn new(options: &RateLimitOptions) -> Self {
        let rate = |times: u32| (times > 0).then(|| Rate::per_minute(times));
        let own = |own: &RouteRate| own.parse().ok().map(|(verb, path)| (verb, path.to_owned(), rate(own.per_minute)));
        Self {
            address: rate(options.address),
            classes: [
                (RouteClass::Chat, "chat", rate(options.chat)),
                (RouteClass::Auth, "auth", rate(options.auth)),
                (RouteClass::Share, "share", rate(options.share)),
                (RouteClass::Other, "other", rate(options.other)),
            ],
            routes: options.routes.iter().filter_map(own).collect(),
            limiter: RateLimiter::new(REMEMBERED),
            chats: (options.concurrent_chats > 0).then(|| Concurrency::new(options.concurrent_chats)),
        }
    }

    /// Counts a request for its client's address.
    pub(crate) fn admit_address(&self, context: &Context, clock: &Clock) -> Result<(), Error> {
        let Some(rate) = self.address else { return Ok(()) };
        let standing = self.limiter.take_from(Which::All, context.client, rate, clock.now());
        if standing.retry_after.is_some() || self.is_only_by_address() {
            context.set_standing(standing);
        }
        judge(standing, "address", context)
    }

    /// Counts a request for its caller, once that is known, or for its client's address.
    pub(crate) fn admit(&self, context: &Context, clock: &Clock) -> Result<(), Error> {
        if crate::health::is_probe(context.route()) {
            return Ok(());
        }
        let class = context.service.class(context.route());
        if let Some((which, name, rate)) = self.rate(context, class) {
            let standing = match context.caller() {
                Some(caller) => self.limiter.take((which, caller.user_id.as_str()), rate, clock.now()),
                None => self.limiter.take_from(which, context.client, rate, clock.now()),
            };
            context.set_standing(standing);
            judge(standing, name, context)?;
        }
        if class == RouteClass::Chat {
            self.enter(context)?;
        }
        Ok(())
    }

    fn rate(&self, context: &Context, class: RouteClass) -> Option<(Which, &'static str, Rate)> {
        let method = if context.method == Method::HEAD { &Method::GET } else { &context.method };
        // The documents have `{id}` where a router's template has `{*id}`.
        let route = || context.route().bytes().filter(|byte| *byte != b'*');
        let is_it = |(verb, path, _): &(Method, String, _)| verb == method && route().eq(path.bytes());
        if let Some(at) = self.routes.iter().position(is_it) {
            return Some((Which::Route(at), "route", self.routes[at].2?));
        }
        let (class, name, rate) = self.classes.iter().find(|(known, ..)| *known == class)?;
        Some((Which::Class(*class), name, (*rate)?))
    }

    /// Whether there is no other rate to tell of.
    fn is_only_by_address(&self) -> bool {
        self.routes.is_empty() && self.classes.iter().all(|(.., rate)| rate.is_none())
    }

    /// Takes a place among the caller's chats; it is free again when the answer has ended.
    fn enter(&self, context: &Context) -> Result<(), Error> {
        let (Some(chats), Some(caller)) = (&self.chats, context.caller()) else { return Ok(()) };
        if let Some(place) = chats.enter(&caller.user_id) {
            context.hold(place);
            return Ok(());
        }
        context.service.metrics.refused("concurrent_chats");
        let message = format!("At most {} chats at a time are allowed; wait for one to end.", chats.limit());
        Err(Error::new(Kind::RateLimited(Some(Duration::from_secs(1))), "rate_limit_exceeded", message))
    }
}

fn judge(standing: Standing, limit: &'static str, context: &Context) -> Result<(), Error> {
    let Some(pause) = standing.retry_after else { return Ok(()) };
    context.service.metrics.refused(limit);
    let message = format!("At most {} such requests a minute are allowed; wait a while.", standing.limit);
    Err(Error::new(Kind::RateLimited(Some(pause)), "rate_limit_exceeded", message))
}

/// Where the caller stands, for clients that slow down by themselves.
pub(crate) fn show(headers: &mut HeaderMap, standing: &Standing) {
    const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
    const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
    const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
    headers.insert(LIMIT, HeaderValue::from(standing.limit));
    headers.insert(REMAINING, HeaderValue::from(standing.remaining));
    // Rounded up: at that second all of it is there.
    headers.insert(RESET, HeaderValue::from((standing.whole_at + Duration::from_micros(999_999)).seconds()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_a_verb_and_a_path() {
        let parse = |route: &str| RouteRate { route: route.to_owned(), per_minute: 1 }.parse().map(|(verb, _)| verb);
        assert_eq!(parse("POST /v1/conversations/{conv_id}/items"), Ok(Method::POST));
        for bad in ["", "/v1/models", "GET", "GET v1", "get /v1/models", "GET  /v1/models", "NOSUCH /v1/models"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
