//! SQLite's one writer. Transactions take turns at it, and those that queue become durable together: one commit, and so
//! one wait for the disk, for all of them (group commit). A transaction that meets nobody commits at once.
//!
//! Within the one SQLite transaction each turn is a savepoint: what a turn wrote is undone when it is dropped, whatever
//! the others do. A turn that ends while somebody waits hands the open transaction on and queues again; whoever gets to
//! the head of the queue a second time commits for all. So a group is never larger than the queue was, and nobody waits
//! for somebody who came after that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction, sqlite::SqliteConnectOptions};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio_util::task::TaskTracker;

use crate::{StoreError, engine};

/// IMMEDIATE takes the write lock at once: a transaction that begins by reading can then not fail in the middle because
/// another process wrote meanwhile.
const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT turn";
/// Keeps what this turn wrote and opens the next one. Fails when the transaction is gone, which a full disk ends.
const HAND_OVER: &str = "RELEASE turn; SAVEPOINT turn";
/// Takes back what the turn before wrote. The savepoint stays, for the next turn.
const UNDO: &str = "ROLLBACK TO turn";

/// The writer. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Writer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// One connection, opened at its first use.
    pool: SqlitePool,
    desk: Arc<Mutex<Desk>>,
    /// How many wait for their turn.
    queue: AtomicUsize,
    wait: Duration,
    tasks: TaskTracker,
}

/// What the turns pass on: the transaction that is open, if any.
type Desk = Option<Group>;

/// A transaction of several turns.
#[derive(Debug)]
struct Group {
    transaction: Transaction<'static, Sqlite>,
    /// Tells those whose turn has ended what became of it.
    fate: watch::Sender<Fate>,
    /// The last turn was dropped: what it wrote is still to be undone.
    spoilt: bool,
}

/// What became of a group; nothing while it is open.
type Fate = Option<Result<(), Arc<StoreError>>>;

impl Writer {
    /// Prepares the writer. Its connection is opened by the first turn; each waits for its own no longer than `wait`.
    pub(crate) fn new(connect: SqliteConnectOptions, wait: Duration) -> Self {
        let pool = engine::lasting(wait)
            .max_connections(1)
            .after_release(|connection, _| Box::pin(engine::is_whole(connection)))
            .connect_lazy_with(connect);
        Self(Arc::new(Inner {
            pool,
            desk: Arc::default(),
            queue: AtomicUsize::new(0),
            wait,
            tasks: TaskTracker::new(),
        }))
    }

    /// Waits for a turn.
    pub(crate) async fn begin(&self) -> Result<Turn, StoreError> {
        let queued = Queued::at(&self.0.queue);
        let desk = tokio::time::timeout(self.0.wait, Arc::clone(&self.0.desk).lock_owned()).await;
        drop(queued);
        let desk = desk.map_err(|_| StoreError::Unavailable(Some(sqlx::Error::PoolTimedOut)))?;
        Ok(Turn { desk: Some(self.open(desk).await?), writer: self.clone() })
    }

    /// Joins the transaction that is open, or begins one.
    async fn open(&self, mut desk: OwnedMutexGuard<Desk>) -> Result<OwnedMutexGuard<Desk>, StoreError> {
        if let Some(group) = desk.as_mut() {
            match group.clean().await {
                Ok(()) => return Ok(desk),
                // The transaction is gone, and with it what the others wrote.
                Err(error) => _ = tell(&group.fate, Err(error)),
            }
            *desk = None;
        }
        let transaction = self.0.pool.begin_with(BEGIN).await?;
        *desk = Some(Group { transaction, fate: watch::Sender::new(None), spoilt: false });
        Ok(desk)
    }

    /// The connection by itself, without a turn.
    #[cfg(test)]
    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.0.pool
    }

    pub(crate) async fn close(&self) {
        self.0.pool.close().await;
    }

    /// Waits until the group that this turn belongs to is committed, by somebody else or, at the head of the queue again,
    /// by us.
    async fn join(&self, mut fate: watch::Receiver<Fate>) -> Result<(), StoreError> {
        let mut left = Left { writer: Some(self.clone()) };
        let outcome = tokio::select! {
            biased;
            told = told(&mut fate) => told,
            desk = Arc::clone(&self.0.desk).lock_owned() => {
                // A group stays at the desk until its fate is known.
                let known = fate.borrow().clone();
                match known {
                    Some(outcome) => outcome.map_err(|error| error.echo()),
                    None => self.settle(desk).await,
                }
            }
        };
        left.writer = None;
        outcome
    }

    /// Commits the group at the desk. In a task of its own: whoever waits for it leaves with its client, the others
    /// must be told all the same.
    async fn settle(&self, mut desk: OwnedMutexGuard<Desk>) -> Result<(), StoreError> {
        let settled = self.0.tasks.spawn(async move {
            let Some(group) = desk.take() else { return Err(StoreError::Unavailable(None)) };
            let outcome = group.commit().await;
            drop(desk); // The turn lasts until then.
            outcome
        });
        settled.await.unwrap_or(Err(StoreError::Unavailable(None)))
    }
}

/// What a group's fate says, as soon as it says something.
async fn told(fate: &mut watch::Receiver<Fate>) -> Result<(), StoreError> {
    match fate.wait_for(Option::is_some).await.map(|fate| fate.clone()) {
        Ok(Some(outcome)) => outcome.map_err(|error| error.echo()),
        // Nobody is left to commit it: the runtime stops.
        Ok(None) | Err(_) => Err(StoreError::Unavailable(None)),
    }
}

impl Group {
    /// Takes back what a dropped turn wrote.
    async fn clean(&mut self) -> Result<(), StoreError> {
        if self.spoilt {
            sqlx::query(UNDO).execute(&mut *self.transaction).await?;
            self.spoilt = false;
        }
        Ok(())
    }

    /// Commits, and tells all of it.
    async fn commit(mut self) -> Result<(), StoreError> {
        let outcome = match self.clean().await {
            Ok(()) => self.transaction.commit().await.map_err(StoreError::from),
            Err(error) => Err(error),
        };
        tell(&self.fate, outcome)
    }
}

/// Tells a group its fate. The error goes to the caller, its echo to the others.
fn tell(fate: &watch::Sender<Fate>, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    if fate.receiver_count() > 0 {
        fate.send_replace(Some(outcome.as_ref().map(drop).map_err(|error| Arc::new(error.echo()))));
    }
    outcome
}

/// A transaction whose turn it is. Dropped without [`Turn::commit`] it leaves no trace.
#[derive(Debug)]
pub(crate) struct Turn {
    /// None once it has ended.
    desk: Option<OwnedMutexGuard<Desk>>,
    writer: Writer,
}

impl Turn {
    /// The connection to write with.
    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.group().transaction
    }

    #[expect(clippy::expect_used, reason = "a turn that has begun holds its group, and what ends it consumes it")]
    fn group(&mut self) -> &mut Group {
        self.desk.as_mut().and_then(|desk| desk.as_mut()).expect("the turn has ended")
    }

    /// Makes what was written permanent, together with what others write who wait already.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        if self.writer.0.queue.load(Ordering::Relaxed) > 0 {
            let writer = self.writer.clone();
            // In a task of its own: half of it would leave the others without a savepoint.
            let handed = writer.0.tasks.spawn(async move {
                sqlx::raw_sql(HAND_OVER).execute(self.conn()).await?;
                let fate = self.group().fate.subscribe();
                drop(self.desk.take());
                Ok::<_, StoreError>(fate)
            });
            let fate = handed.await.unwrap_or(Err(StoreError::Unavailable(None)))?;
            return writer.join(fate).await;
        }
        let shared = self.group().fate.receiver_count() > 0;
        let Some(mut desk) = self.desk.take() else { return Err(StoreError::Unavailable(None)) };
        match desk.take_if(|_| !shared) {
            Some(group) => group.commit().await,
            None => self.writer.settle(desk).await,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(desk) = self.desk.as_mut() else { return };
        match desk.as_mut() {
            Some(group) if group.fate.receiver_count() > 0 => group.spoilt = true,
            // Nobody else's work is in it. The driver rolls back.
            _ => **desk = None,
        }
    }
}

/// One that waits for its turn, counted while it does.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn at(queue: &'a AtomicUsize) -> Self {
        queue.fetch_add(1, Ordering::Relaxed);
        Self(queue)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One that waits for its group. Should it be dropped, its place in the queue is taken by a task: without anybody there
/// the transaction would stay open.
struct Left {
    writer: Option<Writer>,
}

impl Drop for Left {
    fn drop(&mut self) {
        let Some(writer) = self.writer.take() else { return };
        let tasks = writer.0.tasks.clone();
        if tokio::runtime::Handle::try_current().is_ok() {
            tasks.spawn(async move {
                let desk = Arc::clone(&writer.0.desk).lock_owned().await;
                // Who waits for a failed commit is told of it, and nobody else is there to tell.
                _ = writer.settle(desk).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteJournalMode;
    use tokio::task::JoinHandle;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A writer on a new file with one table, whose references are checked at the commit.
    struct Fixture {
        writer: Writer,
        connect: SqliteConnectOptions,
        _directory: tempfile::TempDir,
    }

    impl Fixture {
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let connect = SqliteConnectOptions::new()
                .filename(directory.path().join("jan.db"))
                .create_if_missing(true)
                .busy_timeout(Duration::ZERO)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal);
            let writer = Writer::new(connect.clone(), PATIENCE);
            sqlx::query(
                "CREATE TABLE rows (id BIGINT PRIMARY KEY, \
                 parent BIGINT REFERENCES rows (id) DEFERRABLE INITIALLY DEFERRED)",
            )
            .execute(writer.pool())
            .await
            .unwrap();
            Self { writer, connect, _directory: directory }
        }

        /// A turn that writes `id` as soon as it can; ready when it has written. Returns once it stands in the queue.
        async fn queue(&self, id: i64, parent: Option<i64>) -> JoinHandle<Turn> {
            let (writer, before) = (self.writer.clone(), self.queued());
            #[expect(clippy::disallowed_methods, reason = "a test's task ends with its test")]
            let turn = tokio::spawn(async move {
                let mut turn = writer.begin().await.unwrap();
                insert(&mut turn, id, parent).await.unwrap();
                turn
            });
            self.until(before + 1).await;
            turn
        }

        fn queued(&self) -> usize {
            self.writer.0.queue.load(Ordering::Relaxed)
        }

        async fn until(&self, queued: usize) {
            while self.queued() != queued {
                tokio::task::yield_now().await;
            }
        }

        /// What another process sees.
        async fn seen(&self) -> Vec<i64> {
            let other = SqlitePool::connect_with(self.connect.clone()).await.unwrap();
            let seen = sqlx::query_scalar("SELECT id FROM rows ORDER BY id").fetch_all(&other).await.unwrap();
            other.close().await;
            seen
        }
    }

    async fn insert(turn: &mut Turn, id: i64, parent: Option<i64>) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO rows (id, parent) VALUES ($1, $2)")
            .bind(id)
            .bind(parent)
            .execute(turn.conn())
            .await
            .map(drop)
    }

    #[tokio::test]
    async fn turns_that_queue_are_committed_together_and_a_dropped_one_leaves_no_trace() {
        let fixture = Fixture::new().await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).await.unwrap();
        let dropped = fixture.queue(2, None).await;
        let third = fixture.queue(3, None).await;

        let mut first = Box::pin(first.commit());
        let dropped = tokio::select! {
            _ = &mut first => panic!("committed although others wait"),
            turn = dropped => turn.unwrap(),
        };
        assert_eq!(fixture.seen().await, [0; 0], "nothing is visible before it is durable");
        drop(dropped);
        let third = third.await.unwrap();
        let (first, third) = tokio::join!(first, third.commit());
        first.unwrap();
        third.unwrap();
        assert_eq!(fixture.seen().await, [1, 3]);
    }

    #[tokio::test]
    async fn a_failed_commit_is_told_to_all_whose_work_it_was() {
        let fixture = Fixture::new().await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).await.unwrap();
        let orphan = fixture.queue(2, Some(99)).await;
        let first = first.commit();
        let orphan = async { orphan.await.unwrap().commit().await };
        let (first, orphan) = tokio::join!(first, orphan);
        assert!(first.is_err() && orphan.is_err(), "{first:?} {orphan:?}");
        assert_eq!(fixture.seen().await, [0; 0]);

        let mut next = fixture.writer.begin().await.unwrap();
        insert(&mut next, 3, None).await.unwrap();
        next.commit().await.unwrap();
        assert_eq!(fixture.seen().await, [3]);
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_fails_for_all_of_its_group() {
        let fixture = Fixture::new().await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).await.unwrap();
        let second = fixture.queue(2, None).await;
        let third = fixture.queue(3, None).await;
        let mut first = Box::pin(first.commit());
        let mut second = tokio::select! {
            _ = &mut first => panic!("committed although others wait"),
            turn = second => turn.unwrap(),
        };
        // What a full disk does.
        sqlx::query("ROLLBACK").execute(second.conn()).await.unwrap();
        let (first, second, third) =
            tokio::join!(first, second.commit(), async { third.await.unwrap().commit().await });
        assert!(first.is_err() && second.is_err(), "{first:?} {second:?}");
        third.unwrap();
        assert_eq!(fixture.seen().await, [3]);
    }

    #[tokio::test]
    async fn one_that_leaves_while_its_group_is_open_holds_nobody_up() {
        let fixture = Fixture::new().await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).await.unwrap();
        let second = fixture.queue(2, None).await;
        let mut first = Box::pin(first.commit());
        let second = tokio::select! {
            _ = &mut first => panic!("committed although another waits"),
            turn = second => turn.unwrap(),
        };
        drop(first);
        drop(second);
        // Another process can write: the lock on the file is gone. It is let go of in the background.
        let other = SqlitePool::connect_with(fixture.connect.clone()).await.unwrap();
        let written = async {
            while sqlx::query("INSERT INTO rows (id) VALUES (4)").execute(&other).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, written).await.unwrap();
        assert!(!fixture.seen().await.contains(&2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_at_once_all_arrive() {
        let fixture = Fixture::new().await;
        let write = |id: i64| {
            let writer = fixture.writer.clone();
            async move {
                let mut turn = writer.begin().await.unwrap();
                insert(&mut turn, id, None).await.unwrap();
                // A third change their minds.
                if id % 3 > 0 {
                    turn.commit().await.unwrap();
                }
            }
        };
        futures_util::future::join_all((0..300).map(write)).await;
        let expected: Vec<i64> = (0..300).filter(|id| id % 3 > 0).collect();
        assert_eq!(fixture.seen().await, expected);
    }
}
