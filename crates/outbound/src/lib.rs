//! Every request that leaves the process: one pooled client, one set of address rules.
//!
//! [`Client::send`] sends one request and streams both bodies; [`Client::fetch`] gets a document whole, within
//! limits. Who chose the URL decides the rules ([`Trust`]): an administrator may name any server, everybody
//! else (callers, models, documents) reaches public addresses only.
//!
//! | module | what it does |
//! |---|---|
//! | `target` | reads a URL once; scheme, port, user info, length |
//! | `address` | the address ranges that users' URLs never reach |
//! | `allow` | the operator's exceptions to them |
//! | `rules` | the verdict on a host and its addresses |
//! | `lookup` | where names lead: the system's answer, or a test's |
//! | `connector` | resolves, judges, connects to exactly what was judged |
//! | `lanes` | the connection pools |
//! | `plain` | the connections to configured servers in the clear |
//! | `client`, `fetch` | the public face |
//!
//! This crate never reads a proxy from the environment, keeps no cookies, adds no credentials, and never
//! follows a redirect unless asked to fetch.

mod address;
mod allow;
mod body;
mod client;
mod connector;
mod error;
mod fetch;
mod lanes;
mod lookup;
mod options;
mod plain;
mod rules;
mod target;

pub use allow::{AllowList, InvalidEntry};
pub use body::{Body, ResponseBody};
pub use client::{Announce, Client, Trust};
pub use error::{BoxError, Error, Stage};
pub use fetch::{FetchLimits, Fetched};
pub use lookup::{Lookup, System};
pub use options::Options;
