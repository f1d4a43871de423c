//! A child process, and what the kernel says about it. Linux only: everything is read from `/proc`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::accept;

/// The kernel's clock tick in `/proc`, in microseconds: `USER_HZ` is 100 on every architecture in use.
const TICK_MICROS: u64 = 10_000;
/// How long a child may take to say where it listens, and to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// A child that is killed when this value is dropped.
pub(crate) struct Process {
    child: Child,
    /// Held open: a role of this program leaves when it closes.
    _stdin: Option<ChildStdin>,
    pid: u32,
}

impl Process {
    /// Starts `command`.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let program = command.as_std().get_program().to_owned();
        let mut child =
            command.kill_on_drop(true).spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pid = child.id().context("the child ended at once")?;
        Ok(Self { _stdin: child.stdin.take(), child, pid })
    }

    /// Starts another role of this program and waits until it tells its address.
    pub(crate) async fn role(arguments: &[&str]) -> anyhow::Result<(Self, SocketAddr)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).arg("--until-stdin-closes").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Self::start(command)?;
        let output = process.child.stdout.take().context("the child's output was taken")?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(output).read_line(&mut line)).await.context("no address in time")??;
        let address = accept::announced(&line).with_context(|| format!("unexpected first line {line:?}"))?;
        Ok((process, address))
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<std::process::ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks it to end (SIGTERM), and kills it if it does not within a bounded time.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").arg(self.pid.to_string()).status().await?;
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            self.child.kill().await?;
            bail!("process {} did not end within {PATIENCE:?} of SIGTERM", self.pid);
        }
        Ok(())
    }
}

/// CPU time of a process and all its threads, user and system, in microseconds.
pub(crate) fn cpu_micros(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_cpu(&stat).with_context(|| format!("cannot read /proc/{pid}/stat"))
}

/// Fields 14 and 15 of `proc(5)`'s `stat`, counted behind the name, which may itself hold spaces.
fn parse_cpu(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * TICK_MICROS)
}

/// Resident memory in kilobytes, now and at its highest so far, and open descriptors.
#[derive(Serialize, Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// `VmRSS`.
    pub rss_kb: u64,
    /// `VmHWM`.
    pub peak_kb: u64,
    /// Entries of `/proc/PID/fd`.
    pub descriptors: usize,
}

/// Memory of a process.
pub(crate) fn memory(pid: u32) -> anyhow::Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name| parse_kb(&status, name).with_context(|| format!("no {name} in /proc/{pid}/status"));
    Ok(Memory {
        rss_kb: field("VmRSS:")?,
        peak_kb: field("VmHWM:")?,
        descriptors: std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd"))?.count(),
    })
}

fn parse_kb(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// CPU time that the whole machine has spent busy and in all, in microseconds, over all cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Everything but idle and waiting for disks.
    pub busy_micros: u64,
    /// Everything.
    pub total_micros: u64,
}

/// The first line of `/proc/stat`.
pub(crate) fn machine() -> anyhow::Result<Machine> {
    parse_machine(&std::fs::read_to_string("/proc/stat")?).context("cannot read /proc/stat")
}

fn parse_machine(stat: &str) -> Option<Machine> {
    let ticks: Vec<u64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_ascii_whitespace()
        .take(8) // guest time, which follows, is already within user time
        .map_while(|field| field.parse().ok())
        .collect();
    let total: u64 = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some(Machine { busy_micros: (total - idle) * TICK_MICROS, total_micros: total * TICK_MICROS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_an_awkward_name() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 70 30 0 0 20 0";
        assert_eq!(parse_cpu(stat), Some(1_000_000));
        assert_eq!(parse_cpu("42 cut"), None);
    }

    #[test]
    fn memory_is_read_in_kilobytes() {
        assert_eq!(parse_kb("Name:\tx\nVmRSS:\t   1234 kB\n", "VmRSS:"), Some(1234));
        assert_eq!(parse_kb("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn the_machine_counts_everything_but_guests() {
        let read = parse_machine("cpu  10 0 20 100 5 1 4 0 9 9\ncpu0 1").unwrap();
        assert_eq!(read, Machine { busy_micros: 350_000, total_micros: 1_400_000 });
    }

    #[test]
    fn the_kernel_answers_about_ourselves() {
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.peak_kb >= memory.rss_kb && memory.rss_kb > 0 && memory.descriptors > 0);
        cpu_micros(std::process::id()).unwrap();
        assert!(machine().unwrap().total_micros > 0);
    }
}
