//! `POST /v1/admin/prompt-templates`: write a text of the prompt.

use app::prompt_templates::{By, NewTemplate, PromptTemplates};
use axum::{extract::State, response::IntoResponse};
use http::StatusCode;
use http_kit::{Json, Result};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::View;
use crate::acting::ByAdmin;

/// A text to be used.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreatePromptTemplate)]
pub(crate) struct Request {
    /// The module whose text it is to be, which needs a `model`, since there is one for all models already; or
    /// `persona.` and a name of at most 48 of `a-z`, `0-9`, `_` and `-`.
    #[schema(example = "persona.pirate", max_length = 64)]
    key: String,
    /// The only model that it is for.
    #[schema(nullable, example = "jan-small", min_length = 1, max_length = 256)]
    model: Option<String>,
    /// Its title; the key when not given.
    #[schema(nullable, example = "Pirate", min_length = 1, max_length = 100)]
    name: Option<String>,
    /// What it is for.
    #[schema(nullable, max_length = 1_000)]
    description: Option<String>,
    /// The text, at most 32 KiB: Jinja with `if` and `for`, the module's variables, and the filters `default`,
    /// `length`, `lower`, `trim` and `upper`.
    #[schema(example = "a friendly pirate who answers briefly", min_length = 1, max_length = 32_768)]
    content: String,
    /// Whether it is used; true when not given.
    #[schema(nullable)]
    enabled: Option<bool>,
}

/// Write a text of the prompt.
///
/// For administrators: in the place of a module's text for one model, or a persona that requests can ask for by its name.
/// To change a module's text for all models, change the template that is there.
#[utoipa::path(
    post, path = "/v1/admin/prompt-templates", tag = "admin", operation_id = "createPromptTemplate",
    request_body = Request,
    responses(
        (status = 201, description = "The template.", body = View,
            links(
                ("get" = (operation_id = "getPromptTemplate", parameters(("id" = "$response.body#/id")))),
                ("delete" = (operation_id = "deletePromptTemplate", parameters(("id" = "$response.body#/id")))),
            )),
        (status = 400, description = "The text cannot be used (`invalid_template`), another field is wrong, or there are as \
            many templates as there may be (`prompt_template_limit_reached`)."),
        (status = 409, description = "There is one for this key and model (`prompt_template_exists`)."),
    )
)]
pub(crate) async fn create(
    ByAdmin(origin): ByAdmin,
    State(templates): State<PromptTemplates>,
    Json(request): Json<Request>,
) -> Result<impl IntoResponse> {
    let new = NewTemplate {
        key: request.key,
        model: request.model,
        name: request.name,
        description: request.description,
        content: request.content,
        enabled: request.enabled.unwrap_or(true),
    };
    let template = templates.create(new, &By(origin)).await?;
    Ok((StatusCode::CREATED, Json(View::from(template))))
}
