//! The table `audit_logs`: added to and read, never changed. What is older than the operator keeps it is forgotten whole.

use domain::{
    Timestamp,
    audit::{Act, Actor, Entry, Filter, Origin},
    ids::UserId,
    page::{Page, PageRequest},
};

use crate::{Reader, Result, StoreError, Tx, row::row, statement::query, text};

const INSERT: &str = "INSERT INTO audit_logs
    (id, created_at, action, actor_kind, actor_id, target, detail, address, user_agent, request_id, once)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (once) DO NOTHING";
const EXISTS: &str = "SELECT COUNT(*) FROM audit_logs WHERE id = $1";
const LIST: &str =
    "SELECT id, created_at, action, actor_kind, actor_id, target, detail, address, user_agent, request_id
    FROM audit_logs WHERE TRUE";

const FORGET: &str = "DELETE FROM audit_logs
    WHERE id IN (SELECT id FROM audit_logs WHERE created_at <= $1 ORDER BY created_at LIMIT $2)";

row! {
    struct EntryRow {
        id: String,
        created_at: i64,
        action: String,
        actor_kind: String,
        actor_id: Option<String>,
        target: Option<String>,
        detail: Option<String>,
        address: Option<String>,
        user_agent: Option<String>,
        request_id: Option<String>,
    }
}

impl EntryRow {
    /// None for an act of a newer server, which this one has no name for.
    fn into_entry(self) -> Result<Option<Entry>> {
        let Some(act) = Act::parse(&self.action) else { return Ok(None) };
        let actor = match self.actor_id {
            Some(id) => Actor::User(text::id(&id, "audit_logs.actor_id")?),
            None if self.actor_kind == Actor::COMMAND_LINE => Actor::CommandLine,
            None => Actor::Unknown,
        };
        let address = self.address.map(|address| address.parse()).transpose();
        Ok(Some(Entry {
            id: text::id(&self.id, "audit_logs.id")?,
            created_at: Timestamp::from_micros(self.created_at),
            act,
            origin: Origin {
                actor,
                address: address.map_err(|_| StoreError::Corrupt { column: "audit_logs.address" })?,
                user_agent: self.user_agent,
                request_id: self.request_id,
            },
            target: self.target,
            detail: self.detail,
        }))
    }
}

impl Reader {
    /// A page of the log. `None` when `after` names no line of it.
    pub async fn audit_log(&mut self, filter: &Filter, page: &PageRequest) -> Result<Option<Page<Entry>>> {
        if let Some(after) = &page.after {
            let found: i64 = query(EXISTS).bind(after).fetch_one(self).await?;
            if found == 0 {
                return Ok(None);
            }
        }
        let rows: Vec<EntryRow> = query(list(filter, page))
            .bind(filter.act.map(Act::as_str))
            .bind(filter.actor.as_ref().map(Actor::kind))
            .bind(filter.actor.as_ref().and_then(Actor::user).map(UserId::as_str))
            .bind(&filter.target)
            .bind(&page.after)
            .bind(page.lookahead())
            .bind(i64::from(filter.skip))
            .long()
            .fetch_all(self)
            .await?;
        let page = Page::from_lookahead(rows, page.limit);
        let entries = page.items.into_iter().filter_map(|row| row.into_entry().transpose());
        Ok(Some(Page { items: entries.collect::<Result<_>>()?, has_more: page.has_more, total: None }))
    }
}

/// A page of what a filter asks for. Only what it names is in the statement: each has an index, and the log is long.
fn list(filter: &Filter, page: &PageRequest) -> String {
    let actor = match &filter.actor {
        None => "",
        Some(Actor::User(_)) => " AND actor_id = $3",
        Some(_) => " AND actor_id IS NULL AND actor_kind = $2",
    };
    let act = if filter.act.is_some() { " AND action = $1" } else { "" };
    let target = if filter.target.is_some() { " AND target = $4" } else { "" };
    let after = if page.after.is_some() { page.order.pick(" AND id > $5", " AND id < $5") } else { "" };
    let order = page.order.pick("", " DESC");
    format!("{LIST}{act}{actor}{target}{after} ORDER BY id{order} LIMIT $6 OFFSET $7")
}

impl Tx {
    /// Adds a line, in the transaction of the act it tells of.
    pub async fn insert_audit(&mut self, entry: &Entry) -> Result<()> {
        self.insert_entry(entry, None).await.map(drop)
    }

    /// Adds a line unless there is one with the same `once`; says whether it did.
    pub async fn insert_audit_once(&mut self, entry: &Entry, once: &str) -> Result<bool> {
        self.insert_entry(entry, Some(once)).await
    }

    /// Forgets at most `limit` lines written until `before`, the oldest first; says how many.
    pub async fn delete_audit(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        query(FORGET).bind(before.micros()).bind(i64::from(limit)).execute(self).await
    }

    async fn insert_entry(&mut self, entry: &Entry, once: Option<&str>) -> Result<bool> {
        let origin = &entry.origin;
        let added = query(INSERT)
            .bind(entry.id.as_str())
            .bind(entry.created_at.micros())
            .bind(entry.act.as_str())
            .bind(origin.actor.kind())
            .bind(origin.actor.user().map(UserId::as_str))
            .bind(&entry.target)
            .bind(&entry.detail)
            .bind(origin.address.map(|address| address.to_string()))
            .bind(&origin.user_agent)
            .bind(&origin.request_id)
            .bind(once)
            .execute(self)
            .await?;
        Ok(added > 0)
    }
}
