//! What can go wrong, sorted by what the caller can do about it.

use std::fmt;
use std::io;
use std::net::IpAddr;

/// Any error, as a cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error of an outbound request. Its text is safe for callers; the causes are for the operator's log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address rules forbid this URL, or its name leads nowhere. One error for all reasons, so that nobody
    /// learns from it what the internal network looks like; the reason is in the log.
    #[error("this URL is not allowed")]
    Refused,
    /// No connection came about; nothing was sent.
    #[error("cannot connect to the server")]
    Connect(#[source] BoxError),
    /// The server's certificate or its TLS is not acceptable; nothing was sent.
    #[error("no secure connection to the server")]
    Tls(#[source] BoxError),
    /// The time allowed for this stage is over.
    #[error("the server took too long: {0}")]
    Timeout(Stage),
    /// The document is larger than allowed.
    #[error("the document is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes allowed.
        limit: u64,
    },
    /// More redirects than are followed.
    #[error("too many redirects")]
    TooManyRedirects,
    /// The document came compressed although that was declined.
    #[error("the server sent an encoding that was not asked for")]
    Encoding,
    /// The connection broke, or what came over it is no HTTP.
    #[error("the exchange with the server failed")]
    Protocol(#[source] BoxError),
    /// The client cannot be set up as configured.
    #[error("outbound requests are misconfigured: {0}")]
    Options(String),
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Looking the name up, connecting, shaking hands.
    Connect,
    /// The whole fetch, to the last byte.
    Total,
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Connect => "connecting",
            Self::Total => "the whole request",
        })
    }
}

impl Error {
    /// Whether nothing of the request has reached the server, so that any method may be tried again.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Tls(_) | Self::Timeout(Stage::Connect))
    }

    /// Sorts what the pooled client reports by the cause that lies deepest.
    pub(crate) fn from_client(error: hyper_util::client::legacy::Error) -> Self {
        let is_connect = error.is_connect();
        Self::sorted(error.into(), if is_connect { Self::Connect } else { Self::Protocol })
    }

    /// The same for a connection that did not come about.
    pub(crate) fn from_connector(error: BoxError) -> Self {
        Self::sorted(error, Self::Connect)
    }

    fn sorted(error: BoxError, otherwise: fn(BoxError) -> Self) -> Self {
        if let Some(refusal) = find::<Refusal>(&*error) {
            return refusal.clone().into();
        }
        if find::<ConnectTimeout>(&*error).is_some() {
            return Self::Timeout(Stage::Connect);
        }
        if find::<rustls::Error>(&*error).is_some() {
            return Self::Tls(error);
        }
        otherwise(error)
    }
}

/// Looks for a cause by its type. `io::Error` hides the error that it wraps from `source`.
fn find<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|inner| inner as _).or_else(|| error.source());
    }
    None
}

/// Why a user's URL was refused; said to the log and to nobody else.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("not a proper URL")]
    Url,
    #[error("neither http nor https")]
    Scheme,
    #[error("user name or password in the URL")]
    UserInfo,
    #[error("port {0}")]
    Port(u16),
    #[error("address {0}")]
    Address(IpAddr),
    #[error("the name has no address")]
    Unresolved,
    #[error("a redirect from https to http")]
    Downgrade,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        tracing::info!(reason = %refusal, "Refused a request to a user's URL");
        Self::Refused
    }
}

/// The mark of a connection that took too long.
#[derive(Debug, thiserror::Error)]
#[error("connecting took too long")]
pub(crate) struct ConnectTimeout;
