//! `POST /auth/upgrade`: make an account of a guest (E07).

use axum::response::IntoResponse;
use domain::scope::NoKey;
use domain::{Error, Method, Secret};
use http_kit::{Caller, Json, Result};
use identity::AccountWish;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::me;
use crate::acting::Acting;

/// The account to have. Nothing else is listened to.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpgradeRequest)]
pub(crate) struct Request {
    /// The address; it counts as unverified until it is proven. Required unless there is a `code`.
    #[serde(default)]
    #[schema(nullable = false, example = "ada@example.org", max_length = 254)]
    email: Option<String>,
    /// What a sign-in through the external provider ended with (`upgrade_code`): the guest becomes who signed in there,
    /// and nothing else here is looked at.
    #[serde(default)]
    #[schema(nullable = false)]
    code: Option<String>,
    /// 3 to 64 letters, digits and `.`, `_`, `-`; the guest's name stays when not given.
    #[schema(nullable = false, example = "ada", min_length = 3, max_length = 64)]
    username: Option<String>,
    #[schema(nullable = false, example = "Ada Lovelace", max_length = 255)]
    full_name: Option<String>,
    /// At least 8 characters. Without one there is no signing in again.
    #[schema(nullable = false, value_type = Option<String>, format = Password, min_length = 8)]
    password: Option<Secret>,
}

/// The account, and its tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = Upgraded)]
pub(crate) struct View {
    #[schema(example = "upgraded")]
    status: &'static str,
    user: me::View,
    /// A JWT, to be sent as `Authorization: Bearer`.
    access_token: String,
    /// Gets the next access token.
    refresh_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds the access token is good.
    #[schema(example = 3600)]
    expires_in: i64,
    /// When it expires, in seconds since the Unix epoch.
    #[schema(example = 1_800_003_600)]
    expires_at: i64,
}

/// Make an account of a guest.
///
/// The user stays the same, with everything that belongs to it, API keys included. All tokens that the guest has end: go on
/// with those of the answer. An API key cannot do this.
#[utoipa::path(
    post, path = "/auth/upgrade", tag = "auth", operation_id = "upgrade",
    request_body = Request,
    responses(
        (status = 200, description = "The account, signed in.", body = View),
        (status = 403, description = "An API key cannot do this (`insufficient_scope`), passwords are not taken \
            (`built_in_sign_in_disabled`), or the guest is deactivated (`access_denied`)."),
        (status = 409, description = "The caller has an account already (`not_a_guest`), or another account has the \
            address (`email_taken`) or the username (`username_taken`), or who signed in through the provider has an \
            account (`account_exists`)."),
    )
)]
pub(crate) async fn upgrade(
    caller: Caller<NoKey>,
    Acting(identity): Acting,
    Json(request): Json<Request>,
) -> Result<impl IntoResponse> {
    let Request { email, code, username, full_name, password } = request;
    let sign_in = if let Some(code) = code {
        identity.upgrade_external(&caller, &code).await?
    } else {
        let email = email.ok_or_else(|| Error::invalid("missing_parameter", "email is required.").param("email"))?;
        identity.upgrade(&caller, AccountWish { email, username, name: full_name, password }).await?
    };
    Ok(Json(View {
        status: "upgraded",
        access_token: sign_in.access_token.expose().to_owned(),
        refresh_token: sign_in.refresh_token.expose().to_owned(),
        token_type: "Bearer",
        expires_in: sign_in.expires_in,
        expires_at: sign_in.expires_at.seconds(),
        user: me::View::new(&Method::Jwt(None), sign_in.user),
    }))
}
