//! Finding items by a name, on whichever branch shows them.

use domain::{
    ids::{ConversationId, ItemId, UserId},
    item::Item,
};

use crate::{
    History, Reader, Result,
    history::{PartsColumn, parts_from_column},
    statement::query,
    text,
};

const PLACES_BY_ID: &str = "SELECT id, line, sequence FROM conversation_items WHERE conversation = $1 AND id = $2";
const PLACES_BY_CALL: &str = "SELECT id, line, sequence FROM conversation_items
    WHERE conversation = $1 AND call_id = $2 AND ($3 IS NULL OR type = $3)
    ORDER BY type LIKE '%_output', sequence DESC LIMIT 100";
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
        let place: Option<PlaceRow> =
            query(PLACES_BY_ID).bind(active.conversation).bind(item.as_str()).fetch_optional(self).await?;
        self.shown_elsewhere(&active, place.as_slice()).await
    }

    /// The newest item of a call, as the active branch shows it or else the newest that does: of one type when that is
    /// named, else the call itself, else its output. `None` as for [`Reader::find_item`].
    pub async fn find_call(
        &mut self,
        owner: &UserId,
        id: &ConversationId,
        call_id: &str,
        kind: Option<&str>,
    ) -> Result<Option<Item>> {
        let Some((_, Some(active))) = self.history(owner, id, None).await? else { return Ok(None) };
        let shown = self.item_of_call(&active, call_id, kind).await?;
        if shown.is_some() {
            return Ok(shown);
        }
        let places: Vec<PlaceRow> =
            query(PLACES_BY_CALL).bind(active.conversation).bind(call_id).bind(kind).fetch_all(self).await?;
        Ok(self.shown_elsewhere(&active, &places).await?.map(|(_, item)| item))
    }

    /// The first item of these places that a branch shows, as the newest branch does.
    async fn shown_elsewhere(&mut self, active: &History, places: &[PlaceRow]) -> Result<Option<(History, Item)>> {
        if places.is_empty() {
            return Ok(None);
        }
        let branches: Vec<(i64, String, PartsColumn)> =
            query(BRANCHES).bind(active.conversation).fetch_all(self).await?;
        let history =
            |(line, branch, parts)| History { branch, line, before: parts_from_column(parts), ..active.clone() };
        let histories: Vec<History> = branches.into_iter().map(history).collect();
        for (id, line, sequence) in places {
            let id: ItemId = text::id(id, "conversation_items.id")?;
            for history in histories.iter().filter(|history| history.reaches(*line, *sequence)) {
                if let Some(item) = self.item(history, &id).await? {
                    return Ok(Some((history.clone(), item)));
                }
            }
        }
        Ok(None)
    }
}
