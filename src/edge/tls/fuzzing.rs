//! A way in for `tests/fuzz`, which no other build has: certificates' files, and the records of one connection.

use std::io::{self, Read};
use std::path::Path;

use super::{Acceptor, Channel};
use crate::config::Config;
use crate::edge::certificate::CertificateError;

/// A server's certificate.
pub struct Server(Acceptor);

impl Server {
    /// Reads the files that `config` names, or makes one below `data`; `None` where TLS is switched off.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn open(config: &Config, data: &Path) -> Result<Option<Self>, CertificateError> {
        let acceptor = Acceptor::open(config, data)?;
        Ok(acceptor.map(Self))
    }

    /// A connection before its first byte.
    #[must_use]
    pub fn connection(&self) -> Option<Connection> {
        self.0.channel().map(Connection)
    }
}

/// The server's side of one connection.
pub struct Connection(Box<Channel>);

impl Connection {
    /// As the connection of a phone reads.
    ///
    /// # Errors
    /// The socket's, or [`io::ErrorKind::InvalidData`].
    pub fn read(
        &mut self,
        socket: &mut dyn Read,
        buffer: &mut [u8],
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        self.0.read(socket, buffer, out)
    }

    /// As it writes.
    ///
    /// # Errors
    /// The connection has failed.
    pub fn seal(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.0.seal(bytes, out)
    }

    /// As it ends.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        self.0.close(out);
    }
}
