//! Durations collected during a run, kept whole so that percentiles are exact. Bounded: beyond the
//! bound further samples are left out and the earlier ones stand.

use std::time::Duration;

use serde::Serialize;

/// Samples kept by one collection, 8 MB of them.
const MAX_SAMPLES: usize = 2_000_000;

/// Durations, in milliseconds.
#[derive(Default)]
pub(crate) struct Samples(Vec<f32>);

impl Samples {
    pub(crate) fn push(&mut self, duration: Duration) {
        if self.0.len() < MAX_SAMPLES {
            self.0.push((duration.as_secs_f64() * 1e3) as f32);
        }
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        other.0.truncate(MAX_SAMPLES - self.0.len());
        self.0.append(&mut other.0);
    }

    /// `None` where nothing was collected.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        // The nearest rank: the smallest sample that at least this share does not exceed.
        let rank = |share: f64| {
            let index = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(index.saturating_sub(1)).copied().map(f64::from)
        };
        Some(Percentiles { p50: rank(0.50)?, p99: rank(0.99)?, max: rank(1.0)?, samples: sorted.len() })
    }
}

/// What is reported of a collection, in milliseconds.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percentiles {
    /// The median.
    pub p50: f64,
    /// 99 of 100 are no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
    /// How many there were.
    pub samples: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentiles(), None);
        for millis in (1..=200).rev() {
            samples.push(Duration::from_millis(millis));
        }
        assert_eq!(samples.percentiles(), Some(Percentiles { p50: 100.0, p99: 198.0, max: 200.0, samples: 200 }));
    }
}
