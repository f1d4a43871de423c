//! A model as clients see it.

use app::models::Model;
use serde::Serialize;
use utoipa::ToSchema;

/// A model that can be asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = Model)]
pub(crate) struct View {
    /// The id that requests name; may hold slashes.
    #[schema(example = "jan-small")]
    pub(crate) id: String,
    /// Always `model`.
    #[schema(example = "model")]
    object: &'static str,
    /// When it was made or first seen, in seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    created: i64,
    /// Who serves it.
    #[schema(example = "jan")]
    owned_by: String,
    /// A name for people.
    #[schema(example = "jan-small")]
    model_display_name: String,
    /// The group it is shown in: its provider.
    #[schema(example = "jan")]
    category: String,
    /// The group's place in the list, from 0.
    category_order_number: usize,
    /// The model's place in its group, from 0.
    model_order_number: usize,
    /// What a catalog says about it, where one model is asked for; null while it is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    catalog: Option<InNone>,
}

/// There is no catalog: null.
#[derive(Serialize)]
struct InNone;

impl View {
    pub(crate) fn of(model: &Model) -> Self {
        let id = model.id.to_string();
        Self {
            object: "model",
            created: model.created,
            owned_by: model.owned_by.to_string(),
            // What stands before the last slash says whose it is, which `owned_by` and `category` say already.
            model_display_name: id.rsplit('/').next().unwrap_or(&id).to_owned(),
            category: model.provider_name().to_string(),
            category_order_number: model.place.0,
            model_order_number: model.place.1,
            id,
            catalog: None,
        }
    }

    /// With what a catalog says.
    pub(crate) fn detailed(model: &Model) -> Self {
        Self { catalog: Some(InNone), ..Self::of(model) }
    }
}
