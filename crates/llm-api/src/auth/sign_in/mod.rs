//! The sign-in page: plain HTML that works without scripts.
//!
//! Its form is good only for the browser that got it: a cookie says which one that is, and a hidden field repeats it,
//! which no other site's page can. The same cookie binds the code that signing in grants.

pub(super) mod done;
mod page;
pub(super) mod setup;
pub(super) mod show;
pub(super) mod submit;

use axum::http::{HeaderMap, HeaderValue, header};
use domain::secret;
use identity::{AuthorizationRequest, Identity};
use serde::Deserialize;

/// The cookie that tells browsers apart.
const COOKIE: &str = "jan_browser";

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
pub(super) fn browser(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == COOKIE && value.len() == 64).map(|(_, value)| value)
}

/// A name for a browser that has none.
fn new_browser() -> String {
    secret::hex(&secret::random::<32>())
}

/// Lets a browser keep its name, as long as it is open.
fn keep_browser(identity: &Identity, browser: &str) -> HeaderValue {
    let secure = if identity.issuer().starts_with("https://") { "; Secure" } else { "" };
    let text = format!("{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Lax{secure}");
    // Letters and digits.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
