//! The accept loop that the mock and the pass-through share: HTTP/1.1, `TCP_NODELAY`, no time-outs.
//! It is for loopback peers that are trusted; a server for others needs more.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Connections served at once; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4096;

/// What every listening role of this program is told.
#[derive(clap::Args, Default)]
pub(crate) struct Listen {
    /// Loopback port; 0 takes a free one, which the first line of output names.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Leave when standard input closes, so that no child outlives its parent.
    #[arg(long)]
    until_stdin_closes: bool,
}

impl Listen {
    /// Binds, announces the address as the first line of output, and serves until told to leave.
    pub(crate) async fn serve<S>(self, service: impl Fn() -> S) -> anyhow::Result<()>
    where
        S: HttpService<Incoming, Error = Infallible> + Send + 'static,
        S::Future: Send,
        S::ResBody: Body<Data = Bytes> + Send + 'static,
        <S::ResBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, self.port)).await?;
        println!("{}", announcement(listener.local_addr()?));
        tokio::select! {
            () = serve(listener, service) => {}
            () = stdin_closed(), if self.until_stdin_closes => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(())
    }
}

/// The line by which a child tells its parent where it listens.
fn announcement(address: SocketAddr) -> String {
    format!("listening on {address}")
}

/// Reads the address out of that line.
pub(crate) fn announced(line: &str) -> Option<SocketAddr> {
    line.trim().strip_prefix("listening on ")?.parse().ok()
}

/// Accepts for ever; `service` is called once for each connection.
pub(crate) async fn serve<S>(listener: TcpListener, service: impl Fn() -> S)
where
    S: HttpService<Incoming, Error = Infallible> + Send + 'static,
    S::Future: Send,
    S::ResBody: Body<Data = Bytes> + Send + 'static,
    <S::ResBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    // With Nagle's algorithm left on, a small chunk waits for the last one's acknowledgement.
                    if stream.set_nodelay(true).is_ok() {
                        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service());
                        connections.spawn(async move { drop(connection.await) });
                    }
                }
                // Out of descriptors, as a rule: an immediate retry would spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn stdin_closed() {
    let mut input = tokio::io::stdin();
    let mut scratch = [0; 64];
    while matches!(input.read(&mut scratch).await, Ok(read) if read > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_read_back() {
        let address: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        assert_eq!(announced(&announcement(address)), Some(address));
        assert_eq!(announced("warming up"), None);
    }
}
