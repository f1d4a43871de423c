//! The table `api_keys`. Keys are kept as digests.

use domain::{
    Timestamp,
    api_key::ApiKey,
    ids::{ApiKeyId, UserId},
    page::{Page, PageRequest},
    user::User,
};

use crate::{
    Reader, Result, Revocation, Tx,
    row::row,
    statement::{Json, query},
    text,
    users::UserRow,
};

const INSERT: &str = "INSERT INTO api_keys
    (id, user_id, name, prefix, suffix, digest, scopes, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const COUNT: &str = "SELECT COUNT(*) FROM api_keys
    WHERE user_id = $1 AND ($2 OR (revoked_at IS NULL AND expires_at > $3))";
const EXISTS: &str = "SELECT COUNT(*) FROM api_keys WHERE user_id = $1 AND id = $2";
const LIST_DOWN: &str =
    "SELECT id, user_id, name, prefix, suffix, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_keys
    WHERE user_id = $1 AND ($2 OR (revoked_at IS NULL AND expires_at > $3)) AND ($4 IS NULL OR id < $4)
    ORDER BY id DESC LIMIT $5";
const LIST_UP: &str =
    "SELECT id, user_id, name, prefix, suffix, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_keys
    WHERE user_id = $1 AND ($2 OR (revoked_at IS NULL AND expires_at > $3)) AND ($4 IS NULL OR id > $4)
    ORDER BY id LIMIT $5";
const OWNER: &str = "SELECT user_id FROM api_keys WHERE id = $1";
const REVOKE: &str = "UPDATE api_keys SET revoked_at = $3 WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL";
const REVOKE_ALL: &str =
    "UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2";
const BY_DIGEST: &str =
    "SELECT k.id AS key_id, k.name AS key_name, k.prefix, k.suffix, k.scopes, k.created_at AS key_created_at,
        k.expires_at, k.last_used_at, k.revoked_at,
        u.id, u.issuer, u.subject, u.username, u.email, u.name, u.roles, u.created_at,
        u.email_verified_at, u.disabled_at
    FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.digest = $1 AND u.disabled_at IS NULL";
const USED: &str =
    "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";

/// Which of an owner's keys.
#[derive(Clone, Copy, Debug)]
pub enum KeyFilter {
    /// Those that can be used at this moment.
    Active(Timestamp),
    /// Revoked and expired ones too.
    All,
}

impl KeyFilter {
    /// As parameters: whether every key is meant, and the moment that decides otherwise.
    fn parameters(self) -> (bool, i64) {
        match self {
            Self::Active(now) => (false, now.micros()),
            Self::All => (true, 0),
        }
    }
}

row! {
    struct KeyRow {
        id: String,
        user_id: String,
        name: String,
        prefix: String,
        suffix: String,
        scopes: Json<Vec<String>>,
        created_at: i64,
        expires_at: i64,
        last_used_at: Option<i64>,
        revoked_at: Option<i64>,
    }
}

impl KeyRow {
    fn into_key(self) -> Result<ApiKey> {
        Ok(ApiKey {
            id: text::id(&self.id, "api_keys.id")?,
            user_id: text::id(&self.user_id, "api_keys.user_id")?,
            name: self.name,
            prefix: self.prefix,
            suffix: self.suffix,
            scopes: self.scopes.0,
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: Timestamp::from_micros(self.expires_at),
            last_used_at: self.last_used_at.map(Timestamp::from_micros),
            revoked_at: self.revoked_at.map(Timestamp::from_micros),
        })
    }
}

row! {
    struct KeyAndUserRow {
        key_id: String,
        key_name: String,
        prefix: String,
        suffix: String,
        scopes: Json<Vec<String>>,
        key_created_at: i64,
        expires_at: i64,
        last_used_at: Option<i64>,
        revoked_at: Option<i64>,
        ;
        user: UserRow,
    }
}

impl KeyAndUserRow {
    fn into_parts(self) -> Result<(ApiKey, User)> {
        let key = KeyRow {
            id: self.key_id,
            user_id: self.user.id.clone(),
            name: self.key_name,
            prefix: self.prefix,
            suffix: self.suffix,
            scopes: self.scopes,
            created_at: self.key_created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            revoked_at: self.revoked_at,
        };
        Ok((key.into_key()?, self.user.into_user()?))
    }
}

impl Reader {
    /// A page of the owner's keys, with the number of all that the filter lets through. `None` when `after` names none
    /// of the owner's keys.
    pub async fn api_keys(
        &mut self,
        owner: &UserId,
        filter: KeyFilter,
        page: &PageRequest,
    ) -> Result<Option<Page<ApiKey>>> {
        let (all, now) = filter.parameters();
        if let Some(after) = &page.after
            && !self.owns(EXISTS, owner, after).await?
        {
            return Ok(None);
        }
        let list = page.order.pick(LIST_UP, LIST_DOWN);
        let rows: Vec<KeyRow> = query(list)
            .bind(owner.as_str())
            .bind(all)
            .bind(now)
            .bind(&page.after)
            .bind(page.lookahead())
            .fetch_all(self)
            .await?;
        let keys = rows.into_iter().map(KeyRow::into_key).collect::<Result<Vec<_>>>()?;
        let mut page = Page::from_lookahead(keys, page.limit);
        page.total = Some(self.count_api_keys(owner, filter).await?);
        Ok(Some(page))
    }

    /// How many keys the owner has.
    pub async fn count_api_keys(&mut self, owner: &UserId, filter: KeyFilter) -> Result<u64> {
        let (all, now) = filter.parameters();
        let count: i64 = query(COUNT).bind(owner.as_str()).bind(all).bind(now).fetch_one(self).await?;
        Ok(count.unsigned_abs())
    }

    /// Whose key this is: for who administers the server.
    pub async fn api_key_owner(&mut self, id: &ApiKeyId) -> Result<Option<UserId>> {
        let owner: Option<String> = query(OWNER).bind(id.as_str()).fetch_optional(self).await?;
        owner.map(|owner| text::id(&owner, "api_keys.user_id")).transpose()
    }

    /// The key with this SHA-256, whatever its state, and its owner, unless disabled. This is how a caller becomes
    /// known, so there is no owner to begin with.
    pub async fn api_key_by_digest(&mut self, digest: &[u8; 32]) -> Result<Option<(ApiKey, User)>> {
        let row: Option<KeyAndUserRow> = query(BY_DIGEST).bind(&digest[..]).fetch_optional(self).await?;
        row.map(KeyAndUserRow::into_parts).transpose()
    }
}

impl Tx {
    /// Adds a key, by the SHA-256 of its text.
    pub async fn insert_api_key(&mut self, key: &ApiKey, digest: &[u8; 32]) -> Result<()> {
        query(INSERT)
            .bind(key.id.as_str())
            .bind(key.user_id.as_str())
            .bind(&key.name)
            .bind(&key.prefix)
            .bind(&key.suffix)
            .bind(&digest[..])
            .bind(Json(&key.scopes))
            .bind(key.created_at.micros())
            .bind(key.expires_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Takes a key back and tells the other processes at the commit; `false` when the owner has no such key or took it
    /// back before.
    pub async fn revoke_api_key(&mut self, owner: &UserId, id: &ApiKeyId, now: Timestamp) -> Result<bool> {
        let changed = query(REVOKE).bind(owner.as_str()).bind(id.as_str()).bind(now.micros()).execute(self).await?;
        if changed > 0 {
            self.announce(&Revocation::ApiKey(id.clone())).await?;
        }
        Ok(changed > 0)
    }

    /// Takes all keys of an owner back that are good, and tells the other processes at the commit; says how many.
    pub async fn revoke_api_keys(&mut self, owner: &UserId, now: Timestamp) -> Result<u64> {
        let revoked = query(REVOKE_ALL).bind(owner.as_str()).bind(now.micros()).execute(self).await?;
        self.announce(&Revocation::User(owner.clone())).await?;
        Ok(revoked)
    }

    /// Notes that a key was used; never moves the time back.
    pub async fn touch_api_key(&mut self, id: &ApiKeyId, now: Timestamp) -> Result<()> {
        query(USED).bind(id.as_str()).bind(now.micros()).execute(self).await?;
        Ok(())
    }
}
