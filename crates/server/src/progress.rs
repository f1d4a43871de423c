//! How far a download is: a line that redraws itself on a terminal, a line now and then elsewhere.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::telemetry::LogWriter;

/// Between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(200);
/// Between two lines elsewhere.
const REPEAT: Duration = Duration::from_secs(10);
/// What has not moved for so long is not shown any more.
const STALE: Duration = Duration::from_secs(10);
/// The rate is that of the last so many seconds.
const WINDOW: Duration = Duration::from_secs(5);
/// Signs of the bar.
const WIDTH: usize = 24;

/// Where progress is shown.
pub(crate) enum Show {
    /// Below the lines of a terminal.
    Status(Arc<LogWriter>),
    /// As lines.
    Lines(Arc<LogWriter>),
    /// As lines of the log.
    Log,
}

/// Shows the progress of downloads, one after the other.
pub(crate) struct Reporter {
    show: Show,
    now: Mutex<Option<Progress>>,
}

impl Reporter {
    pub(crate) fn new(show: Show) -> Self {
        Self { show, now: Mutex::default() }
    }

    /// Tells how far the fetching of `what` is.
    pub(crate) fn report(&self, what: &str, done: u64, total: u64) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.as_ref().is_none_or(|progress| progress.what != what) {
            *now = Some(Progress::new(what, matches!(self.show, Show::Status(_))));
        }
        let Some(progress) = now.as_mut() else { return };
        if let Some(line) = progress.update(done, total, Instant::now()) {
            match &self.show {
                Show::Status(writer) => writer.set_status(Some(line)),
                Show::Lines(writer) => writer.write(format!("{line}\n").as_bytes()),
                Show::Log => tracing::info!("{line}"),
            }
        }
        if done >= total {
            self.end();
        }
    }

    /// Takes away what nobody has updated for a while, since a fetch that failed says so elsewhere. Ends never.
    pub(crate) async fn forget_stale(&self) {
        loop {
            tokio::time::sleep(STALE).await;
            let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            if now.as_ref().and_then(|progress| progress.last).is_none_or(|last| last.elapsed() >= STALE) {
                self.end();
            }
        }
    }

    /// There is nothing more to tell.
    pub(crate) fn end(&self) {
        if let Show::Status(writer) = &self.show {
            writer.set_status(None);
        }
    }
}

/// The progress of one download.
struct Progress {
    what: String,
    every: Duration,
    last: Option<Instant>,
    /// Where it was at which moment, oldest first, for the rate.
    marks: Vec<(Instant, u64)>,
}

impl Progress {
    /// The progress of fetching `what`.
    fn new(what: &str, on_terminal: bool) -> Self {
        let every = if on_terminal { REDRAW } else { REPEAT };
        Self { what: what.to_owned(), every, last: None, marks: Vec::new() }
    }

    /// The line to show now, if it is time for one.
    fn update(&mut self, done: u64, total: u64, now: Instant) -> Option<String> {
        if self.last.is_some_and(|last| now.duration_since(last) < self.every) {
            return None;
        }
        self.last = Some(now);
        self.marks.push((now, done));
        // One mark older than the window stays, so that there is always a distance to measure.
        while self.marks.len() > 2 && now.duration_since(self.marks[1].0) >= WINDOW {
            self.marks.remove(0);
        }
        Some(self.line(done, total))
    }

    /// Bytes a second, lately.
    fn rate(&self) -> Option<f64> {
        let (first, last) = (self.marks.first()?, self.marks.last()?);
        let seconds = last.0.duration_since(first.0).as_secs_f64();
        // A source that was given up may have left less than there was.
        let bytes = last.1.checked_sub(first.1)?;
        (seconds > 0.0 && bytes > 0).then(|| bytes as f64 / seconds)
    }

    fn line(&self, done: u64, total: u64) -> String {
        let mut line = format!("Fetching {}", self.what);
        // Writing to a String cannot fail.
        match (done.min(total) * 100).checked_div(total) {
            Some(percent) => {
                let filled = (percent as usize * WIDTH) / 100;
                let (bar, rest) = ("=".repeat(filled), " ".repeat(WIDTH - filled));
                _ = write!(line, " [{bar}{rest}] {percent:3}% {} of {}", size(done), size(total));
            }
            None => _ = write!(line, " {}", size(done)),
        }
        if let Some(rate) = self.rate() {
            _ = write!(line, ", {}/s", size(rate as u64));
            if total > done {
                _ = write!(line, ", {} left", time((total - done) as f64 / rate));
            }
        }
        line
    }
}

/// A size for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// A time for people.
fn time(seconds: f64) -> String {
    let seconds = seconds.ceil().min(360_000.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_bytes_rate_and_time_left() {
        let start = Instant::now();
        let mut progress = Progress::new("jan-small", true);
        assert_eq!(
            progress.update(0, 491_400_064, start).as_deref(),
            Some("Fetching jan-small [                        ]   0% 0 B of 491.4 MB")
        );
        assert_eq!(progress.update(1_000_000, 491_400_064, start + Duration::from_millis(50)), None);
        assert_eq!(
            progress.update(100_000_000, 491_400_064, start + Duration::from_secs(2)).as_deref(),
            Some("Fetching jan-small [====                    ]  20% 100.0 MB of 491.4 MB, 50.0 MB/s, 8 s left")
        );
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut progress = Progress::new("x", true);
        for second in 0..20 {
            let done = if second < 10 { second * 50_000_000 } else { 450_000_000 + (second - 9) * 1_000_000 };
            progress.update(done, 1_000_000_000, start + Duration::from_secs(second));
        }
        assert!((progress.rate().unwrap() - 1e6).abs() < 1.0);
    }

    #[test]
    fn a_size_that_is_not_known_is_no_bar() {
        let mut progress = Progress::new("x", false);
        assert_eq!(progress.update(1_500, 0, Instant::now()).as_deref(), Some("Fetching x 2 kB"));
    }
}
