//! The byte stream below HTTP, which a fault can break. For malformed requests, hyper writes a
//! status without a body. The stream replaces that status with Intercom's error list.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connection_state::{ConnectionState, End};

/// The input to read and discard after the last answer, in bytes. Closing with unread input would
/// reset the connection and lose the answer.
const MAX_DISCARDED: usize = 1 << 20;

/// The first byte of a TLS handshake; no request begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

pub(super) struct ConnectionStream {
    stream: TcpStream,
    state: Arc<ConnectionState>,
    /// The rest of the answer that replaces hyper's status.
    replacement: Option<Bytes>,
    /// Whether the output is HTTP/1; `None` before the first output.
    is_http_1: Option<bool>,
    /// Whether the input begins a TLS handshake; `None` before the first input.
    is_tls: Option<bool>,
    lingered: usize,
}

impl ConnectionStream {
    pub(super) fn new(stream: TcpStream, state: Arc<ConnectionState>) -> Self {
        Self { stream, state, replacement: None, is_http_1: None, is_tls: None, lingered: 0 }
    }

    /// Fails if the connection has to end.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.state.ends() {
            End::Open => return Ok(()),
            End::Close | End::Reset => {}
            End::HeadTooSlow if self.is_http_1 == Some(false) => {}
            End::HeadTooSlow => {
                self.state.end(End::Close);
                let answer = self.state.raw.head_too_slow();
                // Every earlier answer has gone out. If the buffer is full all the same, the
                // client does not read.
                let _ = Pin::new(&mut self.stream).poll_write(context, &answer);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    fn write(
        &mut self,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        if self.replacement.is_none()
            && self.state.is_unsolicited()
            && let Some(answer) =
                buffers.first().and_then(|first| self.state.raw.replacement(first))
        {
            let is_tls = self.is_tls == Some(true);
            self.replacement = Some(if is_tls { self.state.raw.tls() } else { answer });
            self.state.linger();
        }
        if let Some(rest) = &mut self.replacement {
            while !rest.is_empty() {
                let written = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
                rest.advance(written);
            }
            return Poll::Ready(Ok(buffers.iter().map(|buffer| buffer.len()).sum()));
        }
        // HTTP/1 output begins so, and no HTTP/2 frame does.
        self.is_http_1.get_or_insert_with(|| {
            buffers.first().is_some_and(|first| first.starts_with(b"HTTP/1"))
        });
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        match &written {
            Poll::Ready(_) => self.state.sent(),
            Poll::Pending => self.state.write_blocked(),
        }
        written
    }
}

impl AsyncRead for ConnectionStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(first) = buffer.filled().get(before) {
            self.is_tls.get_or_insert(*first == TLS_HANDSHAKE);
            self.state.received();
        }
        read
    }
}

impl AsyncWrite for ConnectionStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(context, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.flushed();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state.ends() != End::Open {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        let mut scratch = [0; 4096];
        while self.state.lingers() && self.lingered < MAX_DISCARDED {
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            match buffer.filled().len() {
                0 => break,
                read => self.lingered += read,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for ConnectionStream {
    fn drop(&mut self) {
        if self.state.ends() == End::Reset {
            // Without the option, the connection closes normally, which also ends it.
            let _ = self.stream.set_zero_linger();
        }
    }
}
