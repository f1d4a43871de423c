//! The envelope of every list (contract 0.4.2).

use domain::page::Page;
use serde::Serialize;
use utoipa::ToSchema;

/// A page of objects.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// Always `list`.
    #[schema(example = "list")]
    pub object: &'static str,
    /// The objects, in the order asked for.
    pub data: Vec<T>,
    /// The first object's id.
    pub first_id: Option<String>,
    /// The last object's id.
    pub last_id: Option<String>,
    /// Whether there are more after these.
    pub has_more: bool,
    /// The `after` of the next page; null when there is none.
    pub next_after: Option<String>,
    /// How many there are in all, where counting is cheap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl<T> List<T> {
    /// The envelope around a page; `id` names each object.
    pub fn new(page: Page<T>, id: impl Fn(&T) -> &str) -> Self {
        let first_id = page.items.first().map(|item| id(item).to_owned());
        let last_id = page.items.last().map(|item| id(item).to_owned());
        Self {
            object: "list",
            next_after: if page.has_more { last_id.clone() } else { None },
            first_id,
            last_id,
            has_more: page.has_more,
            total: page.total,
            data: page.items,
        }
    }
}
