//! Where connections lie between requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::uri::Authority;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::connection::Connection;

/// How often idle connections are looked through.
const ROUND: Duration = Duration::from_secs(5);

/// Idle connections by server.
pub(super) struct Shelf {
    idle_time: Duration,
    idle: Mutex<Idle>,
    rounds: TaskTracker,
}

#[derive(Default)]
struct Idle {
    /// There are few servers: looking at each name costs less than a hash of one.
    servers: Vec<Server>,
    /// Whether a task looks through them.
    is_watched: bool,
}

/// The idle connections to one server. The one used last lies last, and is used first: those that are too many grow old.
struct Server {
    name: Authority,
    connections: VecDeque<(Instant, Box<Connection>)>,
}

impl Idle {
    fn of(&mut self, name: &Authority) -> Option<&mut VecDeque<(Instant, Box<Connection>)>> {
        self.servers.iter_mut().find(|server| server.name == *name).map(|server| &mut server.connections)
    }
}

impl Shelf {
    pub(super) fn new(idle_time: Duration) -> Self {
        Self { idle_time, idle: Mutex::default(), rounds: TaskTracker::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to `server`. It may have been closed since: that shows when it is used.
    pub(super) fn take(&self, server: &Authority) -> Option<Box<Connection>> {
        let (since, connection) = self.lock().of(server)?.pop_back()?;
        (since.elapsed() < self.idle_time).then_some(connection)
    }

    /// Keeps a connection.
    pub(super) fn put(self: &Arc<Self>, server: Authority, connection: Box<Connection>) {
        connection.rest();
        let (mut idle, since) = (self.lock(), Instant::now());
        match idle.of(&server) {
            Some(others) => others.push_back((since, connection)),
            None => idle.servers.push(Server { name: server, connections: VecDeque::from([(since, connection)]) }),
        }
        if !std::mem::replace(&mut idle.is_watched, true) {
            self.rounds.spawn(watch(Arc::downgrade(self), ROUND.min(self.idle_time)));
        }
    }

    /// Closes what is too old and what the server closed; tells whether anything is left.
    fn look_through(&self) -> bool {
        let mut idle = self.lock();
        idle.servers.retain_mut(|Server { connections, .. }| {
            connections.retain_mut(|(since, connection)| since.elapsed() < self.idle_time && connection.is_open());
            !connections.is_empty()
        });
        idle.is_watched = !idle.servers.is_empty();
        idle.is_watched
    }
}

/// Looks through the shelf as long as there is something on it.
async fn watch(shelf: Weak<Shelf>, round: Duration) {
    loop {
        tokio::time::sleep(round).await;
        if !shelf.upgrade().is_some_and(|shelf| shelf.look_through()) {
            return;
        }
    }
}
