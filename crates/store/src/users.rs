//! The table `users`.

use domain::{Timestamp, ids::UserId, user::User};
use sqlx::types::Json;

use crate::{
    Reader, Result, Tx,
    engine::{Conn, on},
    text,
};

const INSERT: &str = "INSERT INTO users (id, issuer, subject, username, email, name, roles, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const GET: &str = "SELECT id, issuer, subject, username, email, name, roles, created_at FROM users WHERE id = $1";
const LOCK: &str = "SELECT id FROM users WHERE id = $1 FOR UPDATE";

/// A row of the table, or the part of a join that is a user.
#[derive(sqlx::FromRow)]
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) username: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) roles: Json<Vec<String>>,
    pub(crate) created_at: i64,
}

impl UserRow {
    pub(crate) fn into_user(self) -> Result<User> {
        Ok(User {
            id: text::id(&self.id, "users.id")?,
            issuer: self.issuer,
            subject: self.subject,
            username: self.username,
            email: self.email,
            name: self.name,
            roles: text::roles_from_column(&self.roles),
            created_at: Timestamp::from_micros(self.created_at),
        })
    }
}

impl Reader {
    /// The user, disabled or not.
    pub async fn user(&mut self, id: &UserId) -> Result<Option<User>> {
        let row: Option<UserRow> = on!(self, c => sqlx::query_as(GET).bind(id.as_str()).fetch_optional(c).await)?;
        row.map(UserRow::into_user).transpose()
    }
}

impl Tx {
    /// Adds a user. Issuer and subject together, and the username, must be new.
    pub async fn insert_user(&mut self, user: &User) -> Result<()> {
        on!(self, c => sqlx::query(INSERT)
            .bind(user.id.as_str())
            .bind(&user.issuer)
            .bind(&user.subject)
            .bind(&user.username)
            .bind(&user.email)
            .bind(&user.name)
            .bind(text::roles_to_column(&user.roles))
            .bind(user.created_at.micros())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Makes other transactions that lock the same user wait for this one, so that what it counts stays true until it
    /// commits. SQLite has one writer and needs no lock (nor knows `FOR UPDATE`).
    pub async fn lock_user(&mut self, id: &UserId) -> Result<()> {
        if let Conn::Postgres(c) = self.conn() {
            sqlx::query(LOCK).bind(id.as_str()).execute(c).await?;
        }
        Ok(())
    }
}
