//! The sign-in page, used as a browser without scripts uses it.

mod change_password;
mod done;
mod setup;
mod show;
mod submit;
mod verify_email;

use std::collections::HashMap;

use http::{HeaderName, Method, header};
use identity::Options;
use serde_json::json;
use testkit::client::{Answer, Client};
use url::form_urlencoded::{self, Serializer};

use crate::support::{App, ISSUER};

const PASSWORD: &str = "correct horse";

/// A browser with its cookie, and the form it shows.
pub(in crate::auth) struct Browser {
    client: Client,
    pub(in crate::auth) fields: HashMap<String, String>,
}

impl Browser {
    /// Follows an address to the page.
    pub(in crate::auth) async fn open(app: &App, url: &str) -> Self {
        let answer = app.anonymous().get(url.strip_prefix(ISSUER).unwrap()).await.expect(200);
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { client: app.anonymous().header(header::COOKIE, &cookie), fields: hidden(&answer.text()) }
    }

    /// Begins a sign-in and opens the page.
    pub(in crate::auth) async fn begin(app: &App, query: &str) -> Self {
        let login = app.anonymous().get(&format!("/auth/login{query}")).await.expect(200).json();
        Self::open(app, login["authorization_url"].as_str().unwrap()).await
    }

    /// Sends the form with these fields filled in.
    pub(in crate::auth) async fn submit(&self, filled: &[(&str, &str)]) -> Answer {
        let hidden = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = Serializer::new(String::new()).extend_pairs(hidden).extend_pairs(filled).finish();
        let form = self.client.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        form.post_bytes("/auth/authorize", body).await
    }

    /// Goes where an answer sends it, at this server.
    pub(in crate::auth) async fn follow(&self, answer: &Answer) -> Answer {
        let target = answer.headers[header::LOCATION].to_str().unwrap();
        self.client.get(target.strip_prefix(ISSUER).unwrap()).await
    }
}

/// The hidden fields of a page's form.
fn hidden(html: &str) -> HashMap<String, String> {
    let value = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\""))?;
        Some(rest.split('"').next()?.replace("&amp;", "&"))
    };
    html.lines()
        .filter(|line| line.contains("type=\"hidden\""))
        .filter_map(|line| Some((value(line, " name")?, value(line, " value")?)))
        .collect()
}

/// An account, made by an upgraded guest.
pub(in crate::auth) async fn with_ada(app: &App) {
    let wish = json!({"email": "ada@example.org", "username": "ada", "password": PASSWORD});
    let _ada = app.guest().await.post("/auth/upgrade", &wish).await.expect(200);
}

/// The parameters of an address's fragment.
pub(in crate::auth) fn fragment(answer: &Answer) -> (String, HashMap<String, String>) {
    let target = answer.headers[header::LOCATION].to_str().unwrap();
    let (before, fragment) = target.split_once('#').unwrap();
    (before.to_owned(), form_urlencoded::parse(fragment.as_bytes()).into_owned().collect())
}
