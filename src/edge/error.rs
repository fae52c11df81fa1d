//! Why the server could not start, or did not end in good order.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::certificate::CertificateError;
use super::data_dir::DataDirError;
use super::database::OpenError;
use crate::limits::MEMORY_NEEDED;
use crate::push::store::StoreError;

/// A failure of [`super::run`]. Its `Display` is one line for whoever started the server.
#[derive(Debug)]
pub enum RunError {
    /// The data directory cannot be used.
    Data(DataDirError),
    /// The certificate, or its key.
    Certificate(CertificateError),
    /// The database in it cannot be opened.
    Database(OpenError),
    /// The database has been opened and cannot be read.
    Store(StoreError),
    /// A port cannot be had.
    Listen {
        /// For whom it is: `phones` or `senders`.
        whom: &'static str,
        /// What the configuration says.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The socket file for the command line cannot be made.
    AdminSocket(String, io::Error),
    /// The machine has only so many bytes of memory left.
    Memory(u64),
    /// The operating system gives no random bytes.
    Entropy(getrandom::Error),
    /// The operating system does not let us receive signals, or watch sockets.
    System(io::Error),
    /// A second signal came before everything was in order.
    Interrupted,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(error) => write!(f, "data directory {error}"),
            Self::Certificate(error) => error.fmt(f),
            Self::Database(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Listen {
                whom,
                address,
                error,
            } if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "port {} for {whom} is in use by another program ({address}); stop that, or choose \
                 another port",
                address.port()
            ),
            Self::Listen {
                whom,
                address,
                error,
            } => write!(f, "cannot listen on {address} for {whom}: {error}"),
            Self::AdminSocket(path, error) => write!(f, "cannot make {path:?}: {error}"),
            Self::Memory(left) => write!(
                f,
                "this machine has {} KB of memory left, and lanpush needs {} to start",
                left / 1000,
                MEMORY_NEEDED / 1000
            ),
            Self::Entropy(error) => write!(f, "no random bytes: {error}"),
            Self::System(error) => write!(f, "the operating system refuses: {error}"),
            Self::Interrupted => f.write_str("stopped at once by a second signal"),
        }
    }
}

impl std::error::Error for RunError {}
