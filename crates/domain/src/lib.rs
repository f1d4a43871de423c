//! The vocabulary of the product: what things are called, who is calling, what can go wrong.
//!
//! Everything above this crate speaks in these types. The crate does no I/O, spawns nothing, waits for nothing and
//! knows neither HTTP nor SQL.

pub mod api_key;
pub mod audit;
pub mod calendar;
pub mod clock;
pub mod conversation;
pub mod error;
pub mod ids;
pub mod item;
pub mod length;
pub mod memory;
pub mod network;
pub mod page;
pub mod principal;
pub mod project;
pub mod prompt_template;
pub mod rate_limit;
pub mod sample;
pub mod scope;
pub mod secret;
pub mod session;
pub mod share;
pub mod span;
pub mod user;

pub use clock::{Clock, Timestamp};
pub use error::{Error, Kind, Result};
pub use principal::{Method, Principal, Role};
pub use scope::Scope;
pub use secret::Secret;
