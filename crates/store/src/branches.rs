//! The table `conversation_branches`: names for the lines of a conversation.
//!
//! The functions that change something expect that the transaction holds the conversation ([`Tx::lock_conversation`]).

use domain::{
    Timestamp,
    conversation::{Branch, MAIN},
    ids::{ConversationId, ItemId, UserId},
    item::Item,
};

use crate::{
    History, Reader, Result, Tx,
    history::{FIRST_LINE, Part, PartsColumn, parts_from_column, parts_to_column},
    row::row,
    statement::query,
    text,
};

const LIST: &str = "SELECT b.line, b.name, b.description, b.history, b.parent_line, b.forked_from_item_id, b.forked_at,
        CASE WHEN b.line = c.active_line THEN c.item_count ELSE b.item_count END AS item_count,
        b.created_at, CASE WHEN b.line = c.active_line THEN c.updated_at ELSE b.updated_at END AS updated_at,
        b.line = c.active_line AS is_active
    FROM conversations c JOIN conversation_branches b ON b.conversation = c.key
    WHERE c.user_id = $1 AND c.id = $2 AND c.deleted_at IS NULL ORDER BY b.line";
const WRITE_FIRST: &str = "INSERT INTO conversation_branches
        (conversation, line, name, history, item_count, created_at, updated_at)
    SELECT key, 0, $2, $3, item_count, created_at, updated_at FROM conversations WHERE key = $1
    ON CONFLICT DO NOTHING";
const TAKE_LINE: &str = "UPDATE conversations SET next_line = next_line + 1, updated_at = $2 WHERE key = $1
    RETURNING next_line - 1";
const INSERT: &str = "INSERT INTO conversation_branches
        (conversation, line, name, description, history, parent_line, forked_from_item_id, forked_at, item_count,
        created_at, updated_at)
    SELECT c.key, $2, $3, $4, $5, $6, $7, $8,
        CASE WHEN c.active_line = b.line THEN c.item_count ELSE b.item_count END - $9, $8, $8
    FROM conversations c JOIN conversation_branches b ON b.conversation = c.key AND b.line = $6 WHERE c.key = $1";
const COUNT_AFTER: &str = "SELECT COUNT(*) FROM conversation_items i
    WHERE i.conversation = $1 AND i.line = $2 AND i.sequence > $3 AND i.sequence <= $4
        AND NOT EXISTS (SELECT 1 FROM conversation_item_changes v
            WHERE v.conversation = $1 AND v.line = $5 AND v.item = i.key AND v.body IS NULL)";
const RENAME: &str = "UPDATE conversation_branches SET name = $3 WHERE conversation = $1 AND name = $2";
const LEAVE: &str = "UPDATE conversation_branches
    SET item_count = (SELECT item_count FROM conversations WHERE key = $1), updated_at = $2
    WHERE conversation = $1 AND line = (SELECT active_line FROM conversations WHERE key = $1)";
const ENTER: &str = "UPDATE conversations SET active_line = $2, active_branch = $3, updated_at = $4,
        item_count = (SELECT item_count FROM conversation_branches WHERE conversation = $1 AND line = $2)
    WHERE key = $1";
const DELETE: &str = "DELETE FROM conversation_branches WHERE conversation = $1 AND line = $2";
const DELETE_BEYOND: &str = "DELETE FROM conversation_items WHERE conversation = $1 AND line = $2 AND sequence > $3";
const LINES: &str = "SELECT line, history FROM conversation_branches WHERE conversation = $1";

/// A branch that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Fork<'a> {
    /// Its name, which no branch of the conversation has.
    pub name: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// The item to be named as the one where it was forked.
    pub from: Option<&'a ItemId>,
    /// How much of the history it shows.
    pub shows: Shows<'a>,
}

/// How much of a history a fork of it shows.
#[derive(Clone, Copy, Debug)]
pub enum Shows<'a> {
    /// All that there is by now.
    All,
    /// What stands before this item.
    Before(&'a Item),
    /// This item and what stands before it.
    UpTo(&'a Item),
}

row! {
    struct BranchRow {
        line: i64,
        name: String,
        description: Option<String>,
        parent_line: Option<i64>,
        forked_from_item_id: Option<String>,
        forked_at: Option<i64>,
        item_count: i64,
        created_at: i64,
        updated_at: i64,
        is_active: bool,
    }
}

impl Reader {
    /// The conversation's branches, oldest first; `None` when the owner has no such conversation.
    pub async fn branches(&mut self, owner: &UserId, id: &ConversationId) -> Result<Option<Vec<Branch>>> {
        let Some(conversation) = self.conversation(owner, id).await? else { return Ok(None) };
        let rows: Vec<BranchRow> = query(LIST).bind(owner.as_str()).bind(id.as_str()).fetch_all(self).await?;
        if rows.is_empty() {
            // It was never branched.
            return Ok(Some(vec![Branch {
                name: MAIN.to_owned(),
                description: None,
                parent: None,
                forked_at: None,
                forked_from: None,
                item_count: conversation.item_count,
                is_active: true,
                created_at: conversation.created_at,
                updated_at: conversation.updated_at,
            }]));
        }
        let name = |line| rows.iter().find(|row| Some(row.line) == line).map(|row| row.name.clone());
        let branch = |row: &BranchRow| {
            let from = row.forked_from_item_id.as_deref();
            Ok(Branch {
                name: row.name.clone(),
                description: row.description.clone(),
                parent: name(row.parent_line),
                forked_at: row.forked_at.map(Timestamp::from_micros),
                forked_from: from.map(|id| text::id(id, "conversation_branches.forked_from_item_id")).transpose()?,
                item_count: row.item_count.unsigned_abs(),
                is_active: row.is_active,
                created_at: Timestamp::from_micros(row.created_at),
                updated_at: Timestamp::from_micros(row.updated_at),
            })
        };
        rows.iter().map(branch).collect::<Result<Vec<_>>>().map(Some)
    }

    /// The histories of all branches of a conversation, by their lines.
    pub(crate) async fn lines(&mut self, conversation: i64) -> Result<Vec<(i64, Vec<Part>)>> {
        let rows: Vec<(i64, PartsColumn)> = query(LINES).bind(conversation).fetch_all(self).await?;
        if rows.is_empty() {
            return Ok(vec![(FIRST_LINE, Vec::new())]);
        }
        Ok(rows.into_iter().map(|(line, parts)| (line, parts_from_column(parts))).collect())
    }
}

impl Tx {
    /// Forks `history` and makes the fork the active branch by the name [`MAIN`]; the one that had the name is called
    /// `backup` from then on.
    pub async fn replace_main(
        &mut self,
        history: &History,
        backup: &str,
        fork: &Fork<'_>,
        now: Timestamp,
    ) -> Result<History> {
        self.rename_main(history, backup).await?;
        let main = self.fork(history, &Fork { name: MAIN, ..*fork }, now).await?;
        self.activate_branch(&main, now).await?;
        Ok(main)
    }

    /// Gives the branch [`MAIN`] another name, which none has. Another is to get its name after this, and to be active.
    pub async fn rename_main(&mut self, history: &History, name: &str) -> Result<()> {
        self.write_first_branch(history.conversation).await?;
        query(RENAME).bind(history.conversation).bind(MAIN).bind(name).execute(self).await?;
        Ok(())
    }

    /// The first line has no row until there is a second.
    async fn write_first_branch(&mut self, conversation: i64) -> Result<()> {
        query(WRITE_FIRST).bind(conversation).bind(MAIN).bind(parts_to_column(&[])).execute(self).await?;
        Ok(())
    }

    /// Makes a branch that shows a part of `history`, and has nothing of its own yet.
    pub async fn fork(&mut self, history: &History, fork: &Fork<'_>, now: Timestamp) -> Result<History> {
        let conversation = history.conversation;
        self.write_first_branch(conversation).await?;
        let last = match fork.shows {
            Shows::All => self.row_before(history, None).await?,
            Shows::Before(item) => self.row_before(history, Some(item.sequence)).await?,
            Shows::UpTo(item) => self.row_before(history, Some(item.sequence + 1)).await?,
        };
        let last = last.map(|row| Part { line: row.line, last: row.sequence });
        let hidden = self.count_after(history, last.map_or(0, |last| last.last)).await?;
        let line: i64 = query(TAKE_LINE).bind(conversation).bind(now.micros()).fetch_one(self).await?;
        let before = history.parts_behind(last);
        query(INSERT)
            .bind(conversation)
            .bind(line)
            .bind(fork.name)
            .bind(fork.description)
            .bind(parts_to_column(&before))
            .bind(history.line)
            .bind(fork.from.map(ItemId::as_str))
            .bind(now.micros())
            .bind(hidden)
            .execute(self)
            .await?;
        self.copy_changes(history, line, last.map_or(0, |last| last.last)).await?;
        Ok(History { branch: fork.name.to_owned(), line, before, ..history.clone() })
    }

    /// How many items the branch shows behind the one with this number.
    async fn count_after(&mut self, history: &History, sequence: i64) -> Result<i64> {
        let mut count = 0;
        for part in history.parts().filter(|part| part.last > sequence) {
            count += query(COUNT_AFTER)
                .bind(history.conversation)
                .bind(part.line)
                .bind(sequence)
                .bind(part.last)
                .bind(history.line)
                .long()
                .fetch_one::<i64>(self)
                .await?;
        }
        Ok(count)
    }

    /// Makes a branch the active one.
    pub async fn activate_branch(&mut self, history: &History, now: Timestamp) -> Result<()> {
        query(LEAVE).bind(history.conversation).bind(now.micros()).execute(self).await?;
        query(ENTER)
            .bind(history.conversation)
            .bind(history.line)
            .bind(&history.branch)
            .bind(now.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Deletes a branch that is not the active one, and the items that no other branch shows.
    pub async fn delete_branch(&mut self, history: &History) -> Result<()> {
        let conversation = history.conversation;
        query(DELETE).bind(conversation).bind(history.line).execute(self).await?;
        self.forget_changes(history).await?;
        let rest = self.lines(conversation).await?;
        for part in history.parts() {
            if rest.iter().any(|(line, _)| *line == part.line) {
                continue;
            }
            let others = rest.iter().flat_map(|(_, parts)| parts).filter(|other| other.line == part.line);
            let shown = others.map(|other| other.last).max().unwrap_or(0);
            query(DELETE_BEYOND).bind(conversation).bind(part.line).bind(shown).long().execute(self).await?;
        }
        self.delete_unseen(conversation, None, &rest).await
    }
}
