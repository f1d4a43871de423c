//! Where a request comes from: the one place that decides it, for limits, the audit log and the request log.
//!
//! It is the other end of the connection, unless that is a proxy that the operator listed: then it is the address from
//! which the listed proxies got the request, read from the right, since each proxy adds to the end what it saw itself
//! and everything before that is the client's word. What anybody else says about addresses is not looked at.
//!
//! Only one header is read. A proxy passes the one it does not know on as it came, so reading both would be reading the
//! client's. Scheme and host are never read from headers: the public URL is a setting.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use axum::extract::FromRequestParts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApiError, PeerAddr, context::Context};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What proxies add to the requests that they pass on.
const MARKS: [HeaderName; 4] = [header::FORWARDED, X_FORWARDED_FOR, HeaderName::from_static("x-real-ip"), header::VIA];
/// Proxies in a row that are followed; a longer row is no row of proxies.
const MAX_HOPS: usize = 16;

/// The header in which proxies say where a request comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which nearly all write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Proxies that are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct TrustedProxies(Arc<[IpNet]>);

/// What is neither an address nor a range.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{0}` is no address and no address range (10.0.0.0/8)")]
pub struct InvalidProxy(String);

impl TryFrom<Vec<String>> for TrustedProxies {
    type Error = InvalidProxy;

    fn try_from(texts: Vec<String>) -> Result<Self, InvalidProxy> {
        let net = |text: String| {
            let net = IpNet::from_str(&text).map(|net| net.trunc());
            let address = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
            net.or_else(|_| address()).map_err(|_| InvalidProxy(text))
        };
        texts.into_iter().map(net).collect::<Result<_, _>>().map(Self)
    }
}

impl From<TrustedProxies> for Vec<String> {
    fn from(proxies: TrustedProxies) -> Self {
        proxies.0.iter().map(ToString::to_string).collect()
    }
}

impl TrustedProxies {
    /// Whether an address is one of theirs.
    pub fn contains(&self, address: IpAddr) -> bool {
        !self.0.is_empty() && self.0.iter().any(|net| net.contains(&address.to_canonical()))
    }

    /// The client's address of a request that came from `peer`; none where a listed proxy names nobody, since that must
    /// not pass for the proxy's own.
    pub(crate) fn client(&self, peer: IpAddr, header: ForwardedHeader, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return Some(peer);
        }
        match header {
            ForwardedHeader::XForwardedFor => self.follow(peer, from_the_right(headers, &X_FORWARDED_FOR, plain)),
            ForwardedHeader::Forwarded => self.follow(peer, from_the_right(headers, &header::FORWARDED, forwarded)),
        }
    }

    /// Goes back along the proxies until one address is none of them, or is not known.
    fn follow(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut client = peer;
        for hop in hops.take(MAX_HOPS) {
            client = hop?;
            if !self.contains(client) {
                break;
            }
        }
        Some(client)
    }
}

/// The hops that the lines of a header name, the last one first.
fn from_the_right<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    read: impl Fn(&str) -> Vec<Option<IpAddr>> + 'a,
) -> impl Iterator<Item = Option<IpAddr>> + 'a {
    let lines = headers.get_all(name).into_iter().rev();
    // What a client wrote into a line must not take away what a proxy added to it.
    lines.flat_map(move |line: &HeaderValue| read(&String::from_utf8_lossy(line.as_bytes())).into_iter().rev())
}

/// The hops of a line of `X-Forwarded-For`.
fn plain(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|hop| address(hop.trim())).collect()
}

/// An address, perhaps with a port, an IPv6 address perhaps in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address: Option<IpAddr> = text.parse().ok().or_else(with_port).or_else(bare);
    address.map(|address| address.to_canonical())
}

/// The hops of a line of `Forwarded`: elements with commas between them, of pairs with semicolons between them, whose
/// values are words or quoted. A line that is malformed anywhere names nobody: whoever could open a quote in it could
/// otherwise hide what a proxy wrote behind it.
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    elements(line).unwrap_or_else(|| vec![None])
}

fn elements(line: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = vec![None];
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        if name.trim().eq_ignore_ascii_case("for") {
            *hops.last_mut()? = address(value);
        }
        let after = after.trim_start();
        rest = match after.chars().next() {
            None => after,
            Some(';') => after[1..].trim_start(),
            Some(',') => {
                hops.push(None);
                after[1..].trim_start()
            }
            Some(_) => return None,
        };
    }
    Some(hops)
}

/// A value and what follows it. Addresses have nothing to escape, so a value with an escape is not understood.
fn value(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split_once('"').filter(|(value, _)| !value.contains('\\'));
    }
    let (value, after) = text.split_at(text.find([';', ',']).unwrap_or(text.len()));
    Some((value.trim(), after)).filter(|(value, _)| !value.contains('"'))
}

/// Whether a request was made on this machine itself: from loopback, and not passed on by a proxy that runs there,
/// listed or not.
pub(crate) fn is_of_this_machine(extensions: &Extensions, headers: &HeaderMap) -> bool {
    let is_local = extensions.get::<PeerAddr>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    is_local && !MARKS.iter().any(|mark| headers.contains_key(mark))
}

/// The client's address, as a handler's argument; none where the request did not come over a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr(pub Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddr {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(Context::of(&parts.extensions)?.client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client's address, for proxies in 10.0.0.0/8 and on loopback; `nobody` where none is known.
    fn client(peer: &str, header: ForwardedHeader, lines: &[(&'static str, &str)]) -> String {
        let proxies = ["10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48"].map(str::to_owned).to_vec();
        let proxies = TrustedProxies::try_from(proxies).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let client = proxies.client(peer.parse().unwrap(), header, &headers);
        client.map_or_else(|| "nobody".to_owned(), |client| client.to_string())
    }

    fn x_forwarded_for(peer: &str, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        client(peer, ForwardedHeader::XForwardedFor, &lines)
    }

    fn of_forwarded(lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
        client("10.0.0.1", ForwardedHeader::Forwarded, &lines)
    }

    #[test]
    fn nobody_is_believed_but_the_listed() {
        assert_eq!(x_forwarded_for("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(x_forwarded_for("192.168.0.1", &["198.51.100.1"]), "192.168.0.1");
        assert_eq!(x_forwarded_for("::ffff:203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        let nobody = TrustedProxies::default();
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.1"))]);
        let loopback = "127.0.0.1".parse().unwrap();
        assert_eq!(nobody.client(loopback, ForwardedHeader::XForwardedFor, &headers), Some(loopback));
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxys_is_the_clients() {
        assert_eq!(x_forwarded_for("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(x_forwarded_for("::ffff:127.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        // What stands before it is the client's word.
        assert_eq!(x_forwarded_for("10.0.0.1", &["127.0.0.1, 198.51.100.1, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(x_forwarded_for("10.0.0.1", &["198.51.100.1,203.0.113.7 , 10.9.9.9"]), "203.0.113.7");
        assert_eq!(x_forwarded_for("10.0.0.1", &["198.51.100.1", "203.0.113.7, 10.9.9.9"]), "203.0.113.7");
        // All of them are proxies': the first is the nearest to the client.
        assert_eq!(x_forwarded_for("10.0.0.1", &["10.1.1.1, 10.2.2.2"]), "10.1.1.1");
        assert_eq!(x_forwarded_for("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn an_address_may_have_a_port_and_brackets() {
        for (hop, client) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(x_forwarded_for("10.0.0.1", &[hop]), client, "{hop}");
        }
    }

    #[test]
    fn what_is_no_address_is_nobodys() {
        for odd in ["unknown", "", "a.example", "203.0.113.7 198.51.100.1", "203.0.113", "1.2.3.4:x", "\u{e9}"] {
            let line = format!("198.51.100.1, {odd}, 10.9.9.9");
            assert_eq!(x_forwarded_for("10.0.0.1", &[&line]), "nobody", "{odd}");
            assert_eq!(x_forwarded_for("127.0.0.1", &[odd]), "nobody", "{odd}");
        }
        let endless = vec!["10.0.0.2"; 1_000].join(",");
        assert_eq!(x_forwarded_for("10.0.0.1", &[&format!("198.51.100.1,{endless}")]), "10.0.0.2");
    }

    #[test]
    fn the_other_header_is_the_clients_word() {
        let both = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=198.51.100.1"), ("x-real-ip", "1.1.1.1")];
        assert_eq!(client("10.0.0.1", ForwardedHeader::XForwardedFor, &both), "203.0.113.7");
        assert_eq!(client("10.0.0.1", ForwardedHeader::Forwarded, &both), "198.51.100.1");
    }

    #[test]
    fn the_standard_s_header_is_read_as_the_standard_has_it() {
        for (line, client) in [
            ("for=192.0.2.43", "192.0.2.43"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("by=203.0.113.43; FOR=192.0.2.60 ; host=\"a,for=1.2.3.4\"", "192.0.2.60"),
            ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
            ("for=198.51.100.17, for=10.1.1.1;proto=https", "198.51.100.17"),
            ("for=198.51.100.17, for=_hidden", "nobody"),
            ("for=198.51.100.17, for=unknown", "nobody"),
            ("for=198.51.100.17, proto=https", "nobody"),
            ("proto=https", "nobody"),
            ("", "nobody"),
        ] {
            assert_eq!(of_forwarded(&[line]), client, "{line}");
        }
        assert_eq!(of_forwarded(&["for=1.2.3.4", "for=192.0.2.43"]), "192.0.2.43");
    }

    #[test]
    fn a_quote_that_the_client_opened_hides_no_hop() {
        // The client's part, and behind it what a proxy adds.
        for client in ["for=1.2.3.4;x=\"", "for=1.2.3.4, x=\"a", "for=\"1.2.3.4", "for=1.2.3.4;x=a\""] {
            for proxy in ["for=192.0.2.43", "for=\"[2001:db8::1]\";proto=https", "for=192.0.2.43;host=\"b\""] {
                let seen = of_forwarded(&[&format!("{client}, {proxy}")]);
                assert!(["nobody", "192.0.2.43", "2001:db8::1"].contains(&seen.as_str()), "{client} {proxy}: {seen}");
            }
        }
    }

    #[test]
    fn only_addresses_and_ranges_are_proxies() {
        for bad in ["proxy.example", "10.0.0.0/33", "10.0.0", "", "*"] {
            let error = TrustedProxies::try_from(vec![bad.to_owned()]).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
        }
        let proxies = TrustedProxies::try_from(vec!["::ffff:10.0.0.1".to_owned(), "fd00::/8".to_owned()]).unwrap();
        assert!(proxies.contains("10.0.0.1".parse().unwrap()) && proxies.contains("fd00::1".parse().unwrap()));
        assert!(!proxies.contains("10.0.0.2".parse().unwrap()));
    }
}
