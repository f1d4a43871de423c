//! `PATCH /v1/admin/users/{id}`: change a user.

use domain::{Error, Role};
use http_kit::{Json, Path, Result};
use identity::{Identity, UserChange};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::View;
use crate::acting::AsAdmin;

/// Most roles in a request; there are three.
const MAX_ROLES: usize = 16;

/// What is to change; what is not given stays. Nothing else is listened to.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateUser)]
pub(crate) struct Request {
    /// All of the roles, `user` and `admin`; who has an account has the role `user`, whether it is named or not.
    #[schema(nullable = false, example = json!(["user", "admin"]), max_items = 16)]
    roles: Option<Vec<String>>,
    /// 3 to 64 letters, digits and `.`, `_`, `-`.
    #[schema(nullable = false, example = "ada", min_length = 3, max_length = 64)]
    username: Option<String>,
    /// The address; a new one counts as unverified.
    #[schema(nullable = false, example = "ada@example.org", max_length = 254)]
    email: Option<String>,
    /// Whether the address, the new one if there is one, counts as verified, on the administrator's word.
    #[schema(nullable = false)]
    email_verified: Option<bool>,
    /// The full name; empty for none.
    #[schema(nullable = false, example = "Ada Lovelace", max_length = 255)]
    name: Option<String>,
}

impl Request {
    fn into_change(self) -> Result<UserChange, Error> {
        let roles = self.roles.as_deref().map(read_roles).transpose()?;
        let Self { username, email, email_verified, name, .. } = self;
        Ok(UserChange { roles, username, email, email_verified, name })
    }
}

fn read_roles(names: &[String]) -> Result<Vec<Role>, Error> {
    if names.len() > MAX_ROLES {
        return Err(Error::invalid_parameter("roles", "There are too many roles."));
    }
    let read = |(index, name): (usize, &String)| {
        Role::parse(name).ok_or_else(|| Error::invalid_parameter(format!("roles[{index}]"), "A role is user or admin."))
    };
    names.iter().enumerate().map(read).collect()
}

/// Change a user.
///
/// For administrators. New roles count from the user's next request on, with the tokens and keys it has.
#[utoipa::path(
    patch, path = "/v1/admin/users/{id}", tag = "admin", operation_id = "updateUser",
    params(("id" = String, Path, max_length = 64, description = "The user's id.")),
    request_body = Request,
    responses(
        (status = 200, description = "The user.", body = View),
        (status = 404, description = "There is no such user (`user_not_found`)."),
        (status = 409, description = "The user is a guest (`not_an_account`), or the only administrator (`last_admin`); or \
            another account has the address (`email_taken`) or the username (`username_taken`)."),
    )
)]
pub(crate) async fn update(
    AsAdmin(identity): AsAdmin,
    Path(id): Path<String>,
    Json(request): Json<Request>,
) -> Result<Json<View>> {
    let (id, change) = (Identity::user_id(&id)?, request.into_change()?);
    Ok(Json(identity.update_user(&id, &change).await?.into()))
}
