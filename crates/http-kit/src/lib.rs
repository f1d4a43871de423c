//! What every service shares on HTTP: the edge that all requests pass, extractors, errors, streams, the listener.
//!
//! A service is a [`Service`]: a name, its documented routes, and the short list of routes that need no caller.
//! [`Service::mount`] puts the [`Edge`] around it; a [`Listener`] serves the result on a socket, and the gateway calls
//! it in-process. The crate knows no endpoint of the product, no storage and no model.

pub mod authenticate;
pub mod body;
pub mod caller;
mod context;
mod cors;
pub mod edge;
pub mod error;
pub mod extract;
mod gated;
mod guard;
pub mod health;
pub mod listener;
pub mod metrics;
pub mod openapi;
mod page_origin;
pub mod path;
pub mod request_id;
pub mod request_log;
pub mod service;
pub mod sse;

pub use authenticate::{Authenticator, Credentials};
pub use caller::{Admin, Caller, MaybeCaller};
pub use edge::{Edge, EdgeOptions, MakeSpan, MountedService};
pub use error::{ApiError, Result};
pub use extract::{Json, MaybeJson, PageQuery, Path, Query, RawBody, ReadJson};
pub use listener::{Listener, ListenerOptions, PeerAddr};
pub use page_origin::PageOrigin;
pub use request_id::RequestId;
pub use request_log::LogFields;
pub use service::{RouteLimits, Service};
