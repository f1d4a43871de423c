//! `POST /v1/admin/prompt-templates/{id}/preview`: what a text of the prompt would say.

use app::prompt_templates::PromptTemplates;
use axum::extract::State;
use http_kit::{Admin, Json, Path, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What to try.
#[derive(Deserialize, ToSchema)]
#[schema(as = PreviewPromptTemplate)]
pub(crate) struct Request {
    /// Another text; the one in use when not given.
    #[schema(nullable, min_length = 1, max_length = 32_768)]
    content: Option<String>,
    /// Values for the text's variables; samples are used for the others.
    #[schema(nullable, value_type = Option<Object>, additional_properties, example = json!({"language": "de-CH"}))]
    variables: Option<Map<String, Value>>,
}

/// What a text says.
#[derive(Serialize, ToSchema)]
#[schema(as = PromptTemplatePreview)]
pub(crate) struct View {
    /// Always `prompt_template.preview`.
    #[schema(example = "prompt_template.preview")]
    object: &'static str,
    /// The text, filled in.
    rendered: String,
}

/// Try a text of the prompt.
///
/// For administrators. Nothing is kept.
#[utoipa::path(
    post, path = "/v1/admin/prompt-templates/{id}/preview", tag = "admin", operation_id = "previewPromptTemplate",
    params(("id" = String, Path, max_length = 64, description = "The template's id.")),
    request_body = Request,
    responses(
        (status = 200, description = "What it says.", body = View),
        (status = 400, description = "The text cannot be used (`invalid_template`), or has no such variable."),
        (status = 404, description = "There is no such template (`prompt_template_not_found`)."),
    )
)]
pub(crate) async fn preview(
    _: Admin,
    State(templates): State<PromptTemplates>,
    Path(id): Path<String>,
    Json(request): Json<Request>,
) -> Result<Json<View>> {
    let variables = request.variables.unwrap_or_default();
    let rendered = templates.preview(&super::id(&id)?, request.content.as_deref(), &variables).await?;
    Ok(Json(View { object: "prompt_template.preview", rendered }))
}
