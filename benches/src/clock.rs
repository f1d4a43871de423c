//! The one clock that two processes share. It stamps chunks and nothing else: durations within a
//! process come from `Instant`.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the mock and the load generator compare wall clocks")]
pub(crate) fn micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}
