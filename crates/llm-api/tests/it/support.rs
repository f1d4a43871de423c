//! The service on a database of its own, with people in it.

use std::{sync::Arc, time::Duration};

use app::{chat::Chat, models::Models};
use domain::{Clock, Secret, Timestamp};
use http_kit::{Edge, EdgeOptions};
use identity::{Identity, Options};
use llm_api::State;
use providers::{ChatProvider, OpenAi, Scripted};
use serde_json::{Value, json};
use store::{DatabaseOptions, Store};
use tempfile::TempDir;
use testkit::{client::Client, database::Database, upstream::Upstream};
use tokio_util::sync::CancellationToken;

pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A running service.
pub(crate) struct App {
    client: Client,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) identity: Identity,
    _keys: TempDir,
    _database: Database,
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::build(options, Vec::new()).await
    }

    /// With the models of the scripted provider, and those of `upstream`.
    pub(crate) async fn serving(upstream: &Upstream) -> Self {
        let client = outbound::Client::new(&outbound::Options::default()).unwrap();
        let options = providers::openai::Options {
            first_byte_secs: 1,
            idle_secs: 1,
            ..providers::openai::Options::new(upstream.url())
        };
        let openai = OpenAi::new(&options, client).unwrap();
        Self::build(Options::default(), vec![Arc::new(Scripted), Arc::new(openai)]).await
    }

    async fn build(options: Options, providers: Vec<Arc<dyn ChatProvider>>) -> Self {
        let database = Database::sqlite();
        let url = Some(Secret::new(database.url.clone()));
        let store = Store::open(&DatabaseOptions { url, ..DatabaseOptions::default() }).await.unwrap();
        let keys = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(NOW);
        let identity = Identity::open(options, store.clone(), keys.path(), ISSUER.to_owned(), clock.clone()).unwrap();
        let never = CancellationToken::new;
        let edge = Edge::new(EdgeOptions::default(), Arc::new(identity.clone()), clock.clone(), never(), never());
        let models = Models::new(providers, clock.clone());
        models.refresh(Duration::from_secs(20)).await;
        let chat = Chat::new(models.clone(), clock.clone());
        let state = State { chat, models, identity: identity.clone(), store: store.clone() };
        let client = Client::new(llm_api::service(state).mount(&edge));
        Self { client, clock, store, identity, _keys: keys, _database: database }
    }

    /// A caller without credentials.
    pub(crate) fn anonymous(&self) -> Client {
        self.client.clone()
    }

    /// A new guest, and the answer to its login.
    pub(crate) async fn login(&self) -> (Client, Value) {
        let answer = self.client.post("/auth/guest-login", &json!({})).await.expect(201).json();
        (self.client.bearer(answer["access_token"].as_str().unwrap()), answer)
    }

    /// A new guest.
    pub(crate) async fn guest(&self) -> Client {
        self.login().await.0
    }

    /// What `/metrics` shows on this machine.
    pub(crate) async fn metrics(&self) -> String {
        let mut request = http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
        let peer = http_kit::PeerAddr(([127, 0, 0, 1], 9).into());
        request.extensions_mut().insert(peer);
        self.client.send(request).await.expect(200).text()
    }
}
