//! Saying no to a connection there is no room for, so that its owner hears it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};

use smol::future::or;
use smol::{Async, Timer};

use super::hub::Hub;
use super::seats::Seats;
use super::seldom::Seldom;
use crate::limits::{LINGER, REFUSALS};

/// Newcomers of one door that are being told no.
pub(super) struct Refusals {
    under_way: Seats,
    seldom: Seldom,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            under_way: Seats::new(REFUSALS),
            seldom: Seldom::default(),
        }
    }
}

impl Refusals {
    /// Sends `answer` and reads on until the newcomer has heard it. Beyond [`REFUSALS`] at once, newcomers
    /// lose their connection without a word.
    pub(super) fn turn_away(&self, hub: &Hub, stream: TcpStream, answer: Vec<u8>) {
        if let Some(seat) = self.under_way.take()
            && let Ok(socket) = Async::new_nonblocking(stream)
        {
            hub.spawn(async move {
                tell(socket, &answer).await;
                drop(seat);
            });
        }
    }

    /// Logs why somebody is not let in, but not everybody.
    pub(super) fn log(&self, address: IpAddr, why: &dyn fmt::Display) {
        if let Some(held) = self.seldom.turn() {
            log::warn!("{address} not let in: {why}{held}");
        }
    }
}

/// Sends `answer` without waiting for anything.
pub(super) fn say(mut stream: &TcpStream, answer: &[u8]) {
    if write(stream, answer).is_ok() {
        // Unread input would turn the end into a reset.
        while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {}
    }
}

fn write(mut stream: &TcpStream, answer: &[u8]) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(stream, None)?;
    stream.write_all(answer)?;
    stream.shutdown(Shutdown::Write)
}

async fn tell(socket: Async<TcpStream>, answer: &[u8]) {
    if write(socket.get_ref(), answer).is_err() {
        return;
    }
    let heard = async {
        let discard = |mut stream: &TcpStream| stream.read(&mut [0; 1024]);
        while matches!(socket.read_with(discard).await, Ok(1..)) {}
    };
    or(heard, async {
        Timer::after(LINGER).await;
    })
    .await;
}
