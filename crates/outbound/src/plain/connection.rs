//! One connection, driven by whoever waits for its answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::gate::Gate;
use crate::body::Body;

type Driver = http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, Body>;

/// A connection: the end that requests go into, and the end that works the socket.
pub(crate) struct Connection {
    sender: http1::SendRequest<Body>,
    /// Gone when the connection has ended.
    driver: Option<Driver>,
    gate: Gate,
}

impl Connection {
    pub(super) fn new(sender: http1::SendRequest<Body>, driver: Driver) -> Self {
        Self { sender, driver: Some(driver), gate: Gate::new() }
    }

    /// Sends a request and waits for the answer's head. An error that holds the request says that nothing of it was
    /// written.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        let Self { sender, driver, gate } = self;
        let mut answer = pin!(sender.try_send_request(request));
        poll_fn(|cx| {
            gate.turns(cx, |cx| {
                advance(driver, cx);
                answer.as_mut().poll(cx)
            })
        })
        .await
    }

    /// The next piece of the answer's body.
    pub(crate) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { driver, gate, .. } = self;
        gate.turns(cx, |cx| {
            if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
                return Poll::Ready(frame);
            }
            advance(driver, cx);
            Pin::new(&mut *body).poll_frame(cx)
        })
    }

    /// Whether the answer is over and another request may follow. Mostly that is so as soon as the answer's end was read
    /// from the socket, whether or not anybody took it.
    pub(crate) fn is_reusable(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Lets it lie: nobody is woken for it.
    pub(super) fn rest(&self) {
        self.gate.disown();
    }

    /// Whether the server, too, still holds on to it, as far as is known here.
    pub(super) fn is_open(&mut self) -> bool {
        advance(&mut self.driver, &mut Context::from_waker(Waker::noop()));
        self.is_reusable()
    }
}

/// Works the socket as far as it goes.
fn advance(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    let Some(Poll::Ready(ended)) = driver.as_mut().map(|driver| Pin::new(driver).poll(cx)) else { return };
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection to a server broke");
    }
    // With it goes what it holds of the request, which tells the other end.
    *driver = None;
}
