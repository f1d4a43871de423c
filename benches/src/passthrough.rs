//! P: a reverse proxy that has no duty at all. One pooled keep-alive client, `TCP_NODELAY` on both
//! sides, bodies handed on as they come. It is what the server's cost is divided by, so it must never
//! learn anything: no keys, no parsing, no logs.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::accept::Listen;
use crate::process::Process;

/// Where to listen and where to send.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    listen: Listen,
    /// The upstream's loopback address, such as 127.0.0.1:9000.
    #[arg(long)]
    upstream: SocketAddr,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let proxy = Proxy::to(options.upstream)?;
    options
        .listen
        .serve(move || {
            let proxy = proxy.clone();
            service_fn(move |request| proxy.clone().forward(request))
        })
        .await
}

/// The proxy: a client and the authority it sends to.
#[derive(Clone)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, Incoming>,
    upstream: Authority,
}

impl Proxy {
    /// A proxy with its own pool of connections to `upstream`.
    pub(crate) fn to(upstream: SocketAddr) -> anyhow::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, upstream: upstream.to_string().parse()? })
    }

    /// Sends one request on; 502 if that fails before the answer's head.
    pub(crate) async fn forward(
        self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Either<Incoming, Empty<Bytes>>>, Infallible> {
        let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.upstream.clone());
        parts.path_and_query = Some(path);
        let answer = match Uri::from_parts(parts) {
            Ok(uri) => {
                *request.uri_mut() = uri;
                self.client.request(request).await.ok()
            }
            Err(_) => None,
        };
        Ok(answer.map_or_else(bad_gateway, |answer| answer.map(Either::Left)))
    }
}

fn bad_gateway() -> Response<Either<Incoming, Empty<Bytes>>> {
    let mut answer = Response::new(Either::Right(Empty::new()));
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer
}

/// Starts the pass-through as a child before `upstream`.
pub(crate) async fn child(upstream: SocketAddr) -> anyhow::Result<(Process, SocketAddr)> {
    Process::role(&["passthrough", "--upstream", &upstream.to_string()]).await
}
