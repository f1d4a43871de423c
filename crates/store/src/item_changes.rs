//! The table `conversation_item_changes`: what a branch shows in the place of an item that others show, too.
//!
//! The functions expect that the transaction holds the conversation ([`Tx::lock_conversation`]).

use domain::{Timestamp, ids::ItemId};

use crate::{History, Result, Tx, history::Part, statement::query};

const COPY: &str = "INSERT INTO conversation_item_changes (conversation, line, item, body, changed_at)
    SELECT v.conversation, $3, v.item, v.body, v.changed_at
    FROM conversation_item_changes v JOIN conversation_items i ON i.key = v.item
    WHERE v.conversation = $1 AND v.line = $2 AND i.sequence <= $4";
const FORGET: &str = "DELETE FROM conversation_item_changes WHERE conversation = $1 AND line = $2";
const CHANGE: &str = "INSERT INTO conversation_item_changes (conversation, line, item, body, changed_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (conversation, line, item) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at";
const HIDDEN: &str = "SELECT v.line, i.key, i.line AS item_line, i.sequence
    FROM conversation_item_changes v JOIN conversation_items i ON i.key = v.item
    WHERE v.conversation = $1 AND v.body IS NULL AND ($2 IS NULL OR v.item = $2) ORDER BY i.key";
const DELETE: &str = "DELETE FROM conversation_items WHERE key = $1";
const UNCOUNT_ACTIVE: &str = "UPDATE conversations SET item_count = item_count - 1, updated_at = $3
    WHERE user_id = $1 AND key = $2 AND active_line = $4";
const UNCOUNT: &str = "UPDATE conversation_branches SET item_count = item_count - 1, updated_at = $3
    WHERE conversation = $1 AND line = $2";

/// A line that hides an item, and the item's number and place.
type HiddenRow = (i64, i64, i64, i64);

impl Tx {
    /// Takes an item out of one branch; `false` when the branch does not show it. An item that no branch shows any more
    /// is gone for good.
    pub async fn hide_item(&mut self, history: &History, id: &ItemId, now: Timestamp) -> Result<bool> {
        let Some(row) = self.item_row(history, id).await? else { return Ok(false) };
        self.change_row(history, row.key, None, now).await?;
        let uncounted = query(UNCOUNT_ACTIVE)
            .bind(history.owner.as_str())
            .bind(history.conversation)
            .bind(now.micros())
            .bind(history.line)
            .execute(self)
            .await?;
        if uncounted == 0 {
            query(UNCOUNT).bind(history.conversation).bind(history.line).bind(now.micros()).execute(self).await?;
        }
        let lines = self.lines(history.conversation).await?;
        self.delete_unseen(history.conversation, Some(row.key), &lines).await?;
        Ok(true)
    }

    /// Gives an item another body on one branch; others go on showing the former one. `text` is by what it is to be
    /// found: the former text and the new. `false` when the branch does not show it.
    pub async fn change_item(
        &mut self,
        history: &History,
        id: &ItemId,
        body: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let Some(row) = self.item_row(history, id).await? else { return Ok(false) };
        self.change_row(history, row.key, Some(body), now).await?;
        self.index_item_by(&history.owner, row.key, text).await?;
        Ok(true)
    }

    async fn change_row(&mut self, history: &History, item: i64, body: Option<&str>, now: Timestamp) -> Result<()> {
        query(CHANGE)
            .bind(history.conversation)
            .bind(history.line)
            .bind(item)
            .bind(body)
            .bind(now.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Lets the branch of this line change what `history` changes of the items up to this number.
    pub(crate) async fn copy_changes(&mut self, history: &History, line: i64, last: i64) -> Result<()> {
        query(COPY).bind(history.conversation).bind(history.line).bind(line).bind(last).long().execute(self).await?;
        Ok(())
    }

    /// Forgets what a branch changes.
    pub(crate) async fn forget_changes(&mut self, history: &History) -> Result<()> {
        query(FORGET).bind(history.conversation).bind(history.line).long().execute(self).await?;
        Ok(())
    }

    /// Deletes items that every one of the branches hides: all such, or the one with this number if it is such.
    pub(crate) async fn delete_unseen(
        &mut self,
        conversation: i64,
        item: Option<i64>,
        lines: &[(i64, Vec<Part>)],
    ) -> Result<()> {
        let hidden: Vec<HiddenRow> = query(HIDDEN).bind(conversation).bind(item).long().fetch_all(self).await?;
        for hiding in hidden.chunk_by(|one, other| one.1 == other.1) {
            let (_, key, item_line, sequence) = hiding[0];
            let shows = |(line, parts): &(i64, Vec<Part>)| {
                let reaches =
                    *line == item_line || parts.iter().any(|part| part.line == item_line && sequence <= part.last);
                reaches && !hiding.iter().any(|(by, ..)| by == line)
            };
            if !lines.iter().any(shows) {
                query(DELETE).bind(key).execute(self).await?;
            }
        }
        Ok(())
    }
}
