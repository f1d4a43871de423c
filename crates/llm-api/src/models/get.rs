//! `GET /v1/models/{model_id}`: one model (E30).

use app::models::Models;
use axum::extract::State;
use domain::scope::ModelsRead;
use http_kit::{Caller, Json, Path, Result};

use super::view::View;

/// One model.
#[utoipa::path(
    get, path = "/v1/models/{*model_id}", tag = "models", operation_id = "getModel",
    params(
        ("model_id" = String, Path, max_length = 256, example = "jan-small",
            description = "The model's id; slashes in it may be encoded.")
    ),
    responses(
        (status = 200, description = "The model.", body = View),
        (status = 404, description = "There is no such model (`model_not_found`)."),
    )
)]
pub(crate) async fn get(
    _: Caller<ModelsRead>,
    State(models): State<Models>,
    Path(id): Path<String>,
) -> Result<Json<View>> {
    Ok(Json(View::detailed(&*models.resolve(&id)?)))
}
