//! Telling the other processes on a PostgreSQL what was taken back, so that none goes on believing its cache.
//!
//! A convenience on top of a bound: caches look again after two seconds anyway, so a lost message costs no more.

use domain::ids::{ApiKeyId, SessionId, UserId};
use sqlx::postgres::PgListener;

use crate::{Result, StoreError, Tx, engine::Engine, statement::query};

const CHANNEL: &str = "jan_revoked";
const NOTIFY: &str = "SELECT pg_notify('jan_revoked', $1)";

/// Something that must not be believed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// A key was taken back.
    ApiKey(ApiKeyId),
    /// A session was ended.
    Session(SessionId),
    /// A user changed: what the user may do, or whether anything at all.
    User(UserId),
    /// The connection was lost and messages with it: anything may have been taken back.
    Unknown,
}

/// The stream of what is taken back.
#[derive(Debug)]
pub struct Revocations(Option<PgListener>);

impl Revocations {
    pub(crate) async fn listen(engine: &Engine) -> Result<Self> {
        let Engine::Postgres(pool) = engine else { return Ok(Self(None)) };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self(Some(listener)))
    }

    /// Waits for the next one. After an error, listen anew.
    ///
    /// # Errors
    /// When the connection is lost and cannot be made again.
    pub async fn next(&mut self) -> Result<Revocation, StoreError> {
        let Some(listener) = &mut self.0 else { return std::future::pending().await };
        Ok(match listener.try_recv().await? {
            Some(message) => parse(message.payload()),
            None => Revocation::Unknown,
        })
    }
}

fn parse(payload: &str) -> Revocation {
    if let Ok(id) = ApiKeyId::parse(payload) {
        Revocation::ApiKey(id)
    } else if let Ok(id) = SessionId::parse(payload) {
        Revocation::Session(id)
    } else if let Ok(id) = UserId::parse(payload) {
        Revocation::User(id)
    } else {
        Revocation::Unknown // From a server of another version: being careful is right and cheap.
    }
}

impl Tx {
    /// Tells the other processes, at the commit. On SQLite nobody listens.
    pub(crate) async fn announce(&mut self, what: &Revocation) -> Result<()> {
        let payload = match what {
            Revocation::ApiKey(id) => id.as_str(),
            Revocation::Session(id) => id.as_str(),
            Revocation::User(id) => id.as_str(),
            Revocation::Unknown => "",
        };
        if self.is_postgres() {
            query(NOTIFY).bind(payload).execute(self).await?;
        }
        Ok(())
    }
}
