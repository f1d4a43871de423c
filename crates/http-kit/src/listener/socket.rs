//! The socket as a connection sees it: reads and writes are noted, answers of the HTTP library's own speak our envelope,
//! and a client that is still sending gets to read its answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{activity::Activity, refusal};

/// Bytes thrown away at a time while a client goes on sending.
const WASTE: usize = 4 * 1024;

/// A watched socket.
pub(super) struct Watched<T> {
    inner: T,
    activity: Arc<Activity>,
    /// The rest of an answer that stands in for one of the library's, and how long that one was.
    replacing: Option<(Bytes, usize)>,
    shut: bool,
}

impl<T> Watched<T> {
    pub(super) fn new(inner: T, activity: Arc<Activity>) -> Self {
        Self { inner, activity, replacing: None, shut: false }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.read(&buf.filled()[before..]);
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> Watched<T> {
    /// Sends our answer where the library wants to send its own, which has no body. `None` when these bytes are not
    /// that.
    fn poll_replace(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        if self.replacing.is_none() && self.activity.has_bad_head() {
            self.replacing = refusal::instead_of(bytes).map(|answer| (answer, bytes.len()));
        }
        let (answer, length) = self.replacing.as_mut()?;
        let length = *length;
        while answer.has_remaining() {
            match Pin::new(&mut self.inner).poll_write(cx, answer) {
                Poll::Ready(Ok(written)) => answer.advance(written),
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => return Some(Poll::Pending),
            }
        }
        self.replacing = None;
        Some(Poll::Ready(Ok(length)))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = match self.poll_replace(cx, bytes) {
            Some(replaced) => replaced,
            None => Pin::new(&mut self.inner).poll_write(cx, bytes),
        };
        self.activity.wrote(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let replaced = match slices {
            [only] => self.poll_replace(cx, only),
            _ => None,
        };
        let written = match replaced {
            Some(replaced) => replaced,
            None => Pin::new(&mut self.inner).poll_write_vectored(cx, slices),
        };
        self.activity.wrote(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Closing a socket with unread bytes resets the connection, and a reset takes the answer away from a client that
    /// has not read it yet: one that was refused while it was still sending would see a broken connection instead of
    /// its 401 or 413. So the sending side is closed first, and what still comes is thrown away for a while.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
            self.shut = true;
        }
        if !self.activity.linger() {
            return Poll::Ready(Ok(()));
        }
        let mut waste = [0; WASTE];
        loop {
            let mut buffer = ReadBuf::new(&mut waste);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
