//! `GET /v1/admin/users`: who is known here.

use domain::{Error, Role};
use http_kit::{Json, Offset, PageQuery, Query, Result};
use serde::Deserialize;
use store::UserFilter;
use wire::list::List;

use super::view::View;
use crate::acting::AsAdmin;

/// Longest text that is looked for, in bytes.
const MAX_TEXT: usize = 254;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    q: Option<String>,
    role: Option<String>,
    disabled: Option<bool>,
}

impl Parameters {
    fn into_filter(self, Offset(skip): Offset) -> Result<UserFilter, Error> {
        let text = self.q.map(|q| q.trim().to_owned()).filter(|q| !q.is_empty());
        if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT || text.contains(char::is_control)) {
            return Err(Error::invalid_parameter("q", "q has at most 254 bytes, none of them a control character."));
        }
        let role = self.role.as_deref().map(read_role).transpose()?;
        Ok(UserFilter { text, role, disabled: self.disabled, skip })
    }
}

fn read_role(name: &str) -> Result<Role, Error> {
    Role::parse(name).ok_or_else(|| Error::invalid_parameter("role", "role is guest, user or admin."))
}

/// List users.
///
/// For administrators.
#[utoipa::path(
    get, path = "/v1/admin/users", tag = "admin", operation_id = "listUsers",
    params(
        PageQuery,
        Offset,
        ("q" = Option<String>, Query, max_length = 254, description = "Only who has this in the username or address."),
        ("role" = Option<String>, Query, pattern = "^(guest|user|admin)$", description = "Only who has this role."),
        ("disabled" = Option<bool>, Query, description = "Only who is disabled, or is not."),
    ),
    responses(
        (status = 200, description = "A page of users.", body = List<View>,
            links(("get" = (operation_id = "getUser", parameters(("id" = "$response.body#/first_id")))))),
    )
)]
pub(crate) async fn list(
    AsAdmin(identity): AsAdmin,
    PageQuery(page): PageQuery,
    offset: Offset,
    Query(parameters): Query<Parameters>,
) -> Result<Json<List<View>>> {
    let users = identity.search_users(&parameters.into_filter(offset)?, &page).await?;
    Ok(Json(List::new(users.map(View::from), |view| &view.id)))
}
