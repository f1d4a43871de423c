//! `PATCH /v1/admin/prompt-templates/{id}`: change a text of the prompt.

use app::prompt_templates::{By, PromptTemplates, TemplateChange};
use axum::extract::State;
use http_kit::{Json, Path, Result};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::View;
use crate::acting::ByAdmin;

/// What of a template is to be changed.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdatePromptTemplate)]
pub(crate) struct Request {
    #[schema(nullable, min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(nullable, max_length = 1_000)]
    description: Option<String>,
    /// Whether it is used.
    #[schema(nullable)]
    enabled: Option<bool>,
    /// A new text, which becomes a version of its own and is in use at once.
    #[schema(nullable, min_length = 1, max_length = 32_768)]
    content: Option<String>,
    /// The version to use; 0 is the text that the server brings along.
    #[schema(nullable, minimum = 0)]
    active_version: Option<u32>,
}

/// Change a text of the prompt.
///
/// For administrators. Earlier versions are kept, and can be used again by `active_version`. It counts from the next chat
/// on; on other servers of the same database within ten seconds.
#[utoipa::path(
    patch, path = "/v1/admin/prompt-templates/{id}", tag = "admin", operation_id = "updatePromptTemplate",
    params(("id" = String, Path, max_length = 64, description = "The template's id.")),
    request_body = Request,
    responses(
        (status = 200, description = "The template.", body = View),
        (status = 400, description = "The text cannot be used (`invalid_template`), another field is wrong, or the template \
            has as many versions as it may (`prompt_template_limit_reached`)."),
        (status = 404, description = "There is no such template (`prompt_template_not_found`)."),
        (status = 409, description = "Somebody else changed it meanwhile (`prompt_template_changed`)."),
    )
)]
pub(crate) async fn update(
    ByAdmin(origin): ByAdmin,
    State(templates): State<PromptTemplates>,
    Path(id): Path<String>,
    Json(request): Json<Request>,
) -> Result<Json<View>> {
    let change = TemplateChange {
        name: request.name,
        description: request.description,
        enabled: request.enabled,
        content: request.content,
        active_version: request.active_version,
    };
    Ok(Json(templates.change(&super::id(&id)?, change, &By(origin)).await?.into()))
}
