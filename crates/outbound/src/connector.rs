//! Resolves, judges, and connects to exactly what was judged.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::Service;

use crate::error::{BoxError, ConnectTimeout, Refusal};
use crate::lookup::Lookup;
use crate::rules::Rules;

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// TCP and, for https, TLS, within one time limit.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: HttpsConnector<Dialer>,
    timeout: Duration,
}

impl Connector {
    /// Without rules it connects anywhere: that is for what an operator configured.
    pub(crate) fn new(
        tls: ClientConfig,
        rules: Option<Arc<Rules>>,
        lookup: Arc<dyn Lookup>,
        timeout: Duration,
    ) -> Self {
        let mut http = HttpConnector::new_with_resolver(Resolver { rules: rules.clone(), lookup });
        http.enforce_http(false);
        // Nagle's algorithm would hold back small writes for tens of milliseconds.
        http.set_nodelay(true);
        // Splits the time among a name's addresses; the limit over everything is our own.
        http.set_connect_timeout(Some(timeout));
        http.set_keepalive(Some(Duration::from_mins(1)));
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Dialer { http, rules });
        Self { inner, timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.timeout, self.inner.call(uri));
        Box::pin(async move { connecting.await.map_err(|_| ConnectTimeout)? })
    }
}

/// Opens TCP connections. The resolver never sees an address written into the URL, so it is judged here.
#[derive(Clone)]
struct Dialer {
    http: HttpConnector<Resolver>,
    rules: Option<Arc<Rules>>,
}

impl Dialer {
    fn judge(&self, uri: &Uri) -> Result<(), Refusal> {
        let Some(rules) = &self.rules else {
            tracing::debug!(host = uri.host(), port = uri.port_u16(), "Connecting to a configured server");
            return Ok(());
        };
        let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        rules.port(uri.port_u16().unwrap_or(default_port))?;
        let host = uri.host().ok_or(Refusal::Url)?;
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => rules.address(host, address),
            Err(_) => Ok(()),
        }
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Err(refusal) = self.judge(&uri) {
            return Box::pin(async move { Err(refusal.into()) });
        }
        let connecting = self.http.call(uri);
        Box::pin(async move { Ok(connecting.await?) })
    }
}

/// Looks names up. With rules, one forbidden address forbids the name.
#[derive(Clone)]
struct Resolver {
    rules: Option<Arc<Rules>>,
    lookup: Arc<dyn Lookup>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { rules, lookup } = self.clone();
        Box::pin(async move {
            let addresses = match rules {
                Some(rules) => resolve(name.as_str(), &rules, &*lookup).await?,
                None => lookup.lookup(name.as_str()).await?,
            };
            // The port is the URL's; the connector fills it in.
            Ok(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}

/// The addresses of a name, if the rules allow every one of them.
pub(crate) async fn resolve(name: &str, rules: &Rules, lookup: &dyn Lookup) -> Result<Vec<IpAddr>, Refusal> {
    let addresses = lookup.lookup(name).await.map_err(|_| Refusal::Unresolved)?;
    addresses.iter().try_for_each(|address| rules.address(name, *address))?;
    if addresses.is_empty() { Err(Refusal::Unresolved) } else { Ok(addresses) }
}
