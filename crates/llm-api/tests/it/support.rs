//! The service on a database of its own, with people in it.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use app::{
    chat::Chat,
    conversations::Conversations,
    models::Models,
    prompt::{self, Prompt},
    sharing::{self, Sharing},
    turns::Turns,
};
use domain::{Clock, Secret, Timestamp};
use http_kit::{Edge, EdgeOptions, Idempotency};
use identity::{Identity, Options};
use llm_api::State;
use providers::{ChatProvider, OpenAi, Scripted};
use serde_json::{Value, json};
use store::{DatabaseOptions, Store};
use tempfile::TempDir;
use testkit::{client::Client, database::Database, upstream::Upstream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A running service.
pub(crate) struct App {
    client: Client,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) identity: Identity,
    pub(crate) sharing: Sharing,
    _keys: TempDir,
    pub(crate) database: Database,
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::on(Database::migrated_sqlite().await).await
    }

    pub(crate) async fn with(database: Database, options: Options) -> Self {
        Self::build_on(database, options, Vec::new(), sharing::Options::default()).await
    }

    /// On this database.
    pub(crate) async fn on(database: Database) -> Self {
        Self::build_on(database, Options::default(), Vec::new(), sharing::Options::default()).await
    }

    /// Where nothing is shared.
    pub(crate) async fn without_sharing() -> Self {
        Self::build(Options::default(), Vec::new(), sharing::Options { enabled: false }).await
    }

    /// With the models of the scripted provider, and those of `upstream`.
    pub(crate) async fn serving(upstream: &Upstream) -> Self {
        Self::serving_on(Database::migrated_sqlite().await, upstream).await
    }

    /// The same on this database.
    pub(crate) async fn serving_on(database: Database, upstream: &Upstream) -> Self {
        let client = outbound::Client::new(&outbound::Options::default()).unwrap();
        let options = providers::openai::Options {
            first_byte_secs: 1,
            idle_secs: 1,
            ..providers::openai::Options::new(upstream.url())
        };
        let openai = OpenAi::new(&options, client).unwrap();
        let providers: Vec<Arc<dyn ChatProvider>> = vec![Arc::new(Scripted), Arc::new(openai)];
        Self::build_on(database, Options::default(), providers, sharing::Options::default()).await
    }

    /// With the models of `upstream`, and prompts as these options say.
    pub(crate) async fn prompting(upstream: &Upstream, prompt: prompt::Options) -> Self {
        let mut app = Self::serving(upstream).await;
        let client = outbound::Client::new(&outbound::Options::default()).unwrap();
        let openai = OpenAi::new(&providers::openai::Options::new(upstream.url()), client).unwrap();
        let models = Models::new(vec![Arc::new(openai)], app.clock.clone());
        models.refresh(Duration::from_secs(20)).await;
        let never = CancellationToken::new;
        let verifier = Arc::new(app.identity.clone());
        let edge = Edge::new(EdgeOptions::default(), verifier, app.clock.clone(), never(), never());
        let state = State {
            turns: turns(&models, prompt, &app.store, &app.clock),
            models,
            sharing: app.sharing.clone(),
            identity: app.identity.clone(),
            store: app.store.clone(),
        };
        app.client = Client::new(llm_api::service(state).mount(&edge));
        app
    }

    async fn build(options: Options, providers: Vec<Arc<dyn ChatProvider>>, shared: sharing::Options) -> Self {
        Self::build_on(Database::migrated_sqlite().await, options, providers, shared).await
    }

    async fn build_on(
        database: Database,
        options: Options,
        providers: Vec<Arc<dyn ChatProvider>>,
        shared: sharing::Options,
    ) -> Self {
        let url = Some(Secret::new(database.url.clone()));
        let store = Store::open(&DatabaseOptions { url, ..DatabaseOptions::default() }).await.unwrap();
        let keys = keys();
        let clock = Clock::fixed(NOW);
        let identity = Identity::open(options, store.clone(), keys.path(), ISSUER.to_owned(), clock.clone()).unwrap();
        let never = CancellationToken::new;
        let edge = Edge::new(EdgeOptions::default(), Arc::new(identity.clone()), clock.clone(), never(), never());
        let keys_seen = Idempotency::new(store.clone(), clock.clone(), TaskTracker::new(), never());
        let edge = edge.with_idempotency(keys_seen);
        let models = Models::new(providers, clock.clone());
        models.refresh(Duration::from_secs(20)).await;
        let turns = turns(&models, prompt::Options::default(), &store, &clock);
        let sharing = Sharing::new(store.clone(), clock.clone(), ISSUER, shared);
        let state = State { turns, models, sharing: sharing.clone(), identity: identity.clone(), store: store.clone() };
        let client = Client::new(llm_api::service(state).mount(&edge));
        Self { client, clock, store, identity, sharing, _keys: keys, database }
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

/// Chats with `models`, in conversations of `store` and by themselves, with prompts as `options` say.
/// A directory with a signing key. Making one costs more than the rest of a test, so all have the same.
fn keys() -> TempDir {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    const FILE: &str = "signing-key.der";
    let key = KEY.get_or_init(|| {
        let made = tempfile::tempdir().unwrap();
        let store = Store::connect_lazy(&DatabaseOptions::default()).unwrap();
        Identity::open(Options::default(), store, made.path(), ISSUER.to_owned(), Clock::fixed(NOW)).unwrap();
        fs::read(made.path().join(FILE)).unwrap()
    });
    let directory = tempfile::tempdir().unwrap();
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.path().join(FILE)).unwrap();
    file.write_all(key).unwrap();
    directory
}

fn turns(models: &Models, options: prompt::Options, store: &Store, clock: &Clock) -> Turns {
    let chat = Chat::new(models.clone(), clock.clone());
    let prompt = Prompt::new(options, store.clone(), clock.clone(), None);
    let conversations = Conversations::new(store.clone(), clock.clone());
    Turns::new(chat, models.clone(), prompt, conversations, store.clone(), clock.clone(), TaskTracker::new())
}
