//! Which items a branch shows.
//!
//! Items lie on lines, each with a number that no other item of the conversation has and that grows. A branch has a line
//! of its own, and before it parts of other lines, up to the item where it was forked: nothing is copied for a fork,
//! however long the history is. What a branch changes of the items before the fork stands in
//! `conversation_item_changes`.

use domain::{
    conversation::{Conversation, MAIN},
    ids::{ConversationId, UserId},
};

use crate::{
    Reader, Result,
    conversations::ConversationRow,
    row::row,
    statement::{Json, query},
};

const FIND: &str = "SELECT c.key, c.id, c.user_id, c.title, c.project_id, c.referrer, c.metadata, c.is_private,
        c.active_branch, c.item_count, c.created_at, c.updated_at, b.line, b.history
    FROM conversations c LEFT JOIN conversation_branches b
        ON b.conversation = c.key AND b.name = COALESCE($3, c.active_branch)
    WHERE c.user_id = $1 AND c.id = $2 AND c.deleted_at IS NULL";

/// The line of a conversation that was never branched.
pub(crate) const FIRST_LINE: i64 = 0;

/// Which items a branch shows: what is needed to read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub(crate) owner: UserId,
    pub(crate) conversation: i64,
    pub(crate) branch: String,
    pub(crate) line: i64,
    /// The lines before its own, oldest first.
    pub(crate) before: Vec<Part>,
}

/// A line, up to the item with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) line: i64,
    pub(crate) last: i64,
}

impl History {
    /// The branch's name.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The parts of lines that it shows, oldest first, its own line at the end.
    pub(crate) fn parts(&self) -> impl DoubleEndedIterator<Item = Part> {
        self.before.iter().copied().chain([Part { line: self.line, last: i64::MAX }])
    }

    /// Whether the item with this number of this line is part of it.
    pub(crate) fn reaches(&self, line: i64, sequence: i64) -> bool {
        self.parts().any(|part| part.line == line && sequence <= part.last)
    }

    /// The parts that a branch has before its own line when it is forked behind the item with this number of this line;
    /// none when it is forked before the first item.
    pub(crate) fn parts_behind(&self, item: Option<Part>) -> Vec<Part> {
        let Some(item) = item else { return Vec::new() };
        let older = self.parts().take_while(|part| part.line != item.line);
        older.chain([item]).collect()
    }
}

/// How the parts stand in their column.
pub(crate) type PartsColumn = Json<Vec<(i64, i64)>>;

pub(crate) fn parts_to_column(parts: &[Part]) -> PartsColumn {
    Json(parts.iter().map(|part| (part.line, part.last)).collect())
}

pub(crate) fn parts_from_column(column: PartsColumn) -> Vec<Part> {
    column.0.into_iter().map(|(line, last)| Part { line, last }).collect()
}

row! {
    struct FoundRow {
        line: Option<i64>,
        history: Option<PartsColumn>,
        ;
        conversation: ConversationRow,
    }
}

impl Reader {
    /// The owner's conversation with the history of the named branch, or of the active one; no history when there is no
    /// such branch.
    pub async fn history(
        &mut self,
        owner: &UserId,
        id: &ConversationId,
        branch: Option<&str>,
    ) -> Result<Option<(Conversation, Option<History>)>> {
        let row: Option<FoundRow> =
            query(FIND).bind(owner.as_str()).bind(id.as_str()).bind(branch).fetch_optional(self).await?;
        let Some(row) = row else { return Ok(None) };
        let key = row.conversation.key;
        let conversation = row.conversation.into_conversation()?;
        let branch = branch.unwrap_or(&conversation.active_branch);
        let found = match (row.line, row.history) {
            (Some(line), Some(parts)) => Some((line, parts_from_column(parts))),
            // Its first line has a row from the first fork on only.
            _ if branch == MAIN => Some((FIRST_LINE, Vec::new())),
            _ => None,
        };
        let history = found.map(|(line, before)| History {
            owner: owner.clone(),
            conversation: key,
            branch: branch.to_owned(),
            line,
            before,
        });
        Ok(Some((conversation, history)))
    }
}
