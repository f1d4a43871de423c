//! Calls of tools, by the ids that models gave them.

use domain::{Error, Principal, Result, ids::ConversationId, item::Item};
use serde_json::{Value, value::RawValue};
use store::ItemUpdate;
use wire::openai::items;

use super::{
    Conversations,
    items::{item_not_found, missing},
};

/// What became of a call.
#[derive(Clone, Debug, Default)]
pub struct CallChange {
    /// `completed`, `failed` or `cancelled`.
    pub status: String,
    /// What the tool answered.
    pub output: Option<String>,
    /// What went wrong.
    pub error: Option<Box<RawValue>>,
    /// The tool's name.
    pub name: Option<String>,
    /// What it was called with.
    pub arguments: Option<String>,
    /// The server that has the tool.
    pub server_label: Option<String>,
}

const STATUSES: [&str; 3] = ["completed", "failed", "cancelled"];

impl Conversations {
    /// The newest item of a call: of one type when that is named, else the call itself, else its output.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `item_not_found`.
    pub async fn item_by_call(&self, caller: &Principal, id: &str, call_id: &str, kind: Option<&str>) -> Result<Item> {
        let (owner, id) = (&caller.user_id, ConversationId::parse(id)?);
        let mut reader = self.store.read().await?;
        match reader.find_call(owner, &id, call_id, kind).await? {
            Some(item) => Ok(item),
            None => Err(missing(&mut reader, owner, &id).await?),
        }
    }

    /// Notes what became of a call of an MCP tool, on every branch that shows it.
    ///
    /// # Errors
    /// 400 that names the field, `invalid_id`, `conversation_not_found`, `item_not_found`.
    pub async fn finish_call(&self, caller: &Principal, id: &str, call_id: &str, change: &CallChange) -> Result<Item> {
        let (owner, id) = (&caller.user_id, ConversationId::parse(id)?);
        if !STATUSES.contains(&change.status.as_str()) {
            return Err(Error::invalid_parameter("status", "status must be completed, failed or cancelled."));
        }
        let mut tx = self.store.write().await?;
        tx.lock_conversation(owner, &id).await?.ok_or_else(super::not_found)?;
        let item = tx.find_call(owner, &id, call_id, Some("mcp_call")).await?.ok_or_else(item_not_found)?;
        let texts = [
            ("output", &change.output),
            ("name", &change.name),
            ("arguments", &change.arguments),
            ("server_label", &change.server_label),
        ];
        let texts = texts.map(|(name, text)| (name, text.as_deref().map(|text| Value::from(text).to_string())));
        let mut fields: Vec<(&str, &str)> =
            texts.iter().filter_map(|(name, text)| Some((*name, text.as_deref()?))).collect();
        fields.extend(change.error.as_ref().map(|error| ("error", error.get())));
        let update = ItemUpdate {
            id: item.id.clone(),
            status: Some(change.status.clone()),
            body: items::with_fields(&item.body, &fields),
            text: None,
            making: item.making.clone(),
            ended_at: Some(self.clock.now()),
        };
        tx.update_item(owner, &id, &update).await?;
        let (_, item) = tx.find_item(owner, &id, &item.id).await?.ok_or_else(item_not_found)?;
        tx.commit().await?;
        Ok(item)
    }
}
