//! Standard error behind a bounded buffer: a request's log line costs a copy, not a system call, and a reader that
//! stands still stops nobody. One thread writes what has gathered every few milliseconds; it sleeps while there is
//! nothing.
//!
//! On a terminal the last line may be a status, such as the progress of a download: it is drawn anew below the lines.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Most bytes that wait. Lines beyond them are dropped and counted.
const CAPACITY: usize = 1024 * 1024;
/// How long lines gather before they are written.
const GATHERING: Duration = Duration::from_millis(10);
/// The longest wait of a flush.
const PATIENCE: Duration = Duration::from_secs(2);

/// The buffer.
pub(crate) struct LogWriter {
    state: Mutex<State>,
    /// There is something to write, or a flush is asked for.
    filled: Condvar,
    /// Everything is written.
    written: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    dropped: u64,
    /// The thread is writing now.
    busy: bool,
    /// Somebody waits for the lines.
    urgent: bool,
    /// What stands below the lines, and whether it has changed.
    status: Option<String>,
    restated: bool,
}

impl State {
    fn has_news(&self) -> bool {
        self.restated || !self.waiting.is_empty()
    }
}

impl LogWriter {
    /// Starts the thread that writes to standard error.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        Self::start_on(io::stderr())
    }

    fn start_on(out: impl Write + Send + 'static) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self { state: Mutex::default(), filled: Condvar::new(), written: Condvar::new() });
        let thread = Arc::clone(&writer);
        thread::Builder::new().name("log".to_owned()).stack_size(128 * 1024).spawn(move || thread.run(out))?;
        Ok(writer)
    }

    /// Adds a line, its end included.
    pub(crate) fn write(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len() + line.len() > CAPACITY {
            state.dropped += 1;
            return;
        }
        let is_first = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if is_first {
            self.filled.notify_one();
        }
    }

    /// Sets what stands below the lines; `None` takes it away. For terminals only.
    #[cfg_attr(not(feature = "embedded"), expect(dead_code, reason = "only fetching a model takes long"))]
    pub(crate) fn set_status(&self, status: Option<String>) {
        let mut state = self.lock();
        state.status = status;
        state.restated = true;
        drop(state);
        self.filled.notify_one();
    }

    /// Waits until everything so far is written, for two seconds at most.
    pub(crate) fn flush(&self) {
        let mut state = self.lock();
        state.urgent = true;
        self.filled.notify_one();
        let waiting = |state: &mut State| state.busy || state.has_news();
        let (mut state, _) =
            self.written.wait_timeout_while(state, PATIENCE, waiting).unwrap_or_else(PoisonError::into_inner);
        state.urgent = false;
    }

    fn run(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        let mut shown = false;
        loop {
            let (dropped, status) = self.gather(&mut lines);
            // Nothing can be told about a standard error that is gone.
            if shown {
                _ = out.write_all(b"\r\x1b[K");
            }
            _ = out.write_all(&lines);
            if dropped > 0 {
                _ = writeln!(
                    out,
                    "{{\"level\":\"warn\",\"message\":\"{dropped} log lines were dropped: nobody read them\"}}"
                );
            }
            shown = status.is_some();
            if let Some(status) = status {
                // A line that is too long is cut at the edge, not wrapped: it could not be taken away again.
                _ = write!(out, "\x1b[?7l{status}\x1b[?7h");
            }
            _ = out.flush();
            lines.clear();
            lines.shrink_to(64 * 1024);
            let mut state = self.lock();
            state.busy = false;
            if !state.has_news() {
                self.written.notify_all();
            }
        }
    }

    /// Waits for lines, lets more of them gather, and takes them all.
    fn gather(&self, lines: &mut Vec<u8>) -> (u64, Option<String>) {
        let state = self.lock();
        let state = self.filled.wait_while(state, |state| !state.has_news()).unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .filled
            .wait_timeout_while(state, GATHERING, |state| !state.urgent)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.waiting, lines);
        state.busy = true;
        state.restated = false;
        (std::mem::take(&mut state.dropped), state.status.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands on what it is given; stands still until it is told to go.
    struct Out(mpsc::Sender<Vec<u8>>, mpsc::Receiver<()>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.recv().ok();
            self.0.send(bytes.to_vec()).ok();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_in_order_and_a_flush_waits_for_them() {
        let (sent, written) = mpsc::channel();
        let (go, gate) = mpsc::channel();
        let writer = LogWriter::start_on(Out(sent, gate)).unwrap();
        drop(go);
        for line in 0..100 {
            writer.write(format!("{line}\n").as_bytes());
        }
        writer.flush();
        let text: Vec<u8> = written.try_iter().flatten().collect();
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().eq((0..100).map(|line| line.to_string())), "{text}");
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_nothing_else() {
        let (sent, written) = mpsc::channel();
        let (go, gate) = mpsc::channel();
        let writer = LogWriter::start_on(Out(sent, gate)).unwrap();
        let line = [b'x'; 1024];
        for _ in 0..3 * CAPACITY / line.len() {
            writer.write(&line);
        }
        assert!(writer.lock().waiting.len() <= CAPACITY);
        drop(go);
        writer.write(b"the end\n");
        writer.flush();
        let text: Vec<u8> = written.try_iter().flatten().collect();
        assert!(text.len() < 3 * CAPACITY);
        assert!(String::from_utf8_lossy(&text).contains("lines were dropped"));
    }
}
