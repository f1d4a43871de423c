//! Connections to configured servers by HTTP/1 in the clear: engines on this machine or in its network, the usual case.
//!
//! The library's pooled client gives each connection a task, and a request and every piece of its answer go from task to
//! task. Here whoever waits for an answer drives its connection itself, and between requests a connection just lies
//! there. What that brought is in `docs/performance.md`.
//!
//! Everything else is as with the other pools: the same connector, connections unbounded in number and bounded in their
//! idle time, a request tried again on another connection when the one it was given had been closed meanwhile.

mod connection;
mod gate;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Request, Response, Uri};
use hyper::client::conn::http1;
use tower::ServiceExt as _;

use self::connection::Connection;
use self::shelf::Shelf;
use crate::body::{Body, ResponseBody};
use crate::connector::Connector;
use crate::error::{Error, Refusal};

/// The connections to all such servers.
pub(crate) struct Plain {
    connector: Connector,
    shelf: Arc<Shelf>,
}

impl Plain {
    pub(crate) fn new(connector: Connector, idle: Duration) -> Self {
        Self { connector, shelf: Arc::new(Shelf::new(idle)) }
    }

    /// Sends a request whose URL names the server; returns when the answer's head is there.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Result<Response<ResponseBody>, Error> {
        let uri = std::mem::take(request.uri_mut());
        let authority = uri.authority().cloned().ok_or(Refusal::Url)?;
        if let Some(target) = uri.path_and_query() {
            *request.uri_mut() = Uri::from(target.clone());
        }
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, host(&authority)?);
        }
        loop {
            let idle = self.shelf.take(&authority);
            let is_new = idle.is_none();
            let mut connection = match idle {
                Some(connection) => connection,
                // On the heap: most requests need no room for it.
                None => Box::pin(self.connect(uri.clone())).await?,
            };
            match connection.exchange(request).await {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let lease = Lease { connection, authority, shelf: Arc::clone(&self.shelf) };
                    return Ok(Response::from_parts(head, ResponseBody::driven(body, lease)));
                }
                // The server had closed it, which shows before anything is written.
                Err(mut error) => match error.take_message().filter(|_| !is_new) {
                    Some(unsent) => request = unsent,
                    None => return Err(Error::Protocol(error.into_error().into())),
                },
            }
        }
    }

    async fn connect(&self, uri: Uri) -> Result<Box<Connection>, Error> {
        let io = self.connector.clone().oneshot(uri).await.map_err(Error::from_connector)?;
        let (sender, driver) = http1::handshake(io).await.map_err(|error| Error::Protocol(error.into()))?;
        Ok(Box::new(Connection::new(sender, driver)))
    }
}

/// The `Host` of a server: without user information, and without the port that is usual.
fn host(authority: &Authority) -> Result<HeaderValue, Error> {
    let text = match authority.port_u16() {
        Some(port) if port != 80 => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    HeaderValue::try_from(text).map_err(|_| Refusal::Url.into())
}

/// A connection whose answer has not ended. Dropped before that, it is closed, and the server sees that nobody waits.
pub(crate) struct Lease {
    pub(crate) connection: Box<Connection>,
    authority: Authority,
    shelf: Arc<Shelf>,
}

impl Lease {
    /// Keeps the connection for the next request, if it can have one.
    pub(crate) fn release(self) {
        if self.connection.is_reusable() {
            self.shelf.put(self.authority, self.connection);
        }
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Lease").field(&self.authority).finish()
    }
}
