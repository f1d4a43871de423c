//! `POST /v1/projects`: make a project (E34).

use app::projects::Projects;
use axum::{extract::State, response::IntoResponse};
use domain::scope::ProjectsWrite;
use http::StatusCode;
use http_kit::{Caller, Json, Result};

use super::view::{Request, View};

/// Make a project.
#[utoipa::path(
    post, path = "/v1/projects", tag = "projects", operation_id = "createProject",
    request_body = Request,
    responses(
        (status = 201, description = "The project.", body = View,
            links(
                ("get" = (operation_id = "getProject", parameters(("project_id" = "$response.body#/id")))),
                ("delete" = (operation_id = "deleteProject", parameters(("project_id" = "$response.body#/id")))),
            )),
        (status = 400, description = "A field is missing or out of its bounds; `param` names it."),
        (status = 409, description = "The caller has another project of this name (`project_name_exists`)."),
    )
)]
pub(crate) async fn create(
    caller: Caller<ProjectsWrite>,
    State(projects): State<Projects>,
    Json(request): Json<Request>,
) -> Result<impl IntoResponse> {
    let project = projects.create(&caller, request.into_change()).await?;
    Ok((StatusCode::CREATED, Json(View::from(project))))
}
