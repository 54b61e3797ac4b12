//! A socket whose bytes can be meddled with.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How a socket misbehaves. 0 is off.
#[derive(Debug, Default)]
pub(crate) struct Meddling {
    /// Writes are split into pieces of this many bytes.
    pub(crate) piece: AtomicUsize,
    /// The socket breaks after one more than this many bytes have been written.
    pub(crate) break_after: AtomicUsize,
    /// The socket breaks after this many bytes have been read.
    pub(crate) break_after_read: AtomicUsize,
}

/// A socket.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: TcpStream,
    meddling: Arc<Meddling>,
    /// The last write was cut short on purpose: let others run before the next.
    pausing: bool,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream, meddling: Arc<Meddling>) -> Self {
        Self {
            socket,
            meddling,
            pausing: false,
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "broken on purpose")
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let limit = self.meddling.break_after_read.load(Ordering::Relaxed);
        if limit == 0 {
            return Pin::new(&mut self.socket).poll_read(cx, buffer);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        if read >= limit {
            return Poll::Ready(Err(broken()));
        }
        self.meddling
            .break_after_read
            .fetch_sub(read, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let piece = self.meddling.piece.load(Ordering::Relaxed);
        let left = self.meddling.break_after.load(Ordering::Relaxed);
        if piece == 0 && left == 0 {
            return Pin::new(&mut self.socket).poll_write(cx, bytes);
        }
        if left == 1 {
            return Poll::Ready(Err(broken()));
        }
        if piece > 0 && !std::mem::replace(&mut self.pausing, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.pausing = false;
        let mut length = bytes.len();
        if piece > 0 {
            length = length.min(piece);
        }
        if left > 0 {
            length = length.min(left - 1);
        }
        let bytes = bytes.get(..length).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        if left > 0 {
            self.meddling
                .break_after
                .fetch_sub(written, Ordering::Relaxed);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
