//! `GET /v1/admin/prompt-templates/{id}`: one text of the prompt.

use app::prompt_templates::PromptTemplates;
use axum::extract::State;
use http_kit::{Admin, Json, Path, Result};

use super::view::View;

/// Show a text of the prompt.
///
/// For administrators.
#[utoipa::path(
    get, path = "/v1/admin/prompt-templates/{id}", tag = "admin", operation_id = "getPromptTemplate",
    params(("id" = String, Path, max_length = 64, description = "The template's id.")),
    responses(
        (status = 200, description = "The template.", body = View),
        (status = 404, description = "There is no such template (`prompt_template_not_found`)."),
    )
)]
pub(crate) async fn get(
    _: Admin,
    State(templates): State<PromptTemplates>,
    Path(id): Path<String>,
) -> Result<Json<View>> {
    Ok(Json(templates.get(&super::id(&id)?).await?.into()))
}
