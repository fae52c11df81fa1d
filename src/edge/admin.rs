//! The socket file through which the command line reaches the running server: HTTP, as `edge/http` speaks it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use smol::net::unix::UnixStream;
use smol::{Async, Timer};

use super::http::{self, Peer};
use super::hub::Hub;
use super::seats::Seats;
use crate::limits::{ACCEPT_PAUSE, ADMIN_CONNECTIONS};

/// `admin.sock` in the data directory, for its owner only; dropping it removes the file.
pub(super) struct AdminSocket {
    path: PathBuf,
    listener: Async<UnixListener>,
}

impl AdminSocket {
    /// The path of the socket in a data directory.
    pub(super) fn path(data: &Path) -> PathBuf {
        data.join("admin.sock")
    }

    /// Listens in a data directory that is locked for us: a socket that is there is left from a crash.
    ///
    /// # Errors
    /// The file cannot be made; the path may be too long for a socket.
    pub(super) fn bind(data: &Path) -> io::Result<Self> {
        let path = Self::path(data);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = Async::<UnixListener>::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { path, listener })
    }

    /// Serves the command line until dropped.
    pub(super) async fn serve(self, hub: Rc<Hub>) {
        let seats = Seats::new(ADMIN_CONNECTIONS);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let Some(seat) = seats.take() else {
                        continue;
                    };
                    let stream = UnixStream::from(stream);
                    let desk = Rc::clone(&hub);
                    hub.spawn(async move {
                        http::serve(stream, Peer::AdminSocket, &*desk).await;
                        drop(seat);
                    });
                }
                Err(error) => {
                    log::warn!("admin socket: {error}");
                    Timer::after(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
