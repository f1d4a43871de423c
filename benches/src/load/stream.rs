//! Counts the chunks of an event stream as they arrive, in whatever pieces. It looks for the mock's
//! time stamps and the end mark and parses nothing else: the generator must stay cheaper than what it
//! loads.

use anyhow::ensure;

/// An event longer than this is not one of the mock's.
const MAX_EVENT: usize = 1 << 20;

/// The state of one stream.
#[derive(Default)]
pub(crate) struct Events {
    /// A line whose end has not arrived.
    rest: Vec<u8>,
    chunks: u32,
    done: bool,
}

impl Events {
    /// Takes the next piece; `born` is called with each stamp, in microseconds.
    pub(crate) fn feed(&mut self, mut piece: &[u8], mut born: impl FnMut(u64)) -> anyhow::Result<()> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = piece.split_at(end);
            if self.rest.is_empty() {
                self.line(line, &mut born);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole, &mut born);
            }
            piece = rest.get(1..).unwrap_or_default();
        }
        ensure!(self.rest.len() + piece.len() <= MAX_EVENT, "an event of more than {MAX_EVENT} bytes");
        self.rest.extend_from_slice(piece);
        Ok(())
    }

    fn line(&mut self, line: &[u8], born: &mut impl FnMut(u64)) {
        let Some(data) = line.strip_prefix(b"data:") else { return };
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
        } else if let Some(stamp) = stamp(data) {
            self.chunks += 1;
            born(stamp);
        }
    }

    /// Chunks so far.
    pub(crate) fn chunks(&self) -> u32 {
        self.chunks
    }

    /// Whether the end mark has come.
    pub(crate) fn done(&self) -> bool {
        self.done
    }
}

/// The number behind `"@`, which is how the text of each of the mock's chunks begins.
fn stamp(data: &[u8]) -> Option<u64> {
    let start = data.windows(2).position(|pair| pair == b"\"@")? + 2;
    let digits = data.get(start..)?.iter().take_while(|byte| byte.is_ascii_digit()).take(18);
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))).filter(|stamp| *stamp > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b": hello\n\ndata: {\"content\":\"@17 a\"}\r\n\r\ndata:{\"content\":\"@18 b\"}\n\n\
        data: {\"delta\":{}}\n\ndata: [DONE]\n\n";

    #[test]
    fn the_pieces_do_not_matter() {
        for size in 1..=STREAM.len() {
            let (mut events, mut stamps) = (Events::default(), Vec::new());
            for piece in STREAM.chunks(size) {
                events.feed(piece, |stamp| stamps.push(stamp)).unwrap();
            }
            assert_eq!((stamps, events.chunks(), events.done()), (vec![17, 18], 2, true), "pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut events = Events::default();
        assert!(events.feed(&vec![b'a'; MAX_EVENT + 1], |_| ()).is_err());
    }
}
