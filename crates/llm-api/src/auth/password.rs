//! `POST /auth/password`: change one's own password.

use domain::{Secret, scope::NoKey};
use http_kit::{Caller, Json, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::acting::Acting;

/// The password that the account has, and the one it is to have.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordChange)]
pub(crate) struct Request {
    #[schema(value_type = String, format = Password)]
    current_password: Secret,
    /// At least 8 characters.
    #[schema(value_type = String, format = Password, min_length = 8)]
    new_password: Secret,
}

/// The account has the new password.
#[derive(Serialize, ToSchema)]
#[schema(as = PasswordChanged)]
pub(crate) struct View {
    #[schema(example = "changed")]
    status: &'static str,
}

/// Change one's own password.
///
/// All other sign-ins of the account end; the caller's goes on, with the tokens it has. API keys stay good. For people, the
/// sign-in page has a form.
#[utoipa::path(
    post, path = "/auth/password", tag = "auth", operation_id = "changePassword",
    request_body = Request,
    responses(
        (status = 200, description = "The password is changed.", body = View),
        (status = 400, description = "The current password is not right (`wrong_password`), or the new one is none."),
        (status = 403, description = "An API key cannot do this (`insufficient_scope`), or passwords are not taken \
            (`built_in_sign_in_disabled`)."),
        (status = 409, description = "The caller is a guest (`not_an_account`), or has no password here, as who comes \
            through the external provider (`no_password`)."),
    )
)]
pub(crate) async fn change(
    caller: Caller<NoKey>,
    Acting(identity): Acting,
    Json(request): Json<Request>,
) -> Result<Json<View>> {
    identity.change_password(&caller, &request.current_password, &request.new_password).await?;
    Ok(Json(View { status: "changed" }))
}
