//! The verdict on a host and its addresses.

use std::net::IpAddr;

use crate::address;
use crate::allow::AllowList;
use crate::error::Refusal;
use crate::options::Options;

/// Ports that every user's URL may name.
const PORTS: [u16; 2] = [80, 443];

/// What users' URLs may reach.
#[derive(Debug)]
pub(crate) struct Rules {
    allow: AllowList,
    ports: Vec<u16>,
}

impl Rules {
    pub(crate) fn new(options: &Options) -> Self {
        Self { allow: options.allow.clone(), ports: options.ports.clone() }
    }

    pub(crate) fn port(&self, port: u16) -> Result<(), Refusal> {
        if PORTS.contains(&port) || self.ports.contains(&port) { Ok(()) } else { Err(Refusal::Port(port)) }
    }

    /// Judges one address that the host stands for. IPv4 in IPv6 clothes is judged as what it is.
    pub(crate) fn address(&self, host: &str, address: IpAddr) -> Result<(), Refusal> {
        let address = address.to_canonical();
        let allowed = if address::is_metadata(address) {
            self.allow.names(address)
        } else {
            self.allow.covers(host, address) || !address::is_denied(address)
        };
        if allowed { Ok(()) } else { Err(Refusal::Address(address)) }
    }
}
