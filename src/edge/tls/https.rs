//! HTTPS (RFC 2818) on the port of HTTP: the first byte tells which of them a connection speaks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_rustls::server::TlsStream;
use futures_rustls::{FallibleAccept, TlsAcceptor};
use rustls::ServerConfig;
use smol::io::{self, AsyncRead, AsyncWrite};
use smol::net::TcpStream;

use crate::edge::connection::HANDSHAKE;

/// A connection of a browser or a sender. The handshake is done while it is read for the first time, so it
/// counts against the time a request may take.
pub(in crate::edge) enum WebStream {
    /// Nothing of the request has come.
    Opening(Box<Opening>),
    /// HTTP.
    Plain(TcpStream),
    /// HTTPS.
    Tls(Box<TlsStream<TcpStream>>),
    /// The handshake has failed: nobody can read what we would write.
    Failed(TcpStream),
}

/// What has to be known before the first byte of a request.
pub(in crate::edge) struct Opening {
    stream: TcpStream,
    config: Arc<ServerConfig>,
    step: Step,
}

enum Step {
    /// Waits for the first byte.
    Looks(Pin<Box<dyn Future<Output = io::Result<Option<u8>>>>>),
    /// Does the handshake.
    Greets(Box<FallibleAccept<TcpStream>>),
}

impl WebStream {
    /// A connection of which nothing has been read; plain HTTP without a configuration.
    pub(super) fn new(stream: TcpStream, config: Option<Arc<ServerConfig>>) -> Self {
        let Some(config) = config else {
            return Self::Plain(stream);
        };
        let step = Step::Looks(Box::pin(first_byte(stream.clone())));
        Self::Opening(Box::new(Opening {
            stream,
            config,
            step,
        }))
    }

    /// Goes on until it is clear what the connection speaks.
    ///
    /// # Errors
    /// The handshake has failed. Its alert is out.
    fn open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Self::Opening(opening) = self {
            match &mut opening.step {
                Step::Looks(first) => {
                    if ready!(first.as_mut().poll(cx))? == Some(HANDSHAKE) {
                        let acceptor = TlsAcceptor::from(Arc::clone(&opening.config));
                        let accept = acceptor.accept(opening.stream.clone());
                        opening.step = Step::Greets(Box::new(accept.into_fallible()));
                    } else {
                        *self = Self::Plain(opening.stream.clone());
                    }
                }
                Step::Greets(accept) => match ready!(Pin::new(&mut **accept).poll(cx)) {
                    Ok(stream) => *self = Self::Tls(Box::new(stream)),
                    Err((error, stream)) => {
                        *self = Self::Failed(stream);
                        return Poll::Ready(Err(error));
                    }
                },
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whoever has kept the server waiting is answered as far as is known what it speaks.
    fn decide(&mut self) {
        if let Self::Opening(opening) = self {
            let stream = opening.stream.clone();
            *self = match opening.step {
                Step::Looks(_) => Self::Plain(stream),
                Step::Greets(_) => Self::Failed(stream),
            };
        }
    }
}

async fn first_byte(stream: TcpStream) -> io::Result<Option<u8>> {
    let mut first = [0];
    let read = stream.peek(&mut first).await?;
    Ok(first.first().copied().filter(|_| read > 0))
}

impl AsyncRead for WebStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.open(cx))?;
        match &mut *self {
            Self::Opening(_) => Poll::Pending,
            Self::Plain(stream) | Self::Failed(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for WebStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.decide();
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Opening(_) | Self::Failed(_) => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) | Self::Failed(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Opening(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.decide();
        match &mut *self {
            Self::Plain(stream) | Self::Failed(stream) => Pin::new(stream).poll_close(cx),
            Self::Tls(stream) => Pin::new(stream).poll_close(cx),
            Self::Opening(_) => Poll::Ready(Ok(())),
        }
    }
}
