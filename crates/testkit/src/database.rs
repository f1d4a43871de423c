//! A database for one test: a SQLite file of its own, or a database of its own in a private PostgreSQL cluster.
//!
//! Most tests begin with this version's tables. They are made once: in a template that PostgreSQL copies, and in a SQLite
//! file whose bytes every test writes anew. There is one cluster for each test process, started when the first test asks for it, or one for a whole run when
//! `JAN_TEST_POSTGRES_URL` names an administrator's address, as `cargo xtask test` sets it. A test that cannot have its
//! database fails; it is never skipped.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use domain::Secret;
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};
use store::{DatabaseOptions, Store};
use tempfile::TempDir;
use test_postgres::Cluster;
use tokio::sync::{OnceCell, oneshot};

/// A database of its own, gone with the value.
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
        let url = format!("sqlite://{}", directory.path().join(FILE).display());
        Self { url, home: Home::Sqlite(directory) }
    }

    /// The same, for [`on_both_empty_databases!`](crate::on_both_empty_databases).
    #[doc(hidden)]
    pub async fn empty_sqlite() -> Self {
        std::future::ready(Self::sqlite()).await
    }

    /// A SQLite file with this version's tables.
    ///
    /// # Panics
    /// When the file cannot be made.
    pub async fn migrated_sqlite() -> Self {
        static BYTES: OnceCell<Vec<u8>> = OnceCell::const_new();
        let bytes = BYTES.get_or_init(|| async {
            let model = Self::sqlite();
            migrate(&model.url).await.expect("a new database can be migrated");
            std::fs::read(model.directory().expect("a file").join(FILE)).expect("the file is there")
        });
        let database = Self::sqlite();
        let file = database.directory().expect("a file").join(FILE);
        std::fs::write(file, bytes.await).expect("a temporary directory can be written to");
        database
    }

    /// A new PostgreSQL database without tables.
    ///
    /// # Panics
    /// When PostgreSQL cannot be started or does not make the database.
    pub async fn postgres() -> Self {
        Self::new_postgres(false).await
    }

    /// A new PostgreSQL database with this version's tables.
    ///
    /// # Panics
    /// When PostgreSQL cannot be started or does not make the database.
    pub async fn migrated_postgres() -> Self {
        Self::new_postgres(true).await
    }

    async fn new_postgres(migrated: bool) -> Self {
        let (reply, made) = oneshot::channel();
        administrator().send(Wish::Create { migrated, reply });
        let made = made.await.expect("the administrator of the test databases is alive");
        match made {
            Ok((name, url)) => Self { url, home: Home::Postgres { name } },
            Err(error) => panic!("no PostgreSQL for this test: {error}"),
        }
    }

    /// The SQLite file, unless this is PostgreSQL.
    pub fn file(&self) -> Option<std::path::PathBuf> {
        match &self.home {
            Home::Sqlite(directory) => Some(directory.path().join(FILE)),
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
        if self.is_postgres() {
            let statements = sqlx::AssertSqlSafe(statements);
            self.connect_postgres().await.execute(statements).await.expect("the statements are right");
        } else {
            self.connect_sqlite().execute_batch(statements).expect("the statements are right");
        }
    }

    /// Cuts all other connections to the PostgreSQL database, as its restart does. When this returns, those of them that lie
    /// in a pool do so for long enough to be asked before their next use.
    pub async fn cut_connections(&self) {
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    /// Asks for one number past the store.
    ///
    /// # Panics
    /// When the query fails.
    pub async fn number(&self, query: &'static str) -> i64 {
        if self.is_postgres() {
            let found = sqlx::query_scalar(query).fetch_one(&mut self.connect_postgres().await).await;
            found.expect("the query is right")
        } else {
            self.connect_sqlite().query_row(query, [], |row| row.get(0)).expect("the query is right")
        }
    }

    async fn connect_postgres(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("the test's database answers")
    }

    fn connect_sqlite(&self) -> rusqlite::Connection {
        let file = self.file().expect("a file");
        let connection = rusqlite::Connection::open(file).expect("the test's database answers");
        // Others may be writing.
        connection.busy_timeout(Duration::from_secs(5)).expect("any time will do");
        connection
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Home::Postgres { name } = &self.home {
            administrator().send(Wish::Drop(name.clone()));
        }
    }
}

/// Makes two tests of each body, one on each database, with this version's tables.
///
/// ```text
/// testkit::on_both_databases! {
///     async fn keeps_what_it_is_given(database: Database) { … }
/// }
/// ```
/// makes `keeps_what_it_is_given::sqlite` and `keeps_what_it_is_given::postgres`. The type needs no import.
#[macro_export]
macro_rules! on_both_databases {
    ($($tests:tt)+) => { $crate::on_databases!(migrated_sqlite migrated_postgres: $($tests)+); };
}

/// [`on_both_databases!`], but the databases are empty.
#[macro_export]
macro_rules! on_both_empty_databases {
    ($($tests:tt)+) => { $crate::on_databases!(empty_sqlite postgres: $($tests)+); };
}

/// What both of the above make, of the names of the functions that make the databases.
#[doc(hidden)]
#[macro_export]
macro_rules! on_databases {
    ($sqlite:ident $postgres:ident:
     $($(#[$meta:meta])* async fn $name:ident($database:ident: Database) $body:block)+) => {
        $(
            $(#[$meta])*
            async fn $name($database: $crate::database::Database) $body

            // Beside the function: a module's name and a function's are apart.
            mod $name {
                #[tokio::test]
                async fn sqlite() {
                    super::$name($crate::database::Database::$sqlite().await).await;
                }

                #[tokio::test]
                async fn postgres() {
                    super::$name($crate::database::Database::$postgres().await).await;
                }
            }
        )+
    };
}

/// What the administrator is asked for.
enum Wish {
    Create { migrated: bool, reply: oneshot::Sender<Result<(String, String), String>> },
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
            (Wish::Create { migrated, reply }, Ok(admin)) => {
                reply.send(admin.create(migrated).map_err(|error| format!("{error:#}"))).ok();
            }
            (Wish::Create { reply, .. }, Err(error)) => drop(reply.send(Err(error.clone()))),
            (Wish::Drop(name), Ok(admin)) => admin.remove(&name),
            (Wish::Drop(_), Err(_)) => {}
        }
    }
}

struct Admin {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
    url: String,
    template: Option<String>,
    _cluster: Option<Cluster>,
}

/// The SQLite file's name.
const FILE: &str = "jan.db";

/// Held while a template is made, so that of several processes on one cluster one makes it.
const LOCK: &str = "SELECT pg_advisory_lock(726974)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(726974)";
const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)";

/// Gives a database this version's tables, and leaves it.
async fn migrate(url: &str) -> anyhow::Result<()> {
    let options = DatabaseOptions { url: Some(Secret::new(url)), ..DatabaseOptions::default() };
    Store::open(&options).await?.close().await;
    Ok(())
}

/// A name for the template that changes when what is migrated to does.
fn template_name() -> anyhow::Result<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/migrations/postgres");
    let mut files: Vec<_> = std::fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut hasher = DefaultHasher::new();
    for file in files {
        (file.file_name(), std::fs::read(file.path())?).hash(&mut hasher);
    }
    Ok(format!("template_{:016x}", hasher.finish()))
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
        Ok(Self { runtime, connection, url, template: None, _cluster: cluster })
    }

    /// Makes a database and says its name and address.
    fn create(&mut self, migrated: bool) -> anyhow::Result<(String, String)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Process ids repeat no sooner than their databases are gone; several processes share a cluster.
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let template = if migrated { self.template()? } else { "template1".to_owned() };
        self.copy(&template, &name)?;
        let url = self.url_of(&name)?;
        Ok((name, url))
    }

    /// The template's name; made where it is missing.
    fn template(&mut self) -> anyhow::Result<String> {
        if let Some(name) = &self.template {
            return Ok(name.clone());
        }
        let name = template_name()?;
        self.runtime.block_on(self.connection.execute(LOCK))?;
        let made = self.make_template(&name);
        self.runtime.block_on(self.connection.execute(UNLOCK))?;
        made?;
        self.template = Some(name.clone());
        Ok(name)
    }

    fn make_template(&mut self, name: &str) -> anyhow::Result<()> {
        let there = sqlx::query_scalar(EXISTS).bind(name).fetch_one(&mut self.connection);
        if self.runtime.block_on(there)? {
            return Ok(());
        }
        // It gets its name when it is whole: a process that dies here leaves nothing that others take for it.
        let unfinished = format!("{name}_{}", std::process::id());
        self.copy("template1", &unfinished)?;
        let url = self.url_of(&unfinished)?;
        self.runtime.block_on(migrate(&url))?;
        let rename = sqlx::AssertSqlSafe(format!("ALTER DATABASE {unfinished} RENAME TO {name}"));
        self.runtime.block_on(self.connection.execute(rename))?;
        Ok(())
    }

    /// By copying files: where nothing waits for the disk that takes half the time of copying through the log.
    fn copy(&mut self, template: &str, name: &str) -> anyhow::Result<()> {
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY");
        let statement = sqlx::AssertSqlSafe(statement);
        self.runtime.block_on(self.connection.execute(statement))?;
        Ok(())
    }

    fn url_of(&self, name: &str) -> anyhow::Result<String> {
        let mut url = url::Url::parse(&self.url)?;
        url.set_path(name);
        Ok(url.into())
    }

    /// Removes a database, whoever still uses it. A failure costs some room until the cluster goes.
    fn remove(&mut self, name: &str) {
        let statement = sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        self.runtime.block_on(self.connection.execute(statement)).ok();
    }
}
