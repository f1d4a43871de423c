//! The figures as a table for readers and as JSON for everything else.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use crate::cases::{Case, Measure, Round, Subject};
use crate::rows::{GOALS, Once, Verdict};

/// More than this share of the machine in other hands makes a measure doubtful.
const NOISE: f64 = 0.10;

/// Everything that a run found out.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Cores of the machine, which load, mock and subject share.
    pub cores: usize,
    /// The rows asked for.
    pub rows: Vec<u8>,
    /// Round by round.
    pub rounds: Vec<Round>,
    /// What was measured once.
    pub once: Once,
    /// What could not be measured, and why.
    pub failures: Vec<String>,
}

#[derive(Serialize)]
struct Line {
    row: u8,
    what: &'static str,
    must: String,
    good: String,
    passthrough: Option<f64>,
    server: Option<f64>,
    rounds: Vec<f64>,
    verdict: Verdict,
}

impl Report {
    fn lines(&self) -> impl Iterator<Item = Line> {
        GOALS.iter().filter(|goal| self.rows.contains(&goal.row)).map(|goal| {
            let server = goal.value(&self.rounds, &self.once, Subject::Server);
            let [must, good] = goal.bounds();
            Line {
                row: goal.row,
                what: goal.what,
                must,
                good,
                passthrough: goal.value(&self.rounds, &self.once, Subject::Passthrough),
                server,
                rounds: goal.spread(&self.rounds, Subject::Server),
                verdict: goal.verdict(server),
            }
        })
    }

    /// Two tables in Markdown: the goals, and what each subject did in each case.
    pub(crate) fn markdown(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        writeln!(text, "| row | what | must | good | P | server | rounds | verdict |")?;
        writeln!(text, "|---|---|---|---|---|---|---|---|")?;
        for line in self.lines() {
            let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), short);
            let spread =
                match (line.rounds.iter().copied().reduce(f64::min), line.rounds.iter().copied().reduce(f64::max)) {
                    (Some(least), Some(most)) => format!("{} … {}", short(least), short(most)),
                    _ => String::new(),
                };
            let verdict = match line.verdict {
                Verdict::Good => "good",
                Verdict::Must => "must",
                Verdict::Missed => "**missed**",
                Verdict::NotMeasured => "not measured",
            };
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {spread} | {verdict} |",
                line.row,
                line.what,
                line.must,
                line.good,
                number(line.passthrough),
                number(line.server),
            )?;
        }
        writeln!(text, "\n| case | subject | requests/s | events/s | p50 ms | p99 ms | CPU µs | errors | others |")?;
        writeln!(text, "|---|---|---|---|---|---|---|---|---|")?;
        let mut doubtful = 0;
        for case in Case::ALL {
            for subject in [Subject::Direct, Subject::Passthrough, Subject::Server] {
                let measures: Vec<&Measure> =
                    self.rounds.iter().filter_map(|round| round.get(&case)?.get(&subject)).collect();
                if measures.is_empty() {
                    continue;
                }
                doubtful += measures.iter().filter(|measure| measure.others > NOISE).count();
                let mean = |of: &dyn Fn(&Measure) -> f64| {
                    measures.iter().map(|measure| of(measure)).sum::<f64>() / measures.len() as f64
                };
                let latency = |of: fn(&crate::load::Percentiles) -> f64| {
                    mean(&|measure| measure.figures.latency.as_ref().map_or(f64::NAN, of))
                };
                writeln!(
                    text,
                    "| {case:?} | {subject:?} | {} | {} | {} | {} | {} | {} | {:.0} % |",
                    short(mean(&|measure| measure.figures.rate)),
                    short(mean(&|measure| measure.figures.event_rate)),
                    short(latency(|latency| latency.p50)),
                    short(latency(|latency| latency.p99)),
                    short(mean(&|measure| measure.cpu_micros)),
                    measures.iter().map(|measure| measure.figures.errors).sum::<u64>(),
                    mean(&|measure| measure.others) * 100.0,
                )?;
            }
        }
        if doubtful > 0 {
            writeln!(
                text,
                "\n{doubtful} measures were taken while others used more than {:.0} % of the machine: \
                 repeat the run on a quiet one.",
                NOISE * 100.0
            )?;
        }
        for (case, subject, error) in self.errors() {
            writeln!(text, "\nFirst error of {case:?}, {subject:?}: {error}")?;
        }
        for failure in &self.failures {
            writeln!(text, "\nNot measured: {failure}")?;
        }
        Ok(text)
    }

    fn errors(&self) -> impl Iterator<Item = (Case, Subject, &str)> {
        self.rounds.iter().flatten().flat_map(|(case, subjects)| {
            subjects
                .iter()
                .filter_map(|(subject, measure)| Some((*case, *subject, measure.figures.first_error.as_deref()?)))
        })
    }

    /// Writes all figures as JSON; by default beside this program, among what cargo builds.
    pub(crate) fn write(&self, path: Option<PathBuf>) -> anyhow::Result<PathBuf> {
        let path = match path {
            Some(path) => path,
            None => std::env::current_exe()?.with_file_name("benches-run.json"),
        };
        let all = serde_json::json!({ "goals": self.lines().collect::<Vec<_>>(), "report": self });
        std::fs::write(&path, serde_json::to_vec_pretty(&all)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        size if size.is_nan() => "–".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Kilobytes of the kernel (1024 bytes) as megabytes (10⁶ bytes).
pub(crate) fn megabytes(kilobytes: u64) -> f64 {
    kilobytes as f64 * 1024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_count() {
        assert_eq!([1234.5, 12.34, 1.234, 0.1234, -0.05].map(short), ["1234", "12.3", "1.23", "0.123", "-0.050"]);
        assert_eq!(short(f64::NAN), "–");
    }
}
