//! `GET /v1/admin/prompt-templates/{id}/versions`: what a text of the prompt was.

use app::prompt_templates::PromptTemplates;
use axum::extract::State;
use domain::{Error, page::Order};
use http_kit::{Admin, Json, PageQuery, Path, Result};
use wire::list::List;

use super::view::VersionView;

/// List the versions of a text of the prompt.
///
/// For administrators. Newest first; the last one, version 0, is the text that the server brings along.
#[utoipa::path(
    get, path = "/v1/admin/prompt-templates/{id}/versions", tag = "admin", operation_id = "listPromptTemplateVersions",
    params(
        ("id" = String, Path, max_length = 64, description = "The template's id."),
        ("limit" = Option<i64>, Query, minimum = 1,
            description = "Versions of a page, 20 when not given; 100 at most, whatever is asked for."),
        ("after" = Option<String>, Query, max_length = 10,
            description = "The number of the last version seen; `cursor` is another name."),
        ("order" = Option<String>, Query, pattern = "^desc$", description = "`desc`: newest first."),
    ),
    responses(
        (status = 200, description = "A page of versions.", body = List<VersionView>),
        (status = 404, description = "There is no such template (`prompt_template_not_found`)."),
    )
)]
pub(crate) async fn list(
    _: Admin,
    State(templates): State<PromptTemplates>,
    Path(id): Path<String>,
    PageQuery(page): PageQuery,
) -> Result<Json<List<VersionView>>> {
    if page.order == Order::Asc {
        return Err(Error::invalid_parameter("order", "Versions are listed newest first.").into());
    }
    let unknown = || Error::invalid("invalid_cursor", "after is no version's number.").param("after");
    let before = page.after.map(|after| after.parse()).transpose().map_err(|_| unknown())?;
    let (current, versions) = templates.versions(&super::id(&id)?, before, page.limit).await?;
    let active = current.template.active_version;
    Ok(Json(List::new(versions.map(|version| VersionView::new(version, active)), |view| &view.id)))
}
