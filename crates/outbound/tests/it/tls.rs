//! TLS: a private authority that the operator trusts, certificates that do not fit, no way down to plain http.

use std::{path::PathBuf, sync::Arc};

use outbound::{Client, Error, Options};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use crate::support::{Names, Server, allowing, at_once, client, document, fetch, redirect};

/// An authority of our own, in a file as an operator would have it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// What a server named `name` shows.
    fn vouch(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn trusting(authority: Option<&Authority>, servers: &[&Server]) -> Client {
    let names = Names::default().with("files.test", &[&["127.0.0.2"]]).with("other.test", &[&["127.0.0.2"]]);
    let options = Options { ca_file: authority.map(Authority::file), ..allowing("127.0.0.2", servers) };
    client(&options, &names)
}

fn url(name: &str, server: &Server) -> String {
    server.url_as(name, "/").replace("http:", "https:")
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_configured_and_only_then() {
    let authority = Authority::new();
    let server = Server::secure("127.0.0.2", |_| at_once(document("secret")), authority.vouch("files.test")).await;
    let fetched = fetch(&trusting(Some(&authority), &[&server]), &url("files.test", &server)).await.unwrap();
    assert_eq!(fetched.body, "secret");
    for stranger in [None, Some(&Authority::new())] {
        let error = fetch(&trusting(stranger, &[&server]), &url("files.test", &server)).await.unwrap_err();
        assert!(matches!(error, Error::Tls(_)), "{error:?}");
    }
    assert_eq!(server.heads().len(), 1, "nothing is sent before the certificate is good");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let authority = Authority::new();
    let server = Server::secure("127.0.0.2", |_| at_once(document("secret")), authority.vouch("files.test")).await;
    let error = fetch(&trusting(Some(&authority), &[&server]), &url("other.test", &server)).await.unwrap_err();
    assert!(matches!(error, Error::Tls(_)) && error.is_connect(), "{error:?}");
    assert_eq!(error.to_string(), "no secure connection to the server");
}

#[tokio::test]
async fn f5_a_redirect_never_leads_from_https_to_http() {
    let authority = Authority::new();
    let plain = Server::at("127.0.0.2", document("plain")).await;
    let target = plain.url("/");
    let server =
        Server::secure("127.0.0.2", move |_| at_once(redirect(302, &target)), authority.vouch("files.test")).await;
    let result = fetch(&trusting(Some(&authority), &[&server, &plain]), &url("files.test", &server)).await;
    assert!(matches!(result, Err(Error::Refused)), "{result:?}");
    assert_eq!(plain.heads().len(), 0);
}

#[test]
fn an_unusable_file_of_certificates_is_named() {
    let options = Options { ca_file: Some("/nowhere/ca.pem".into()), ..Options::default() };
    let error = Client::new(&options).unwrap_err().to_string();
    assert!(error.contains("ca_file") && error.contains("/nowhere/ca.pem"), "{error}");
}
