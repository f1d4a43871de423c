//! A private throw-away PostgreSQL cluster for tests.
//!
//! [`Cluster::start`] makes a data directory, starts a server that listens on a Unix socket inside it and nowhere
//! else, and ends both with the value, or with the process however that dies: a small shell stands between us and the
//! server and holds the reading end of a pipe whose writing end only we have. When we are gone it reads the end of the
//! file, stops the server and removes the directory. (`PR_SET_PDEATHSIG` would need unsafe code, is lost where the
//! user changes, and fires when the starting *thread* ends, which in a test binary is long before the process does.)
//!
//! It is a crate of its own so that `xtask` can start one cluster for a whole test run without building a driver.

mod install;
mod user;

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

pub use install::{binaries, install};
use user::User;

/// How long a server may take to start; generous, because a machine that builds is slow.
const START: Duration = Duration::from_mins(1);

/// What the shell does: start the server, wait for us to go, clean up. It runs as the server's user.
const SUPERVISE: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c shared_buffers=64MB -c max_connections=300 -c autovacuum=off \
    -c wal_level=minimal -c max_wal_senders=0 -c checkpoint_timeout=1h \
    -c log_min_messages=warning </dev/null &
read -r _
kill -QUIT $!
wait $!
cd / && rm -rf "$2"
"#;

/// A running cluster. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    supervisor: Child,
    /// Closing it is the sign to stop.
    lifeline: Option<ChildStdin>,
}

impl Cluster {
    /// Makes and starts a cluster, with PostgreSQL's programs from where Debian puts them.
    ///
    /// # Errors
    /// When there are no programs (the message says how to get them), or the server does not start.
    pub fn start() -> Result<Self> {
        let programs = binaries().context(
            "no PostgreSQL programs under /usr/lib/postgresql or on the PATH: `apt-get install postgresql`, \
             or let `cargo xtask test` do it as root",
        )?;
        let user = User::for_server()?;
        let directory = tempfile::Builder::new().prefix("jan-postgres-").tempdir()?;
        user.give(directory.path())?;
        initialise(&programs, &user, directory.path())?;

        let log = fs::File::create(directory.path().join("log"))?;
        let mut supervisor = user
            .command("/bin/sh")
            .args(["-c", SUPERVISE, "sh"])
            .args([programs.as_path(), directory.path()])
            // Ctrl-C is for the tests; the shell sees their end and cleans up then.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the shell that supervises PostgreSQL does not start")?;
        let lifeline = supervisor.stdin.take();
        // From here on the shell removes the directory.
        let mut cluster = Self { directory: directory.keep(), supervisor, lifeline };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// The address of the database `postgres`, for the superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.directory.display())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        // The last line of this file appears when the server takes connections.
        let status = self.directory.join("data/postmaster.pid");
        while !fs::read_to_string(&status).is_ok_and(|text| text.trim_end().ends_with("ready")) {
            let gone = self.supervisor.try_wait()?.is_some();
            if gone || begun.elapsed() > START || self.log().contains("FATAL") {
                bail!("PostgreSQL does not start:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // An immediate stop takes a tenth of a second; waiting for it makes "no cluster is left" easy to see.
        self.supervisor.wait().ok();
    }
}

/// Runs `initdb`. The locale is C: the tests must not depend on the machine's.
fn initialise(programs: &Path, user: &User, directory: &Path) -> Result<()> {
    let done = user
        .command(programs.join("initdb"))
        .arg("-D")
        .arg(directory.join("data"))
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"])
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .context("initdb does not start")?;
    ensure!(done.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

impl User {
    /// A command that runs as this user.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Self::Other { uid, gid } = *self {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn give(&self, directory: &Path) -> Result<()> {
        if let Self::Other { uid, gid } = *self {
            chown(directory, Some(uid), Some(gid)).context("the cluster's directory cannot change its owner")?;
        }
        Ok(())
    }
}
