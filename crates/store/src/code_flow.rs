//! The tables `login_requests` and `authorization_codes`. Whatever is taken is gone: it counts once.

use domain::{Timestamp, ids::UserId};

use crate::{Reader, Result, Tx, statement::query, text};

const BEGIN: &str = "INSERT INTO login_requests (state, verifier, redirect_url, guest_id, expires_at)
    VALUES ($1, $2, $3, $4, $5)";
const REQUEST: &str = "SELECT verifier, redirect_url, guest_id, expires_at FROM login_requests WHERE state = $1";
const TAKE_REQUEST: &str =
    "DELETE FROM login_requests WHERE state = $1 RETURNING verifier, redirect_url, guest_id, expires_at";
const GRANT: &str = "INSERT INTO authorization_codes (code, user_id, challenge, browser, expires_at)
    VALUES ($1, $2, $3, $4, $5)";
const CODE_USER: &str = "SELECT user_id FROM authorization_codes WHERE code = $1";
const TAKE_CODE: &str =
    "DELETE FROM authorization_codes WHERE code = $1 RETURNING user_id, challenge, browser, expires_at";
const FORGET_REQUESTS: &str = "DELETE FROM login_requests
    WHERE state IN (SELECT state FROM login_requests WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
const FORGET_CODES: &str = "DELETE FROM authorization_codes
    WHERE code IN (SELECT code FROM authorization_codes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

/// A sign-in that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRequest {
    /// What proves that who exchanges the code is who began.
    pub verifier: String,
    /// Where the browser is to land.
    pub redirect_url: String,
    /// The guest who is to become who signs in through a provider.
    pub guest: Option<UserId>,
    /// Until when it may be finished.
    pub expires_at: Timestamp,
}

/// What a user granted by signing in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// Who signed in.
    pub user_id: UserId,
    /// The digest of the verifier that may exchange the code.
    pub challenge: String,
    /// The SHA-256 of the cookie of the browser that signed in.
    pub browser: Vec<u8>,
    /// Until when the code may be exchanged.
    pub expires_at: Timestamp,
}

type Row = (String, String, Option<String>, i64);

impl LoginRequest {
    fn from_row((verifier, redirect_url, guest, expires_at): Row) -> Result<Self> {
        let guest = guest.map(|id| text::id(&id, "login_requests.guest_id")).transpose()?;
        Ok(Self { verifier, redirect_url, guest, expires_at: Timestamp::from_micros(expires_at) })
    }
}

impl Reader {
    /// A sign-in that was begun, lapsed or not; it stays.
    pub async fn login_request(&mut self, state: &[u8; 32]) -> Result<Option<LoginRequest>> {
        let row: Option<Row> = query(REQUEST).bind(&state[..]).fetch_optional(self).await?;
        row.map(LoginRequest::from_row).transpose()
    }

    /// Who was granted a code, lapsed or not; it stays.
    pub async fn authorization_code_user(&mut self, code: &[u8; 32]) -> Result<Option<UserId>> {
        let id: Option<String> = query(CODE_USER).bind(&code[..]).fetch_optional(self).await?;
        id.map(|id| text::id(&id, "authorization_codes.user_id")).transpose()
    }
}

impl Tx {
    /// Keeps a sign-in that was begun, by the SHA-256 of its state.
    pub async fn insert_login_request(&mut self, state: &[u8; 32], request: &LoginRequest) -> Result<()> {
        query(BEGIN)
            .bind(&state[..])
            .bind(&request.verifier)
            .bind(&request.redirect_url)
            .bind(request.guest.as_ref().map(UserId::as_str))
            .bind(request.expires_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Takes a sign-in that was begun, lapsed or not.
    pub async fn take_login_request(&mut self, state: &[u8; 32]) -> Result<Option<LoginRequest>> {
        let row: Option<Row> = query(TAKE_REQUEST).bind(&state[..]).fetch_optional(self).await?;
        row.map(LoginRequest::from_row).transpose()
    }

    /// Keeps a code, by its SHA-256.
    pub async fn insert_authorization_code(&mut self, code: &[u8; 32], granted: &AuthorizationCode) -> Result<()> {
        query(GRANT)
            .bind(&code[..])
            .bind(granted.user_id.as_str())
            .bind(&granted.challenge)
            .bind(&granted.browser)
            .bind(granted.expires_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Takes a code, lapsed or not.
    pub async fn take_authorization_code(&mut self, code: &[u8; 32]) -> Result<Option<AuthorizationCode>> {
        let row: Option<(String, String, Vec<u8>, i64)> = query(TAKE_CODE).bind(&code[..]).fetch_optional(self).await?;
        row.map(|(user_id, challenge, browser, expires_at)| {
            Ok(AuthorizationCode {
                user_id: text::id(&user_id, "authorization_codes.user_id")?,
                challenge,
                browser,
                expires_at: Timestamp::from_micros(expires_at),
            })
        })
        .transpose()
    }

    /// Forgets at most `limit` each of the sign-ins and codes that lapsed before `now`; says how many of the more.
    pub async fn delete_expired_code_flow(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        let mut most = 0;
        for statement in [FORGET_REQUESTS, FORGET_CODES] {
            let forgotten = query(statement).bind(now.micros()).bind(i64::from(limit)).execute(self).await?;
            most = most.max(forgotten);
        }
        Ok(most)
    }
}
