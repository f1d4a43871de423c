//! The service on a database, and who may call it.

use std::sync::Arc;

use domain::{Clock, Secret};
use http_kit::{Edge, EdgeOptions};
use identity::Identity;
use store::{DatabaseOptions, Store};
use template_api::{Options, State, service};
use testkit::{client::Client, database::Database};
use tokio_util::sync::CancellationToken;

/// The mounted service and what it stands on.
pub(crate) struct App {
    pub(crate) store: Store,
    identity: Identity,
    anonymous: Client,
    _keys: tempfile::TempDir,
}

impl App {
    pub(crate) async fn new(database: &Database, options: Options) -> Self {
        let settings = DatabaseOptions { url: Some(Secret::new(&*database.url)), ..DatabaseOptions::default() };
        let store = Store::open(&settings).await.unwrap();
        let keys = tempfile::tempdir().unwrap();
        let issuer = "http://localhost".to_owned();
        let identity =
            Identity::open(identity::Options::default(), store.clone(), keys.path(), issuer, Clock::System).unwrap();
        let token = CancellationToken::new;
        let edge = Edge::new(EdgeOptions::default(), Arc::new(identity.clone()), Clock::System, token(), token());
        let mounted = service(State { store: store.clone(), options }).mount(&edge);
        Self { store, identity, anonymous: Client::new(mounted), _keys: keys }
    }

    /// A caller without credentials.
    pub(crate) fn anonymous(&self) -> Client {
        self.anonymous.clone()
    }

    /// A guest.
    pub(crate) async fn guest(&self) -> Client {
        let session = self.identity.guest_login(None).await.unwrap();
        self.anonymous.bearer(session.access_token.expose())
    }
}
