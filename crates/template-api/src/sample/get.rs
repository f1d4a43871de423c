//! `GET /v1/sample`: the stored sample (E73).

use axum::extract::State;
use domain::{Error, sample::Sample};
use http_kit::{Anyone, Json, Result};
use serde::Serialize;
use utoipa::ToSchema;

/// A sample, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Sample)]
pub(crate) struct View {
    #[schema(example = "sample_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    id: String,
    #[schema(example = "Hello from the Template API.")]
    message: String,
}

impl From<Sample> for View {
    fn from(sample: Sample) -> Self {
        Self { id: sample.id.to_string(), message: sample.message }
    }
}

/// Shows the sample.
///
/// Needs a caller where the operator switched that on (`auth_enabled`).
#[utoipa::path(
    get, path = "/v1/sample", tag = "sample", operation_id = "getSample",
    responses((status = 200, description = "The sample.", body = View))
)]
pub(crate) async fn get(_: Anyone, State(state): State<crate::State>) -> Result<Json<View>> {
    // A read of one thing needs no use-case of its own; whatever writes has a name in `app`.
    let mut reader = state.store.read().await.map_err(Error::from)?;
    let sample = reader.sample().await.map_err(Error::from)?;
    let sample = sample.ok_or_else(|| Error::not_found("sample_not_found", "There is no sample."))?;
    Ok(Json(sample.into()))
}
