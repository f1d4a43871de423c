//! The sign-in page: plain HTML that works without scripts.
//!
//! Its form is good only for the browser that got it: a cookie says which one that is, and a hidden field repeats it,
//! which no other site's page can. The same cookie binds the code that signing in grants.

pub(super) mod done;
mod page;
pub(super) mod setup;
pub(super) mod show;
pub(super) mod submit;
pub(super) mod verify_email;

use axum::http::{HeaderMap, HeaderValue};
use domain::secret;
use identity::{AuthorizationRequest, Identity};
use serde::Deserialize;

use super::cookies;

/// The cookie that tells browsers apart. Behind https its name has a prefix with which browsers take it from this host only:
/// no neighbour's page, and nobody on a line without TLS, can give a browser a name of his choice.
const COOKIE: &str = "jan_browser";
const SECURE_COOKIE: &str = "__Host-jan_browser";

fn cookie_name(issuer: &str) -> &'static str {
    if issuer.starts_with("https://") { SECURE_COOKIE } else { COOKIE }
}

/// What the page is asked for, as it stands in the address and in the form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    client_id: String,
    response_type: String,
    redirect_uri: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
    /// Whether an account is to be made.
    register: Option<String>,
    /// Whether the account is to have another password.
    change_password: Option<String>,
    /// Through which provider to sign in.
    provider: Option<String>,
}

impl Asked {
    fn to_request(&self) -> AuthorizationRequest {
        AuthorizationRequest {
            client_id: self.client_id.clone(),
            response_type: self.response_type.clone(),
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            code_challenge: self.code_challenge.clone(),
            code_challenge_method: self.code_challenge_method.clone(),
        }
    }

    /// The parameters by name, for the form and for the link to the other form.
    fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("client_id", &self.client_id),
            ("response_type", &self.response_type),
            ("redirect_uri", &self.redirect_uri),
            ("state", &self.state),
            ("code_challenge", &self.code_challenge),
            ("code_challenge_method", &self.code_challenge_method),
        ]
    }
}

/// Which browser sent a request.
pub(super) fn browser<'a>(identity: &Identity, headers: &'a HeaderMap) -> Option<&'a str> {
    read(identity.issuer(), headers)
}

fn read<'a>(issuer: &str, headers: &'a HeaderMap) -> Option<&'a str> {
    let cookie = cookie_name(issuer);
    cookies::named(headers, cookie).find(|value| value.len() == 64)
}

/// A name for a browser that has none.
fn new_browser() -> String {
    secret::hex(&secret::random::<32>())
}

/// Lets a browser keep its name, as long as it is open.
fn keep_browser(identity: &Identity, browser: &str) -> HeaderValue {
    keep(identity.issuer(), browser)
}

fn keep(issuer: &str, browser: &str) -> HeaderValue {
    let name = cookie_name(issuer);
    let secure = if name == SECURE_COOKIE { "; Secure" } else { "" };
    let text = format!("{name}={browser}; Path=/; HttpOnly; SameSite=Lax{secure}");
    // Letters and digits.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    const SECURE: &str = "https://jan.example";
    const PLAIN: &str = "http://127.0.0.1:8080";

    #[test]
    fn behind_https_only_this_host_names_a_browser() {
        let browser = new_browser();
        let kept = keep(SECURE, &browser).to_str().unwrap().to_owned();
        // What browsers demand of the prefix: Secure, the path /, and no domain.
        assert_eq!(kept, format!("__Host-jan_browser={browser}; Path=/; HttpOnly; SameSite=Lax; Secure"));
        let sent = |name: &str| {
            let value = HeaderValue::try_from(format!("{name}={browser}")).unwrap();
            HeaderMap::from_iter([(header::COOKIE, value)])
        };
        assert_eq!(read(SECURE, &sent("__Host-jan_browser")), Some(browser.as_str()));
        assert_eq!(read(SECURE, &sent("jan_browser")), None, "anybody's neighbour can set that one");
        assert_eq!(read(PLAIN, &sent("jan_browser")), Some(browser.as_str()));
        assert_eq!(
            keep(PLAIN, &browser).to_str().unwrap(),
            format!("jan_browser={browser}; Path=/; HttpOnly; SameSite=Lax")
        );
    }
}
