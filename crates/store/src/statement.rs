//! Statements with their values, run on whichever database is open. SQLite answers at once, on the caller's thread:
//! handing a statement of a few microseconds to another thread costs more than the statement.

use std::{borrow::Cow, ops::ControlFlow};

use serde::Serialize;
use sqlx::{
    PgConnection, Postgres,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, types::Oid},
};

use crate::{
    Reader, Result, StoreError,
    engine::Conn,
    row::{self, FromRow, Row},
    sqlite,
};

/// A statement of ours: `$1` is its first value.
pub(crate) fn query<'a>(sql: impl Into<Cow<'static, str>>) -> Statement<'a> {
    Statement { sql: sql.into(), values: Vec::new(), is_long: false }
}

/// The parameters of so many rows: `($1, $2), ($3, $4)`.
pub(crate) fn parameters(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let row = (1..=columns).map(|column| format!("${}", row * columns + column)).collect::<Vec<_>>();
        format!("({})", row.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// A statement and its values.
pub(crate) struct Statement<'a> {
    sql: Cow<'static, str>,
    values: Vec<Value<'a>>,
    is_long: bool,
}

impl<'a> Statement<'a> {
    /// Gives the next value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Says that it may take longer than a request can be kept from its thread: that it reads or writes a number of rows
    /// that nothing bounds, or very many.
    pub(crate) fn long(mut self) -> Self {
        self.is_long = true;
        self
    }

    /// Runs it; gives the number of rows that it changed.
    pub(crate) async fn execute(self, on: &mut Reader) -> Result<u64> {
        match on.conn() {
            Conn::Sqlite(connection) => self.on_sqlite(|statement| sqlite::execute(connection, statement)),
            Conn::Postgres(connection) => {
                let (query, connection) = self.on_postgres(connection)?;
                Ok(query.execute(connection).await?.rows_affected())
            }
        }
    }

    /// Runs it; gives its one row.
    pub(crate) async fn fetch_one<T: FromRow>(self, on: &mut Reader) -> Result<T> {
        self.fetch_optional(on).await?.ok_or_else(|| StoreError::Statement("there is no row".into()))
    }

    /// Runs it, which inserts a row; gives the row's number, its `key`. SQLite knows that one without collecting rows.
    pub(crate) async fn insert(mut self, on: &mut Reader) -> Result<i64> {
        if let Conn::Sqlite(connection) = on.conn() {
            self.on_sqlite(|statement| sqlite::execute(connection, statement))?;
            return Ok(connection.last_insert_rowid());
        }
        self.sql = format!("{} RETURNING key", self.sql).into();
        self.fetch_one(on).await
    }

    /// Runs it; gives its first row, if it has any.
    pub(crate) async fn fetch_optional<T: FromRow>(self, on: &mut Reader) -> Result<Option<T>> {
        match on.conn() {
            Conn::Sqlite(connection) => {
                let (mut found, mut read) = (None, row::reader());
                self.on_sqlite(|statement| {
                    sqlite::each_row(connection, statement, |row| {
                        // To the end all the same: a statement that writes does so until then.
                        if found.is_none() {
                            found = Some(read(&row)?);
                        }
                        Ok(ControlFlow::Continue(()))
                    })
                })?;
                Ok(found)
            }
            Conn::Postgres(connection) => {
                let (query, connection) = self.on_postgres(connection)?;
                let row = query.fetch_optional(connection).await?;
                row.map(|row| row::reader()(&Row::Postgres(&row))).transpose()
            }
        }
    }

    /// Runs it; gives all of its rows.
    pub(crate) async fn fetch_all<T: FromRow>(self, on: &mut Reader) -> Result<Vec<T>> {
        let (mut found, mut read) = (Vec::new(), row::reader());
        match on.conn() {
            Conn::Sqlite(connection) => {
                self.on_sqlite(|statement| {
                    sqlite::each_row(connection, statement, |row| {
                        found.push(read(&row)?);
                        Ok(ControlFlow::Continue(()))
                    })
                })?;
            }
            Conn::Postgres(connection) => {
                let (query, connection) = self.on_postgres(connection)?;
                for row in &query.fetch_all(connection).await? {
                    found.push(read(&Row::Postgres(row))?);
                }
            }
        }
        Ok(found)
    }

    fn on_sqlite<R>(&self, run: impl FnOnce(sqlite::Bound<'_, 'a>) -> Result<R>) -> Result<R> {
        self.check_has_no_nul()?;
        let statement = self.bound();
        if self.is_long { sqlite::blocking(|| run(statement)) } else { run(statement) }
    }

    /// As SQLite runs it.
    pub(crate) fn bound(&self) -> sqlite::Bound<'_, 'a> {
        sqlite::Bound { sql: &self.sql, is_long: self.is_long, values: &self.values }
    }

    /// PostgreSQL keeps no NUL, and would call it a fault of the server's; SQLite answers alike.
    fn check_has_no_nul(&self) -> Result<()> {
        if self.values.iter().any(Value::holds_nul) { Err(StoreError::Nul) } else { Ok(()) }
    }

    fn on_postgres(self, connection: &mut PgConnection) -> Result<(PgQuery<'a>, &mut PgConnection)> {
        self.check_has_no_nul()?;
        let sql = match self.sql {
            Cow::Borrowed(sql) => sqlx::query(sql),
            // Composed of our own texts; whatever comes from outside is a value.
            Cow::Owned(sql) => sqlx::query(sqlx::AssertSqlSafe(sql)),
        };
        let query = self.values.into_iter().try_fold(sql, |query, value| value.bind_to(query))?;
        Ok((query, connection))
    }
}

type PgQuery<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

/// A value of a statement. Each kind knows its type even where it is null, which PostgreSQL asks for.
pub(crate) enum Value<'a> {
    Integer(Option<i64>),
    Boolean(Option<bool>),
    Text(Option<Cow<'a, str>>),
    Bytes(Option<Cow<'a, [u8]>>),
    /// A text on SQLite, `jsonb` on PostgreSQL.
    Json(serde_json::Result<Box<serde_json::value::RawValue>>),
    /// An array on PostgreSQL; on SQLite JSON, for `json_each`.
    Texts(Vec<&'a str>),
}

impl<'a> Value<'a> {
    fn holds_nul(&self) -> bool {
        let has_one = |text: &str| memchr::memchr(0, text.as_bytes()).is_some();
        match self {
            Self::Text(Some(text)) => has_one(text),
            Self::Texts(texts) => texts.iter().any(|text| has_one(text)),
            Self::Json(Ok(json)) => wire::json::holds_nul(json.get().as_bytes()),
            _ => false,
        }
    }

    fn bind_to(self, query: PgQuery<'a>) -> Result<PgQuery<'a>> {
        Ok(match self {
            Self::Integer(value) => query.bind(value),
            Self::Boolean(value) => query.bind(value),
            Self::Text(value) => query.bind(value),
            Self::Bytes(value) => query.bind(value),
            Self::Json(value) => query.bind(Jsonb(value.map_err(|error| StoreError::Statement(error.into()))?)),
            Self::Texts(value) => query.bind(value),
        })
    }
}

/// PostgreSQL's `jsonb` on the wire: the format's number, and the text.
struct Jsonb(Box<serde_json::value::RawValue>);

/// The number of `jsonb` in PostgreSQL's catalogue.
const JSONB: Oid = Oid(3802);

impl sqlx::Type<Postgres> for Jsonb {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(JSONB)
    }
}

impl sqlx::Encode<'_, Postgres> for Jsonb {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.push(1);
        buffer.extend(self.0.get().as_bytes());
        Ok(IsNull::No)
    }
}

/// A JSON column.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> From<Json<T>> for Value<'_> {
    fn from(json: Json<T>) -> Self {
        Self::Json(serde_json::value::to_raw_value(&json.0))
    }
}

impl<'a> From<Vec<&'a str>> for Value<'a> {
    fn from(texts: Vec<&'a str>) -> Self {
        Self::Texts(texts)
    }
}

macro_rules! values {
    ($($type:ty: $name:ident => $kind:ident($value:expr);)*) => {
        $(impl<'a> From<$type> for Value<'a> {
            fn from($name: $type) -> Self {
                Self::$kind($value)
            }
        })*
    };
}

values! {
    i64: value => Integer(Some(value));
    Option<i64>: value => Integer(value);
    bool: value => Boolean(Some(value));
    Option<bool>: value => Boolean(value);
    &'a str: value => Text(Some(value.into()));
    Option<&'a str>: value => Text(value.map(Cow::from));
    String: value => Text(Some(value.into()));
    Option<String>: value => Text(value.map(Cow::from));
    &'a String: value => Text(Some(value.into()));
    &'a Option<String>: value => Text(value.as_deref().map(Cow::from));
    &'a [u8]: value => Bytes(Some(value.into()));
    &'a Vec<u8>: value => Bytes(Some(value.into()));
    Option<&'a [u8]>: value => Bytes(value.map(Cow::from));
    Vec<u8>: value => Bytes(Some(value.into()));
    Option<Vec<u8>>: value => Bytes(value.map(Cow::from));
}
