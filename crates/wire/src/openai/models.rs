//! Models (`GET /v1/models`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A model that can be asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Model {
    /// The id that requests name; may hold slashes.
    #[schema(example = "jan-small")]
    pub id: String,
    /// Always `model`.
    #[serde(default = "object")]
    #[schema(example = "model")]
    pub object: String,
    /// When it was made or first seen, in Unix seconds.
    #[serde(default)]
    pub created: i64,
    /// Who serves it.
    #[serde(default)]
    pub owned_by: String,
}

fn object() -> String {
    "model".to_owned()
}

/// The models that can be asked for. Codex reads `models`, everyone else `data`: it is the same list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ModelList {
    /// Always `list`.
    #[serde(default)]
    #[schema(example = "list")]
    pub object: String,
    /// The models.
    pub data: Vec<Model>,
}
