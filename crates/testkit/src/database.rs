//! A database for one test: a SQLite file of its own, or a database of its own in a private PostgreSQL cluster.
//!
//! There is one cluster for each test process, started when the first test asks for it, or one for a whole run when
//! `JAN_TEST_POSTGRES_URL` names an administrator's address, as `cargo xtask test` sets it. A test that cannot have its
//! database fails; it is never skipped.

use std::{
    path::Path,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use sqlx::{Connection, Executor, PgConnection, SqliteConnection, postgres::PgConnectOptions};
use tempfile::TempDir;
use test_postgres::Cluster;
use tokio::sync::oneshot;

/// An empty database, gone with the value.
#[derive(Debug)]
pub struct Database {
    /// `sqlite://…/jan.db` or `postgres://…`: what `DATABASE_URL` takes.
    pub url: String,
    home: Home,
}

#[derive(Debug)]
enum Home {
    Sqlite(TempDir),
    Postgres { name: String },
}

impl Database {
    /// A SQLite file that does not exist yet, in a directory that does.
    ///
    /// # Panics
    /// When no temporary directory can be made.
    pub fn sqlite() -> Self {
        let directory = tempfile::Builder::new().prefix("jan-test-").tempdir().expect("a temporary directory");
        let url = format!("sqlite://{}", directory.path().join("jan.db").display());
        Self { url, home: Home::Sqlite(directory) }
    }

    /// A new PostgreSQL database without tables.
    ///
    /// # Panics
    /// When PostgreSQL cannot be started or does not make the database.
    pub async fn postgres() -> Self {
        let (reply, made) = oneshot::channel();
        administrator().send(Wish::Create(reply));
        let made = made.await.expect("the administrator of the test databases is alive");
        match made {
            Ok((name, url)) => Self { url, home: Home::Postgres { name } },
            Err(error) => panic!("no PostgreSQL for this test: {error}"),
        }
    }

    /// The SQLite file, unless this is PostgreSQL.
    pub fn file(&self) -> Option<std::path::PathBuf> {
        match &self.home {
            Home::Sqlite(directory) => Some(directory.path().join("jan.db")),
            Home::Postgres { .. } => None,
        }
    }

    /// The directory of the SQLite file, unless this is PostgreSQL.
    pub fn directory(&self) -> Option<&Path> {
        match &self.home {
            Home::Sqlite(directory) => Some(directory.path()),
            Home::Postgres { .. } => None,
        }
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.home, Home::Postgres { .. })
    }

    /// Runs statements past the store, for what no server would do.
    ///
    /// # Panics
    /// When they fail.
    pub async fn execute(&self, statements: &str) {
        let statements = sqlx::AssertSqlSafe(statements);
        let done = if self.is_postgres() {
            self.connect_postgres().await.execute(statements).await.map(drop)
        } else {
            self.connect_sqlite().await.execute(statements).await.map(drop)
        };
        done.expect("the statements are right");
    }

    /// Asks for one number past the store.
    ///
    /// # Panics
    /// When the query fails.
    pub async fn number(&self, query: &'static str) -> i64 {
        let found = if self.is_postgres() {
            sqlx::query_scalar(query).fetch_one(&mut self.connect_postgres().await).await
        } else {
            sqlx::query_scalar(query).fetch_one(&mut self.connect_sqlite().await).await
        };
        found.expect("the query is right")
    }

    async fn connect_postgres(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("the test's database answers")
    }

    /// `rwc`: the file may not be there yet.
    async fn connect_sqlite(&self) -> SqliteConnection {
        let url = format!("{}?mode=rwc", self.url);
        SqliteConnection::connect(&url).await.expect("the test's database answers")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Home::Postgres { name } = &self.home {
            administrator().send(Wish::Drop(name.clone()));
        }
    }
}

/// Makes two tests of each body, one on each database.
///
/// ```text
/// testkit::on_both_databases! {
///     async fn keeps_what_it_is_given(database: Database) { … }
/// }
/// ```
/// makes `keeps_what_it_is_given::sqlite` and `keeps_what_it_is_given::postgres`. The type needs no import.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident: Database) $body:block)+) => {
        $(
            $(#[$meta])*
            mod $name {
                #[allow(unused_imports, clippy::allow_attributes, reason = "some bodies use nothing from outside")]
                use super::*;

                async fn check($database: $crate::database::Database) $body

                #[tokio::test]
                async fn sqlite() {
                    check($crate::database::Database::sqlite()).await;
                }

                #[tokio::test]
                async fn postgres() {
                    check($crate::database::Database::postgres().await).await;
                }
            }
        )+
    };
}

/// What the administrator is asked for.
enum Wish {
    Create(oneshot::Sender<Result<(String, String), String>>),
    Drop(String),
}

/// A thread that has the one connection which makes and removes databases: tests come and go, each with a runtime of
/// its own that a connection would not outlive.
struct Administrator(Mutex<mpsc::Sender<Wish>>);

impl Administrator {
    fn send(&self, wish: Wish) {
        // A poisoned lock or a dead thread shows at once where the reply is awaited.
        if let Ok(sender) = self.0.lock() {
            sender.send(wish).ok();
        }
    }
}

fn administrator() -> &'static Administrator {
    static ONE: OnceLock<Administrator> = OnceLock::new();
    ONE.get_or_init(|| {
        let (sender, wishes) = mpsc::channel();
        thread::spawn(move || administrate(&wishes));
        Administrator(Mutex::new(sender))
    })
}

/// Serves the wishes until the process ends; the cluster ends with it.
fn administrate(wishes: &mpsc::Receiver<Wish>) {
    let mut state = Err("no wish yet".to_owned());
    for wish in wishes {
        if state.is_err() {
            state = Admin::open().map_err(|error| format!("{error:#}"));
        }
        match (wish, &mut state) {
            (Wish::Create(reply), Ok(admin)) => {
                reply.send(admin.create().map_err(|error| format!("{error:#}"))).ok();
            }
            (Wish::Create(reply), Err(error)) => drop(reply.send(Err(error.clone()))),
            (Wish::Drop(name), Ok(admin)) => admin.remove(&name),
            (Wish::Drop(_), Err(_)) => {}
        }
    }
}

struct Admin {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
    url: String,
    _cluster: Option<Cluster>,
}

impl Admin {
    fn open() -> anyhow::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "how xtask tells tests; the server has no part in it")]
        let shared = std::env::var("JAN_TEST_POSTGRES_URL").ok();
        let cluster = if shared.is_some() { None } else { Some(Cluster::start()?) };
        let url = shared.or_else(|| cluster.as_ref().map(Cluster::url)).unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let options: PgConnectOptions = url.parse()?;
        let connection = runtime.block_on(PgConnection::connect_with(&options))?;
        Ok(Self { runtime, connection, url, _cluster: cluster })
    }

    /// Makes a database and says its name and address.
    fn create(&mut self) -> anyhow::Result<(String, String)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Process ids repeat no sooner than their databases are gone; several processes share a cluster.
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        self.runtime.block_on(self.connection.execute(statement))?;
        let mut url = url::Url::parse(&self.url)?;
        url.set_path(&name);
        Ok((name, url.into()))
    }

    /// Removes a database, whoever still uses it. A failure costs some room until the cluster goes.
    fn remove(&mut self, name: &str) {
        let statement = sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        self.runtime.block_on(self.connection.execute(statement)).ok();
    }
}
