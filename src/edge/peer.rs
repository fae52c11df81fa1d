//! One phone's socket: writes at once, keeps what the socket does not take, and wakes its task.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smol::Async;

use super::backlog::{Backlog, Held, Overflow};
use super::bell::Bell;
use super::connection::Input;
use super::tls::Channel;
use crate::push::ConnId;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Serving.
    Open,
    /// What was sent has to arrive, then it ends.
    Closing,
    /// It ends at once; what was not taken is lost.
    Lost,
}

/// What became of bytes handed to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The socket has taken them.
    Taken,
    /// They wait in the backlog.
    Kept,
    /// The connection is not open any longer.
    Lost,
    /// The phone reads too slowly, and the connection is lost.
    TooSlow,
}

/// Why [`Peer::wait`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// The phase has changed, bytes wait in the backlog, or reading may go on.
    Called,
    /// There may be something to read.
    Readable,
    /// The backlog may shrink.
    Writable,
    /// The socket has taken nothing for too long, or has failed.
    Stalled,
}

/// How a connection may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// In plain text or with TLS: the first byte tells.
    Either,
    /// With TLS.
    Tls,
    /// It has begun.
    Over,
}

/// One phone's socket. Its task (`connection.rs`) reads, the hub writes.
pub(super) struct Peer {
    pub(super) conn: ConnId,
    phase: Cell<Phase>,
    opening: Cell<Opening>,
    socket: Async<TcpStream>,
    backlog: RefCell<Option<Box<Backlog>>>,
    /// What lies between socket and stream once there is TLS.
    channel: RefCell<Option<Box<Channel>>>,
    /// Calls the connection's task.
    bell: Bell,
}

impl Peer {
    pub(super) fn new(conn: ConnId, socket: Async<TcpStream>, opening: Opening) -> Self {
        Self {
            conn,
            phase: Cell::new(Phase::Open),
            opening: Cell::new(opening),
            socket,
            backlog: RefCell::new(None),
            channel: RefCell::new(None),
            bell: Bell::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Ends the connection when all bytes are out.
    pub(super) fn close(&self) {
        if self.phase.get() == Phase::Open {
            self.phase.set(Phase::Closing);
            self.bell.ring();
        }
    }

    /// Ends the connection at once.
    pub(super) fn lose(&self) {
        self.phase.set(Phase::Lost);
        self.bell.ring();
    }

    /// Lets the connection's task look again whether it may read.
    pub(super) fn resume(&self) {
        self.bell.ring();
    }

    /// Puts TLS between the socket and the stream: what has been sent so far was the last in plain text.
    pub(super) fn start_tls(&self, channel: Box<Channel>) {
        self.opening.set(Opening::Over);
        self.channel.replace(Some(channel));
    }

    /// Hands bytes to the phone, encrypted where there is TLS.
    pub(super) fn send(&self, bytes: &[u8], tell: bool, held: &Held) -> Sent {
        if self.phase.get() != Phase::Open {
            return Sent::Lost;
        }
        let sealed = match self.channel.borrow_mut().as_mut() {
            None => return self.put(bytes, tell, held),
            Some(channel) => {
                let mut records = Vec::new();
                channel.seal(bytes, &mut records).map(|()| records)
            }
        };
        match sealed {
            Ok(records) => self.put(&records, tell, held),
            Err(error) => {
                log::debug!("c{}: TLS failed: {error}", self.conn.0);
                self.lose();
                Sent::Lost
            }
        }
    }

    /// Hands bytes to the socket, or to the backlog as far as the socket is full.
    fn put(&self, bytes: &[u8], tell: bool, held: &Held) -> Sent {
        let mut backlog = self.backlog.borrow_mut();
        let rest = match *backlog {
            Some(_) => bytes,
            None => match self.write(bytes) {
                Ok([]) => return Sent::Taken,
                Ok(rest) => rest,
                Err(error) => {
                    log::debug!("c{}: write failed: {error}", self.conn.0);
                    self.lose();
                    return Sent::Lost;
                }
            },
        };
        let backlog = backlog.get_or_insert_with(|| {
            self.bell.ring();
            Box::new(Backlog::new(held.clone()))
        });
        backlog.tell |= tell;
        match backlog.push(rest) {
            Ok(()) => Sent::Kept,
            Err(Overflow) => {
                self.lose();
                Sent::TooSlow
            }
        }
    }

    /// Writes as much as the socket takes and returns the rest.
    fn write<'a>(&self, mut bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        let mut socket = self.socket.get_ref();
        while !bytes.is_empty() {
            match socket.write(bytes) {
                Ok(taken) => bytes = bytes.get(taken..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    /// Writes the backlog out; true if that emptied it and the gateway wants to know.
    ///
    /// # Errors
    /// The socket's; a full socket is none.
    pub(super) fn flush(&self) -> io::Result<bool> {
        let mut slot = self.backlog.borrow_mut();
        let Some(backlog) = slot.as_mut() else {
            return Ok(false);
        };
        match backlog.write(self.socket.get_ref()) {
            Ok(_) => Ok(slot.take().is_some_and(|backlog| backlog.tell)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether bytes wait for the socket.
    pub(super) fn is_behind(&self) -> bool {
        self.backlog.borrow().is_some()
    }

    /// How the connection may begin, and the first byte of it once that is there.
    ///
    /// # Errors
    /// The socket's, [`io::ErrorKind::WouldBlock`] among them.
    pub(super) fn opening(&self) -> io::Result<(Opening, Option<u8>)> {
        let mut first = [0];
        Ok(match self.opening.get() {
            Opening::Over => (Opening::Over, None),
            opening => match self.socket.get_ref().peek(&mut first)? {
                0 => (opening, None),
                _ => (self.opening.replace(Opening::Over), Some(first[0])),
            },
        })
    }

    /// Reads what is there, without waiting, decrypted where there is TLS; how many bytes, and what to do
    /// next.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn read(&self, buffer: &mut [u8], held: &Held) -> io::Result<(Input, usize)> {
        let mut records = Vec::new();
        let read = match self.channel.borrow_mut().as_mut() {
            None => return self.read_socket(buffer),
            Some(channel) => channel.read(&mut self.socket.get_ref(), buffer, &mut records),
        };
        if !records.is_empty() {
            self.put(&records, false, held);
        }
        match read {
            Ok(0) => Ok((Input::End, 0)),
            Ok(length) => Ok((Input::More, length)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                // The phone hears why, in an alert, before the end.
                log::debug!("c{}: TLS: {error}", self.conn.0);
                Ok((Input::End, 0))
            }
            Err(error) => nothing(error),
        }
    }

    /// Reads what is there, without waiting and without decrypting it.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn read_socket(&self, buffer: &mut [u8]) -> io::Result<(Input, usize)> {
        let full = buffer.len();
        match self.socket.get_ref().read(buffer) {
            Ok(0) => Ok((Input::End, 0)),
            Ok(length) if length < full => Ok((Input::Drained, length)),
            Ok(length) => Ok((Input::More, length)),
            Err(error) => nothing(error),
        }
    }

    /// Says `close_notify` where there is TLS.
    pub(super) fn say_goodbye(&self, held: &Held) {
        let mut records = Vec::new();
        if let Some(channel) = self.channel.borrow_mut().as_mut() {
            channel.close(&mut records);
        }
        if !records.is_empty() {
            self.put(&records, false, held);
        }
    }

    /// Waits for a call, for room if there is a backlog, and for input if `reading`.
    pub(super) async fn wait(&self, reading: bool) -> Wake {
        poll_fn(|cx| self.poll(reading, cx)).await
    }

    fn poll(&self, reading: bool, cx: &mut Context<'_>) -> Poll<Wake> {
        if self.bell.poll(cx).is_ready() {
            return Poll::Ready(Wake::Called);
        }
        if let Some(backlog) = self.backlog.borrow_mut().as_mut() {
            match self.socket.poll_writable(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Wake::Writable),
                Poll::Ready(Err(_)) => return Poll::Ready(Wake::Stalled),
                Poll::Pending => {}
            }
            if Pin::new(&mut backlog.stall).poll(cx).is_ready() {
                return Poll::Ready(Wake::Stalled);
            }
        }
        if reading {
            match self.socket.poll_readable(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Wake::Readable),
                Poll::Ready(Err(_)) => return Poll::Ready(Wake::Stalled),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    /// Whether closing the socket resets the connection, throwing away what the phone has not got yet.
    /// Sockets are accepted so (see [`super::listener::bind`]).
    pub(super) fn reset_on_close(&self, reset: bool) {
        let linger = reset.then_some(Duration::ZERO);
        if let Err(error) = rustix::net::sockopt::set_socket_linger(&self.socket, linger) {
            log::debug!("c{}: linger: {error}", self.conn.0);
        }
    }

    /// Tells the phone that nothing more comes.
    ///
    /// # Errors
    /// The phone has gone already.
    pub(super) fn finish(&self) -> io::Result<()> {
        self.socket.get_ref().shutdown(Shutdown::Write)
    }
}

/// Some errors only say that there is nothing to read.
fn nothing(error: io::Error) -> io::Result<(Input, usize)> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok((Input::Drained, 0)),
        io::ErrorKind::Interrupted => Ok((Input::More, 0)),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::OUT_BYTES;
    use std::net::TcpListener;
    use std::task::Waker;

    fn pair() -> (Peer, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let phone = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        let socket = Async::new(socket).unwrap();
        (Peer::new(ConnId(0), socket, Opening::Over), phone)
    }

    /// Sends numbered chunks until `sent` comes back, and returns how many have been sent.
    fn send_until(peer: &Peer, held: &Held, sent: Sent) -> u32 {
        (0..)
            .find(|number: &u32| peer.send(&chunk(*number), true, held) == sent)
            .unwrap()
    }

    fn chunk(number: u32) -> Vec<u8> {
        number.to_be_bytes().repeat(4096)
    }

    fn poll(peer: &Peer) -> Poll<Wake> {
        peer.poll(true, &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_the_socket_does_not_take_follows_in_order() {
        let ((peer, mut phone), held) = (pair(), Held::default());
        let last = send_until(&peer, &held, Sent::Kept);
        assert_eq!(peer.send(&chunk(last + 1), false, &held), Sent::Kept);
        assert!(peer.is_behind());
        let reader = std::thread::spawn(move || {
            let mut bytes = vec![0; chunk(0).len()];
            for number in 0..=last + 1 {
                phone.read_exact(&mut bytes).unwrap();
                assert!(bytes == chunk(number), "chunk {number}");
            }
        });
        smol::block_on(async {
            while !peer.flush().unwrap() {
                peer.wait(false).await;
            }
        });
        assert!(!peer.is_behind());
        reader.join().unwrap();
    }

    #[test]
    fn a_phone_that_does_not_read_is_lost() {
        let ((peer, _phone), held) = (pair(), Held::default());
        let last = send_until(&peer, &held, Sent::TooSlow);
        assert!(last as usize * chunk(0).len() > OUT_BYTES);
        assert_eq!(peer.phase(), Phase::Lost);
        assert_eq!(peer.send(b"x", false, &held), Sent::Lost);
    }

    #[test]
    fn a_socket_that_takes_nothing_for_too_long_is_stalled() {
        let ((peer, _phone), held) = (pair(), Held::default());
        send_until(&peer, &held, Sent::Kept);
        assert_eq!(poll(&peer), Poll::Ready(Wake::Called));
        assert_eq!(poll(&peer), Poll::Pending);
        if let Some(backlog) = peer.backlog.borrow_mut().as_mut() {
            backlog.stall.set_after(Duration::ZERO);
        }
        assert_eq!(poll(&peer), Poll::Ready(Wake::Stalled));
    }

    #[test]
    fn a_closing_peer_takes_no_more() {
        let ((peer, _phone), held) = (pair(), Held::default());
        assert_eq!(peer.send(b"x", true, &held), Sent::Taken);
        peer.close();
        assert_eq!(poll(&peer), Poll::Ready(Wake::Called));
        assert_eq!(peer.send(b"x", true, &held), Sent::Lost);
    }
}
