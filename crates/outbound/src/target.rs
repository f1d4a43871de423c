//! Reads a URL once; what was checked is what is requested.

use http::Uri;
use url::{Host, Url};

use crate::error::{Error, Refusal};
use crate::rules::Rules;

/// The longest URL taken, in bytes.
const MAX_URL: usize = 8 * 1024;
/// The longest host name there is (RFC 1035), in bytes.
const MAX_HOST: usize = 253;

/// A user's URL that passed every check but that of its resolved addresses.
#[derive(Debug, Clone)]
pub(crate) struct Target(Url);

impl Target {
    pub(crate) fn parse(text: &str, rules: &Rules) -> Result<Self, Refusal> {
        check_text(text)?;
        let url = Url::parse(text).map_err(|_| Refusal::Url)?;
        Self::check(url, rules)
    }

    /// Where a redirect leads: through the same checks, and never from https to http.
    pub(crate) fn redirected(&self, location: &str, rules: &Rules) -> Result<Self, Refusal> {
        check_text(location)?;
        let url = self.0.join(location).map_err(|_| Refusal::Url)?;
        if self.0.scheme() == "https" && url.scheme() == "http" {
            return Err(Refusal::Downgrade);
        }
        Self::check(url, rules)
    }

    fn check(mut url: Url, rules: &Rules) -> Result<Self, Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        rules.port(url.port_or_known_default().ok_or(Refusal::Url)?)?;
        // The parser has read decimal, hexadecimal, octal, short and full-width spellings as addresses.
        let name = url.host_str().ok_or(Refusal::Url)?;
        match url.host().ok_or(Refusal::Url)? {
            Host::Domain(domain) if domain.len() > MAX_HOST => return Err(Refusal::Url),
            Host::Domain(_) => {}
            Host::Ipv4(address) => rules.address(name, address.into())?,
            Host::Ipv6(address) => rules.address(name, address.into())?,
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    pub(crate) fn uri(&self) -> Result<Uri, Error> {
        self.0.as_str().parse().map_err(|_| Refusal::Url.into())
    }
}

/// What the parser would quietly repair is refused: two readers must not disagree about it.
fn check_text(text: &str) -> Result<(), Refusal> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if text.len() > MAX_URL || text.contains(odd) { Err(Refusal::Url) } else { Ok(()) }
}
