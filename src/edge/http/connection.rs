//! One HTTP connection: bytes off and onto the socket, each step bounded and under a deadline.

use std::future::Future;
use std::time::Duration;

use smol::future::or;
use smol::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::chunked::{ChunkError, Chunked};
use super::error::HttpError;
use super::request::{Framing, Head, body_too_long};
use crate::limits;

/// Bytes read at once. Small, because it is held by every connection while it is read.
const READ: usize = 2048;

/// How long each step of a request may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// For the head.
    pub(super) head: Duration,
    /// For the body.
    pub(super) body: Duration,
    /// For the gateway to do what is asked.
    pub(super) ask: Duration,
    /// For the client to take the answer.
    pub(super) write: Duration,
    /// For the client to close.
    pub(super) drain: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            head: limits::HTTP_HEAD_WAIT,
            body: limits::HTTP_BODY_WAIT,
            ask: limits::HTTP_ASK_WAIT,
            write: limits::HTTP_WRITE_WAIT,
            drain: limits::HTTP_DRAIN_WAIT,
        }
    }
}

/// What `work` gives, or `None` if it takes longer than `wait`.
pub(super) async fn within<T>(wait: Duration, work: impl Future<Output = T>) -> Option<T> {
    or(async { Some(work.await) }, async {
        smol::Timer::after(wait).await;
        None
    })
    .await
}

/// A connection that carries one request and its answer.
pub(super) struct Connection<'w, S> {
    stream: S,
    waits: &'w Waits,
    /// Read and not yet used.
    unused: Vec<u8>,
}

impl<'w, S: AsyncRead + AsyncWrite + Unpin> Connection<'w, S> {
    pub(super) fn new(stream: S, waits: &'w Waits) -> Self {
        Self {
            stream,
            waits,
            unused: Vec::new(),
        }
    }

    /// The head of the request, or `None` if the client left without a word.
    pub(super) async fn read_head(&mut self) -> Result<Option<Head>, HttpError> {
        let wait = self.waits.head;
        within(wait, self.read_whole_head())
            .await
            .unwrap_or_else(|| Err(too_slow("the request has not come in time")))
    }

    async fn read_whole_head(&mut self) -> Result<Option<Head>, HttpError> {
        loop {
            let room = limits::HTTP_HEAD - self.unused.len().min(limits::HTTP_HEAD);
            let read = self.read_some(room).await;
            if self.unused.is_empty() {
                return Ok(None);
            }
            if let Some((head, length)) = Head::parse(&self.unused)? {
                self.unused.drain(..length);
                return Ok(Some(head));
            }
            if !matches!(read, Ok(1..)) {
                return Err(HttpError::bad("cut-off", "the request ends in its head"));
            }
        }
    }

    /// The body of the request whose head has been read.
    pub(super) async fn read_body(&mut self, head: &Head) -> Result<Vec<u8>, HttpError> {
        let framing = head.framing()?;
        let expected = head.expects_continue()?;
        if expected && framing != Framing::None && self.unused.is_empty() {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok();
        }
        let wait = self.waits.body;
        let body = async {
            match framing {
                Framing::None => Ok(Vec::new()),
                Framing::Length(length) => self.read_exactly(length).await,
                Framing::Chunked => self.read_chunks().await,
            }
        };
        within(wait, body)
            .await
            .unwrap_or_else(|| Err(too_slow("the body has not come in time")))
    }

    async fn read_exactly(&mut self, length: usize) -> Result<Vec<u8>, HttpError> {
        while self.unused.len() < length {
            let missing = length - self.unused.len();
            self.read_more(missing).await?;
        }
        let rest = self.unused.split_off(length);
        Ok(std::mem::replace(&mut self.unused, rest))
    }

    async fn read_chunks(&mut self) -> Result<Vec<u8>, HttpError> {
        let mut chunks = Chunked::default();
        while !chunks.feed(&self.unused).map_err(chunk_error)? {
            self.unused.clear();
            self.read_more(READ).await?;
        }
        Ok(chunks.into_body())
    }

    /// Reads at least one byte of the body, and not more than `most`.
    async fn read_more(&mut self, most: usize) -> Result<(), HttpError> {
        match self.read_some(most).await {
            Ok(1..) => Ok(()),
            _ => Err(HttpError::bad("cut-off", "the request ends in its body")),
        }
    }

    /// Reads once, at most `most` bytes; 0 at the end.
    async fn read_some(&mut self, most: usize) -> io::Result<usize> {
        let mut buffer = [0; READ];
        let (space, _) = buffer.split_at_mut(most.min(READ));
        let read = self.stream.read(space).await?;
        self.unused.extend(space.iter().take(read));
        Ok(read)
    }

    /// Writes all of `bytes`.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let work = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let late = || Err(io::ErrorKind::TimedOut.into());
        within(self.waits.write, work).await.unwrap_or_else(late)
    }

    /// Closes our side, then throws away what still comes until the client closes too: input left unread
    /// would make the kernel reset the connection, and the client lose its answer.
    pub(super) async fn finish(mut self) {
        let wait = self.waits.drain;
        let drain = async {
            self.stream.close().await?;
            let mut left = limits::HTTP_DRAIN;
            let mut buffer = [0; READ];
            while left > 0 {
                match self.stream.read(&mut buffer).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            io::Result::Ok(())
        };
        within(wait, drain).await;
    }
}

fn too_slow(message: &'static str) -> HttpError {
    HttpError::new(408, "too-slow", message)
}

fn chunk_error(error: ChunkError) -> HttpError {
    match error {
        ChunkError::Malformed => HttpError::bad("framing", "the chunks of the body are broken"),
        ChunkError::TooLong => body_too_long(),
    }
}
