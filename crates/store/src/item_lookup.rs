//! Finding items by a name, on whichever branch shows them.

use domain::{
    ids::{ConversationId, ItemId, UserId},
    item::Item,
};

use crate::{
    History, Reader, Result,
    engine::on,
    history::{PartsColumn, parts_from_column},
    text,
};

const PLACES_BY_ID: &str = "SELECT id, line, sequence FROM conversation_items WHERE conversation = $1 AND id = $2";
const PLACES_BY_CALL: &str = "SELECT id, line, sequence FROM conversation_items
    WHERE conversation = $1 AND call_id = $2 AND ($3 IS NULL OR type = $3) ORDER BY sequence DESC LIMIT 100";
const BRANCHES: &str =
    "SELECT line, name, history FROM conversation_branches WHERE conversation = $1 ORDER BY line DESC";

/// An item's id, line and number.
type PlaceRow = (String, i64, i64);

impl Reader {
    /// The item, as the active branch shows it, or else the newest that does; and that branch's history. `None` when no
    /// conversation of the owner's has the id, or it has no such item.
    pub async fn find_item(
        &mut self,
        owner: &UserId,
        id: &ConversationId,
        item: &ItemId,
    ) -> Result<Option<(History, Item)>> {
        let Some((_, Some(active))) = self.history(owner, id, None).await? else { return Ok(None) };
        if let Some(item) = self.item(&active, item).await? {
            return Ok(Some((active, item)));
        }
        let place: Option<PlaceRow> = on!(self, c => sqlx::query_as(PLACES_BY_ID)
            .bind(active.conversation)
            .bind(item.as_str())
            .fetch_optional(c).await)?;
        match place {
            Some(place) => self.shown_elsewhere(&active, &place).await,
            None => Ok(None),
        }
    }

    /// The items of a call, newest first, as the active branch shows them or else the newest that does: the call, its
    /// output, or those of one type. None when no conversation of the owner's has the id.
    pub async fn find_call(
        &mut self,
        owner: &UserId,
        id: &ConversationId,
        call_id: &str,
        kind: Option<&str>,
    ) -> Result<Vec<Item>> {
        let Some((_, Some(active))) = self.history(owner, id, None).await? else { return Ok(Vec::new()) };
        let shown = self.items_of_call(&active, call_id, kind).await?;
        if !shown.is_empty() {
            return Ok(shown);
        }
        let places: Vec<PlaceRow> = on!(self, c => sqlx::query_as(PLACES_BY_CALL)
            .bind(active.conversation)
            .bind(call_id)
            .bind(kind)
            .fetch_all(c).await)?;
        let mut found = Vec::new();
        for place in &places {
            found.extend(self.shown_elsewhere(&active, place).await?.map(|(_, item)| item));
        }
        Ok(found)
    }

    /// The item of this place, as the newest branch that shows it does.
    async fn shown_elsewhere(
        &mut self,
        active: &History,
        (id, line, sequence): &PlaceRow,
    ) -> Result<Option<(History, Item)>> {
        let id: ItemId = text::id(id, "conversation_items.id")?;
        let branches: Vec<(i64, String, PartsColumn)> =
            on!(self, c => sqlx::query_as(BRANCHES).bind(active.conversation).fetch_all(c).await)?;
        for (own, name, parts) in branches {
            let history = History { branch: name, line: own, before: parts_from_column(parts), ..active.clone() };
            if !history.reaches(*line, *sequence) {
                continue;
            }
            if let Some(item) = self.item(&history, &id).await? {
                return Ok(Some((history, item)));
            }
        }
        Ok(None)
    }
}
