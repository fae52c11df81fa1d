//! One connection's TLS (RFC 8446, RFC 5246): no socket of its own, only what goes in and comes out.
// rustls keeps no buffers here, which would double what an idle phone costs: this is its unbuffered form.

use std::io::{self, Read};
use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{self, ServerConfig};

use crate::limits::{TLS_HANDSHAKE, TLS_RECORD};

/// A fatal `unexpected_message` alert in plain text (RFC 8446 §6), for handshakes that rustls gives up in
/// silence.
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 10];
/// Plain text of one record, and what the ciphers of both versions add to it at most.
const FRAGMENT: usize = 16 * 1024;
const OVERHEAD: usize = 32;

/// The server's side of one encrypted connection.
pub(in crate::edge) struct Channel {
    tls: UnbufferedServerConnection,
    /// Records that have not come whole.
    incoming: Vec<u8>,
    /// Decrypted, and not yet taken.
    plain: Vec<u8>,
    /// Bytes its handshake may still take.
    patience: usize,
    /// The phone has said that nothing more comes.
    over: bool,
    failed: bool,
}

/// What is wanted of rustls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish<'a> {
    Read,
    Write(&'a [u8]),
    Close,
}

impl Channel {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Box<Self>, rustls::Error> {
        Ok(Box::new(Self {
            tls: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            plain: Vec::new(),
            patience: TLS_HANDSHAKE,
            over: false,
            failed: false,
        }))
    }

    /// Decrypts what `socket` has into `buffer`, and returns how many bytes there are; 0 at the end.
    /// Whatever TLS itself has to say is appended to `out`, after an error too.
    ///
    /// # Errors
    /// The socket's, [`io::ErrorKind::WouldBlock`] among them; [`io::ErrorKind::InvalidData`] for what is
    /// no TLS, or not within bounds.
    pub(in crate::edge) fn read(
        &mut self,
        socket: &mut dyn Read,
        buffer: &mut [u8],
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        loop {
            let taken = self.take_plain(buffer);
            if taken > 0 || self.over || self.failed {
                return Ok(taken);
            }
            let length = socket.read(buffer)?;
            if length == 0 {
                // No close_notify. XML has an end of its own, nothing can be cut off unseen.
                return Ok(0);
            }
            self.incoming
                .extend_from_slice(buffer.get(..length).unwrap_or_default());
            let step = self.decrypt(length, out);
            self.incoming.shrink_to_fit();
            if let Err(error) = step {
                self.fail(out);
                return Err(error);
            }
        }
    }

    fn take_plain(&mut self, buffer: &mut [u8]) -> usize {
        let length = self.plain.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(self.plain.drain(..length)) {
            *to = from;
        }
        self.plain.shrink_to_fit();
        length
    }

    fn decrypt(&mut self, length: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let shakes = self.tls.is_handshaking();
        self.advance(Wish::Read, out)?;
        if self.incoming.len() > TLS_RECORD {
            return Err(invalid("a record is too long"));
        }
        self.patience = self.patience.saturating_sub(length);
        if shakes && self.tls.is_handshaking() && self.patience == 0 {
            return Err(invalid("the handshake is too long"));
        }
        Ok(())
    }

    /// Encrypts `bytes` and appends the records to `out`. Before the handshake is done nobody could read
    /// them: only a stream error can come then, and it is left out.
    ///
    /// # Errors
    /// The connection has failed.
    pub(in crate::edge) fn seal(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.advance(Wish::Write(bytes), out)
    }

    /// Appends our `close_notify` to `out`, unless an alert has been the end already.
    pub(in crate::edge) fn close(&mut self, out: &mut Vec<u8>) {
        if !self.failed {
            // Who is not sent it sees the end of the connection.
            let _ = self.advance(Wish::Close, out);
        }
    }

    /// Takes in what has come and does what is wanted, if the handshake is done.
    fn advance(&mut self, wish: Wish<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        if self.failed {
            return Err(invalid("the connection has failed"));
        }
        let done = self.advance_at_all(wish, out);
        self.failed |= done.is_err();
        done
    }

    fn advance_at_all(&mut self, wish: Wish<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.tls.process_tls_records(&mut self.incoming);
            let mut done = false;
            match state.map_err(invalid)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        discard += record.discard;
                        self.plain.extend_from_slice(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(out, 0, |room| Ok(data.encode(room)?))?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.over = true,
                ConnectionState::WriteTraffic(mut traffic) => {
                    done = true;
                    match wish {
                        Wish::Read => {}
                        Wish::Write(bytes) => {
                            let room = bytes.len() + (bytes.len() / FRAGMENT + 1) * OVERHEAD;
                            append(out, room, |room| Ok(traffic.encrypt(bytes, room)?))?;
                        }
                        Wish::Close => {
                            append(out, OVERHEAD, |room| Ok(traffic.queue_close_notify(room)?))?;
                        }
                    }
                }
                ConnectionState::BlockedHandshake | ConnectionState::Closed => done = true,
                _ => return Err(invalid("nothing was to be sent before the handshake")),
            }
            self.incoming.drain(..discard.min(self.incoming.len()));
            if done {
                return Ok(());
            }
        }
    }

    /// Appends the alert that tells the phone why.
    fn fail(&mut self, out: &mut Vec<u8>) {
        self.failed = true;
        let before = out.len();
        // Not a step farther: rustls would meet the same error again, and panic over its second alert.
        while self.tls.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.tls.process_tls_records(&mut self.incoming).state
            && append(out, 0, |room| Ok(data.encode(room)?)).is_ok()
        {}
        if out.len() == before && self.tls.is_handshaking() {
            out.extend_from_slice(&ALERT);
        }
    }
}

/// Why rustls has not written.
enum Fault {
    /// It needs so many bytes.
    Room(usize),
    /// It never will.
    Other(io::Error),
}

impl From<EncodeError> for Fault {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Self::Room(required_size)
            }
            error => Self::Other(invalid(error)),
        }
    }
}

impl From<EncryptError> for Fault {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Self::Room(required_size)
            }
            error => Self::Other(invalid(error)),
        }
    }
}

/// Appends what `write` puts into the room it is given; if that is too small, into what it asks for.
fn append(
    out: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Fault>,
) -> io::Result<()> {
    let start = out.len();
    loop {
        out.resize(start + room, 0);
        match write(out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(Fault::Room(wanted)) if wanted > room => room = wanted,
            Err(fault) => {
                out.truncate(start);
                return Err(match fault {
                    Fault::Other(error) => error,
                    Fault::Room(_) => io::ErrorKind::WriteZero.into(),
                });
            }
        }
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
