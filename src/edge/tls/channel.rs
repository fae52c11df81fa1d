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
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), self.plain.get(..length)) {
            to.copy_from_slice(from);
        }
        self.plain.drain(..length);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::edge::scratch::Scratch;
    use crate::edge::tls::Acceptor;
    use rustls::crypto::ring;
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    use rustls::version::{TLS12, TLS13};
    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion as Version,
    };
    use std::io::Write as _;

    /// What a phone sends, some bytes at a time; then there is nothing more.
    struct Socket<'a> {
        bytes: &'a [u8],
        step: usize,
    }

    impl Read for Socket<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.step.min(buffer.len());
            match self.bytes.split_at(step.min(self.bytes.len())) {
                ([], _) => Err(io::ErrorKind::WouldBlock.into()),
                (now, later) => {
                    self.bytes = later;
                    buffer[..now.len()].copy_from_slice(now);
                    Ok(now.len())
                }
            }
        }
    }

    /// A server, and clients that trust it.
    struct Pair {
        acceptor: Acceptor,
        client: Arc<ClientConfig>,
    }

    impl Pair {
        fn new(version: &'static Version) -> Self {
            let scratch = Scratch::new();
            let mut config = Config::default();
            config.server.domain = "push.lan".into();
            let acceptor = Acceptor::open(&config, scratch.path()).unwrap().unwrap();
            let mut roots = RootCertStore::empty();
            let file = scratch.path().join("tls.pem");
            roots
                .add(CertificateDer::from_pem_file(file).unwrap())
                .unwrap();
            let client = ClientConfig::builder_with_provider(ring::default_provider().into())
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            Self {
                acceptor,
                client: Arc::new(client),
            }
        }

        fn ends(&self) -> (Box<Channel>, ClientConnection) {
            let name = "push.lan".try_into().unwrap();
            let client = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
            (self.acceptor.channel().unwrap(), client)
        }

        /// Both ends behind their handshake.
        fn talking(&self) -> (Box<Channel>, ClientConnection) {
            let (mut channel, mut client) = self.ends();
            for _ in 0..4 {
                let (_, out) = give(&mut channel, &said(&mut client), 999, 4096).unwrap();
                hear(&mut client, &out);
            }
            assert!(!client.is_handshaking());
            (channel, client)
        }
    }

    /// What a client wants to send.
    fn said(client: &mut ClientConnection) -> Vec<u8> {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// What a client reads from these bytes.
    fn hear(client: &mut ClientConnection, mut bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).unwrap();
            client.process_new_packets().unwrap();
            let _ = client.reader().read_to_end(&mut plain);
        }
        plain
    }

    /// What a channel reads from these bytes, and what it says meanwhile.
    fn give(
        channel: &mut Channel,
        bytes: &[u8],
        step: usize,
        room: usize,
    ) -> Result<(Vec<u8>, Vec<u8>), Vec<u8>> {
        let (mut plain, mut out) = (Vec::new(), Vec::new());
        let mut socket = Socket { bytes, step };
        let mut buffer = vec![0; room];
        loop {
            match channel.read(&mut socket, &mut buffer, &mut out) {
                Ok(0) => return Ok((plain, out)),
                Ok(length) => plain.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok((plain, out));
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
                    return Err(out);
                }
            }
        }
    }

    #[test]
    fn read_however_it_is_split() {
        for version in [&TLS12, &TLS13] {
            let pair = Pair::new(version);
            for (step, room) in [(1, 1), (2, 7), (1000, 10), (5000, 5000), (40_000, 40_000)] {
                let (mut channel, mut client) = pair.ends();
                for _ in 0..4 {
                    let (_, out) = give(&mut channel, &said(&mut client), step, room).unwrap();
                    hear(&mut client, &out);
                }
                let text: Vec<u8> = (0..40_000_u32).map(|byte| byte as u8).collect();
                client.writer().write_all(&text).unwrap();
                let (plain, _) = give(&mut channel, &said(&mut client), step, room).unwrap();
                assert!(plain == text, "{version:?} {step} {room}");
                assert_eq!(channel.incoming.capacity() + channel.plain.capacity(), 0);
            }
        }
    }

    #[test]
    fn written_whatever_its_length() {
        for version in [&TLS12, &TLS13] {
            let (mut channel, mut client) = Pair::new(version).talking();
            for length in [0, 1, FRAGMENT - 1, FRAGMENT, FRAGMENT + 1, 5 * FRAGMENT] {
                let text = vec![b'x'; length];
                let mut out = b"before".to_vec();
                channel.seal(&text, &mut out).unwrap();
                assert!(hear(&mut client, &out[6..]) == text, "{version:?} {length}");
            }
            let mut out = Vec::new();
            channel.close(&mut out);
            hear(&mut client, &out);
            assert_eq!(client.reader().read(&mut [0]).unwrap(), 0);
        }
    }

    #[test]
    fn what_is_written_before_the_handshake_is_left_out() {
        let (mut channel, _) = Pair::new(&TLS13).ends();
        let mut out = Vec::new();
        channel.seal(b"<stream:error/>", &mut out).unwrap();
        channel.close(&mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn a_phone_that_says_goodbye_can_still_be_answered() {
        for version in [&TLS12, &TLS13] {
            let (mut channel, mut client) = Pair::new(version).talking();
            client.writer().write_all(b"bye").unwrap();
            client.send_close_notify();
            let (plain, _) = give(&mut channel, &said(&mut client), 9, 2).unwrap();
            assert_eq!(plain, b"bye");
            let mut out = Vec::new();
            channel.seal(b"</stream:stream>", &mut out).unwrap();
            assert_eq!(hear(&mut client, &out), b"</stream:stream>");
        }
    }

    /// rustls panics if it is led to the same error twice.
    #[test]
    fn a_wrong_byte_anywhere_is_an_error_at_most() {
        for version in [&TLS12, &TLS13] {
            let pair = Pair::new(version);
            let flights = {
                let (mut channel, mut client) = pair.ends();
                let first = said(&mut client);
                let (_, out) = give(&mut channel, &first, 999, 999).unwrap();
                hear(&mut client, &out);
                [first.len(), said(&mut client).len()]
            };
            for (flight, length) in flights.into_iter().enumerate() {
                for at in 0..length {
                    let (mut channel, mut client) = pair.ends();
                    if flight == 1 {
                        let (_, out) = give(&mut channel, &said(&mut client), 999, 999).unwrap();
                        hear(&mut client, &out);
                    }
                    let mut bytes = said(&mut client);
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << (at % 8);
                    }
                    after_failure(&mut channel, &bytes);
                }
            }
        }
    }

    #[test]
    fn a_wrong_byte_in_a_record_is_told_in_an_alert() {
        for version in [&TLS12, &TLS13] {
            let (mut channel, mut client) = Pair::new(version).talking();
            client.writer().write_all(b"hello").unwrap();
            let mut bytes = said(&mut client);
            *bytes.last_mut().unwrap() ^= 1;
            bytes.extend_from_slice(&bytes.clone());
            let alert = give(&mut channel, &bytes, 999, 999).unwrap_err();
            client.read_tls(&mut &alert[..]).unwrap();
            let heard = client.process_new_packets().unwrap_err();
            assert!(
                matches!(heard, rustls::Error::AlertReceived(_)),
                "{heard:?}"
            );
        }
    }

    /// Feeds bytes, and if they are refused, goes on as a careless caller might.
    fn after_failure(channel: &mut Channel, bytes: &[u8]) {
        if give(channel, bytes, 999, 999).is_err() {
            let mut out = Vec::new();
            assert!(channel.seal(b"x", &mut out).is_err());
            channel.close(&mut out);
            assert!(give(channel, bytes, 999, 999).is_ok_and(|(plain, _)| plain.is_empty()));
            assert!(out.is_empty());
        }
    }
}
