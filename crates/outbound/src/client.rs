//! The client: one per process, cheap to clone.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::Scheme;
use http::{Request, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;

use crate::body::{Body, ResponseBody};
use crate::connector::{self, Connector};
use crate::error::{Error, Stage};
use crate::lanes::Lanes;
use crate::lookup::{Lookup, System};
use crate::options::Options;
use crate::plain::Plain;
use crate::rules::Rules;
use crate::target::Target;

/// Pools for configured upstreams: room for some 800 HTTP/2 streams to one server before they queue.
const OPERATOR_LANES: usize = 8;

/// Who chose the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// An administrator, in the configuration: any address, any port; logged.
    Operator,
    /// Anybody else: a caller, a model, a document. The address rules hold.
    User,
}

/// Sends requests. Clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

pub(crate) struct Shared {
    /// Never shared between the two: a user's request must not ride on an operator's connection.
    operator: Lanes,
    /// The operator's servers that are asked in the clear.
    plain: Plain,
    user: Lanes,
    pub(crate) rules: Arc<Rules>,
    lookup: Arc<dyn Lookup>,
    connect_timeout: Duration,
    pub(crate) fetches: Semaphore,
    user_agent: HeaderValue,
    announce: OnceLock<Announce>,
}

/// Adds headers that say what a request is part of, such as a trace.
pub type Announce = fn(&mut HeaderMap);

impl std::fmt::Debug for Client {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Client").field("rules", &self.0.rules).finish_non_exhaustive()
    }
}

impl Client {
    /// Reads the trusted certificates; opens no connection.
    pub fn new(options: &Options) -> Result<Self, Error> {
        Self::with_lookup(options, Arc::new(System))
    }

    /// The same, with names looked up another way.
    pub fn with_lookup(options: &Options, lookup: Arc<dyn Lookup>) -> Result<Self, Error> {
        let user_agent = HeaderValue::from_str(&options.user_agent)
            .map_err(|_| Error::Options("`user_agent` has characters that no header may have".to_owned()))?;
        let tls = tls(options)?;
        let rules = Arc::new(Rules::new(options));
        let connector = |rules| Connector::new(tls.clone(), rules, Arc::clone(&lookup), options.connect_timeout());
        let (anywhere, allowed) = (connector(None), connector(Some(Arc::clone(&rules))));
        Ok(Self(Arc::new(Shared {
            operator: Lanes::new(OPERATOR_LANES, &anywhere, options.idle_timeout()),
            plain: Plain::new(anywhere, options.idle_timeout()),
            user: Lanes::new(1, &allowed, options.idle_timeout()),
            rules,
            connect_timeout: options.connect_timeout(),
            fetches: Semaphore::new(options.max_fetches.clamp(1, Semaphore::MAX_PERMITS)),
            user_agent,
            announce: OnceLock::new(),
            lookup,
        })))
    }

    /// From now on requests to servers that an administrator chose get the headers that `announce` adds. To be said
    /// once, for all clones; nobody else's servers learn them.
    pub fn announce_with(&self, announce: Announce) {
        let _first = self.0.announce.set(announce);
    }

    /// Sends one request and returns when the answer's head is there; both bodies are streamed. Redirects are
    /// answers like any other. Only connecting has a time limit here: how long a server may think is the
    /// caller's to say. Dropping the future or the answer cancels the request.
    pub async fn send(&self, trust: Trust, mut request: Request<Body>) -> Result<Response<ResponseBody>, Error> {
        if trust == Trust::User {
            let target = Target::parse(&request.uri().to_string(), &self.0.rules)?;
            *request.uri_mut() = target.uri()?;
            // The name that was judged is the name that is asked.
            request.headers_mut().remove(HOST);
            request.headers_mut().remove(USER_AGENT);
        }
        let agent = &self.0.user_agent;
        request.headers_mut().entry(USER_AGENT).or_insert_with(|| agent.clone());
        let lanes = match trust {
            Trust::Operator => {
                if let Some(announce) = self.0.announce.get() {
                    announce(request.headers_mut());
                }
                if request.uri().scheme() == Some(&Scheme::HTTP) {
                    return self.0.plain.send(request).await;
                }
                &self.0.operator
            }
            Trust::User => &self.0.user,
        };
        let (pool, busy) = lanes.pick();
        let response = pool.request(request).await.map_err(Error::from_client)?;
        Ok(response.map(|body| ResponseBody::of_lane(body, busy)))
    }

    /// Whether a user's URL is allowed now, for checking at registration. It is checked again whenever it is
    /// requested, because names change where they lead.
    pub async fn check(&self, url: &str) -> Result<(), Error> {
        let target = Target::parse(url, &self.0.rules)?;
        if let Some(name) = target.url().domain() {
            let resolving = connector::resolve(name, &self.0.rules, &*self.0.lookup);
            let in_time = tokio::time::timeout(self.0.connect_timeout, resolving).await;
            in_time.map_err(|_| Error::Timeout(Stage::Connect))??;
        }
        Ok(())
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

/// Trusts the system's certificates and those of `ca_file`. A system without any still starts: plain http
/// works, and https says what is missing.
fn tls(options: &Options) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if let Some(path) = &options.ca_file {
        let unusable = |error: &dyn std::fmt::Display| Error::Options(format!("`ca_file` {}: {error}", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))? {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
    }
    if roots.is_empty() {
        tracing::warn!("No trusted certificates found: https will fail; install ca-certificates or set SSL_CERT_FILE");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Options(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
