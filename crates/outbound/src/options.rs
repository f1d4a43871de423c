//! The configuration section of outbound requests.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::allow::AllowList;

/// How requests leave the process. Every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Servers beside the public ones that users' URLs may reach: addresses, ranges, host names.
    #[schemars(with = "Vec<String>")]
    pub allow: AllowList,
    /// Ports beside 80 and 443 that users' URLs may name.
    pub ports: Vec<u16>,
    /// Longest wait for a connection, from name look-up to the end of the TLS handshake, in seconds.
    pub connect_timeout_secs: u64,
    /// How long an unused connection is kept for the next request, in seconds.
    pub idle_timeout_secs: u64,
    /// Documents fetched at a time for users; more wait within their deadline.
    pub max_fetches: usize,
    /// Certificates (PEM) trusted beside the system's, for upstreams with a private authority. The system's
    /// own are found as OpenSSL finds them: `SSL_CERT_FILE`, `SSL_CERT_DIR`, then the usual places.
    pub ca_file: Option<PathBuf>,
    /// The `User-Agent` of every request that has none.
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow: AllowList::default(),
            ports: Vec::new(),
            connect_timeout_secs: 5,
            idle_timeout_secs: 75,
            max_fetches: 64,
            ca_file: None,
            user_agent: concat!("jan-server/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Options {
    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_secs)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_secs)
    }
}
