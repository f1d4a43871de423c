//! A browser without a window: it keeps cookies, follows redirects and fills in the provider's forms.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use url::{Url, form_urlencoded};

use super::provider::LANDING;
use crate::server::{HttpClient, PATIENCE, client};

/// Redirects and forms in one way.
const MOST_STEPS: usize = 20;

pub(crate) struct Agent {
    client: HttpClient,
    cookies: BTreeMap<String, String>,
}

/// A page, or where it points to.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Agent {
    pub(crate) fn new() -> Self {
        Self { client: client(), cookies: BTreeMap::new() }
    }

    /// One request; redirects are not followed.
    pub(crate) async fn get(&mut self, url: &str) -> Page {
        self.ask(Request::get(url), None).await
    }

    async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Page {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request, Some(form)).await
    }

    async fn ask(&mut self, request: http::request::Builder, body: Option<String>) -> Page {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, cookies.join("; ")).header(header::ACCEPT, "text/html");
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default()))).unwrap();
        let asked = async {
            let (head, body) = self.client.request(request).await.unwrap().into_parts();
            let text = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
            Page { status: head.status, headers: head.headers, text }
        };
        let page = tokio::time::timeout(PATIENCE, asked).await.expect("an answer in time");
        for line in page.headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        page
    }

    /// Signs in as `name`, and says where the provider sends the browser back to, without going there.
    pub(crate) async fn callback(&mut self, url: &str, name: &str, server: &str) -> String {
        let callback = format!("{server}/auth/callback?");
        self.follow(url, name, &callback).await.0
    }

    /// Follows redirects, signs in as `name` wherever it is asked to, and says where it landed. The second address is the
    /// last one before that.
    pub(crate) async fn sign_in(&mut self, url: &str, name: &str) -> (String, String) {
        self.follow(url, name, LANDING).await
    }

    async fn follow(&mut self, url: &str, name: &str, until: &str) -> (String, String) {
        let (mut url, mut page) = (url.to_owned(), self.get(url).await);
        for _ in 0..MOST_STEPS {
            if page.status.is_redirection() {
                let next = Url::parse(&url).unwrap().join(page.headers[header::LOCATION].to_str().unwrap()).unwrap();
                if next.as_str().starts_with(until) {
                    return (next.into(), url);
                }
                url = next.into();
                page = self.get(&url).await;
                continue;
            }
            assert_eq!(page.status, StatusCode::OK, "{url}: {}", page.text);
            let form = |text: &str| page.text.contains(text);
            let fields: &[(&str, &str)] = if form(r#"value="login""#) {
                &[("prompt", "login"), ("login", name), ("password", "any")]
            } else if form(r#"value="consent""#) {
                &[("prompt", "consent")]
            } else if form(r#"name="xsrf""#) {
                &[("xsrf", "…"), ("logout", "yes")]
            } else {
                panic!("{url}: {}", page.text)
            };
            let mut fields = fields.to_vec();
            let xsrf = between(&page.text, r#"name="xsrf" value=""#, "\"");
            if let (Some((_, value)), Some(xsrf)) = (fields.iter_mut().find(|(name, _)| *name == "xsrf"), &xsrf) {
                *value = xsrf;
            }
            url = between(&page.text, "action=\"", "\"").expect("a form has an action");
            page = self.post(&url, &fields).await;
        }
        panic!("this leads nowhere: {url}")
    }
}

/// What stands between two texts.
fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let rest = text.split_once(before)?.1;
    Some(rest.split_once(after)?.0.to_owned())
}

/// The parameters of an address's query.
pub(crate) fn query(url: &str) -> HashMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

/// The parameters of an address's fragment.
pub(crate) fn fragment(url: &str) -> HashMap<String, String> {
    let url = Url::parse(url).unwrap();
    form_urlencoded::parse(url.fragment().unwrap_or_default().as_bytes()).into_owned().collect()
}
