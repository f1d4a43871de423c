//! The tables of signing in through an external provider: `external_logins`, `external_grants`, `external_accounts`,
//! `external_sessions` and `denied_tokens`. Whatever is taken is gone: it counts once.

use domain::{
    Timestamp,
    ids::{SessionId, UserId},
    user::User,
};
use serde_json::Value;

use crate::{
    Reader, Result, Revocation, Tx,
    row::row,
    statement::{Json, query},
    text,
    users::{UserRow, fold},
};

const BEGIN: &str = "INSERT INTO external_logins
        (state, issuer, verifier, nonce, browser, redirect_url, guest_id, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const TAKE_LOGIN: &str = "DELETE FROM external_logins WHERE state = $1
    RETURNING issuer, verifier, nonce, browser, redirect_url, guest_id, expires_at";
const GRANT: &str = "INSERT INTO external_grants (code, guest_id, identity, id_token, expires_at)
    VALUES ($1, $2, $3, $4, $5)";
const TAKE_GRANT: &str =
    "DELETE FROM external_grants WHERE code = $1 RETURNING guest_id, identity, id_token, expires_at";
const BY_SUBJECT: &str = "SELECT u.id, u.issuer, u.subject, u.username, u.email, u.name, u.roles, u.created_at,
        u.email_verified_at, u.disabled_at, e.asserted_at, e.picture, e.group_names, e.feature_flags,
        CAST(CASE WHEN EXISTS (SELECT 1 FROM denied_tokens d WHERE d.token = $3) THEN 1 ELSE 0 END AS BIGINT) AS denied
    FROM users u LEFT JOIN external_accounts e ON e.user_id = u.id
    WHERE u.issuer = $1 AND u.subject = $2";
const PROFILE: &str = "SELECT picture, group_names, feature_flags FROM external_accounts WHERE user_id = $1";
// Of two who have an address, the one with whom it was first has the name; it never decides who somebody is.
const INSERT_USER: &str = "INSERT INTO users (id, issuer, subject, username, username_folded, email, email_folded,
        email_verified_at, name, roles, created_at)
    VALUES ($1, $2, $3, $4, $5, $6,
        CASE WHEN EXISTS (SELECT 1 FROM users o WHERE o.email_folded = $7) THEN NULL ELSE $7 END, $8, $9, $10, $11)
    ON CONFLICT DO NOTHING";
const UPDATE_USER: &str = "UPDATE users SET email = $2,
        email_folded = CASE WHEN EXISTS (SELECT 1 FROM users o WHERE o.email_folded = $3 AND o.id <> $1) THEN NULL
            ELSE $3 END,
        email_verified_at = $4, name = $5
    WHERE id = $1";
const LINK_USER: &str = "UPDATE users SET issuer = $2, subject = $3, username = $4, username_folded = $5
    WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM users o WHERE o.issuer = $2 AND o.subject = $3)
        AND NOT EXISTS (SELECT 1 FROM users o WHERE o.username_folded = $5 AND o.id <> $1)";
const PUT_ACCOUNT: &str = "INSERT INTO external_accounts (user_id, asserted_at, picture, group_names, feature_flags)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (user_id) DO UPDATE SET asserted_at = excluded.asserted_at, picture = excluded.picture,
        group_names = excluded.group_names, feature_flags = excluded.feature_flags";
const INSERT_SESSION: &str = "INSERT INTO external_sessions (session_id, issuer, id_token) VALUES ($1, $2, $3)";
const TAKE_SESSION: &str = "DELETE FROM external_sessions WHERE session_id = $1 RETURNING issuer, id_token";
const DENY: &str = "INSERT INTO denied_tokens (token, expires_at) VALUES ($1, $2) ON CONFLICT (token) DO NOTHING";
const FORGET_LOGINS: &str = "DELETE FROM external_logins
    WHERE state IN (SELECT state FROM external_logins WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
const FORGET_GRANTS: &str = "DELETE FROM external_grants
    WHERE code IN (SELECT code FROM external_grants WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
const FORGET_DENIED: &str = "DELETE FROM denied_tokens
    WHERE token IN (SELECT token FROM denied_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

/// A sign-in that was begun at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalLogin {
    /// Which provider.
    pub issuer: String,
    /// What proves that who exchanges the code is who began.
    pub verifier: String,
    /// What the ID token has to hold.
    pub nonce: String,
    /// The SHA-256 of the cookie of the browser that began.
    pub browser: Vec<u8>,
    /// Where the browser is to land.
    pub redirect_url: String,
    /// The guest who is to become the account.
    pub guest: Option<UserId>,
    /// Until when it may be finished.
    pub expires_at: Timestamp,
}

/// Whom a provider vouched for, until a guest takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalGrant {
    /// The guest who began, and alone may take it.
    pub guest: UserId,
    /// What the provider says.
    pub identity: Value,
    /// Its ID token.
    pub id_token: String,
    /// Until when it may be taken.
    pub expires_at: Timestamp,
}

/// What a provider says of a user beyond who it is. It decides nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalProfile {
    /// The address of a picture.
    pub picture: Option<String>,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// What is switched on for the user.
    pub feature_flags: Vec<String>,
}

/// A user of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalUser {
    /// The user, disabled or not.
    pub user: User,
    /// When the provider said what the row holds; none when it never did.
    pub asserted_at: Option<Timestamp>,
    /// What else the provider says.
    pub profile: ExternalProfile,
    /// Whether the token that was asked about was taken back.
    pub denied: bool,
}

row! {
    struct ExternalLoginRow {
        issuer: String,
        verifier: String,
        nonce: String,
        browser: Vec<u8>,
        redirect_url: String,
        guest_id: Option<String>,
        expires_at: i64,
    }
}

row! {
    struct ProfileRow {
        picture: Option<String>,
        group_names: Option<Json<Vec<String>>>,
        feature_flags: Option<Json<Vec<String>>>,
    }
}

impl From<ProfileRow> for ExternalProfile {
    fn from(row: ProfileRow) -> Self {
        let list = |names: Option<Json<Vec<String>>>| names.map(|Json(names)| names).unwrap_or_default();
        Self { picture: row.picture, groups: list(row.group_names), feature_flags: list(row.feature_flags) }
    }
}

row! {
    struct ExternalUserRow {
        asserted_at: Option<i64>,
        denied: i64,
        ;
        profile: ProfileRow,
        user: UserRow,
    }
}

impl Reader {
    /// The user whom `issuer` calls `subject`, and whether the token with this digest was taken back. This is how a
    /// caller becomes known, so there is no owner to begin with.
    pub async fn external_user(
        &mut self,
        issuer: &str,
        subject: &str,
        token: &[u8; 32],
    ) -> Result<Option<ExternalUser>> {
        let row: Option<ExternalUserRow> =
            query(BY_SUBJECT).bind(issuer).bind(subject).bind(&token[..]).fetch_optional(self).await?;
        row.map(|row| {
            Ok(ExternalUser {
                user: row.user.into_user()?,
                asserted_at: row.asserted_at.map(Timestamp::from_micros),
                profile: row.profile.into(),
                denied: row.denied != 0,
            })
        })
        .transpose()
    }

    /// What a provider says of a user; nothing of one whom none vouches for.
    pub async fn external_profile(&mut self, owner: &UserId) -> Result<ExternalProfile> {
        let row: Option<ProfileRow> = query(PROFILE).bind(owner.as_str()).fetch_optional(self).await?;
        Ok(row.map(ExternalProfile::from).unwrap_or_default())
    }
}

impl Tx {
    /// Keeps a sign-in that was begun at a provider, by the SHA-256 of its state.
    pub async fn insert_external_login(&mut self, state: &[u8; 32], login: &ExternalLogin) -> Result<()> {
        query(BEGIN)
            .bind(&state[..])
            .bind(&login.issuer)
            .bind(&login.verifier)
            .bind(&login.nonce)
            .bind(&login.browser)
            .bind(&login.redirect_url)
            .bind(login.guest.as_ref().map(UserId::as_str))
            .bind(login.expires_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Takes a sign-in that was begun at a provider, lapsed or not.
    pub async fn take_external_login(&mut self, state: &[u8; 32]) -> Result<Option<ExternalLogin>> {
        let row: Option<ExternalLoginRow> = query(TAKE_LOGIN).bind(&state[..]).fetch_optional(self).await?;
        row.map(|row| {
            Ok(ExternalLogin {
                issuer: row.issuer,
                verifier: row.verifier,
                nonce: row.nonce,
                browser: row.browser,
                redirect_url: row.redirect_url,
                guest: row.guest_id.map(|id| text::id(&id, "external_logins.guest_id")).transpose()?,
                expires_at: Timestamp::from_micros(row.expires_at),
            })
        })
        .transpose()
    }

    /// Keeps whom a provider vouched for, by the SHA-256 of the code.
    pub async fn insert_external_grant(&mut self, code: &[u8; 32], grant: &ExternalGrant) -> Result<()> {
        query(GRANT)
            .bind(&code[..])
            .bind(grant.guest.as_str())
            .bind(Json(&grant.identity))
            .bind(&grant.id_token)
            .bind(grant.expires_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Takes whom a provider vouched for, lapsed or not.
    pub async fn take_external_grant(&mut self, code: &[u8; 32]) -> Result<Option<ExternalGrant>> {
        let row: Option<(String, Json<Value>, String, i64)> =
            query(TAKE_GRANT).bind(&code[..]).fetch_optional(self).await?;
        row.map(|(guest, Json(identity), id_token, expires_at)| {
            Ok(ExternalGrant {
                guest: text::id(&guest, "external_grants.guest_id")?,
                identity,
                id_token,
                expires_at: Timestamp::from_micros(expires_at),
            })
        })
        .transpose()
    }

    /// Adds a user whom a provider vouches for; `false`, and nothing done, when the user is there already or somebody has
    /// the username. `claims_email` makes the address the user's alone, unless it is somebody's.
    pub async fn insert_external_user(&mut self, user: &User, claims_email: bool) -> Result<bool> {
        let added = query(INSERT_USER)
            .bind(user.id.as_str())
            .bind(&user.issuer)
            .bind(&user.subject)
            .bind(&user.username)
            .bind(fold(&user.username))
            .bind(&user.email)
            .bind(claimed(user, claims_email))
            .bind(verified_at(user))
            .bind(&user.name)
            .bind(text::roles_to_column(&user.roles))
            .bind(user.created_at.micros())
            .execute(self)
            .await?;
        Ok(added > 0)
    }

    /// Changes what a provider says of its user, roles apart, and tells the other processes at the commit.
    pub async fn update_external_user(&mut self, user: &User, now: Timestamp) -> Result<()> {
        query(UPDATE_USER)
            .bind(user.id.as_str())
            .bind(&user.email)
            .bind(claimed(user, user.email_verified))
            .bind(user.email_verified.then_some(now.micros()))
            .bind(&user.name)
            .execute(self)
            .await?;
        self.announce(&Revocation::User(user.id.clone())).await
    }

    /// Makes a row the one that a provider vouches for; `false`, and nothing done, when another is, or has the username.
    pub async fn link_user(&mut self, user: &User) -> Result<bool> {
        let changed = query(LINK_USER)
            .bind(user.id.as_str())
            .bind(&user.issuer)
            .bind(&user.subject)
            .bind(&user.username)
            .bind(fold(&user.username))
            .execute(self)
            .await?;
        Ok(changed > 0)
    }

    /// Keeps what a provider says of a user beyond the user's row, and when it did.
    pub async fn put_external_account(
        &mut self,
        owner: &UserId,
        at: Timestamp,
        profile: &ExternalProfile,
    ) -> Result<()> {
        query(PUT_ACCOUNT)
            .bind(owner.as_str())
            .bind(at.micros())
            .bind(&profile.picture)
            .bind(Json(&profile.groups))
            .bind(Json(&profile.feature_flags))
            .execute(self)
            .await?;
        Ok(())
    }

    /// Keeps by which ID token the provider knows a session.
    pub async fn insert_external_session(&mut self, id: &SessionId, issuer: &str, id_token: &str) -> Result<()> {
        query(INSERT_SESSION).bind(id.as_str()).bind(issuer).bind(id_token).execute(self).await?;
        Ok(())
    }

    /// Takes the issuer and the ID token of a session, if it came from a provider.
    pub async fn take_external_session(&mut self, id: &SessionId) -> Result<Option<(String, String)>> {
        query(TAKE_SESSION).bind(id.as_str()).fetch_optional(self).await
    }

    /// Takes a provider's access token back, until it lapses by itself, and tells the other processes at the commit.
    pub async fn deny_token(&mut self, owner: &UserId, token: &[u8; 32], until: Timestamp) -> Result<()> {
        query(DENY).bind(&token[..]).bind(until.micros()).execute(self).await?;
        self.announce(&Revocation::User(owner.clone())).await
    }

    /// Forgets at most `limit` each of what lapsed before `now`; says how many of the most.
    pub async fn delete_expired_external(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        let mut most = 0;
        for statement in [FORGET_LOGINS, FORGET_GRANTS, FORGET_DENIED] {
            let forgotten = query(statement).bind(now.micros()).bind(i64::from(limit)).execute(self).await?;
            most = most.max(forgotten);
        }
        Ok(most)
    }
}

/// An address as it is compared, if it is to be the user's alone.
fn claimed(user: &User, claims: bool) -> Option<String> {
    user.email.as_deref().filter(|_| claims).map(fold)
}

fn verified_at(user: &User) -> Option<i64> {
    user.email_verified.then(|| user.created_at.micros())
}
