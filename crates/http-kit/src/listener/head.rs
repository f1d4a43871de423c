//! The bytes of the head that is being read, kept for one question that the HTTP library's own reading leaves open.
//!
//! A request with both `Transfer-Encoding` and `Content-Length` is how requests are smuggled past a proxy that reads
//! the other one. The library serves such a request by its chunks and drops the length before anybody can see it; that
//! is allowed, but refusing is safer (RFC 9112, 6.1), and for that the head must be looked at as it came.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Error;
use http::{HeaderMap, header};

/// Bytes behind a head that are kept, since they may be the next one's beginning. Without them, the library's reading
/// holds.
const MOST_KEPT: usize = 4 * 1024;

/// The bytes that came since the connection was last idle, up to a bound.
#[derive(Default)]
pub(super) struct Head(Mutex<Vec<u8>>);

impl Head {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what came; `is_first` when nothing of this head was there before.
    pub(super) fn add(&self, bytes: &[u8], is_first: bool, most: usize) {
        let mut kept = self.lock();
        if is_first {
            kept.clear();
        }
        let room = most.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(&bytes[..room]);
    }

    /// Whether the head that was just read says one thing only about its body's length.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        let mut kept = std::mem::take(&mut *self.lock());
        let end = kept.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(kept.len(), |at| at + 4);
        let is_ambiguous = headers.contains_key(header::TRANSFER_ENCODING) && has_length(&kept[..end]);
        if end < kept.len() && kept.len() - end <= MOST_KEPT {
            kept.drain(..end);
            *self.lock() = kept;
        }
        if is_ambiguous {
            let message = "A request has Transfer-Encoding or Content-Length, never both.";
            return Err(Error::invalid("invalid_request", message));
        }
        Ok(())
    }
}

fn has_length(head: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length:";
    head.split(|byte| *byte == b'\n')
        .any(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)))
}
