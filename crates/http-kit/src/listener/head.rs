//! The bytes of the head that is being read, kept for what the HTTP library's own reading leaves open.
//!
//! A request with both `Transfer-Encoding` and `Content-Length` is how requests are smuggled past a proxy that reads
//! the other one. The library serves such a request by its chunks and drops the length before anybody can see it; it
//! also takes a bare line feed as the end of a line. Both are allowed, but refusing is safer (RFC 9112, 2.2 and 6.1),
//! and for that the head must be looked at as it came.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Error;
use http::{HeaderMap, HeaderValue, header};
use memchr::memchr_iter;

/// What a connection keeps room for between two heads: most heads fit, small bodies with them.
const ROOM: usize = 4 * 1024;

/// The bytes that came since the connection was last idle, up to a bound.
#[derive(Default)]
pub(super) struct Head(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    begins: Begins,
}

/// Where the head begins in what was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Begins {
    /// With the first byte.
    Here,
    /// Somewhere: the rest of a body may stand before it.
    Later,
    /// It came, at least in part, while another request was served, and was not kept.
    #[default]
    Unseen,
}

impl Head {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what came while the connection was idle; `is_first` when nothing came since the last request, `behind_body`
    /// when that request's body may not have ended.
    pub(super) fn add(&self, bytes: &[u8], is_first: bool, behind_body: bool, most: usize) {
        let mut kept = self.lock();
        if is_first && kept.bytes.is_empty() {
            kept.begins = if behind_body { Begins::Later } else { Begins::Here };
        }
        let room = most.saturating_sub(kept.bytes.len()).min(bytes.len());
        kept.bytes.extend_from_slice(&bytes[..room]);
    }

    /// Notes that bytes came which are not kept.
    pub(super) fn miss(&self) {
        self.lock().forget();
    }

    /// Whether the head that was just read can be read in one way only.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        let mut kept = self.lock();
        let judged = kept.judge(headers);
        match judged {
            Ok(Some(end)) => drop(kept.bytes.drain(..end)),
            _ => kept.forget(),
        }
        judged.map(drop)
    }
}

impl Kept {
    /// Whether the head can be read in one way only; where the next one begins, if that is here already.
    fn judge(&self, headers: &HeaderMap) -> Result<Option<usize>, Error> {
        let Self { bytes, begins } = self;
        let begins = *begins;
        let is_chunked = is_chunked(headers)?;
        let end = match begins {
            Begins::Here => end(bytes)
                .ok_or_else(|| Error::invalid("invalid_request", "The lines of a head end with CR and LF."))?,
            Begins::Later | Begins::Unseen => bytes.len(),
        };
        if is_chunked && (begins == Begins::Unseen || has_length(&bytes[..end])) {
            let message = "A request has Transfer-Encoding or Content-Length, never both; and one with a body waits for \
                           the answer to the one before.";
            return Err(Error::invalid("invalid_request", message));
        }
        // The next head, sent without waiting: there is no body that could stand before it.
        let is_followed =
            begins == Begins::Here && end < bytes.len() && !is_chunked && !headers.contains_key(header::CONTENT_LENGTH);
        Ok(is_followed.then_some(end))
    }

    /// Forgets the bytes. Their room serves the next head, unless it is so large that an idle connection should not
    /// hold it.
    fn forget(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(ROOM);
        self.begins = Begins::default();
    }
}

/// Whether the body comes in chunks. Other codings are not undone here, and two of them could hide each other.
fn is_chunked(headers: &HeaderMap) -> Result<bool, Error> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes);
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(Error::invalid("invalid_request", "The only transfer coding is chunked.")),
    }
}

/// Where the head ends that `bytes` begin with; `None` when one of its lines ends with a bare line feed.
fn end(bytes: &[u8]) -> Option<usize> {
    for at in memchr_iter(b'\n', bytes) {
        let before = &bytes[..at];
        if !before.ends_with(b"\r") {
            return None;
        }
        if before.ends_with(b"\r\n\r") {
            return Some(at + 1);
        }
    }
    Some(bytes.len())
}

fn has_length(head: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length:";
    head.split(|byte| *byte == b'\n')
        .any(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)))
}
