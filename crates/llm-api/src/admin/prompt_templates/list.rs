//! `GET /v1/admin/prompt-templates`: the texts of the prompt.

use app::prompt_templates::{PromptTemplates, TemplateFilter};
use axum::extract::State;
use domain::Error;
use http_kit::{Admin, Json, PageQuery, Query, Result};
use serde::Deserialize;
use wire::list::List;

use super::view::View;

/// Longest key or model that is looked for, in bytes.
const MAX_TEXT: usize = 256;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    key: Option<String>,
    model: Option<String>,
    is_system: Option<bool>,
}

impl Parameters {
    fn into_filter(self) -> Result<TemplateFilter, Error> {
        for (name, value) in [("key", &self.key), ("model", &self.model)] {
            if value.as_ref().is_some_and(|value| value.len() > MAX_TEXT) {
                return Err(Error::invalid_parameter(name, format!("{name} has at most {MAX_TEXT} bytes.")));
            }
        }
        Ok(TemplateFilter { key: self.key, model: self.model, is_system: self.is_system })
    }
}

/// List the texts of the prompt.
///
/// For administrators. Those that the server brings along are among them, changed or not.
#[utoipa::path(
    get, path = "/v1/admin/prompt-templates", tag = "admin", operation_id = "listPromptTemplates",
    params(
        ("limit" = Option<i64>, Query, minimum = 1,
            description = "Templates of a page, 20 when not given; 100 at most, whatever is asked for."),
        ("after" = Option<String>, Query, max_length = 64,
            description = "The id of the last template seen; `cursor` is another name."),
        ("order" = Option<String>, Query, pattern = "^(asc|desc)$", description = "`desc` (when not given) or `asc`, by id."),
        ("key" = Option<String>, Query, max_length = 256, description = "Only those for this module or persona."),
        ("model" = Option<String>, Query, max_length = 256, description = "Only those for this model."),
        ("is_system" = Option<bool>, Query, description = "Only those that the server brings along, or only others."),
    ),
    responses(
        (status = 200, description = "A page of templates.", body = List<View>,
            links(("get" = (operation_id = "getPromptTemplate", parameters(("id" = "$response.body#/first_id")))))),
    )
)]
pub(crate) async fn list(
    _: Admin,
    State(templates): State<PromptTemplates>,
    PageQuery(page): PageQuery,
    Query(parameters): Query<Parameters>,
) -> Result<Json<List<View>>> {
    let page = templates.list(&parameters.into_filter()?, &page).await?;
    Ok(Json(List::new(page.map(View::from), |view| &view.id)))
}
