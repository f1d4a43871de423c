//! `DELETE /v1/admin/prompt-templates/{id}`: remove a text of the prompt.

use app::prompt_templates::{By, PromptTemplates};
use axum::extract::State;
use http_kit::{Json, Path, Result};
use serde::Serialize;
use utoipa::ToSchema;

use crate::acting::ByAdmin;

/// What was removed.
#[derive(Serialize, ToSchema)]
#[schema(as = PromptTemplateDeleted)]
pub(crate) struct View {
    #[schema(example = "pt_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    id: String,
    /// Always `prompt_template.deleted`.
    #[schema(example = "prompt_template.deleted")]
    object: &'static str,
    /// Always true.
    #[schema(example = true)]
    deleted: bool,
}

/// Remove a text of the prompt.
///
/// For administrators. Its versions go with it.
#[utoipa::path(
    delete, path = "/v1/admin/prompt-templates/{id}", tag = "admin", operation_id = "deletePromptTemplate",
    params(("id" = String, Path, max_length = 64, description = "The template's id.")),
    responses(
        (status = 200, description = "It is removed.", body = View),
        (status = 404, description = "There is no such template (`prompt_template_not_found`)."),
        (status = 409, description = "The server brings it along (`prompt_template_protected`): disable it instead."),
    )
)]
pub(crate) async fn delete(
    ByAdmin(origin): ByAdmin,
    State(templates): State<PromptTemplates>,
    Path(id): Path<String>,
) -> Result<Json<View>> {
    let id = super::id(&id)?;
    templates.delete(&id, &By(origin)).await?;
    Ok(Json(View { id: id.to_string(), object: "prompt_template.deleted", deleted: true }))
}
