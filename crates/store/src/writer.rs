//! SQLite's one writer. Transactions take turns at it, and those that queue become durable together: one commit, and so
//! one wait for the disk, for all of them (group commit). A transaction that meets nobody commits at once.
//!
//! Within the one SQLite transaction each turn is a savepoint: what a turn wrote is undone when it is dropped, whatever
//! the others do. A turn that ends while somebody waits hands the open transaction on and queues again; whoever gets to
//! the head of the queue a second time commits for all. So a group is never larger than the queue was, and nobody waits
//! for somebody who came after that.
//!
//! Statements run on the thread of whoever has the turn. What waits for the disk or for another process, the commit and
//! a transaction's beginning that was refused, runs on a thread for such things.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio_util::task::TaskTracker;

use crate::{
    Result, StoreError,
    sqlite::{BUSY_TIMEOUT, File},
};

/// Takes the write lock at once: a transaction that begins by reading can then not fail in the middle because another
/// process wrote meanwhile.
const BEGIN: &str = "BEGIN IMMEDIATE";
const TURN: &str = "SAVEPOINT turn";
/// Keeps what this turn wrote. Fails when the transaction is gone, which a full disk ends.
const KEEP: &str = "RELEASE turn";
/// Takes back what this turn wrote. The savepoint stays, for the next one.
const UNDO: &str = "ROLLBACK TO turn";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// The writer. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Writer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    desk: Arc<Mutex<Desk>>,
    /// How many wait for their turn.
    queue: AtomicUsize,
    wait: Duration,
    tasks: TaskTracker,
}

/// What the turns pass on.
#[derive(Debug, Default)]
struct Desk {
    /// Opened at its first use.
    connection: Option<Connection>,
    /// The transaction that is open, if any.
    group: Option<Group>,
    is_closed: bool,
}

/// A transaction of several turns: how those whose turn has ended are told what became of it.
#[derive(Debug, Default)]
struct Group(watch::Sender<Fate>);

/// What became of a group; nothing while it is open.
type Fate = Option<Result<(), Arc<StoreError>>>;

impl Writer {
    /// Prepares the writer. Each waits for a turn no longer than `wait`.
    pub(crate) fn new(file: File, wait: Duration) -> Self {
        Self(Arc::new(Inner {
            file,
            desk: Arc::default(),
            queue: AtomicUsize::new(0),
            wait,
            tasks: TaskTracker::new(),
        }))
    }

    /// Waits for a turn.
    pub(crate) async fn begin(&self) -> Result<Turn> {
        let desk = if let Ok(desk) = Arc::clone(&self.0.desk).try_lock_owned() {
            desk
        } else {
            let _queued = Queued::at(&self.0.queue);
            let desk = tokio::time::timeout(self.0.wait, Arc::clone(&self.0.desk).lock_owned()).await;
            desk.map_err(|_| StoreError::Unavailable(None))?
        };
        // From here on the turn is given back by whoever leaves, and by the thread that nobody waits for any more.
        let mut turn = Turn { desk: Some(desk), writer: self.clone() };
        match turn.open(Duration::ZERO) {
            Err(error) if is_busy(&error) => {
                let patient = self.0.tasks.spawn_blocking(move || turn.open(BUSY_TIMEOUT).map(|()| turn));
                patient.await.unwrap_or(Err(StoreError::Unavailable(None)))
            }
            opened => opened.map(|()| turn),
        }
    }

    /// The connection by itself, without a turn.
    #[cfg(test)]
    pub(crate) async fn bare(&self) -> tokio::sync::MappedMutexGuard<'_, Connection> {
        tokio::sync::MutexGuard::map(self.0.desk.lock().await, |desk| {
            desk.connection.get_or_insert_with(|| self.0.file.open_writer().unwrap())
        })
    }

    /// Waits for those who have a turn, and closes the connection.
    pub(crate) async fn close(&self) {
        let mut desk = self.0.desk.lock().await;
        desk.is_closed = true;
        if desk.group.is_some() {
            // Whoever waits for it is told.
            _ = desk.commit();
        }
        desk.connection = None;
    }

    /// Waits until the group that this turn belongs to is committed, by somebody else or, at the head of the queue again,
    /// by us.
    async fn join(&self, mut fate: watch::Receiver<Fate>) -> Result<()> {
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

    /// Commits the group at the desk, whoever of those that wait for it leaves meanwhile.
    async fn settle(&self, mut desk: OwnedMutexGuard<Desk>) -> Result<()> {
        let settled = self.0.tasks.spawn_blocking(move || desk.commit()); // The turn lasts until then.
        settled.await.unwrap_or(Err(StoreError::Unavailable(None)))
    }
}

/// What a group's fate says, as soon as it says something.
async fn told(fate: &mut watch::Receiver<Fate>) -> Result<()> {
    match fate.wait_for(Option::is_some).await.map(|fate| fate.clone()) {
        Ok(Some(outcome)) => outcome.map_err(|error| error.echo()),
        // Nobody is left to commit it: the runtime stops.
        Ok(None) | Err(_) => Err(StoreError::Unavailable(None)),
    }
}

impl Desk {
    /// Begins a transaction and its first turn; waits no longer than `wait` for other processes.
    fn begin(&mut self, file: &File, wait: Duration) -> Result<()> {
        if self.is_closed {
            return Err(StoreError::Unavailable(None));
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(file.open_writer()?),
        };
        connection.busy_timeout(wait)?;
        let begun = run(connection, BEGIN);
        connection.busy_timeout(BUSY_TIMEOUT)?;
        begun?;
        self.group = Some(Group::default());
        run(connection, TURN)
    }

    /// Keeps what this turn wrote, and opens the next one; gives what will tell its fate.
    fn hand_over(&mut self) -> Result<watch::Receiver<Fate>> {
        let (Some(connection), Some(group)) = (&self.connection, &self.group) else { return Err(gone()) };
        run(connection, KEEP)?;
        run(connection, TURN)?;
        Ok(group.0.subscribe())
    }

    /// Takes back what this turn wrote. Should that fail, then for all of its group.
    fn undo(&mut self) {
        let (Some(connection), Some(group)) = (&self.connection, &self.group) else { return };
        if !group.is_shared() {
            self.group = None;
            self.abandon();
        } else if let Err(error) = run(connection, UNDO) {
            _ = group.tell(Err(error));
            self.group = None;
            self.abandon();
        }
    }

    /// Ends the transaction without keeping anything. A connection that cannot do that is closed.
    fn abandon(&mut self) {
        let Some(connection) = &self.connection else { return };
        // On a full disk SQLite has ended it by itself.
        if !connection.is_autocommit() && run(connection, ROLLBACK).is_err() {
            self.connection = None;
        }
    }

    /// Commits, and tells all of it.
    fn commit(&mut self) -> Result<()> {
        let Some(group) = self.group.take() else { return Err(gone()) };
        let outcome = self.connection.as_ref().ok_or_else(gone).and_then(|connection| run(connection, COMMIT));
        if outcome.is_err() {
            self.abandon();
        }
        group.tell(outcome)
    }
}

fn run(connection: &Connection, statement: &str) -> Result<()> {
    connection.prepare_cached(statement)?.raw_execute()?;
    Ok(())
}

fn is_busy(error: &StoreError) -> bool {
    let StoreError::Unavailable(Some(source)) = error else { return false };
    let busy = source.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
    busy == Some(ErrorCode::DatabaseBusy)
}

/// The transaction is no more.
fn gone() -> StoreError {
    StoreError::Statement("the transaction has ended".into())
}

impl Group {
    /// Whether others than the one whose turn it is have written in it.
    fn is_shared(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Tells all their fate. The error goes to the caller, its echo to the others.
    fn tell(&self, outcome: Result<()>) -> Result<()> {
        if self.is_shared() {
            self.0.send_replace(Some(outcome.as_ref().map(drop).map_err(|error| Arc::new(error.echo()))));
        }
        outcome
    }
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
    #[expect(clippy::expect_used, reason = "a turn that has begun holds its connection, and what ends it consumes it")]
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.desk.as_mut().and_then(|desk| desk.connection.as_mut()).expect("the turn has ended")
    }

    /// Joins the transaction that is open, or begins one, for which other processes are waited for no longer than `wait`.
    fn open(&mut self, wait: Duration) -> Result<()> {
        match self.desk.as_mut() {
            Some(desk) if desk.group.is_none() => desk.begin(&self.writer.0.file, wait),
            _ => Ok(()),
        }
    }

    /// Makes what was written permanent, together with what others write who wait already.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let Some(mut desk) = self.desk.take() else { return Err(gone()) };
        if self.writer.0.queue.load(Ordering::Relaxed) == 0 {
            return self.writer.settle(desk).await;
        }
        let handed = desk.hand_over();
        let fate = match handed {
            Ok(fate) => fate,
            Err(error) => {
                // What the others wrote is gone too.
                let group = desk.group.take();
                desk.abandon();
                return group.map_or_else(|| Err(gone()), |group| group.tell(Err(error)));
            }
        };
        drop(desk);
        self.writer.join(fate).await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.as_mut() {
            desk.undo();
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
    use tokio::task::JoinHandle;

    use super::*;
    use crate::options::Synchronous;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A writer on a new file with one table, whose references are checked at the commit.
    struct Fixture {
        writer: Writer,
        file: File,
        _directory: tempfile::TempDir,
    }

    impl Fixture {
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let file = File { path: directory.path().join("jan.db"), synchronous: Synchronous::Full };
            let writer = Writer::new(file.clone(), PATIENCE);
            let table = "CREATE TABLE rows (id BIGINT PRIMARY KEY, \
                parent BIGINT REFERENCES rows (id) DEFERRABLE INITIALLY DEFERRED)";
            writer.bare().await.execute_batch(table).unwrap();
            Self { writer, file, _directory: directory }
        }

        /// A turn that writes `id` as soon as it can; ready when it has written. Returns once it stands in the queue.
        async fn queue(&self, id: i64, parent: Option<i64>) -> JoinHandle<Turn> {
            let (writer, before) = (self.writer.clone(), self.queued());
            #[expect(clippy::disallowed_methods, reason = "a test's task ends with its test")]
            let turn = tokio::spawn(async move {
                let mut turn = writer.begin().await.unwrap();
                insert(&mut turn, id, parent).unwrap();
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
        fn seen(&self) -> Vec<i64> {
            let other = Connection::open(&self.file.path).unwrap();
            let mut rows = other.prepare("SELECT id FROM rows ORDER BY id").unwrap();
            rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        }
    }

    fn insert(turn: &mut Turn, id: i64, parent: Option<i64>) -> rusqlite::Result<usize> {
        turn.connection().execute("INSERT INTO rows (id, parent) VALUES (?1, ?2)", (id, parent))
    }

    #[tokio::test]
    async fn turns_that_queue_are_committed_together_and_a_dropped_one_leaves_no_trace() {
        let fixture = Fixture::new().await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).unwrap();
        let dropped = fixture.queue(2, None).await;
        let third = fixture.queue(3, None).await;

        let mut first = Box::pin(first.commit());
        let dropped = tokio::select! {
            _ = &mut first => panic!("committed although others wait"),
            turn = dropped => turn.unwrap(),
        };
        assert_eq!(fixture.seen(), [0; 0], "nothing is visible before it is durable");
        drop(dropped);
        let third = third.await.unwrap();
        let (first, third) = tokio::join!(first, third.commit());
        first.unwrap();
        third.unwrap();
        assert_eq!(fixture.seen(), [1, 3]);
    }

    #[tokio::test]
    async fn a_failed_commit_is_told_to_all_whose_work_it_was() {
        let fixture = Fixture::new().await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).unwrap();
        let orphan = fixture.queue(2, Some(99)).await;
        let first = first.commit();
        let orphan = async { orphan.await.unwrap().commit().await };
        let (first, orphan) = tokio::join!(first, orphan);
        assert!(first.is_err() && orphan.is_err(), "{first:?} {orphan:?}");
        assert_eq!(fixture.seen(), [0; 0]);

        let mut next = fixture.writer.begin().await.unwrap();
        insert(&mut next, 3, None).unwrap();
        next.commit().await.unwrap();
        assert_eq!(fixture.seen(), [3]);
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_fails_for_all_of_its_group() {
        let fixture = Fixture::new().await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).unwrap();
        let second = fixture.queue(2, None).await;
        let third = fixture.queue(3, None).await;
        let mut first = Box::pin(first.commit());
        let mut second = tokio::select! {
            _ = &mut first => panic!("committed although others wait"),
            turn = second => turn.unwrap(),
        };
        // What a full disk does.
        second.connection().execute_batch("ROLLBACK").unwrap();
        let (first, second, third) =
            tokio::join!(first, second.commit(), async { third.await.unwrap().commit().await });
        assert!(first.is_err() && second.is_err(), "{first:?} {second:?}");
        third.unwrap();
        assert_eq!(fixture.seen(), [3]);
    }

    #[tokio::test]
    async fn one_that_leaves_while_its_group_is_open_holds_nobody_up() {
        let fixture = Fixture::new().await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).unwrap();
        let second = fixture.queue(2, None).await;
        let mut first = Box::pin(first.commit());
        let second = tokio::select! {
            _ = &mut first => panic!("committed although another waits"),
            turn = second => turn.unwrap(),
        };
        drop(first);
        drop(second);
        // Another process can write: the lock on the file is gone. It is let go of in the background.
        let other = Connection::open(&fixture.file.path).unwrap();
        let written = async {
            while other.execute("INSERT INTO rows (id) VALUES (4)", ()).is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, written).await.unwrap();
        assert!(!fixture.seen().contains(&2));
    }

    #[tokio::test]
    async fn one_that_leaves_while_another_process_writes_keeps_nothing_locked() {
        let fixture = Fixture::new().await;
        let other = Connection::open(&fixture.file.path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut waiting = Box::pin(fixture.writer.begin());
        let soon = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
        assert!(soon.is_err(), "the other one has the lock");
        drop(waiting);
        other.execute_batch("COMMIT").unwrap();
        // The turn that nobody waits for begins now, and has to end by itself.
        let desk = tokio::time::timeout(PATIENCE, fixture.writer.0.desk.lock()).await.unwrap();
        assert!(desk.group.is_none());
        other.busy_timeout(Duration::ZERO).unwrap();
        other.execute("INSERT INTO rows (id) VALUES (1)", ()).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_at_once_all_arrive() {
        let fixture = Fixture::new().await;
        let write = |id: i64| {
            let writer = fixture.writer.clone();
            async move {
                let mut turn = writer.begin().await.unwrap();
                insert(&mut turn, id, None).unwrap();
                // A third change their minds.
                if id % 3 > 0 {
                    turn.commit().await.unwrap();
                }
            }
        };
        futures_util::future::join_all((0..300).map(write)).await;
        let expected: Vec<i64> = (0..300).filter(|id| id % 3 > 0).collect();
        assert_eq!(fixture.seen(), expected);
    }
}
