//! Spans of time, and how long the database may take.

use std::{future::Future, time::Duration};

use domain::{Error, Kind, Timestamp};
use store::StoreError;

/// How long a caller waits to be known. Shorter than the database's own limit: all requests wait for this first.
const LOOKUP: Duration = Duration::from_secs(3);

/// Whether `now` is less than `span` after `at`. A clock that was put back makes everything old, not new for ever.
pub(crate) fn is_within(at: Timestamp, now: Timestamp, span: Duration) -> bool {
    at <= now && now < at + span
}

/// The moment `span` before `now`.
pub(crate) fn before(now: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_micros(now.micros().saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
}

/// The database's answer, or 503 when there is none in time.
pub(crate) async fn limited<T>(work: impl Future<Output = Result<T, StoreError>>) -> domain::Result<T> {
    match tokio::time::timeout(LOOKUP, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(no_answer()),
    }
}

#[cold]
pub(crate) fn no_answer() -> Error {
    let pause = Some(Duration::from_secs(1));
    Error::new(Kind::Unavailable(pause), "service_unavailable", "The database does not answer at the moment.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_put_back_makes_old() {
        let (early, late) = (Timestamp::from_seconds(100), Timestamp::from_seconds(101));
        assert!(is_within(early, late, Duration::from_secs(2)));
        assert!(!is_within(early, late, Duration::from_secs(1)));
        assert!(!is_within(late, early, Duration::from_secs(1_000)));
    }
}
