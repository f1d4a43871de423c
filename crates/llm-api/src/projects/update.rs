//! `PATCH /v1/projects/{project_id}`: change a project (E36).

use app::projects::Projects;
use axum::extract::State;
use domain::scope::ProjectsWrite;
use http_kit::{Caller, Json, Path, Result};

use super::view::{Request, View};

/// Change a project.
///
/// What the body does not name stays as it is.
#[utoipa::path(
    patch, path = "/v1/projects/{project_id}", tag = "projects", operation_id = "updateProject",
    params(("project_id" = String, Path, max_length = 64, description = "The project's id.")),
    request_body = Request,
    responses(
        (status = 200, description = "The project.", body = View),
        (status = 400, description = "A field is out of its bounds; `param` names it."),
        (status = 404, description = "The caller has no such project (`project_not_found`)."),
        (status = 409, description = "The caller has another project of this name (`project_name_exists`)."),
    )
)]
pub(crate) async fn update(
    caller: Caller<ProjectsWrite>,
    State(projects): State<Projects>,
    Path(id): Path<String>,
    Json(request): Json<Request>,
) -> Result<Json<View>> {
    Ok(Json(projects.update(&caller, &id, request.into_change()).await?.into()))
}
