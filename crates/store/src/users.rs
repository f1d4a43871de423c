//! The table `users`.

use domain::{
    Role, Timestamp,
    ids::{SessionId, UserId},
    page::{Page, PageRequest},
    user::User,
};

use crate::{
    Reader, Result, Revocation, StoreError, Tx,
    row::row,
    statement::{Json, query},
    text,
};

const INSERT: &str = "INSERT INTO users (id, issuer, subject, username, email, name, roles, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const MAKE_ACCOUNT: &str = "UPDATE users SET username = $2, username_folded = $3, email = $4, email_folded = $5,
        email_verified_at = NULL, name = $6, roles = $7, password_hash = $8
    WHERE id = $1";
const GET: &str = "SELECT id, issuer, subject, username, email, name, roles, created_at, email_verified_at, disabled_at
    FROM users WHERE id = $1";
const BY_NAME: &str = "SELECT id, issuer, subject, username, email, name, roles, created_at, email_verified_at,
        disabled_at, password_hash
    FROM users WHERE email_folded = $1 OR username_folded = $1";
const LIST_UP: &str =
    "SELECT id, issuer, subject, username, email, name, roles, created_at, email_verified_at, disabled_at
    FROM users WHERE ($1 IS NULL OR id > $1)
        AND ($2 IS NULL OR COALESCE(username_folded, username) LIKE $2 ESCAPE '!' OR email_folded LIKE $2 ESCAPE '!')
        AND ($3 IS NULL OR CAST(roles AS TEXT) LIKE $3) AND ($4 IS NULL OR (disabled_at IS NOT NULL) = $4)
    ORDER BY id LIMIT $5 OFFSET $6";
const LIST_DOWN: &str =
    "SELECT id, issuer, subject, username, email, name, roles, created_at, email_verified_at, disabled_at
    FROM users WHERE ($1 IS NULL OR id < $1)
        AND ($2 IS NULL OR COALESCE(username_folded, username) LIKE $2 ESCAPE '!' OR email_folded LIKE $2 ESCAPE '!')
        AND ($3 IS NULL OR CAST(roles AS TEXT) LIKE $3) AND ($4 IS NULL OR (disabled_at IS NOT NULL) = $4)
    ORDER BY id DESC LIMIT $5 OFFSET $6";
const COUNT: &str = "SELECT COUNT(*) FROM users
    WHERE ($1 IS NULL OR COALESCE(username_folded, username) LIKE $1 ESCAPE '!' OR email_folded LIKE $1 ESCAPE '!')
        AND ($2 IS NULL OR CAST(roles AS TEXT) LIKE $2) AND ($3 IS NULL OR (disabled_at IS NOT NULL) = $3)";
const RENAME: &str = "UPDATE users SET username = $2, username_folded = $3, email = $4, email_folded = $5,
        email_verified_at = CASE WHEN email = $4 THEN email_verified_at ELSE NULL END, name = $6
    WHERE id = $1";
const ADMINS: &str =
    r#"SELECT id FROM users WHERE CAST(roles AS TEXT) LIKE '%"admin"%' AND disabled_at IS NULL ORDER BY id"#;
const LOCK_ADMINS: &str = r#"SELECT id FROM users WHERE CAST(roles AS TEXT) LIKE '%"admin"%' AND disabled_at IS NULL
    ORDER BY id FOR UPDATE"#;
const VERIFY_EMAIL: &str = "UPDATE users SET email_verified_at = $3 WHERE id = $1 AND email = $2";
const SET_ROLES: &str = "UPDATE users SET roles = $2 WHERE id = $1";
const HAS_PASSWORD: &str = "SELECT COUNT(*) FROM users WHERE id = $1 AND password_hash = $2";
const SET_PASSWORD: &str = "UPDATE users SET password_hash = $2 WHERE id = $1";
const SET_DISABLED: &str = "UPDATE users SET disabled_at = $2 WHERE id = $1";
const END_SESSIONS: &str = "UPDATE sessions SET revoked_at = $2
    WHERE user_id = $1 AND revoked_at IS NULL AND ($3 IS NULL OR id <> $3)";
const FORGET_CODES: &str = "DELETE FROM authorization_codes WHERE user_id = $1";
const LOCK: &str = "SELECT id FROM users WHERE id = $1 FOR UPDATE";

row! {
    /// A row of the table, or the part of a join that is a user.
    pub(crate) struct UserRow {
        pub(crate) id: String,
        pub(crate) issuer: String,
        pub(crate) subject: String,
        pub(crate) username: String,
        pub(crate) email: Option<String>,
        pub(crate) name: Option<String>,
        pub(crate) roles: Json<Vec<String>>,
        pub(crate) created_at: i64,
        pub(crate) email_verified_at: Option<i64>,
        pub(crate) disabled_at: Option<i64>,
    }
}

impl UserRow {
    pub(crate) fn into_user(self) -> Result<User> {
        Ok(User {
            id: text::id(&self.id, "users.id")?,
            issuer: self.issuer,
            subject: self.subject,
            username: self.username,
            email: self.email,
            email_verified: self.email_verified_at.is_some(),
            name: self.name,
            roles: text::roles_from_column(&self.roles),
            created_at: Timestamp::from_micros(self.created_at),
            disabled_at: self.disabled_at.map(Timestamp::from_micros),
        })
    }
}

/// A user with what proves a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user, disabled or not.
    pub user: User,
    /// The password's hash; none for who cannot sign in by one.
    pub password_hash: Option<String>,
}

row! {
    struct AccountRow {
        password_hash: Option<String>,
        ;
        user: UserRow,
    }
}

/// Which users; all by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Only who has this in the username or address, in whatever case.
    pub text: Option<String>,
    /// Only who has this role.
    pub role: Option<Role>,
    /// Only who is disabled, or is not.
    pub disabled: Option<bool>,
    /// How many of them to leave out first.
    pub skip: u32,
}

/// What another account has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The address.
    Email,
    /// The username.
    Username,
}

impl Reader {
    /// The user, disabled or not.
    pub async fn user(&mut self, id: &UserId) -> Result<Option<User>> {
        let row: Option<UserRow> = query(GET).bind(id.as_str()).fetch_optional(self).await?;
        row.map(UserRow::into_user).transpose()
    }

    /// The account with this address or username, in whatever case. Guests have none. This is how a caller becomes
    /// known, so there is no owner to begin with.
    pub async fn account(&mut self, name: &str) -> Result<Option<Account>> {
        let row: Option<AccountRow> = query(BY_NAME).bind(fold(name)).fetch_optional(self).await?;
        row.map(|row| Ok(Account { user: row.user.into_user()?, password_hash: row.password_hash })).transpose()
    }

    /// A page of users. `after` may be any id, since users are not deleted while they are listed.
    pub async fn users(&mut self, filter: &UserFilter, page: &PageRequest) -> Result<Page<User>> {
        let list = page.order.pick(LIST_UP, LIST_DOWN);
        let text = filter.text.as_deref().map(pattern);
        let role = filter.role.map(|role| format!("%\"{}\"%", role.as_str()));
        let rows: Vec<UserRow> = query(list)
            .bind(&page.after)
            .bind(&text)
            .bind(&role)
            .bind(filter.disabled)
            .bind(page.lookahead())
            .bind(i64::from(filter.skip))
            .long()
            .fetch_all(self)
            .await?;
        let total: i64 = query(COUNT).bind(&text).bind(&role).bind(filter.disabled).long().fetch_one(self).await?;
        let users = rows.into_iter().map(UserRow::into_user).collect::<Result<Vec<_>>>()?;
        Ok(Page { total: u64::try_from(total).ok(), ..Page::from_lookahead(users, page.limit) })
    }
}

impl Tx {
    /// Adds a user who cannot sign in again: a guest, or what [`Tx::make_account`] makes an account of. Issuer and
    /// subject together, and the username, must be new.
    pub async fn insert_user(&mut self, user: &User) -> Result<()> {
        query(INSERT)
            .bind(user.id.as_str())
            .bind(&user.issuer)
            .bind(&user.subject)
            .bind(&user.username)
            .bind(&user.email)
            .bind(&user.name)
            .bind(text::roles_to_column(&user.roles))
            .bind(user.created_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Gives a user's row a name, an address that nobody has proven, roles and a password, and tells the other processes
    /// at the commit. When something is taken, the transaction is good for nothing any more.
    pub async fn make_account(&mut self, user: &User, password_hash: Option<&str>) -> Result<Result<(), Taken>> {
        let done = query(MAKE_ACCOUNT)
            .bind(user.id.as_str())
            .bind(&user.username)
            .bind(fold(&user.username))
            .bind(&user.email)
            .bind(user.email.as_deref().map(fold))
            .bind(&user.name)
            .bind(text::roles_to_column(&user.roles))
            .bind(password_hash)
            .execute(self)
            .await;
        self.told_unless_taken(&user.id, done).await
    }

    /// Tells the other processes of a user's new names, unless one is taken.
    async fn told_unless_taken(&mut self, id: &UserId, done: Result<u64>) -> Result<Result<(), Taken>> {
        match done {
            Ok(_) => {
                self.announce(&Revocation::User(id.clone())).await?;
                Ok(Ok(()))
            }
            Err(error) => taken(error).map(Err),
        }
    }

    /// Gives an account other names and another address, which then nobody has proven, and tells the other processes at
    /// the commit. When something is taken, the transaction is good for nothing any more.
    pub async fn rename_user(&mut self, user: &User) -> Result<Result<(), Taken>> {
        let done = query(RENAME)
            .bind(user.id.as_str())
            .bind(&user.username)
            .bind(fold(&user.username))
            .bind(&user.email)
            .bind(user.email.as_deref().map(fold))
            .bind(&user.name)
            .execute(self)
            .await;
        self.told_unless_taken(&user.id, done).await
    }

    /// Marks a user's address as proven, or as not; `false` when the user has another address.
    pub async fn set_email_verified(&mut self, id: &UserId, email: &str, since: Option<Timestamp>) -> Result<bool> {
        let changed =
            query(VERIFY_EMAIL).bind(id.as_str()).bind(email).bind(since.map(Timestamp::micros)).execute(self).await?;
        Ok(changed > 0)
    }

    /// Who administers the server and can act. Other transactions that ask wait for this one, so that there are never two
    /// who each rely on the other to stay.
    pub async fn lock_admins(&mut self) -> Result<Vec<UserId>> {
        let admins = if self.is_postgres() { LOCK_ADMINS } else { ADMINS };
        let ids: Vec<String> = query(admins).fetch_all(self).await?;
        ids.iter().map(|id| text::id(id, "users.id")).collect()
    }

    /// Sets a user's roles and tells the other processes at the commit; `false` when there is no such user.
    pub async fn set_roles(&mut self, id: &UserId, roles: &[Role]) -> Result<bool> {
        let changed = query(SET_ROLES).bind(id.as_str()).bind(text::roles_to_column(roles)).execute(self).await?;
        self.announce(&Revocation::User(id.clone())).await?;
        Ok(changed > 0)
    }

    /// Sets the hash of a user's password; `false` when there is no such user.
    pub async fn set_password(&mut self, id: &UserId, hash: &str) -> Result<bool> {
        let changed = query(SET_PASSWORD).bind(id.as_str()).bind(hash).execute(self).await?;
        Ok(changed > 0)
    }

    /// Disables a user, or lets one in again, and tells the other processes at the commit; `false` when there is no such
    /// user.
    pub async fn set_disabled(&mut self, id: &UserId, since: Option<Timestamp>) -> Result<bool> {
        let changed = query(SET_DISABLED).bind(id.as_str()).bind(since.map(Timestamp::micros)).execute(self).await?;
        self.announce(&Revocation::User(id.clone())).await?;
        Ok(changed > 0)
    }

    /// Ends all of a user's sessions, those that a sign-in is about to begin too, and tells the other processes at the
    /// commit; says how many.
    pub async fn end_sessions(&mut self, owner: &UserId, now: Timestamp) -> Result<u64> {
        self.end_other_sessions(owner, None, now).await
    }

    /// Ends a user's sessions as [`Tx::end_sessions`] does, but for the one that is kept.
    pub async fn end_other_sessions(
        &mut self,
        owner: &UserId,
        kept: Option<&SessionId>,
        now: Timestamp,
    ) -> Result<u64> {
        query(FORGET_CODES).bind(owner.as_str()).execute(self).await?;
        let kept = kept.map(SessionId::as_str);
        let ended = query(END_SESSIONS).bind(owner.as_str()).bind(now.micros()).bind(kept).execute(self).await?;
        self.announce(&Revocation::User(owner.clone())).await?;
        Ok(ended)
    }

    /// Whether this is still the hash of the user's password; it stays so until this transaction ends.
    pub async fn has_password(&mut self, id: &UserId, hash: &str) -> Result<bool> {
        self.lock_user(id).await?;
        self.owns(HAS_PASSWORD, id, hash).await
    }

    /// Makes other transactions that lock the same user wait for this one, so that what it counts stays true until it
    /// commits. SQLite has one writer and needs no lock (nor knows `FOR UPDATE`).
    pub async fn lock_user(&mut self, id: &UserId) -> Result<()> {
        if self.is_postgres() {
            query(LOCK).bind(id.as_str()).execute(self).await?;
        }
        Ok(())
    }
}

/// What a text that is looked for is to match: itself, anywhere.
fn pattern(text: &str) -> String {
    let escaped = fold(text).replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}

/// A name as it is compared: by us, since the databases' own `LOWER` differ.
pub(crate) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Which unique key a statement broke. PostgreSQL names the index, SQLite the column.
fn taken(error: StoreError) -> Result<Taken> {
    match &error {
        StoreError::Taken { key, .. } if key.contains("email") => Ok(Taken::Email),
        StoreError::Taken { key, .. } if key.contains("username") => Ok(Taken::Username),
        _ => Err(error),
    }
}
