//! `GET /v1/projects/{project_id}`: one project (E35).

use app::projects::Projects;
use axum::extract::State;
use domain::scope::ProjectsRead;
use http_kit::{Caller, Json, Path, Result};

use super::view::View;

/// Show a project.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}", tag = "projects", operation_id = "getProject",
    params(("project_id" = String, Path, max_length = 64, description = "The project's id.")),
    responses(
        (status = 200, description = "The project.", body = View),
        (status = 404, description = "The caller has no such project (`project_not_found`)."),
    )
)]
pub(crate) async fn get(
    caller: Caller<ProjectsRead>,
    State(projects): State<Projects>,
    Path(id): Path<String>,
) -> Result<Json<View>> {
    Ok(Json(projects.get(&caller, &id).await?.into()))
}
