//! An OpenID Connect provider that says what a test tells it to, right or wrong.
//!
//! It signs nothing: tests put in the tokens and keys, and what is bent about them is the test's to say. Whatever it is
//! asked is remembered.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// Where the discovery document is.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where the keys are.
pub const KEYS: &str = "/jwks";
/// Where codes are exchanged.
pub const TOKEN: &str = "/token";
/// Where a user's details are.
pub const USER_INFO: &str = "/userinfo";

/// The provider; gone when dropped.
pub struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    replies: Mutex<HashMap<String, Reply>>,
    asked: Mutex<Vec<Asked>>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

/// What the provider answers at a path.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status and JSON.
    Json(u16, Value),
    /// A redirect.
    Redirect(String),
    /// More bytes than anybody should read.
    Huge,
    /// The head of an answer, and then silence.
    Stall,
}

impl Provider {
    /// A provider at a free port, with a right discovery document, no keys and no users.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the listener has an address");
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        #[expect(clippy::disallowed_methods, reason = "the provider ends with the test, not with a server")]
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("the provider serves") });
        let provider = Self { address, shared, task };
        provider.reply(DISCOVERY, Reply::Json(200, provider.document()));
        provider
    }

    /// The provider's address, which is its issuer.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The discovery document as it should be.
    pub fn document(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}{TOKEN}"),
            "jwks_uri": format!("{issuer}{KEYS}"),
            "userinfo_endpoint": format!("{issuer}{USER_INFO}"),
            "end_session_endpoint": format!("{issuer}/logout"),
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        })
    }

    /// From now on, this is the answer at `path`.
    pub fn reply(&self, path: &str, reply: Reply) {
        lock(&self.shared.replies).insert(path.to_owned(), reply);
    }

    /// What was asked at `path`, in order.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        lock(&self.shared.asked).iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(shared): State<Arc<Shared>>, _: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let reply = lock(&shared.replies).get(&path).cloned();
    let body = String::from_utf8_lossy(&body).into_owned();
    lock(&shared.asked).push(Asked { path, headers, body });
    match reply {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Reply::Json(status, body)) => {
            let status = StatusCode::from_u16(status).expect("a status");
            (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
        }
        Some(Reply::Redirect(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Reply::Huge) => Body::from(vec![b' '; 8 << 20]).into_response(),
        Some(Reply::Stall) => {
            tokio::time::sleep(Duration::from_mins(10)).await;
            StatusCode::OK.into_response()
        }
    }
}
