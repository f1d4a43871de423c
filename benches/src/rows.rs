//! The goals, row by row, and how each is read from the measures. Row 4 (persistence in the background) is not here,
//! since the server has none; row 13 (overload) is not, since it is tested.

use serde::Serialize;

use crate::cases::{Case, Measure, Round, Subject};
use crate::load::abort::HangUps;
use crate::soak::Growth;
use crate::start::Starts;

/// What is measured once in a run, beside the rounds.
#[derive(Serialize, Default)]
pub(crate) struct Once {
    /// Hang-ups on JSON and on streams, through the pass-through and through the server.
    pub hang_ups: Vec<(Subject, &'static str, HangUps)>,
    /// Resident memory of the server at rest, before any load, in MB.
    pub idle_mb: Option<f64>,
    /// The highest resident memory over the whole table, in MB: pass-through and server.
    pub peak_mb: Vec<(Subject, f64)>,
    /// A soak, if one was asked for.
    pub soak: Option<Growth>,
    /// Starts and the binary's size.
    pub starts: Option<Starts>,
}

/// Which way is better.
#[derive(Clone, Copy)]
enum Better {
    Lower,
    Higher,
}

use Better::{Higher, Lower};

/// Where a value comes from.
enum Source {
    /// From each round; the median of the rounds counts.
    Median(fn(&Round, Subject) -> Option<f64>),
    /// From each round; the worst of the rounds counts.
    Worst(fn(&Round, Subject) -> Option<f64>),
    /// Measured once.
    Once(fn(&Once, Subject) -> Option<f64>),
}

use Source::{Median, Worst};

/// One line of the table.
pub(crate) struct Goal {
    /// The row of the table of goals.
    pub row: u8,
    /// What is compared, with its unit.
    pub what: &'static str,
    better: Better,
    must: f64,
    good: f64,
    source: Source,
}

const fn goal(row: u8, what: &'static str, better: Better, [must, good]: [f64; 2], source: Source) -> Goal {
    Goal { row, what, better, must, good, source }
}

/// The rows that `run` can fill.
pub(crate) const ROWS: [u8; 12] = [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 14];

/// The table of goals: must, then good. No growth at all is written as half a megabyte, which is what
/// the allocator's own breathing comes to.
pub(crate) const GOALS: [Goal; 29] = [
    goal(1, "JSON 1 KB, c32: CPU / P", Lower, [2.0, 1.5], Median(|r, s| cpu(r, s, Case::JsonC32))),
    goal(2, "JSON 1 KB, c32: rate / P", Higher, [0.6, 0.75], Median(|r, s| rate(r, s, Case::JsonC32))),
    goal(2, "JSON 1 KB, c256: rate / P", Higher, [0.6, 0.75], Median(|r, s| rate(r, s, Case::JsonC256))),
    goal(3, "JSON 1 KB, c1: added p50, ms", Lower, [0.20, 0.12], Median(|r, s| p50(r, s, Case::JsonC1))),
    goal(3, "JSON 1 KB, c1: added p99, ms", Lower, [0.5, 0.25], Median(|r, s| p99(r, s, Case::JsonC1))),
    goal(5, "stored JSON, c32: CPU / P", Lower, [5.0, 3.0], Median(|r, s| cpu(r, s, Case::StoredC32))),
    goal(5, "stored JSON, c32: rate / P", Higher, [0.25, 0.35], Median(|r, s| rate(r, s, Case::StoredC32))),
    goal(5, "stored JSON, c1: added p50, ms", Lower, [0.5, 0.5], Median(|r, s| p50(r, s, Case::StoredC1))),
    goal(5, "stored JSON, c1: added p99, ms", Lower, [2.0, 2.0], Median(|r, s| p99(r, s, Case::StoredC1))),
    goal(6, "agent 67 KB, c32: CPU / P", Lower, [5.0, 3.0], Median(|r, s| cpu(r, s, Case::AgentC32))),
    goal(6, "agent 67 KB, c32: rate / P", Higher, [0.35, 0.5], Median(|r, s| rate(r, s, Case::AgentC32))),
    goal(7, "64 chunks, c32: CPU / P", Lower, [1.5, 1.1], Median(|r, s| cpu(r, s, Case::Stream64C32))),
    goal(7, "64 chunks, c32: events / P", Higher, [0.7, 0.9], Median(|r, s| events(r, s, Case::Stream64C32))),
    goal(7, "64 chunks, stored: CPU / P", Lower, [1.8, 1.1], Median(|r, s| cpu(r, s, Case::StoredStream64C32))),
    goal(7, "64 chunks, stored: events / P", Higher, [0.6, 0.9], Median(|r, s| events(r, s, Case::StoredStream64C32))),
    goal(8, "32 paced: TTFT added p50, ms", Lower, [1.5, 1.0], Median(|r, s| added(r, s, first_p50))),
    goal(8, "32 paced: TTFT added p99, ms", Lower, [6.0, 3.0], Median(|r, s| added(r, s, first_p99))),
    goal(8, "32 paced: transit added p50, ms", Lower, [0.5, 0.2], Median(|r, s| added(r, s, transit_p50))),
    goal(8, "32 paced: transit added p99, ms", Lower, [2.0, 1.0], Median(|r, s| added(r, s, transit_p99))),
    goal(9, "256 × 200/s: events / direct", Higher, [0.98, 0.99], Median(flood)),
    goal(9, "256 × 200/s: streams cut or short", Lower, [0.0, 0.0], Worst(lost)),
    goal(10, "hang-up, JSON: released in 1 s, %", Higher, [100.0, 100.0], Source::Once(|o, s| released(o, s, "json"))),
    goal(10, "hang-up, SSE: released in 1 s, %", Higher, [100.0, 100.0], Source::Once(|o, s| released(o, s, "sse"))),
    goal(11, "RSS at rest, MB", Lower, [40.0, 25.0], Source::Once(|o, s| o.idle_mb.filter(|_| s == Subject::Server))),
    goal(11, "RSS peak over the table, MB", Lower, [120.0, 80.0], Source::Once(peak)),
    goal(11, "RSS growth in the soak, MB", Lower, [5.0, 0.5], Source::Once(growth)),
    goal(
        12,
        "start, existing SQLite file, s",
        Lower,
        [0.2, 0.1],
        Source::Once(|o, s| starts(o, s, |st| st.existing_s)),
    ),
    goal(12, "start, new file, s", Lower, [0.5, 0.2], Source::Once(|o, s| starts(o, s, |st| st.new_s))),
    goal(14, "binary, MB", Lower, [40.0, 25.0], Source::Once(|o, s| starts(o, s, |st| Some(st.binary_mb)))),
];

/// What a goal came to.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// At least good.
    Good,
    /// Better than the floor.
    Must,
    /// Below the floor.
    Missed,
    /// Not in this run.
    NotMeasured,
}

impl Goal {
    /// The value for a subject, over all rounds.
    pub(crate) fn value(&self, rounds: &[Round], once: &Once, subject: Subject) -> Option<f64> {
        let each = |value: fn(&Round, Subject) -> Option<f64>| {
            let mut values: Vec<f64> = rounds.iter().filter_map(|round| value(round, subject)).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        match self.source {
            Median(value) => median(&each(value)),
            Worst(value) => match self.better {
                Lower => each(value).last().copied(),
                Higher => each(value).first().copied(),
            },
            Source::Once(value) => value(once, subject),
        }
    }

    /// The value of each round, for those who want to see the spread.
    pub(crate) fn spread(&self, rounds: &[Round], subject: Subject) -> Vec<f64> {
        match self.source {
            Median(value) | Worst(value) => rounds.iter().filter_map(|round| value(round, subject)).collect(),
            Source::Once(_) => Vec::new(),
        }
    }

    /// Must and good, as the table writes them.
    pub(crate) fn bounds(&self) -> [String; 2] {
        let sign = match self.better {
            Lower => '≤',
            Higher => '≥',
        };
        [self.must, self.good].map(|bound| format!("{sign} {bound}"))
    }

    /// Holds a value against the goal.
    pub(crate) fn verdict(&self, value: Option<f64>) -> Verdict {
        let Some(value) = value else { return Verdict::NotMeasured };
        let reaches = |bound: f64| match self.better {
            Lower => value <= bound,
            Higher => value >= bound,
        };
        if reaches(self.good) {
            Verdict::Good
        } else if reaches(self.must) {
            Verdict::Must
        } else {
            Verdict::Missed
        }
    }
}

/// The middle of sorted values; of an even number, the mean of the two.
pub(crate) fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

fn get(round: &Round, case: Case, subject: Subject) -> Option<&Measure> {
    round.get(&case)?.get(&subject).filter(|measure| measure.figures.requests > 0)
}

/// A quantity of the subject divided by the other's.
fn ratio(round: &Round, case: Case, [subject, other]: [Subject; 2], of: fn(&Measure) -> f64) -> Option<f64> {
    let (value, unit) = (of(get(round, case, subject)?), of(get(round, case, other)?));
    (unit > 0.0).then(|| value / unit)
}

fn cpu(round: &Round, subject: Subject, case: Case) -> Option<f64> {
    ratio(round, case, [subject, Subject::Passthrough], |measure| measure.cpu_micros)
}

fn rate(round: &Round, subject: Subject, case: Case) -> Option<f64> {
    ratio(round, case, [subject, Subject::Passthrough], |measure| measure.figures.rate)
}

fn events(round: &Round, subject: Subject, case: Case) -> Option<f64> {
    ratio(round, case, [subject, Subject::Passthrough], |measure| measure.figures.event_rate)
}

fn flood(round: &Round, subject: Subject) -> Option<f64> {
    ratio(round, Case::Flood256, [subject, Subject::Direct], |measure| measure.figures.event_rate)
}

fn lost(round: &Round, subject: Subject) -> Option<f64> {
    Some(round.get(&Case::Flood256)?.get(&subject)?.figures.errors as f64)
}

/// What the subject adds to the mock's own latency.
fn p50(round: &Round, subject: Subject, case: Case) -> Option<f64> {
    let of = |subject| Some(get(round, case, subject)?.figures.latency?.p50);
    Some(of(subject)? - of(Subject::Direct)?)
}

fn p99(round: &Round, subject: Subject, case: Case) -> Option<f64> {
    let of = |subject| Some(get(round, case, subject)?.figures.latency?.p99);
    Some(of(subject)? - of(Subject::Direct)?)
}

/// What the subject adds to a figure of the paced streams.
fn added(round: &Round, subject: Subject, of: fn(&Measure) -> Option<f64>) -> Option<f64> {
    let of = |subject| of(get(round, Case::PacedC32, subject)?);
    Some(of(subject)? - of(Subject::Direct)?)
}

fn first_p50(measure: &Measure) -> Option<f64> {
    Some(measure.figures.first?.p50)
}

fn first_p99(measure: &Measure) -> Option<f64> {
    Some(measure.figures.first?.p99)
}

fn transit_p50(measure: &Measure) -> Option<f64> {
    Some(measure.figures.transit?.p50)
}

fn transit_p99(measure: &Measure) -> Option<f64> {
    Some(measure.figures.transit?.p99)
}

fn released(once: &Once, subject: Subject, kind: &str) -> Option<f64> {
    let found = once.hang_ups.iter().find(|(who, what, _)| *who == subject && *what == kind);
    found.map(|(_, _, hang_ups)| hang_ups.share() * 100.0)
}

fn peak(once: &Once, subject: Subject) -> Option<f64> {
    once.peak_mb.iter().find(|(who, _)| *who == subject).map(|(_, megabytes)| *megabytes)
}

fn growth(once: &Once, subject: Subject) -> Option<f64> {
    once.soak.as_ref().filter(|_| subject == Subject::Server)?.grown_mb
}

fn starts(once: &Once, subject: Subject, of: fn(&Starts) -> Option<f64>) -> Option<f64> {
    of(once.starts.as_ref().filter(|_| subject == Subject::Server)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn round(direct: f64, passthrough: f64, server: f64) -> Round {
        let measure = |cpu_micros| {
            let mut measure = Measure { cpu_micros, ..Measure::default() };
            measure.figures.requests = 1;
            measure
        };
        let subjects = BTreeMap::from([
            (Subject::Direct, measure(direct)),
            (Subject::Passthrough, measure(passthrough)),
            (Subject::Server, measure(server)),
        ]);
        Round::from([(Case::JsonC32, subjects)])
    }

    #[test]
    fn a_goal_takes_the_median_of_the_rounds_ratios() {
        let rounds = [round(5.0, 10.0, 12.0), round(5.0, 20.0, 36.0), round(5.0, 10.0, 90.0)];
        let once = Once::default();
        let value = GOALS[0].value(&rounds, &once, Subject::Server);
        assert_eq!(value, Some(1.8));
        assert_eq!(GOALS[0].verdict(value), Verdict::Must);
        assert_eq!(GOALS[0].value(&rounds, &once, Subject::Passthrough), Some(1.0));
        assert_eq!(GOALS[1].verdict(Some(0.75)), Verdict::Good);
        assert_eq!(GOALS[1].verdict(Some(0.5)), Verdict::Missed);
        assert_eq!(GOALS[0].verdict(None), Verdict::NotMeasured);
    }

    #[test]
    fn every_row_has_a_goal_and_every_goal_a_row() {
        assert!(GOALS.iter().all(|goal| ROWS.contains(&goal.row)));
        assert!(ROWS.iter().all(|row| GOALS.iter().any(|goal| goal.row == *row)));
        assert!(Case::ALL.iter().flat_map(|case| case.rows()).all(|row| ROWS.contains(row)));
    }
}
