//! Whom an address counts for, where each address may have so much of something.
//!
//! An IPv4 address is one customer's. Of IPv6 a customer has a network: at least one of 64 bits (a machine, a telephone),
//! at most one of 48 (RFC 6177), which is 65 536 of the former. So an address counts for both.

use std::net::{IpAddr, Ipv6Addr};

/// The bits of the largest network that one customer has.
const SITE: u32 = 48;
/// How many times the allowance of a network of 64 bits one of 48 bits has. It may be one customer, and it may be the
/// telephones of many: so not one time. Sixteen times what one may guess at one account (`identity`, tries) is less than
/// what all may, so that nobody with such a network keeps the account's owner out.
const OF_A_SITE: u32 = 16;

/// A network whose addresses share an allowance. Those who come from no known address share one, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: Option<IpAddr>,
    bits: u32,
}

impl Network {
    /// The narrowest network that an address counts for, and the wider one, if there is one.
    pub fn of(address: Option<IpAddr>) -> (Self, Option<Self>) {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(v6)) if !v6.is_loopback() => (Self::around(v6, 64), Some(Self::around(v6, SITE))),
            first => (Self { first, bits: 128 }, None),
        }
    }

    /// How many allowances it has.
    pub fn allowances(self) -> u32 {
        if self.bits == SITE { OF_A_SITE } else { 1 }
    }

    fn around(address: Ipv6Addr, bits: u32) -> Self {
        let mask = u128::MAX << (128 - bits);
        Self { first: Some(Ipv6Addr::from_bits(address.to_bits() & mask).into()), bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(address: &str) -> Vec<String> {
        let (narrow, wide) = Network::of(Some(address.parse().unwrap()));
        let show = |network: Network| format!("{}/{} {}", network.first.unwrap(), network.bits, network.allowances());
        [narrow].into_iter().chain(wide).map(show).collect()
    }

    #[test]
    fn an_address_of_ipv6_is_two_networks_and_any_other_is_itself() {
        assert_eq!(networks("2001:db8:1:2:ffff::9"), ["2001:db8:1:2::/64 1", "2001:db8:1::/48 16"]);
        assert_eq!(networks("203.0.113.7"), ["203.0.113.7/128 1"]);
        assert_eq!(networks("::ffff:203.0.113.7"), networks("203.0.113.7"), "one address, two spellings");
        assert_eq!(networks("::1"), ["::1/128 1"]);
        assert_eq!(Network::of(None).1, None);
    }
}
