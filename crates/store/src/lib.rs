//! The database: one SQL text for SQLite and PostgreSQL.
//!
//! [`Store`] opens the database and hands out two things: a [`Reader`] to look, and a [`Tx`] to change. A `Tx` can do
//! whatever a `Reader` can; dropped without [`Tx::commit`] it leaves no trace. Each table has a file with its statements, each
//! a constant, and a function for what is done with them, of one statement where one does; what joins several tables (a
//! conversation's history, the search, the clean-up) has a file of its own. What belongs to somebody takes its owner first.
//!
//! Statements use what both engines share: `$1` parameters, `ON CONFLICT`, `RETURNING`, JSON as a whole. Times are
//! microseconds from the caller's clock, ids are made by `domain::ids`. Where the engines must differ, the function
//! says why.
//!
//! This crate decides nothing: no permission, no limit, no retry; it knows neither HTTP nor providers. Nobody holds a
//! `Tx` while waiting for anything but the store.

mod api_keys;
mod audit;
mod branches;
mod clean_up;
mod code_flow;
mod conversation_list;
mod conversations;
mod email_proofs;
mod engine;
mod error;
mod external;
mod history;
mod idempotency_keys;
mod idle_guests;
mod item_changes;
mod item_lookup;
mod items;
mod memories;
mod migrate;
mod options;
mod plan;
mod projects;
mod prompt_templates;
mod refresh_tokens;
mod revocations;
mod row;
mod samples;
mod search;
mod sessions;
mod setup_links;
mod shares;
mod signing_keys;
mod sqlite;
mod statement;
mod text;
mod user_settings;
mod users;
mod writer;

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{Clock, ids::UserId};
use engine::{Conn, Engine, Held};
use statement::query;

pub use api_keys::KeyFilter;
pub use branches::{Fork, Shows};
pub use clean_up::CleanUp;
pub use code_flow::{AuthorizationCode, LoginRequest};
pub use email_proofs::EmailProof;
pub use error::StoreError;
pub use external::{ExternalGrant, ExternalLogin, ExternalProfile, ExternalUser};
pub use history::History;
pub use idempotency_keys::{Holder, IdempotentRequest, KnownRequest};
pub use idle_guests::Guests;
pub use items::{Appended, ItemPage, ItemUpdate};
pub use memories::{MemoryFilter, MemoryPlace};
pub use options::{DatabaseOptions, Synchronous};
pub use projects::{CountedProject, NameTaken};
pub use prompt_templates::ActivePromptTemplate;
pub use refresh_tokens::{NewRefreshToken, RefreshToken, RefreshTokenState, Successors};
pub use revocations::{Revocation, Revocations};
pub use sessions::TokenUser;
pub use shares::{OpenShare, ShareFilter};
pub use signing_keys::{SigningKey, SigningKeyState};
pub use user_settings::ChangedSettings;
pub use users::{Account, Taken, UserFilter};

/// The result of everything here.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How long [`Store::ping`] waits.
const PING: Duration = Duration::from_secs(2);

/// An open database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    migrated: AtomicBool,
    writes: AtomicU64,
}

impl Store {
    /// Opens the database and brings its schema up to date.
    pub async fn open(options: &DatabaseOptions) -> Result<Self> {
        let store = Self::connect_lazy(options)?;
        store.migrate().await?;
        Ok(store)
    }

    /// Prepares to open the database without touching it yet. Until [`Store::migrate`] has succeeded once, everything
    /// answers [`StoreError::Unavailable`]; so a server can start before its PostgreSQL and call `migrate` again after
    /// a pause while that answers [`StoreError::Unavailable`]. Other errors do not mend themselves.
    pub fn connect_lazy(options: &DatabaseOptions) -> Result<Self> {
        let engine = Engine::prepare(options)?;
        Ok(Self(Arc::new(Inner { engine, migrated: AtomicBool::new(false), writes: AtomicU64::new(0) })))
    }

    /// Brings the schema up to date; one query when it is.
    pub async fn migrate(&self) -> Result<()> {
        migrate::run(&self.0.engine, Clock::System.now()).await?;
        self.0.migrated.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes a connection to read with. Several statements see several states: read in a [`Tx`] what must agree.
    pub async fn read(&self) -> Result<Reader> {
        self.check_migrated()?;
        Ok(Reader(self.0.engine.read().await?))
    }

    /// Begins a transaction. On SQLite there is one at a time, so it is kept short.
    pub async fn write(&self) -> Result<Tx> {
        self.check_migrated()?;
        self.0.writes.fetch_add(1, Ordering::Relaxed);
        Ok(Tx(Reader(self.0.engine.write().await?)))
    }

    /// How many transactions this process began: while it grows, somebody writes.
    pub fn writes(&self) -> u64 {
        self.0.writes.load(Ordering::Relaxed)
    }

    /// Whether the database answers, within two seconds: what readiness means.
    pub async fn ping(&self) -> Result<()> {
        let answer = async { self.read().await?.ping().await };
        tokio::time::timeout(PING, answer).await.unwrap_or(Err(StoreError::Unavailable(None)))
    }

    /// What other processes on this database take back. Ends never; on SQLite it stays silent, since there the
    /// processes that share a file cannot call each other.
    pub async fn listen_revocations(&self) -> Result<Revocations> {
        Revocations::listen(&self.0.engine).await
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        self.0.engine.close().await;
    }

    fn check_migrated(&self) -> Result<()> {
        if self.0.migrated.load(Ordering::Acquire) { Ok(()) } else { Err(StoreError::Unavailable(None)) }
    }
}

/// A connection that reads.
pub struct Reader(Held);

impl Reader {
    fn conn(&mut self) -> Conn<'_> {
        self.0.conn()
    }

    fn is_postgres(&self) -> bool {
        self.0.is_postgres()
    }

    /// Whether `statement`, which counts rows of an owner with an id, counts any.
    async fn owns(&mut self, statement: &'static str, owner: &UserId, id: &str) -> Result<bool> {
        let count: i64 = query(statement).bind(owner.as_str()).bind(id).fetch_one(self).await?;
        Ok(count > 0)
    }

    async fn ping(&mut self) -> Result<()> {
        query("SELECT 1").execute(self).await.map(drop)
    }
}

/// A transaction: reads, and writes that appear together at [`Tx::commit`] or never.
pub struct Tx(Reader);

impl Tx {
    /// Makes what was written permanent and visible.
    pub async fn commit(self) -> Result<()> {
        self.0.0.commit().await
    }
}

impl Deref for Tx {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.0
    }
}
