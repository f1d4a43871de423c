//! One keep-alive connection and the exchanges on it. Dropping it closes the socket at once, whatever
//! is under way: that is what a client that hangs up looks like.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::samples::Samples;
use super::stream::Events;
use super::target::Prepared;
use crate::clock;

/// No exchange may take longer.
const PATIENCE: Duration = Duration::from_mins(1);
/// An answer that is read whole may not be larger.
const MAX_ANSWER: usize = 1 << 20;

/// A connection with at most one exchange under way.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Drives the socket; aborted, and the socket closed, when dropped.
    _driver: JoinSet<()>,
}

/// How an exchange went.
pub(crate) struct Exchange {
    /// To the end of the answer.
    pub whole: Duration,
    /// To the first chunk, or to the answer's head where it is no stream.
    pub first: Duration,
    /// Chunks with a time of birth.
    pub chunks: u32,
}

impl Connection {
    /// Connects, with `TCP_NODELAY`.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await?.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(driver.await) });
        Ok(Self { sender, _driver: tasks })
    }

    /// Sends a request and reads the answer to its end. Anything but a 200, a stream without its end
    /// mark, and a stream with chunks missing are errors.
    pub(crate) async fn exchange(&mut self, request: &Prepared, transit: &mut Samples) -> anyhow::Result<Exchange> {
        timeout(PATIENCE, self.exchange_unbounded(request, transit)).await.context("no end of the answer in time")?
    }

    async fn exchange_unbounded(&mut self, request: &Prepared, transit: &mut Samples) -> anyhow::Result<Exchange> {
        let started = Instant::now();
        let mut body = self.head(request).await?;
        let mut first = started.elapsed();
        let mut events = Events::default();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.context("the answer was cut")?.into_data() else { continue };
            if request.chunks().is_some() {
                let now = clock::micros();
                if events.chunks() == 0 {
                    first = started.elapsed();
                }
                events.feed(&data, |born| transit.push(Duration::from_micros(now.saturating_sub(born))))?;
            }
        }
        if let Some(expected) = request.chunks() {
            ensure!(events.done(), "the stream ended without its end mark after {} chunks", events.chunks());
            ensure!(events.chunks() == expected, "{} of {expected} chunks", events.chunks());
        }
        Ok(Exchange { whole: started.elapsed(), first, chunks: events.chunks() })
    }

    /// Sends a request and leaves after `chunks` chunks, or after `wait` at the latest, with the answer
    /// unfinished. The connection must then be dropped.
    pub(crate) async fn begin(&mut self, request: &Prepared, chunks: u32, wait: Duration) -> anyhow::Result<()> {
        let reading = async {
            let mut body = self.head(request).await?;
            let mut events = Events::default();
            while events.chunks() < chunks {
                let Some(frame) = body.frame().await else { bail!("the stream ended early") };
                if let Ok(data) = frame?.into_data() {
                    events.feed(&data, |_| ())?;
                }
            }
            // Kept, so that the hang-up is the closing of the socket and nothing milder.
            std::future::pending::<()>().await;
            drop(body);
            Ok(())
        };
        match timeout(wait, reading).await {
            Ok(result) => result,
            Err(_) => Ok(()),
        }
    }

    async fn head(&mut self, request: &Prepared) -> anyhow::Result<Incoming> {
        self.sender.ready().await.context("the connection was closed")?;
        let answer = self.sender.send_request(request.request()).await.context("no answer")?;
        let status = answer.status();
        if status != StatusCode::OK {
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let text: String = String::from_utf8_lossy(&body).chars().take(300).collect();
            bail!("answered {status}: {text}");
        }
        Ok(answer.into_body())
    }

    /// One exchange whose answer is JSON, whatever its status; for setting things up.
    pub(crate) async fn json(&mut self, request: &Prepared) -> anyhow::Result<(StatusCode, Value)> {
        let asking = async {
            self.sender.ready().await?;
            let answer = self.sender.send_request(request.request()).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("cannot read the answer: {error}"))?.to_bytes();
            Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
        };
        timeout(PATIENCE, asking).await.context("no answer in time")?
    }
}
