//! One connection's TLS (RFC 8446, RFC 5246): no socket of its own, only what goes in and comes out.

use std::io::{self, Read, Write as _};
use std::sync::Arc;

use rustls::{self, ServerConfig, ServerConnection};

use crate::limits::TLS_HANDSHAKE;

/// A fatal `unexpected_message` alert in plain text (RFC 8446 §6), for handshakes that rustls gives up in
/// silence.
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 10];

/// The server's side of one encrypted connection.
pub(in crate::edge) struct Channel {
    tls: ServerConnection,
    /// Bytes its handshake may still take.
    patience: usize,
    failed: bool,
}

impl Channel {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Box<Self>, rustls::Error> {
        Ok(Box::new(Self {
            tls: ServerConnection::new(config)?,
            patience: TLS_HANDSHAKE,
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
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // No close_notify. XML has an end of its own, nothing can be cut off unseen.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            let read = self.tls.read_tls(socket)?;
            let step = self.process(read);
            let before = out.len();
            self.take_records(out)?;
            if step.is_err() {
                self.failed = true;
                if out.len() == before && self.tls.is_handshaking() {
                    out.extend_from_slice(&ALERT);
                }
            }
            step?;
        }
    }

    fn process(&mut self, read: usize) -> io::Result<()> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        self.tls.process_new_packets().map_err(invalid)?;
        if self.tls.is_handshaking() {
            self.patience = self.patience.saturating_sub(read);
            if self.patience == 0 {
                let why = "the handshake is too long";
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        Ok(())
    }

    /// Encrypts `bytes` and appends the records to `out`.
    ///
    /// # Errors
    /// The connection has failed, or its handshake keeps too much waiting.
    pub(in crate::edge) fn seal(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.tls.writer().write(bytes)?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.take_records(out)?;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Appends our `close_notify` to `out`, unless an alert has been the end already.
    pub(in crate::edge) fn close(&mut self, out: &mut Vec<u8>) {
        if self.failed {
            return;
        }
        self.tls.send_close_notify();
        // Writing to memory does not fail.
        let _ = self.take_records(out);
    }

    /// Leaves nothing in the buffers of rustls: what waits for the socket is counted in one place.
    fn take_records(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(out)?;
        }
        Ok(())
    }
}
