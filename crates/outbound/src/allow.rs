//! The operator's exceptions to the address rules.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Host;

/// Servers that users' URLs may reach although their addresses are not public: addresses (`10.1.2.3`), ranges
/// (`10.1.0.0/16`) and host names (`files.internal`). Empty by default.
///
/// An entry loosens nothing but itself: a name allows what that name resolves to, not the same address under
/// another name. A cloud's metadata address needs an entry with exactly that address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct AllowList(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Net(IpNet),
    Host(String),
}

/// What is neither an address, nor a range, nor a host name.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is no address, address range (10.0.0.0/8) or host name")]
pub struct InvalidEntry(String);

impl AllowList {
    /// Whether an entry covers this address, or this name of it.
    pub(crate) fn covers(&self, host: &str, address: IpAddr) -> bool {
        self.0.iter().any(|entry| match entry {
            Entry::Net(net) => net.contains(&address),
            Entry::Host(name) => name.eq_ignore_ascii_case(without_root(host)),
        })
    }

    /// Whether an entry is exactly this address.
    pub(crate) fn names(&self, address: IpAddr) -> bool {
        self.0.iter().any(|entry| matches!(entry, Entry::Net(net) if *net == IpNet::from(address)))
    }
}

/// A name without the dot of the DNS root, which changes nothing about where it leads.
fn without_root(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

impl FromStr for Entry {
    type Err = InvalidEntry;

    fn from_str(text: &str) -> Result<Self, InvalidEntry> {
        let invalid = || InvalidEntry(text.to_owned());
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Net(IpNet::from(address.to_canonical())));
        }
        match Host::parse(text).map_err(|_| invalid())? {
            Host::Domain(name) if !without_root(&name).is_empty() => Ok(Self::Host(without_root(&name).to_owned())),
            Host::Domain(_) => Err(invalid()),
            Host::Ipv4(address) => Ok(Self::Net(IpNet::from(IpAddr::V4(address)))),
            Host::Ipv6(address) => Ok(Self::Net(IpNet::from(IpAddr::V6(address).to_canonical()))),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(out),
            Self::Host(name) => out.write_str(name),
        }
    }
}

/// From entries with commas between them, as in an environment variable.
impl FromStr for AllowList {
    type Err = InvalidEntry;

    fn from_str(text: &str) -> Result<Self, InvalidEntry> {
        text.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl TryFrom<Vec<String>> for AllowList {
    type Error = InvalidEntry;

    fn try_from(entries: Vec<String>) -> Result<Self, InvalidEntry> {
        entries.iter().map(|entry| entry.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl From<AllowList> for Vec<String> {
    fn from(list: AllowList) -> Self {
        list.0.iter().map(ToString::to_string).collect()
    }
}
