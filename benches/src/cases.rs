//! What is measured in a round, and the measuring of one case against one subject.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::load::closed::{self, Until};
use crate::load::target::Target;
use crate::load::{Figures, Pool, open};
use crate::process;
use crate::requests::Size;

/// Who answers: the mock itself, or the mock through one of the two.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// The mock.
    Direct,
    /// P, the bare proxy.
    Passthrough,
    /// The server under test.
    Server,
}

/// One kind of load.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Case {
    /// 1 KB JSON, one connection.
    JsonC1,
    /// 1 KB JSON, 32 connections.
    JsonC32,
    /// 1 KB JSON, 256 connections.
    JsonC256,
    /// 1 KB JSON at a fixed rate.
    JsonOpen,
    /// 1 KB JSON that makes a conversation, one connection.
    StoredC1,
    /// The same, 32 connections.
    StoredC32,
    /// 67 KB agent request, 32 connections.
    AgentC32,
    /// Streams of 64 chunks as fast as they go, 32 connections.
    Stream64C32,
    /// The same, each of which makes a conversation.
    StoredStream64C32,
    /// 32 streams, one chunk each 20 ms.
    PacedC32,
    /// 256 streams, 200 chunks a second each.
    Flood256,
}

impl Case {
    /// All, in the order of a round.
    pub(crate) const ALL: [Self; 11] = [
        Self::JsonC1,
        Self::JsonC32,
        Self::JsonC256,
        Self::JsonOpen,
        Self::StoredC1,
        Self::StoredC32,
        Self::AgentC32,
        Self::Stream64C32,
        Self::StoredStream64C32,
        Self::PacedC32,
        Self::Flood256,
    ];

    /// The rows of the table that need this case.
    pub(crate) fn rows(self) -> &'static [u8] {
        match self {
            Self::JsonC1 | Self::JsonOpen => &[3],
            Self::JsonC32 => &[1, 2],
            Self::JsonC256 => &[2],
            Self::StoredC1 | Self::StoredC32 => &[5],
            Self::AgentC32 => &[6],
            Self::Stream64C32 | Self::StoredStream64C32 => &[7],
            Self::PacedC32 => &[8],
            Self::Flood256 => &[9],
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::JsonC1
            | Self::JsonC32
            | Self::JsonC256
            | Self::JsonOpen
            | Self::StoredC1
            | Self::StoredC32
            | Self::AgentC32 => "mock-json",
            Self::Stream64C32 | Self::StoredStream64C32 => "mock-st64",
            Self::PacedC32 => "mock-st25-p20",
            Self::Flood256 => "mock-st600-p5",
        }
    }

    fn connections(self) -> u16 {
        match self {
            Self::JsonC1 | Self::StoredC1 => 1,
            Self::JsonC32
            | Self::JsonOpen
            | Self::StoredC32
            | Self::AgentC32
            | Self::Stream64C32
            | Self::StoredStream64C32
            | Self::PacedC32 => 32,
            Self::JsonC256 | Self::Flood256 => 256,
        }
    }

    fn size(self) -> Size {
        match self {
            Self::AgentC32 => Size::Agent,
            Self::StoredC1 | Self::StoredC32 | Self::StoredStream64C32 => Size::Stored,
            _ => Size::Small,
        }
    }
}

/// The lengths and rates of a run.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// The measured window of a case.
    pub window: Duration,
    /// Requests a second in the open loop.
    pub open_rate: u32,
}

/// A case measured against a subject.
#[derive(Serialize, Clone, Debug, Default)]
pub(crate) struct Measure {
    /// What the load generator saw.
    #[serde(flatten)]
    pub figures: Figures,
    /// CPU time of the subject for each request, in microseconds.
    pub cpu_micros: f64,
    /// The share of the machine that went to neither the load, the mock nor the subject.
    pub others: f64,
}

/// All measures of a round.
pub(crate) type Round = BTreeMap<Case, BTreeMap<Subject, Measure>>;

/// Measures one case. `pid` is the subject's process; `family` all processes of this run.
pub(crate) async fn measure(
    case: Case,
    pace: Pace,
    target: &Target,
    pid: u32,
    family: &[u32],
) -> anyhow::Result<Measure> {
    let request = target.chat(case.size(), case.model())?;
    let warm_up = Until::For(pace.window / 6);
    let small = target.chat(Size::Small, "mock-json")?;
    let (_, pool) = closed::run(Pool::new(target, case.connections()), &small, warm_up, Duration::ZERO).await?;

    let family_cpu = || family.iter().map(|pid| process::cpu_micros(*pid)).sum::<anyhow::Result<u64>>();
    let (cpu, ours, machine) = (process::cpu_micros(pid)?, family_cpu()?, process::machine()?);
    let (outcome, _pool) = match case {
        Case::JsonOpen => open::run(pool, &request, pace.open_rate, pace.window).await?,
        // Spread over one interval, as independent callers would be.
        Case::PacedC32 => {
            let spread = Duration::from_millis(20) / u32::from(case.connections());
            closed::run(pool, &request, Until::For(pace.window), spread).await?
        }
        Case::Flood256 => closed::run(pool, &request, Until::Times(1), Duration::from_micros(20)).await?,
        _ => closed::run(pool, &request, Until::For(pace.window), Duration::ZERO).await?,
    };
    let after = process::machine()?;
    let cpu = process::cpu_micros(pid)? - cpu;
    let ours = family_cpu()? - ours;
    let busy = (after.busy_micros - machine.busy_micros) as f64;
    let total = (after.total_micros - machine.total_micros).max(1) as f64;
    Ok(Measure {
        cpu_micros: cpu as f64 / outcome.requests.max(1) as f64,
        others: ((busy - ours as f64) / total).max(0.0),
        figures: outcome.figures(),
    })
}
