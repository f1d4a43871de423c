//! SQLite's one writer. Transactions take turns at it, and those that queue become durable together: one commit, and so
//! one wait for the disk, for all of them (group commit). A transaction that meets nobody commits at once.
//!
//! Within the one SQLite transaction each turn after the first is a savepoint: what a turn wrote is undone when it is
//! dropped, whatever the others do. A turn that ends while somebody waits leaves the transaction open for that one; the
//! last one, behind whom nobody waits, commits for all. So that nobody waits long for those who came later, a transaction
//! takes a number of turns at most, and none that comes late.
//!
//! Statements run on the thread of whoever has the turn. What waits for the disk or for another process, the commit and
//! a transaction's beginning that was refused, runs on a thread for such things.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard, watch},
};
use tokio_util::task::TaskTracker;

use crate::{
    Result, StoreError,
    sqlite::{BUSY_TIMEOUT, File},
};

/// Takes the write lock at once: a transaction that begins by reading can then not fail in the middle because another
/// process wrote meanwhile.
const BEGIN: &str = "BEGIN IMMEDIATE";
const TURN: &str = "SAVEPOINT turn";
/// Takes back what this turn wrote.
const UNDO: &str = "ROLLBACK TO turn";
/// Ends this turn. Fails when the transaction is gone, which a full disk ends.
const RELEASE: &str = "RELEASE turn";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// Turns of a transaction at most.
const MOST_TURNS: usize = 64;
/// How long a transaction takes new turns.
pub(crate) const OPEN: Duration = Duration::from_millis(5);

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
    open: Duration,
    tasks: TaskTracker,
}

/// What the turns pass on.
#[derive(Debug, Default)]
struct Desk {
    /// Opened at its first use.
    connection: Option<Connection>,
    /// The transaction that is open, if any.
    group: Option<Group>,
    /// The turn that is open in it, if any.
    open: Option<Extent>,
    is_closed: bool,
}

/// What is taken back with a turn.
#[derive(Clone, Copy, Debug)]
enum Extent {
    /// The transaction: nobody wrote in it before.
    All,
    /// What came after the savepoint.
    Savepoint,
}

/// A transaction of several turns.
#[derive(Debug)]
struct Group {
    begun: Instant,
    /// The turns whose work is to be committed.
    turns: usize,
    /// Tells them what became of it.
    fate: watch::Sender<Fate>,
}

/// What became of a group; nothing while it is open.
type Fate = Option<Result<(), Arc<StoreError>>>;

impl Writer {
    /// Prepares the writer. Each waits for a turn no longer than `wait`; a transaction takes new turns for as long as `open`.
    pub(crate) fn new(file: File, wait: Duration, open: Duration) -> Self {
        Self(Arc::new(Inner {
            file,
            desk: Arc::default(),
            queue: AtomicUsize::new(0),
            wait,
            open,
            tasks: TaskTracker::new(),
        }))
    }

    /// Waits for a turn.
    pub(crate) async fn begin(&self) -> Result<Turn> {
        let desk = if let Ok(desk) = Arc::clone(&self.0.desk).try_lock_owned() {
            desk
        } else {
            let mut queued = Queued::at(self);
            let desk = tokio::time::timeout(self.0.wait, Arc::clone(&self.0.desk).lock_owned()).await;
            queued.has_come = desk.is_ok();
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

    /// Whether somebody waits for a turn.
    fn is_awaited(&self) -> bool {
        self.0.queue.load(Ordering::Relaxed) > 0
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

    /// Commits the group at the desk, whoever of those that wait for it leaves meanwhile.
    async fn settle(&self, mut desk: OwnedMutexGuard<Desk>) -> Result<()> {
        let settled = self.0.tasks.spawn_blocking(move || desk.commit()); // The turn lasts until then.
        settled.await.unwrap_or(Err(StoreError::Unavailable(None)))
    }

    /// Commits the group at the desk if nobody comes any more who would.
    fn settle_if_last(&self, mut desk: OwnedMutexGuard<Desk>) {
        if desk.group.is_some() && !self.is_awaited() && Handle::try_current().is_ok() {
            // Those who wait for it are told.
            self.0.tasks.spawn_blocking(move || desk.commit());
        }
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
    /// Opens a turn, in the transaction that is there or in a new one, for which other processes are waited for no longer
    /// than `wait`.
    fn open(&mut self, file: &File, wait: Duration) -> Result<()> {
        self.open = Some(match (&self.group, &self.connection) {
            (Some(_), Some(connection)) => run(connection, TURN).map(|()| Extent::Savepoint)?,
            _ => self.begin(file, wait).map(|()| Extent::All)?,
        });
        Ok(())
    }

    /// Begins a transaction.
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
        self.group = Some(Group { begun: Instant::now(), turns: 0, fate: watch::Sender::default() });
        Ok(())
    }

    /// Keeps what this turn wrote, for the commit; gives what will tell of that. If it cannot be kept, all that its
    /// transaction wrote is gone.
    fn keep(&mut self) -> Result<watch::Receiver<Fate>> {
        let kept = match (&self.connection, self.open) {
            // On a full disk SQLite has ended the transaction by itself.
            (Some(connection), Some(Extent::All)) if !connection.is_autocommit() => Ok(()),
            (Some(connection), Some(Extent::Savepoint)) => run(connection, RELEASE),
            _ => Err(gone()),
        };
        match (kept, &mut self.group) {
            (Ok(()), Some(group)) => {
                self.open = None;
                group.turns += 1;
                Ok(group.fate.subscribe())
            }
            (kept, _) => Err(self.fail(kept.err().unwrap_or_else(gone))),
        }
    }

    /// Takes back what this turn wrote. If that is not possible without the others, all that its transaction wrote is gone.
    fn undo(&mut self) {
        let undone = match (&self.connection, self.open.take()) {
            (Some(connection), Some(Extent::Savepoint)) => {
                run(connection, UNDO).and_then(|()| run(connection, RELEASE))
            }
            (_, Some(Extent::All)) => Err(gone()),
            _ => Ok(()),
        };
        if let Err(error) = undone {
            self.fail(error);
        }
    }

    /// Whether another turn may join the transaction.
    fn has_room(&self, open: Duration) -> bool {
        self.group.as_ref().is_some_and(|group| group.turns < MOST_TURNS && group.begun.elapsed() < open)
    }

    /// Commits, and tells all whose work it is.
    fn commit(&mut self) -> Result<()> {
        let (Some(connection), Some(_)) = (&self.connection, &self.group) else { return Err(gone()) };
        match run(connection, COMMIT) {
            Ok(()) => {
                self.end(Ok(()));
                Ok(())
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Ends the transaction without keeping anything, and tells all whose work it was. A connection that cannot do that is
    /// closed.
    fn fail(&mut self, error: StoreError) -> StoreError {
        // On a full disk SQLite has ended it by itself.
        let is_open = |connection: &Connection| !connection.is_autocommit();
        if self.connection.as_ref().is_some_and(|it| is_open(it) && run(it, ROLLBACK).is_err()) {
            self.connection = None;
        }
        self.end(Err(Arc::new(error.echo())));
        error
    }

    fn end(&mut self, fate: Result<(), Arc<StoreError>>) {
        self.open = None;
        if let Some(group) = self.group.take() {
            group.fate.send_replace(Some(fate));
        }
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
        self.desk.as_mut().map_or_else(|| Err(gone()), |desk| desk.open(&self.writer.0.file, wait))
    }

    /// Makes what was written permanent, together with what others write who wait already.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let Some(mut desk) = self.desk.take() else { return Err(gone()) };
        if !self.writer.is_awaited() || !desk.has_room(self.writer.0.open) {
            return self.writer.settle(desk).await;
        }
        let mut fate = desk.keep()?;
        drop(desk);
        told(&mut fate).await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(mut desk) = self.desk.take() {
            desk.undo();
            self.writer.settle_if_last(desk);
        }
    }
}

/// One that waits for its turn, counted while it does. Whoever has a turn before leaves the transaction open for it: should
/// it leave instead, somebody has to look whether nobody else comes.
struct Queued<'a> {
    writer: &'a Writer,
    has_come: bool,
}

impl<'a> Queued<'a> {
    fn at(writer: &'a Writer) -> Self {
        writer.0.queue.fetch_add(1, Ordering::Relaxed);
        Self { writer, has_come: false }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.writer.0.queue.fetch_sub(1, Ordering::Relaxed);
        if !self.has_come && Handle::try_current().is_ok() {
            let writer = self.writer.clone();
            self.writer.0.tasks.spawn(async move {
                let desk = Arc::clone(&writer.0.desk).lock_owned().await;
                writer.settle_if_last(desk);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_immediate;
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
            Self::open_for(PATIENCE).await
        }

        async fn open_for(open: Duration) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let file = File { path: directory.path().join("jan.db"), synchronous: Synchronous::Full };
            let writer = Writer::new(file.clone(), PATIENCE, open);
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
    async fn one_that_leaves_before_its_turn_holds_up_nobody_who_left_the_group_open_for_it() {
        let fixture = Fixture::new().await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).unwrap();
        let mut second = Box::pin(fixture.writer.begin());
        assert!(poll_immediate(&mut second).await.is_none());
        let mut first = Box::pin(first.commit());
        assert!(poll_immediate(&mut first).await.is_none(), "committed although another waits");
        drop(second);
        tokio::time::timeout(PATIENCE, first).await.unwrap().unwrap();
        assert_eq!(fixture.seen(), [1]);
    }

    #[tokio::test]
    async fn a_group_does_not_stay_open_for_long() {
        let fixture = Fixture::open_for(Duration::ZERO).await;
        let mut first = fixture.writer.begin().await.unwrap();
        insert(&mut first, 1, None).unwrap();
        let second = fixture.queue(2, None).await;
        first.commit().await.unwrap();
        assert_eq!(fixture.seen(), [1], "committed although another waits");
        second.await.unwrap().commit().await.unwrap();
        assert_eq!(fixture.seen(), [1, 2]);
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
