//! What every service shares on HTTP: the edge that all requests pass, extractors, errors, streams, the listener.
//!
//! A service is a [`Service`]: a name, its documented routes, and the short list of routes that need no caller.
//! [`Service::mount`] puts the [`Edge`] around it; a [`Listener`] serves the result on a socket, and the gateway calls
//! it in-process. The crate knows no endpoint of the product and no model, and keeps nothing but the answers of requests
//! that are to be done once ([`Idempotency`]).

mod accept;
pub mod access;
pub mod authenticate;
pub mod body;
pub mod caller;
pub mod client_addr;
mod concurrency;
mod context;
mod cors;
pub mod edge;
pub mod error;
pub mod extract;
mod gated;
mod guard;
pub mod health;
pub mod idempotency;
pub mod listener;
pub mod metrics;
pub mod openapi;
mod page_origin;
pub mod path;
pub mod rate_limits;
mod record;
pub mod request_id;
pub mod request_log;
pub mod service;
pub mod sse;

pub use accept::wants_page;
pub use access::{Access, Anyone, OfSession};
pub use authenticate::{Authenticator, Credentials};
pub use caller::{Admin, Also, Caller};
pub use client_addr::{ClientAddr, ForwardedHeader, TrustedProxies};
pub use edge::{Edge, EdgeOptions, MakeSpan, MountedService};
pub use error::{ApiError, Result};
pub use extract::{Json, MaybeJson, Offset, PageQuery, Path, Query, RawBody, ReadJson};
pub use idempotency::Idempotency;
pub use listener::{Listener, ListenerOptions, PeerAddr};
pub use page_origin::PageOrigin;
pub use rate_limits::{RateLimitOptions, RouteClass};
pub use request_id::RequestId;
pub use request_log::LogFields;
pub use service::{RouteLimits, Service};
#[doc(hidden)]
pub use utoipa_axum;
