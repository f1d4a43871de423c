//! Server-sent events: the incremental decoder and the encoder.
//!
//! Only what JSON APIs use: `data` and `event` fields. The rules are the WHATWG HTML standard's, section 9.2.6.

use bytes::{Buf, Bytes, BytesMut};

/// The frame that ends a whole chat stream.
pub const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// An event as it stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event exactly as it came, blank line included.
    pub frame: Bytes,
    /// Its data; several `data` lines are joined by line feeds. Empty for comments and heartbeats.
    pub data: Bytes,
}

/// More than this without the end of an event is no stream of ours.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// An event grew past [`MAX_EVENT_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Cuts a stream of bytes into events without copying what needs no joining. Each byte is copied once and looked at once,
/// in however many pieces an event comes.
#[derive(Debug, Default)]
pub struct Decoder {
    /// What came after the last whole event.
    rest: BytesMut,
    /// Up to here in `rest` there is no end of an event.
    searched: usize,
    /// A chunk that has not been looked at, shared with the transport's buffer.
    chunk: Bytes,
}

impl Decoder {
    /// Adds what came next.
    ///
    /// # Errors
    /// [`TooLarge`] when an event does not end.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), TooLarge> {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.rest.extend_from_slice(&self.chunk);
            self.chunk = chunk;
        }
        if self.rest.len() + self.chunk.len() > MAX_EVENT_BYTES { Err(TooLarge) } else { Ok(()) }
    }

    /// The next whole event, if there is one.
    pub fn next_event(&mut self) -> Option<Event> {
        let found = if self.rest.is_empty() {
            frame_end(&self.chunk, 0)
        } else {
            // The event began in an earlier chunk: join, then cut.
            self.rest.extend_from_slice(&std::mem::take(&mut self.chunk));
            frame_end(&self.rest, self.searched)
        };
        let end = match found {
            Ok(end) => end,
            Err(searched) => {
                self.rest.extend_from_slice(&std::mem::take(&mut self.chunk));
                self.searched = searched;
                return None;
            }
        };
        if !self.rest.is_empty() {
            self.chunk = self.rest.split().freeze();
            self.searched = 0;
        }
        let frame = self.chunk.split_to(end);
        let data = data_of(&frame);
        Some(Event { frame, data })
    }

    /// Whether the stream ended in the middle of an event.
    pub fn has_rest(&self) -> bool {
        let open = |bytes: &[u8]| bytes.iter().any(|b| !b.is_ascii_whitespace());
        open(&self.rest) || open(&self.chunk)
    }
}

/// Where the first event ends: after the blank line. Looks from `from` on; without an end in sight the error is from where
/// to look when more has come.
fn frame_end(bytes: &[u8], mut from: usize) -> Result<usize, usize> {
    loop {
        let found = memchr::memchr2(b'\n', b'\r', &bytes[from..]);
        let at = from + found.ok_or(bytes.len())?;
        // A line ends with LF, CR or CRLF; an empty line follows at once.
        let after = match (bytes[at], bytes.get(at + 1)) {
            (b'\r', Some(b'\n')) => at + 2,
            (b'\r', None) => return Err(at),
            _ => at + 1,
        };
        if at == 0 {
            // A blank line before any field: an empty event of its own, so that it does not stick to the next.
            return Ok(after);
        }
        match (bytes.get(after), bytes.get(after + 1)) {
            (Some(b'\r'), Some(b'\n')) => return Ok(after + 2),
            (Some(b'\n'), _) | (Some(b'\r'), Some(_)) => return Ok(after + 1),
            (Some(b'\r'), None) | (None, _) => return Err(at),
            _ => from = after,
        }
    }
}

/// The data of a frame, shared with it when it stands on one line.
fn data_of(frame: &Bytes) -> Bytes {
    // The common frame: one `data: …` line and the blank one.
    if let Some(rest) = frame.strip_prefix(b"data:") {
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        if rest[end..].iter().all(|b| matches!(b, b'\n' | b'\r')) {
            let skip = usize::from(rest.first() == Some(&b' '));
            return frame.slice(5 + skip.min(end)..5 + end);
        }
    }
    let mut data = BytesMut::new();
    let mut lines = 0;
    for line in frame.split(|b| matches!(b, b'\n' | b'\r')) {
        if let Some(mut value) = line.strip_prefix(b"data:") {
            if value.first() == Some(&b' ') {
                value.advance(1);
            }
            if lines > 0 {
                data.extend_from_slice(b"\n");
            }
            data.extend_from_slice(value);
            lines += 1;
        }
    }
    data.freeze()
}

/// A frame of one `data` line. `json` holds no line breaks, as compact JSON does not.
pub fn data(json: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(json.len() + 8);
    frame.extend_from_slice(b"data: ");
    frame.extend_from_slice(json);
    frame.extend_from_slice(b"\n\n");
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(chunks: &[&[u8]]) -> (Vec<String>, bool) {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(Bytes::copy_from_slice(chunk)).unwrap();
            while let Some(event) = decoder.next_event() {
                if !event.data.is_empty() {
                    events.push(String::from_utf8(event.data.to_vec()).unwrap());
                }
            }
        }
        (events, decoder.has_rest())
    }

    #[test]
    fn every_cut_gives_the_same_events() {
        let text: &[u8] = b": hi\n\ndata: {\"a\":1}\n\nevent: x\r\ndata:2\r\ndata: 3\r\n\r\n\ndata: [DONE]\n\n";
        let expected = vec!["{\"a\":1}".to_owned(), "2\n3".into(), "[DONE]".into()];
        for cut in 0..=text.len() {
            assert_eq!(decode(&[&text[..cut], &text[cut..]]), (expected.clone(), false), "cut at {cut}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decode(&single), (expected, false));
    }

    #[test]
    fn the_pieces_of_an_event_are_looked_at_once() {
        let mut decoder = Decoder::default();
        decoder.push(Bytes::from_static(b"data: 1")).unwrap();
        assert_eq!(decoder.next_event(), None);
        assert_eq!(decoder.searched, 7);
        decoder.push(Bytes::from_static(b"2\r")).unwrap();
        assert_eq!(decoder.next_event(), None);
        assert_eq!(decoder.searched, 8, "what follows the carriage return decides");
        decoder.push(Bytes::from_static(b"\n\r\ndata: 3\n\n")).unwrap();
        assert_eq!(decoder.next_event().unwrap().data, "12");
        // More may come before the rest was asked for.
        decoder.push(Bytes::from_static(b"data: 4\n\n")).unwrap();
        assert_eq!(decoder.next_event().unwrap().data, "3");
        assert_eq!(decoder.next_event().unwrap().data, "4");
        assert_eq!(decoder.next_event(), None);
    }

    #[test]
    fn an_open_end_is_noticed() {
        assert_eq!(decode(&[b"data: 1\n\ndata: 2\n"]), (vec!["1".into()], true));
    }

    #[test]
    fn frames_are_kept_as_they_came() {
        let mut decoder = Decoder::default();
        decoder.push(Bytes::from_static(b"data: {}\n\ndata: 2\n\n")).unwrap();
        assert_eq!(decoder.next_event().unwrap().frame, "data: {}\n\n");
        assert_eq!(decoder.next_event().unwrap().frame, data(b"2"));
        assert_eq!(decoder.next_event(), None);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut decoder = Decoder::default();
        let chunk = Bytes::from(vec![b'x'; 1024 * 1024]);
        let mut refused = false;
        for _ in 0..9 {
            refused |= decoder.push(chunk.clone()).is_err();
            assert_eq!(decoder.next_event(), None);
        }
        assert!(refused);
    }
}
