//! `DELETE /v1/projects/{project_id}`: delete a project (E37).

use app::projects::Projects;
use axum::extract::State;
use domain::scope::ProjectsWrite;
use http_kit::{Caller, Json, Path, Query, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    delete_conversations: bool,
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectDeleted)]
pub(crate) struct View {
    #[schema(example = "proj_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    id: String,
    /// Always `project.deleted`.
    #[schema(example = "project.deleted")]
    object: &'static str,
    /// Always true.
    #[schema(example = true)]
    deleted: bool,
}

/// Delete a project.
///
/// Its conversations stay, without a project, unless they are to be deleted too.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}", tag = "projects", operation_id = "deleteProject",
    params(
        ("project_id" = String, Path, max_length = 64, description = "The project's id."),
        ("delete_conversations" = Option<bool>, Query, description = "Deletes its conversations, too."),
    ),
    responses(
        (status = 200, description = "It is deleted.", body = View),
        (status = 404, description = "The caller has no such project (`project_not_found`)."),
    )
)]
pub(crate) async fn delete(
    caller: Caller<ProjectsWrite>,
    State(projects): State<Projects>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<View>> {
    let id = projects.delete(&caller, &id, parameters.delete_conversations).await?;
    Ok(Json(View { id: id.to_string(), object: "project.deleted", deleted: true }))
}
