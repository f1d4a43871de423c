//! Pages of conversations. Each kind of list goes along an index of its own, so that a page costs the same however many
//! conversations there are.

use domain::{
    conversation::{Conversation, Filter, ProjectFilter, Sort},
    ids::{ProjectId, UserId},
    page::{Order, Page, PageRequest},
};

use crate::{Reader, Result, conversations::ConversationRow, search, statement::query};

const POSITION: &str = "SELECT created_at, updated_at FROM conversations
    WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL";

/// The statements of one kind of list, by time and direction.
struct Lists {
    created_down: &'static str,
    created_up: &'static str,
    updated_down: &'static str,
    updated_up: &'static str,
}

impl Lists {
    fn pick(&self, sort: Sort, order: Order) -> &'static str {
        match (sort, order) {
            (Sort::Created, Order::Desc) => self.created_down,
            (Sort::Created, Order::Asc) => self.created_up,
            (Sort::Updated, Order::Desc) => self.updated_down,
            (Sort::Updated, Order::Asc) => self.updated_up,
        }
    }
}

/// One statement. `$2` and `$3` are the place where the page begins, `$6` is a project, `$7` a referrer, `$8` whether in
/// a project at all.
macro_rules! list {
    ($with:expr, $from:literal, $filter:literal, $time:literal $compare:literal $order:literal) => {
        concat!(
            $with,
            "SELECT c.key, c.id, c.user_id, c.title, c.project_id, c.referrer, c.metadata, c.is_private, c.active_branch,
                c.item_count, c.created_at, c.updated_at
            FROM ", $from, " WHERE c.user_id = $1 AND c.deleted_at IS NULL
                AND (c.", $time, ", c.id) ", $compare, " ($2, $3) AND ", $filter, "
                AND ($8 IS NULL OR (c.project_id IS NOT NULL) = $8)
            ORDER BY c.", $time, " ", $order, ", c.id ", $order, " LIMIT $4 OFFSET $5"
        )
    };
}

macro_rules! lists {
    ($with:expr, $from:literal, $filter:literal) => {
        Lists {
            created_down: list!($with, $from, $filter, "created_at" "<" "DESC"),
            created_up: list!($with, $from, $filter, "created_at" ">" "ASC"),
            updated_down: list!($with, $from, $filter, "updated_at" "<" "DESC"),
            updated_up: list!($with, $from, $filter, "updated_at" ">" "ASC"),
        }
    };
}

const ALL: Lists =
    lists!("", "conversations c", "($6 IS NULL OR c.project_id = $6) AND ($7 IS NULL OR c.referrer = $7)");
const OF_PROJECT: Lists = lists!("", "conversations c", "c.project_id = $6 AND ($7 IS NULL OR c.referrer = $7)");
const OF_PROJECTS: Lists = lists!(
    "",
    "conversations c",
    "c.project_id IS NOT NULL AND ($6 IS NULL OR c.project_id = $6) AND ($7 IS NULL OR c.referrer = $7)"
);
const OF_REFERRER: Lists = lists!("", "conversations c", "($6 IS NULL OR c.project_id = $6) AND c.referrer = $7");

/// The newest titles and messages that match, ten thousand of each at most: what everything matches is not worth more.
/// The index does not know owners well enough to be trusted; the list itself asks for them.
macro_rules! matching {
    ($titles:literal, $messages:literal) => {
        concat!(
            "WITH found AS MATERIALIZED (
                SELECT key FROM (",
            $titles,
            " LIMIT 10000) AS titles
                UNION
                SELECT i.conversation FROM (",
            $messages,
            " LIMIT 10000) AS messages
                    CROSS JOIN conversation_items i WHERE i.key = messages.key) "
        )
    };
}

const MATCHING_SQLITE: Lists = lists!(
    matching!(
        "SELECT rowid AS key FROM conversation_search WHERE conversation_search MATCH $9 ORDER BY rowid DESC",
        "SELECT rowid AS key FROM conversation_item_search WHERE conversation_item_search MATCH $9 ORDER BY rowid DESC"
    ),
    "found CROSS JOIN conversations c",
    "c.key = found.key AND ($6 IS NULL OR c.project_id = $6) AND ($7 IS NULL OR c.referrer = $7)"
);
const MATCHING_POSTGRES: Lists = lists!(
    matching!(
        "SELECT conversation AS key FROM conversation_search WHERE terms @@ CAST($9 AS TSQUERY)
            ORDER BY conversation DESC",
        "SELECT item AS key FROM conversation_item_search WHERE terms @@ CAST($9 AS TSQUERY) ORDER BY item DESC"
    ),
    "found CROSS JOIN conversations c",
    "c.key = found.key AND ($6 IS NULL OR c.project_id = $6) AND ($7 IS NULL OR c.referrer = $7)"
);

impl Reader {
    /// A page of the owner's conversations, `skip` of them left out first. `None` when `after` names none of them.
    pub async fn conversations(
        &mut self,
        owner: &UserId,
        filter: &Filter,
        sort: Sort,
        page: &PageRequest,
        skip: u32,
    ) -> Result<Option<Page<Conversation>>> {
        let Some((time, id)) = self.list_position(owner, sort, page).await? else { return Ok(None) };
        let found = match &filter.text {
            None => None,
            Some(text) => match search::Query::new(owner, text) {
                Some(query) => Some(query),
                // What has no words is in no text.
                None => return Ok(Some(Page { items: Vec::new(), has_more: false, total: None })),
            },
        };
        let (project, in_some) = match &filter.project {
            ProjectFilter::Any => (None, None),
            ProjectFilter::InSome => (None, Some(true)),
            ProjectFilter::InNone => (None, Some(false)),
            ProjectFilter::In(id) => (Some(id), None),
        };
        let referrer = filter.referrer.as_deref();
        let is_postgres = self.is_postgres();
        let lists = match (&found, project, referrer) {
            (Some(_), ..) if is_postgres => &MATCHING_POSTGRES,
            (Some(_), ..) => &MATCHING_SQLITE,
            (None, Some(_), _) => &OF_PROJECT,
            (None, None, Some(_)) => &OF_REFERRER,
            (None, None, None) if in_some == Some(true) => &OF_PROJECTS,
            (None, None, None) => &ALL,
        };
        let statement = lists.pick(sort, page.order);
        let mut query = query(statement)
            .bind(owner.as_str())
            .bind(time)
            .bind(id)
            .bind(page.lookahead())
            .bind(i64::from(skip))
            .bind(project.map(ProjectId::as_str))
            .bind(referrer)
            .bind(in_some);
        if let Some(found) = &found {
            query = query.bind(found.text(is_postgres)).long();
        }
        let rows: Vec<ConversationRow> = query.fetch_all(self).await?;
        let list = rows.into_iter().map(ConversationRow::into_conversation).collect::<Result<Vec<_>>>()?;
        Ok(Some(Page::from_lookahead(list, page.limit)))
    }

    /// Where a page begins: beyond everything when nothing was seen yet.
    async fn list_position<'a>(
        &mut self,
        owner: &UserId,
        sort: Sort,
        page: &'a PageRequest,
    ) -> Result<Option<(i64, &'a str)>> {
        let Some(after) = &page.after else {
            return Ok(Some(match page.order {
                Order::Desc => (i64::MAX, ""),
                Order::Asc => (i64::MIN, ""),
            }));
        };
        let times: Option<(i64, i64)> = query(POSITION).bind(owner.as_str()).bind(after).fetch_optional(self).await?;
        Ok(times.map(|(created, updated)| match sort {
            Sort::Created => (created, after.as_str()),
            Sort::Updated => (updated, after.as_str()),
        }))
    }
}
