//! The list of the upstream's models.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use outbound::Trust;
use serde::Deserialize;
use tokio::time::timeout;

use super::{OpenAi, body, failure, too_late, unreachable};
use crate::{Error, Offer, Result};

/// Most bytes of a list.
const MAX_LIST: usize = 4 * 1024 * 1024;
/// Most models of a list.
const MAX_MODELS: usize = 10_000;
/// How long it may take.
const WITHIN: Duration = Duration::from_secs(15);

impl OpenAi {
    pub(super) async fn list(&self) -> Result<Vec<Offer>> {
        if let Some(models) = &self.models {
            let offer = |id: &String| Offer { id: id.clone(), created: 0, owned_by: None };
            return Ok(models.iter().map(offer).collect());
        }
        let request = self.request(Method::GET, &self.endpoints.models, Bytes::new());
        let listing = async {
            let response = self.client.send(Trust::Operator, request).await.map_err(unreachable)?;
            if !response.status().is_success() {
                return Err(failure::of(response).await);
            }
            offers(&body::read(response, MAX_LIST).await?)
        };
        timeout(WITHIN, listing).await.map_err(too_late)?
    }
}

/// The models of a list, leaving out what is none.
fn offers(body: &[u8]) -> Result<Vec<Offer>> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<serde_json::Value>,
    }
    let list: List = serde_json::from_slice(body).map_err(Error::failed)?;
    let offer = |model: serde_json::Value| {
        let id = model["id"].as_str().filter(|id| is_id(id))?.to_owned();
        let owned_by = model["owned_by"].as_str().filter(|owner| is_id(owner)).map(str::to_owned);
        Some(Offer { id, created: model["created"].as_i64().unwrap_or(0), owned_by })
    };
    Ok(list.data.into_iter().filter_map(offer).take(MAX_MODELS).collect())
}

fn is_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
}
