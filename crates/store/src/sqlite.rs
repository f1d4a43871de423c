//! Connections to a SQLite file.

use std::{
    fs::OpenOptions,
    ops::ControlFlow,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{
    CachedStatement, Connection, OpenFlags,
    types::{Null, ToSqlOutput},
};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{Result, StoreError, options::Synchronous, plan, row::Row, statement::Value};

/// How long SQLite waits for another process's write before it gives up.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages that gather in the log until they are written into the file: many changed again and again before that.
const CHECKPOINT: u32 = 4_000;

/// Statements that a connection keeps prepared: all that there are, and the composed ones.
const PREPARED: usize = 400;

/// Where the file is, and how it is opened.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) synchronous: Synchronous,
}

impl File {
    /// Makes the file where it is missing, for its mode, which SQLite gives to the log beside it too: other users of the
    /// machine have no business with hashes of passwords. What cannot be made is said by the first connection.
    pub(crate) fn make(&self) -> Result<()> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory).map_err(StoreError::Directory)?;
        }
        if self.path.is_dir() {
            return Err(StoreError::IsDirectory);
        }
        _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path);
        Ok(())
    }

    /// Opens a connection that writes; makes the file where it is missing, and it alone.
    pub(crate) fn open_writer(&self) -> Result<Connection> {
        let connection = open(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        // Readers and the writer do not wait for each other.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", self.synchronous.as_str())?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
        Ok(connection)
    }

    fn open_reader(&self) -> Result<Connection> {
        // Not read-only: the first one to come may have to bring the log in order.
        let connection = open(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

/// Connections that read. They are kept: the last one to close would fold the log back into the file each time.
#[derive(Clone, Debug)]
pub(crate) struct Readers(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    file: File,
    most: u32,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    wait: Duration,
}

impl Readers {
    /// Prepares for so many at once; each is opened when it is needed, and waited for no longer than `wait`.
    pub(crate) fn new(file: File, most: u32, wait: Duration) -> Self {
        let places = Arc::new(Semaphore::new(most as usize));
        Self(Arc::new(Shelf { file, most, places, idle: Mutex::default(), wait }))
    }

    /// Lends one.
    pub(crate) async fn lend(&self) -> Result<Lent> {
        let place = if let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() {
            place
        } else {
            let place = Arc::clone(&self.0.places).acquire_owned();
            let place = tokio::time::timeout(self.0.wait, place).await;
            place.ok().and_then(Result::ok).ok_or(StoreError::Unavailable(None))?
        };
        let idle = self.0.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.0.file.open_reader()?,
        };
        Ok(Lent { connection: Some(connection), shelf: Arc::clone(&self.0), _place: place })
    }

    /// Waits for those that are lent, closes all, and lends no more.
    pub(crate) async fn close(&self) {
        _ = self.0.places.acquire_many(self.0.most).await;
        self.0.places.close();
        self.0.idle().clear();
    }
}

impl Shelf {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is lent, and comes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    connection: Option<Connection>,
    shelf: Arc<Shelf>,
    _place: OwnedSemaphorePermit,
}

impl Lent {
    #[expect(clippy::expect_used, reason = "only dropping it takes the connection away")]
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is lent")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.shelf.idle().push(connection);
        }
    }
}

/// A statement's text and values.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'s, 'v> {
    pub(crate) sql: &'s str,
    pub(crate) is_long: bool,
    pub(crate) values: &'s [Value<'v>],
}

impl Bound<'_, '_> {
    fn prepare<'c>(&self, connection: &'c Connection) -> Result<CachedStatement<'c>> {
        debug_assert_eq!(plan::undue_scan(connection, *self), None, "is read from end to end by: {}", self.sql);
        let mut statement = connection.prepare_cached(self.sql)?;
        let (mut at, mut bound) = (0, 0_u128);
        for number in parameters(self.sql) {
            let mark =
                1_u128.checked_shl(number).ok_or_else(|| StoreError::Statement("there are too many values".into()))?;
            if bound & mark != 0 {
                continue;
            }
            (at, bound) = (at + 1, bound | mark);
            debug_assert_eq!(statement.parameter_name(at), Some(&*format!("${number}")), "{}", self.sql);
            let value = (number as usize).checked_sub(1).and_then(|index| self.values.get(index));
            let value = value.ok_or_else(|| StoreError::Statement("a value is missing".into()))?;
            statement.raw_bind_parameter(at, value)?;
        }
        debug_assert_eq!(statement.parameter_count(), at, "{}", self.sql);
        Ok(statement)
    }
}

/// The numbers of a statement's parameters as they stand in its text, one after the other. To SQLite `$2` is a name, and the
/// first one in the text has the number 1; asking it for each name takes ten times as long.
fn parameters(sql: &str) -> impl Iterator<Item = u32> {
    memchr::memchr_iter(b'$', sql.as_bytes()).filter_map(|at| {
        let digits = sql.as_bytes()[at + 1..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(None, |number: Option<u32>, digit| {
            Some(number.unwrap_or(0).saturating_mul(10).saturating_add(u32::from(digit - b'0')))
        })
    })
}

/// Runs a statement; gives the number of rows that it changed.
pub(crate) fn execute(connection: &Connection, statement: Bound<'_, '_>) -> Result<u64> {
    each_row(connection, statement, |_| Ok(ControlFlow::Continue(())))?;
    Ok(connection.changes())
}

/// Runs a statement, and `take` with each of its rows until that has enough.
pub(crate) fn each_row(
    connection: &Connection,
    statement: Bound<'_, '_>,
    mut take: impl FnMut(Row<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut prepared = statement.prepare(connection)?;
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        if take(Row::Sqlite(row))?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Runs what takes long, with this thread's other tasks handed to another where the runtime has several.
pub(crate) fn blocking<R>(run: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(run),
        _ => run(),
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Integer(value) => value.to_sql(),
            Self::Boolean(value) => value.to_sql(),
            Self::Text(value) => Ok(value.as_deref().map_or(Null.into(), ToSqlOutput::from)),
            Self::Bytes(value) => Ok(value.as_deref().map_or(Null.into(), ToSqlOutput::from)),
            Self::Json(Ok(value)) => Ok(value.get().into()),
            Self::Json(Err(error)) => Err(rusqlite::Error::ToSqlConversionFailure(error.to_string().into())),
            Self::Texts(values) => match serde_json::to_string(values) {
                Ok(json) => Ok(json.into()),
                Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
            },
        }
    }
}
