//! The accept loop: sockets in, requests out, with every wait bounded (`security.md` G1–G6).
//!
//! The stock server waits forever for a first byte, a head, or a reader. Here each connection has one watchdog, which
//! knows what the connection is waiting for, and one timer, however many requests the connection serves.

use std::{
    collections::HashMap,
    convert::Infallible,
    io, iter,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::Body;
use domain::network::Network;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{TrustedProxies, body::EdgeBody, gated::Gated};

mod activity;
mod head;
mod refusal;
mod socket;

use activity::{Activity, Arriving, Observed};
use socket::Watched;

/// The other end of the connection a request came on; in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// What an operator may choose about connections. Times are in seconds.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerOptions {
    /// From the connection to its first byte.
    pub first_byte_timeout: u64,
    /// From a head's first byte to its end.
    pub header_timeout: u64,
    /// Between two requests.
    pub idle_timeout: u64,
    /// Without the client taking any byte of an answer.
    pub write_timeout: u64,
    /// Connections at a time; further ones wait in the system's queue.
    pub max_connections: usize,
    /// Connections at a time from one address (of IPv6, from one network of 64 bits, and sixteen times as many from one
    /// of 48); 0 for no bound. Loopback and trusted proxies are never bounded.
    pub max_connections_per_address: usize,
    /// Bytes of a request's head.
    pub max_head_bytes: usize,
    /// How long requests may go on after the stop was asked for; then streams get an error event.
    pub drain_timeout: u64,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            first_byte_timeout: 15,
            header_timeout: 15,
            idle_timeout: 60,
            write_timeout: 60,
            max_connections: 10_000,
            max_connections_per_address: 512,
            max_head_bytes: 32 * 1024,
            drain_timeout: 30,
        }
    }
}

/// The time an answer that was told to end has left to be sent.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    options: ListenerOptions,
    proxies: TrustedProxies,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// The system's, such as a port that is taken.
    pub async fn bind(address: SocketAddr, options: ListenerOptions) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, options, proxies: TrustedProxies::default() })
    }

    /// The same, before which these proxies stand: they may have any number of connections.
    #[must_use]
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `draining`; then accepts nothing more and lets requests finish, until `closing` at most. Connections
    /// run on `tasks`: wait for that to know that all is done.
    pub async fn serve<S>(self, service: S, tasks: TaskTracker, draining: CancellationToken, closing: CancellationToken)
    where
        S: tower::Service<Request<Body>, Response = Response<EdgeBody>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let server = Arc::new(protocols(&self.options));
        let places = Arc::new(Semaphore::new(self.options.max_connections));
        let neighbours = Neighbours::new(self.options.max_connections_per_address, self.proxies.clone());
        loop {
            let (place, stream, peer) = tokio::select! {
                biased;
                () = draining.cancelled() => return,
                accepted = self.accept(&places) => match accepted {
                    Some(accepted) => accepted,
                    None => return,
                },
            };
            let Some(neighbour) = neighbours.enter(peer.ip()) else {
                tracing::debug!(peer = %peer.ip(), "Refused a connection: too many from one address");
                continue;
            };
            // Small writes go out at once: an event of a stream is worth more than a full packet.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "A connection was gone before it was served");
                continue;
            }
            let connection = Connection {
                stream,
                peer,
                service: service.clone(),
                server: Arc::clone(&server),
                options: self.options,
                draining: draining.clone(),
                closing: closing.clone(),
            };
            tasks.spawn(async move {
                connection.run().await;
                drop((place, neighbour));
            });
        }
    }

    /// The next connection and its place; `None` when there will be none.
    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> Option<(tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr)> {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => return Some((place, stream, peer)),
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory: connections that end make room.
                    tracing::error!(%error, "Cannot accept connections");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn protocols(options: &ListenerOptions) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    // The watchdog is in place of the head's timer: it knows of idle connections, too.
    server.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(buffer(options)).half_close(false);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .max_header_list_size(u32::try_from(options.max_head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(32)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    server
}

/// The buffer bounds the head: one that does not fit is refused with 431. The library wants 8 KiB at least.
fn buffer(options: &ListenerOptions) -> usize {
    options.max_head_bytes.max(8 * 1024)
}

/// One accepted connection.
struct Connection<S> {
    stream: TcpStream,
    peer: SocketAddr,
    service: S,
    server: Arc<auto::Builder<TokioExecutor>>,
    options: ListenerOptions,
    draining: CancellationToken,
    closing: CancellationToken,
}

impl<S> Connection<S>
where
    S: tower::Service<Request<Body>, Response = Response<EdgeBody>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    async fn run(self) {
        let Self { stream, peer, service, server, options, draining, closing } = self;
        let activity = Arc::new(Activity::new(&options));
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let serve = {
            let activity = Arc::clone(&activity);
            hyper::service::service_fn(move |request: Request<Incoming>| {
                let busy = activity.begin(request.version());
                let answer = match refusal::check_host(&request).and_then(|()| activity.check_head(&request)) {
                    Ok(()) => {
                        let mut request = request.map(|body| arriving(body, &activity));
                        request.extensions_mut().insert(PeerAddr(peer));
                        Ok(service.clone().call(request))
                    }
                    Err(error) => Err(refusal::response(&error)),
                };
                async move {
                    Ok::<_, Infallible>(match answer {
                        Ok(answer) => {
                            let response = answer.await.unwrap_or_else(|never| match never {});
                            response.map(|body| Either::Left(Observed::new(body, busy)))
                        }
                        Err(response) => response.map(Either::Right),
                    })
                }
            })
        };
        let mut connection = pin!(server.serve_connection(io, serve));
        // Each is woken by itself: the connection is polled with every chunk that it sends.
        let watch = pin!(tokio::time::sleep(Duration::from_secs(options.first_byte_timeout)));
        let (drained, closed) = (pin!(draining.cancelled()), pin!(closing.cancelled()));
        let (mut watch, mut drained, mut closed) = (Gated::new(watch), Gated::new(drained), Gated::new(closed));
        let mut is_draining = false;
        let mut end: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error = error.to_string(), "A connection broke");
                    }
                    return;
                }
                () = &mut watch => {
                    if end.is_some_and(|end| end <= Instant::now()) {
                        return;
                    }
                    match activity.next_check(&options, is_draining) {
                        Some(next) => watch.get_mut().as_mut().reset(end.map_or(next, |end| end.min(next))),
                        None => return,
                    }
                }
                () = &mut drained, if !is_draining => {
                    is_draining = true;
                    connection.as_mut().graceful_shutdown();
                    watch.get_mut().as_mut().reset(Instant::now());
                }
                () = &mut closed, if end.is_none() => {
                    // Streams end by themselves now, with an event; whatever does not is cut.
                    end = Some(Instant::now() + LAST_WORDS);
                    watch.get_mut().as_mut().reset(Instant::now() + LAST_WORDS);
                }
            }
        }
    }
}

/// Most requests have no body, and what is not there need not be watched.
fn arriving(body: Incoming, activity: &Arc<Activity>) -> Body {
    if body.is_end_stream() { Body::empty() } else { Body::new(Arriving::new(body, activity)) }
}

/// How many connections each address has.
#[derive(Clone)]
struct Neighbours {
    limit: usize,
    proxies: TrustedProxies,
    counts: Arc<Mutex<HashMap<Network, usize>>>,
}

impl Neighbours {
    fn new(limit: usize, proxies: TrustedProxies) -> Self {
        Self { limit, proxies, counts: Arc::default() }
    }

    /// Counts a connection until the result is dropped; `None` when its address has enough.
    fn enter(&self, address: IpAddr) -> Option<Neighbour> {
        let address = address.to_canonical();
        if self.limit == 0 || address.is_loopback() || self.proxies.contains(address) {
            return Some(Neighbour(None));
        }
        let networks = networks(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = |network: Network| self.limit.saturating_mul(network.allowances() as usize);
        if networks.clone().any(|network| counts.get(&network).is_some_and(|count| *count >= limit(network))) {
            return None;
        }
        for network in networks {
            *counts.entry(network).or_default() += 1;
        }
        Some(Neighbour(Some((self.clone(), address))))
    }
}

/// The networks that an address counts for.
fn networks(address: IpAddr) -> impl Iterator<Item = Network> + Clone {
    let (narrow, wide) = Network::of(Some(address));
    iter::once(narrow).chain(wide)
}

/// One connection's place among those of its address.
struct Neighbour(Option<(Neighbours, IpAddr)>);

impl Drop for Neighbour {
    fn drop(&mut self) {
        let Some((neighbours, address)) = &self.0 else { return };
        let mut counts = neighbours.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for network in networks(*address) {
            if let Some(count) = counts.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&network);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share() {
        let proxies = TrustedProxies::try_from(vec!["192.0.2.77".to_owned()]).unwrap();
        let neighbours = Neighbours::new(2, proxies);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let first = neighbours.enter(address).unwrap();
        let _second = neighbours.enter(address).unwrap();
        assert!(neighbours.enter(address).is_none());
        assert!(neighbours.enter("192.0.2.2".parse().unwrap()).is_some());
        drop(first);
        assert!(neighbours.enter(address).is_some());
        for many in ["127.0.0.1", "192.0.2.77", "::ffff:192.0.2.77"] {
            let many: Vec<_> = (0..10).map(|_| neighbours.enter(many.parse().unwrap())).collect();
            assert!(many.iter().all(Option::is_some));
        }
        let network: Vec<_> =
            (0..3).map(|host| neighbours.enter(format!("2001:db8::{host}").parse().unwrap())).collect();
        assert_eq!(network.iter().filter(|place| place.is_some()).count(), 2, "a network is one customer");
        let many: Vec<_> =
            (2..50).map(|net| neighbours.enter(format!("2001:db8:1:{net}::1").parse().unwrap())).collect();
        assert_eq!(many.iter().flatten().count(), 32, "and many of them together have sixteen times as many");
        assert!(neighbours.enter("2001:db8:2::1".parse().unwrap()).is_some());
        drop((many, network));
        assert!(neighbours.enter("2001:db8:1::1".parse().unwrap()).is_some());
        assert!(neighbours.counts.lock().unwrap().keys().all(|network| *network == Network::of(Some(address)).0));
    }
}
