//! Listening sockets, and the loop that takes connections from them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, acceptfrom_with, socket_with, sockopt};
use smol::future::yield_now;
use smol::{Async, Timer};

use super::descriptors::Spare;
use super::seldom::Seldom;
use crate::limits::{ACCEPT_BACKLOG, ACCEPT_BATCH, ACCEPT_PAUSE};

/// How the connections of a listener end when the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By an ordinary end.
    Finish,
    /// By a reset, so that phones which overlook an ordinary end come back after a crash.
    Reset,
}

/// Listens on `address`. `[::]` takes IPv4 as well, and stands for `0.0.0.0` on a machine without IPv6.
///
/// # Errors
/// The address cannot be had.
pub(super) fn bind(address: SocketAddr, ending: Ending) -> io::Result<TcpListener> {
    match listen(address, ending) {
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) if is_any_v6(address) => {
            let v4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            Ok(listen(v4, ending)?)
        }
        result => Ok(result?),
    }
}

fn is_any_v6(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

fn listen(address: SocketAddr, ending: Ending) -> Result<TcpListener, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !is_any_v6(address))?;
    }
    // Accepted sockets inherit these two.
    sockopt::set_tcp_nodelay(&socket, true)?;
    if ending == Ending::Reset {
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, ACCEPT_BACKLOG)?;
    Ok(socket.into())
}

/// What stands behind a listener.
pub(super) trait Door {
    /// Takes a connection in, or turns it away politely.
    fn admit(&self, stream: TcpStream, address: IpAddr);

    /// Turns a connection away with the last descriptor there is, which has to be free on return.
    fn refuse(&self, stream: TcpStream);
}

/// Takes connections until dropped. No error of one connection, and no want of descriptors or memory,
/// ends it.
pub(super) async fn accept(listener: Async<TcpListener>, door: impl Door, spare: Rc<Spare>) {
    let seldom = Seldom::default();
    loop {
        for _ in 0..ACCEPT_BATCH {
            match take(&listener) {
                Ok((stream, address)) => door.admit(stream, address),
                Err(Errno::WOULDBLOCK) => {
                    if let Err(error) = listener.readable().await {
                        log::error!("listener: {error}");
                        Timer::after(ACCEPT_PAUSE).await;
                    }
                }
                Err(error) if is_of_the_connection(error) => {}
                Err(error) => {
                    if let Some(held) = seldom.turn() {
                        log::error!("cannot take connections: {error}{held}");
                    }
                    turn_one_away(&listener, &door, &spare);
                    Timer::after(ACCEPT_PAUSE).await;
                }
            }
        }
        yield_now().await;
    }
}

fn take(listener: impl AsFd) -> Result<(TcpStream, IpAddr), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (socket, address) = acceptfrom_with(listener, flags)?;
    let address = address.and_then(|address| SocketAddr::try_from(address).ok());
    let address = address.ok_or(Errno::CONNABORTED)?.ip().to_canonical();
    Ok((TcpStream::from(socket), address))
}

/// Errors that only the one connection has (accept(2) on Linux passes pending network errors on).
fn is_of_the_connection(error: Errno) -> bool {
    [
        Errno::INTR,
        Errno::CONNABORTED,
        Errno::PROTO,
        Errno::NOPROTOOPT,
        Errno::PERM,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::NONET,
        Errno::OPNOTSUPP,
        Errno::TIMEDOUT,
    ]
    .contains(&error)
}

fn turn_one_away(listener: &Async<TcpListener>, door: &impl Door, spare: &Spare) {
    spare.lend(|| {
        if let Ok((stream, _)) = take(listener) {
            door.refuse(stream);
        }
    });
}
