//! The table `conversation_items`, as branches show it.

use std::collections::HashMap;

use domain::{
    Timestamp,
    ids::{ConversationId, ItemId, UserId},
    item::{Head, Item, Making, NewItem, Rating},
    page::{Order, Page},
};

use crate::{
    History, Reader, Result, StoreError, Tx,
    row::row,
    search::Entry,
    statement::{Statement, parameters, query},
    text,
};

/// What a page needs of an item, `$3` being the line of the branch that shows it. With `short` a long body is left out,
/// since many are read at once; both databases know a column's length without reading it.
macro_rules! select {
    (short $($rest:literal)*) => {
        select!(
            "CASE WHEN COALESCE(octet_length(v.body), octet_length(i.body)) <= 65536 THEN COALESCE(v.body, i.body) END",
            $($rest)*
        )
    };
    (whole $($rest:literal)*) => {
        select!("COALESCE(v.body, i.body)", $($rest)*)
    };
    ($body:literal, $($rest:literal)*) => {
        concat!(
            "SELECT i.key, i.id, i.line, i.sequence, i.type, i.role, i.status, i.call_id, ", $body, " AS body,
                i.model, i.usage, i.finish_reason, i.rating, i.rating_comment, i.rated_at, i.created_at, i.ended_at,
                v.changed_at
            FROM conversations c JOIN conversation_items i ON i.conversation = c.key
                LEFT JOIN conversation_item_changes v
                    ON v.conversation = i.conversation AND v.line = $3 AND v.item = i.key
            WHERE c.user_id = $1 AND c.key = $2 AND c.deleted_at IS NULL AND (v.item IS NULL OR v.body IS NOT NULL)",
            $($rest,)*
        )
    };
}

const PAGE_DOWN: &str =
    select!(short " AND i.line = $4 AND i.sequence < $5 AND i.sequence <= $6 ORDER BY i.sequence DESC LIMIT $7");
const PAGE_UP: &str =
    select!(short " AND i.line = $4 AND i.sequence > $5 AND i.sequence <= $6 ORDER BY i.sequence LIMIT $7");
const BY_ID: &str = select!(whole " AND i.id = $4");
const BY_CALL: &str = select!(
    short " AND i.call_id = $4 AND ($5 IS NULL OR i.type = $5)
    ORDER BY i.type LIKE '%_output', i.sequence DESC LIMIT 100"
);
const BEHIND_CALL: &str = select!(short " AND i.call_id = $4 AND i.sequence > $5 ORDER BY i.sequence LIMIT 100");
const TAKE: &str = "UPDATE conversations SET updated_at = $4, next_sequence = next_sequence + $5,
        item_count = item_count + CASE WHEN active_branch = COALESCE($3, active_branch) THEN $5 ELSE 0 END
    WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL
    RETURNING key, active_line, active_branch, next_sequence - $5";
const COUNT_ON: &str = "UPDATE conversation_branches SET item_count = item_count + $3, updated_at = $4
    WHERE conversation = $1 AND name = $2 RETURNING line";
const TAKE_ON: &str = "UPDATE conversations SET updated_at = $4, next_sequence = next_sequence + $5,
        item_count = item_count + CASE WHEN active_line = $3 THEN $5 ELSE 0 END
    WHERE user_id = $1 AND key = $2 AND deleted_at IS NULL
    RETURNING active_line, active_branch, next_sequence - $5";
const COUNT_ON_LINE: &str = "UPDATE conversation_branches SET item_count = item_count + $3, updated_at = $4
    WHERE conversation = $1 AND line = $2 RETURNING name";
/// The columns of a new item, and a statement about them.
macro_rules! insert {
    ($($rest:literal)*) => {
        concat!(
            "INSERT INTO conversation_items (id, conversation, line, sequence, type, role, status, call_id, body,
                model, usage, finish_reason, created_at, ended_at)",
            $($rest,)*
        )
    };
}
const INSERT: &str = insert!();
const INSERT_ONE: &str = insert!(" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)");
const COLUMNS: usize = 14;
const CALLS: &str = "SELECT call_id FROM conversation_items WHERE conversation = $1 AND";
const UPDATE: &str = "UPDATE conversation_items
    SET status = $3, body = $4, model = $5, usage = $6, finish_reason = $7, ended_at = $8
    WHERE conversation = (SELECT key FROM conversations WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL)
        AND id = $9
    RETURNING key";
const RATE: &str = "UPDATE conversation_items SET rating = $4, rating_comment = $5, rated_at = $6
    WHERE conversation = (SELECT key FROM conversations WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL)
        AND id = $3";

/// Rows of one statement on PostgreSQL, which binds some ten thousand values at most. On SQLite a statement is not a
/// journey.
const ROWS: usize = 1_000;

/// Which page of a history.
#[derive(Clone, Copy, Debug)]
pub struct ItemPage {
    /// Items at most.
    pub limit: u32,
    /// Bytes of their bodies at most; the first item is there whatever its size.
    pub bytes: usize,
    /// Where the last item already seen stood.
    pub after: Option<u64>,
    /// The direction.
    pub order: Order,
}

/// What became of items that were to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// They are there.
    Items(Vec<Item>),
    /// The owner has no such conversation.
    NoConversation,
    /// The conversation has no such branch. The transaction must not be committed.
    NoBranch,
    /// Another item of the type has the call's id. The transaction must not be committed.
    CallIdExists(String),
}

/// An item that takes its former self's place.
#[derive(Clone, Debug)]
pub struct ItemUpdate {
    /// Which item.
    pub id: ItemId,
    /// How far it is.
    pub status: Option<String>,
    /// The JSON object.
    pub body: String,
    /// The text by which it is to be found.
    pub text: Option<String>,
    /// What made it.
    pub making: Making,
    /// When it became complete, or was left incomplete.
    pub ended_at: Option<Timestamp>,
}

row! {
    pub(crate) struct ItemRow {
        pub(crate) key: i64,
        id: String,
        pub(crate) line: i64,
        pub(crate) sequence: i64,
        kind: String = "type",
        role: Option<String>,
        status: Option<String>,
        call_id: Option<String>,
        body: Option<String>,
        model: Option<String>,
        usage: Option<String>,
        finish_reason: Option<String>,
        rating: Option<String>,
        rating_comment: Option<String>,
        rated_at: Option<i64>,
        created_at: i64,
        ended_at: Option<i64>,
        changed_at: Option<i64>,
    }
}

impl ItemRow {
    pub(crate) fn into_item(self, branch: &str) -> Result<Item> {
        let rating = match (self.rating.as_deref(), self.rated_at) {
            (Some(word @ ("like" | "unlike")), Some(at)) => {
                Some(Rating { like: word == "like", comment: self.rating_comment, at: Timestamp::from_micros(at) })
            }
            (None, _) => None,
            _ => return Err(StoreError::Corrupt { column: "conversation_items.rating" }),
        };
        Ok(Item {
            id: text::id(&self.id, "conversation_items.id")?,
            branch: branch.to_owned(),
            sequence: self.sequence.unsigned_abs(),
            head: Head { kind: self.kind, role: self.role, status: self.status, call_id: self.call_id },
            body: self.body.ok_or(StoreError::Corrupt { column: "conversation_items.body" })?,
            making: Making { model: self.model, usage: self.usage, finish_reason: self.finish_reason },
            rating,
            created_at: Timestamp::from_micros(self.created_at),
            ended_at: self.ended_at.map(Timestamp::from_micros),
            edited_at: self.changed_at.map(Timestamp::from_micros),
        })
    }
}

impl Reader {
    /// A page of a history. It costs the same wherever it lies, and one statement for each line it touches.
    pub async fn items(&mut self, history: &History, page: ItemPage) -> Result<Page<Item>> {
        let rows = self.item_rows(history, page, page.limit as usize + 1).await?;
        let Page { items: rows, mut has_more, .. } = Page::from_lookahead(rows, page.limit);
        let (mut items, mut bytes) = (Vec::with_capacity(rows.len()), 0);
        for row in rows {
            let Some(item) = self.whole_item(history, row).await? else { continue };
            bytes += item.body.len();
            if bytes > page.bytes && !items.is_empty() {
                has_more = true;
                break;
            }
            items.push(item);
        }
        Ok(Page { items, has_more, total: None })
    }

    /// The item of a row whose body may have been left out; `None` when it is gone by now.
    async fn whole_item(&mut self, history: &History, row: ItemRow) -> Result<Option<Item>> {
        let row = match row.body {
            Some(_) => Some(row),
            None => self.item_row(history, &text::id(&row.id, "conversation_items.id")?).await?,
        };
        row.map(|row| row.into_item(&history.branch)).transpose()
    }

    async fn item_rows(&mut self, history: &History, page: ItemPage, wanted: usize) -> Result<Vec<ItemRow>> {
        let mut rows: Vec<ItemRow> = Vec::new();
        let parts: Vec<_> = match page.order {
            Order::Asc => history.parts().collect(),
            Order::Desc => history.parts().rev().collect(),
        };
        let (statement, beyond) = match page.order {
            Order::Asc => (PAGE_UP, i64::MIN),
            Order::Desc => (PAGE_DOWN, i64::MAX),
        };
        let after = page.after.map_or(beyond, |after| i64::try_from(after).unwrap_or(i64::MAX));
        for part in parts {
            if page.order == Order::Asc && part.last <= after {
                continue;
            }
            let more: Vec<ItemRow> = query(statement)
                .bind(history.owner.as_str())
                .bind(history.conversation)
                .bind(history.line)
                .bind(part.line)
                .bind(after)
                .bind(part.last)
                .bind(i64::try_from(wanted - rows.len()).unwrap_or(i64::MAX))
                .fetch_all(self)
                .await?;
            rows.extend(more);
            if rows.len() >= wanted {
                break;
            }
        }
        Ok(rows)
    }

    /// The item, if the branch shows it.
    pub async fn item(&mut self, history: &History, id: &ItemId) -> Result<Option<Item>> {
        let row = self.item_row(history, id).await?;
        row.map(|row| row.into_item(&history.branch)).transpose()
    }

    /// The row of an item that the branch shows, with what the branch changed of it.
    pub(crate) async fn item_row(&mut self, history: &History, id: &ItemId) -> Result<Option<ItemRow>> {
        let row: Option<ItemRow> = query(BY_ID)
            .bind(history.owner.as_str())
            .bind(history.conversation)
            .bind(history.line)
            .bind(id.as_str())
            .fetch_optional(self)
            .await?;
        Ok(row.filter(|row| history.reaches(row.line, row.sequence)))
    }

    /// The newest item of a call that the branch shows: of one type when that is named, else the call itself, else its
    /// output.
    pub async fn item_of_call(&mut self, history: &History, call_id: &str, kind: Option<&str>) -> Result<Option<Item>> {
        let rows: Vec<ItemRow> = query(BY_CALL)
            .bind(history.owner.as_str())
            .bind(history.conversation)
            .bind(history.line)
            .bind(call_id)
            .bind(kind)
            .fetch_all(self)
            .await?;
        match rows.into_iter().find(|row| history.reaches(row.line, row.sequence)) {
            Some(row) => self.whole_item(history, row).await,
            None => Ok(None),
        }
    }

    /// The outputs of a call that the branch shows: a later call may have been given the same id.
    pub async fn outputs_of_call(&mut self, history: &History, call: &Item) -> Result<Vec<ItemId>> {
        let rows: Vec<ItemRow> = query(BEHIND_CALL)
            .bind(history.owner.as_str())
            .bind(history.conversation)
            .bind(history.line)
            .bind(&call.head.call_id)
            .bind(i64::try_from(call.sequence).unwrap_or(i64::MAX))
            .fetch_all(self)
            .await?;
        let shown = rows.iter().filter(|row| history.reaches(row.line, row.sequence));
        let own = shown.take_while(|row| row.kind.ends_with("_output"));
        own.map(|row| text::id(&row.id, "conversation_items.id")).collect()
    }

    /// The last row that the branch shows before this number, or of all.
    pub(crate) async fn row_before(&mut self, history: &History, sequence: Option<u64>) -> Result<Option<ItemRow>> {
        Ok(self
            .item_rows(history, ItemPage { limit: 1, bytes: 0, after: sequence, order: Order::Desc }, 1)
            .await?
            .pop())
    }
}

impl Tx {
    /// Adds items to the end of the named branch, or of the active one. They stand together, whatever else is added at
    /// the same time. With `unique_calls`, an item whose call's id another one of its type has is refused.
    pub async fn append_items(
        &mut self,
        owner: &UserId,
        id: &ConversationId,
        branch: Option<&str>,
        items: Vec<NewItem>,
        unique_calls: bool,
        now: Timestamp,
    ) -> Result<Appended> {
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        // The row's lock makes other transactions that add to the conversation wait for this one.
        let taken: Option<(i64, i64, String, i64)> = query(TAKE)
            .bind(owner.as_str())
            .bind(id.as_str())
            .bind(branch)
            .bind(now.micros())
            .bind(count)
            .fetch_optional(self)
            .await?;
        let Some((conversation, active_line, active, first)) = taken else { return Ok(Appended::NoConversation) };
        let (line, branch) = match branch {
            Some(other) if other != active => {
                let line: Option<i64> = query(COUNT_ON)
                    .bind(conversation)
                    .bind(other)
                    .bind(count)
                    .bind(now.micros())
                    .fetch_optional(self)
                    .await?;
                let Some(line) = line else { return Ok(Appended::NoBranch) };
                (line, other.to_owned())
            }
            _ => (active_line, active),
        };
        if unique_calls && let Some(taken) = self.taken_call(conversation, &items).await? {
            return Ok(Appended::CallIdExists(taken));
        }
        let place = Place { owner, conversation, title: None, line, branch: &branch, first };
        self.insert_items(&place, items).await.map(Appended::Items)
    }

    /// Adds items to the end of a history that was read before, whatever its branch is called by now.
    pub async fn append_to(&mut self, history: &History, items: Vec<NewItem>, now: Timestamp) -> Result<Appended> {
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let taken: Option<(i64, String, i64)> = query(TAKE_ON)
            .bind(history.owner.as_str())
            .bind(history.conversation)
            .bind(history.line)
            .bind(now.micros())
            .bind(count)
            .fetch_optional(self)
            .await?;
        let Some((active_line, active, first)) = taken else { return Ok(Appended::NoConversation) };
        let branch = if active_line == history.line {
            active
        } else {
            let name: Option<String> = query(COUNT_ON_LINE)
                .bind(history.conversation)
                .bind(history.line)
                .bind(count)
                .bind(now.micros())
                .fetch_optional(self)
                .await?;
            let Some(name) = name else { return Ok(Appended::NoBranch) };
            name
        };
        let (owner, conversation) = (&history.owner, history.conversation);
        let place = Place { owner, conversation, title: None, line: history.line, branch: &branch, first };
        self.insert_items(&place, items).await.map(Appended::Items)
    }

    /// The first id of a call that an item of the same type has already.
    async fn taken_call(&mut self, conversation: i64, items: &[NewItem]) -> Result<Option<String>> {
        let calls: Vec<(&str, &str)> =
            items.iter().filter_map(|item| Some((item.head.call_id.as_deref()?, item.head.kind.as_str()))).collect();
        if calls.is_empty() {
            return Ok(None);
        }
        // The conversation is the first value, before those of the calls.
        let any = (0..calls.len()).map(|at| format!("(call_id = ${} AND type = ${})", 2 * at + 2, 2 * at + 3));
        let statement = format!("{CALLS} ({}) LIMIT 1", any.collect::<Vec<_>>().join(" OR "));
        let first = query(statement).bind(conversation);
        calls.into_iter().fold(first, |query, (id, kind)| query.bind(id).bind(kind)).fetch_optional(self).await
    }

    /// Inserts items, each with the next number.
    pub(crate) async fn insert_items(&mut self, place: &Place<'_>, items: Vec<NewItem>) -> Result<Vec<Item>> {
        let numbered: Vec<(i64, NewItem)> = (place.first..).zip(items).collect();
        let mut keys = Vec::with_capacity(numbered.len());
        if self.is_postgres() {
            for some in numbered.chunks(ROWS) {
                let insert = format!("{INSERT} VALUES {} RETURNING id, key", parameters(some.len(), COLUMNS));
                let insert = some.iter().fold(query(insert), |insert, (at, item)| place.bind(insert, item, *at));
                // In whatever order.
                let of: HashMap<String, i64> = insert.fetch_all::<(String, i64)>(self).await?.into_iter().collect();
                keys.extend(some.iter().filter_map(|(_, item)| of.get(item.id.as_str())));
            }
        } else {
            for (at, item) in &numbered {
                keys.push(place.bind(query(INSERT_ONE), item, *at).insert(self).await?);
            }
        }
        let texts =
            keys.iter().zip(&numbered).filter_map(|(key, (_, item))| Some(Entry::item(*key, item.text.as_deref()?)));
        let title = place.title.map(|title| Entry::title(place.conversation, title));
        let entries: Vec<Entry<'_>> = title.into_iter().chain(texts).collect();
        self.index(place.owner, &entries).await?;
        Ok(numbered.into_iter().map(|(at, item)| place.item(item, at)).collect())
    }

    /// Writes an item anew, for every branch that shows it; `false` when the owner's conversation has no such item.
    pub async fn update_item(&mut self, owner: &UserId, id: &ConversationId, update: &ItemUpdate) -> Result<bool> {
        let key: Option<i64> = query(UPDATE)
            .bind(owner.as_str())
            .bind(id.as_str())
            .bind(&update.status)
            .bind(&update.body)
            .bind(&update.making.model)
            .bind(&update.making.usage)
            .bind(&update.making.finish_reason)
            .bind(update.ended_at.map(Timestamp::micros))
            .bind(update.id.as_str())
            .fetch_optional(self)
            .await?;
        let Some(key) = key else { return Ok(false) };
        if let Some(text) = &update.text {
            self.index(owner, &[Entry::item(key, text)]).await?;
        }
        Ok(true)
    }

    /// Notes what the reader thinks of an item, or that they think nothing; `false` when there is no such item.
    pub async fn rate_item(
        &mut self,
        owner: &UserId,
        id: &ConversationId,
        item: &ItemId,
        rating: Option<&Rating>,
    ) -> Result<bool> {
        let rated = query(RATE)
            .bind(owner.as_str())
            .bind(id.as_str())
            .bind(item.as_str())
            .bind(rating.map(Rating::as_str))
            .bind(rating.and_then(|rating| rating.comment.as_deref()))
            .bind(rating.map(|rating| rating.at.micros()))
            .execute(self)
            .await?;
        Ok(rated > 0)
    }
}

/// Where items are added.
pub(crate) struct Place<'a> {
    pub(crate) owner: &'a UserId,
    pub(crate) conversation: i64,
    /// The conversation's title, if it is to be findable by that from now on.
    pub(crate) title: Option<&'a str>,
    pub(crate) line: i64,
    pub(crate) branch: &'a str,
    /// The first one's number.
    pub(crate) first: i64,
}

impl Place<'_> {
    /// Gives an inserting statement the values of one more item.
    fn bind<'s>(&self, insert: Statement<'s>, item: &'s NewItem, sequence: i64) -> Statement<'s> {
        insert
            .bind(item.id.as_str())
            .bind(self.conversation)
            .bind(self.line)
            .bind(sequence)
            .bind(&item.head.kind)
            .bind(&item.head.role)
            .bind(&item.head.status)
            .bind(&item.head.call_id)
            .bind(&item.body)
            .bind(&item.making.model)
            .bind(&item.making.usage)
            .bind(&item.making.finish_reason)
            .bind(item.created_at.micros())
            .bind(item.ended_at.map(Timestamp::micros))
    }

    fn item(&self, item: NewItem, sequence: i64) -> Item {
        Item {
            id: item.id,
            branch: self.branch.to_owned(),
            sequence: sequence.unsigned_abs(),
            head: item.head,
            body: item.body,
            making: item.making,
            rating: None,
            created_at: item.created_at,
            ended_at: item.ended_at,
            edited_at: None,
        }
    }
}
