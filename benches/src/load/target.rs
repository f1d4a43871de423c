//! Whom the load is for: an address, the caller's key, and how that server names the mock's models.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Request};
use http_body_util::Full;

use crate::mock;
use crate::requests::{self, Size};

/// A server to load.
#[derive(Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    authorization: HeaderValue,
    models: Vec<String>,
}

impl Target {
    /// A server at a loopback address. Without a key a meaningless one of the same length is sent, so
    /// that all sides read the same headers.
    pub(crate) fn new(address: SocketAddr, key: Option<&str>) -> anyhow::Result<Self> {
        let key = key.unwrap_or("sk_live_0000000000000000000000000000000000000000");
        let mut authorization = HeaderValue::from_str(&format!("Bearer {key}"))?;
        authorization.set_sensitive(true);
        Ok(Self { address, authorization, models: Vec::new() })
    }

    /// The names under which this server lists its models.
    pub(crate) fn with_models(mut self, models: Vec<String>) -> Self {
        self.models = models;
        self
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The mock's model under the name this server has for it: the same, or behind a provider's prefix.
    fn model<'a>(&'a self, name: &'a str) -> &'a str {
        let prefixed = |id: &&String| id.strip_suffix(name).is_some_and(|prefix| prefix.ends_with('/'));
        let exact = self.models.iter().find(|id| *id == name);
        exact.or_else(|| self.models.iter().find(prefixed)).map_or(name, String::as_str)
    }

    /// A chat completion for one of the mock's models, streamed if that model streams.
    pub(crate) fn chat(&self, size: Size, model: &str) -> anyhow::Result<Prepared> {
        let chunks = mock::chunks_of(model);
        let body = requests::chat(size, self.model(model), chunks.is_some());
        self.prepare(Method::POST, "/v1/chat/completions", body, chunks)
    }

    /// Any request.
    pub(crate) fn prepare(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        chunks: Option<u32>,
    ) -> anyhow::Result<Prepared> {
        let (parts, ()) = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(ACCEPT, if chunks.is_some() { "text/event-stream" } else { "application/json" })
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, self.authorization.clone())
            .body(())
            .with_context(|| format!("cannot ask for {path}"))?
            .into_parts();
        Ok(Prepared { parts, body, chunks })
    }
}

/// A request made once and sent many times.
#[derive(Clone)]
pub(crate) struct Prepared {
    parts: Parts,
    body: Bytes,
    chunks: Option<u32>,
}

impl Prepared {
    /// Chunks that the answer must have, if it is a stream.
    pub(crate) fn chunks(&self) -> Option<u32> {
        self.chunks
    }

    /// A copy to send; the body is shared.
    pub(crate) fn request(&self) -> Request<Full<Bytes>> {
        Request::from_parts(self.parts.clone(), Full::new(self.body.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_under_its_servers_name_for_it() {
        let target = Target::new("127.0.0.1:1".parse().unwrap(), None).unwrap().with_models(vec![
            "other-mock-json".into(),
            "upstream/mock-json".into(),
            "mock-st64".into(),
        ]);
        assert_eq!(target.model("mock-json"), "upstream/mock-json");
        assert_eq!(target.model("mock-st64"), "mock-st64");
        assert_eq!(target.model("mock-slow"), "mock-slow");
    }
}
