//! The door browsers and scripts come in by.

use std::net::{IpAddr, TcpStream};
use std::rc::Rc;

use smol::Async;

use super::http::{self, Peer};
use super::hub::Hub;
use super::listener::Door;
use super::refusal::{self, Refusals};
use super::seats::Seats;
use super::tls;

/// The answer to whom there is no room for.
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 38\r\n\
    Retry-After: 1\r\n\
    Connection: close\r\n\r\n\
    Too many connections; try again soon.\n";

/// Lets HTTP connections in up to the limit.
pub(super) struct Web {
    hub: Rc<Hub>,
    seats: Seats,
    refusals: Refusals,
}

impl Web {
    pub(super) fn new(hub: Rc<Hub>, most: usize) -> Self {
        Self {
            hub,
            seats: Seats::new(most),
            refusals: Refusals::default(),
        }
    }
}

impl Door for Web {
    fn admit(&self, stream: TcpStream, address: IpAddr) {
        let Some(seat) = self.seats.take() else {
            self.refusals.log(address, &"too many HTTP connections");
            return self.refusals.turn_away(&self.hub, stream, BUSY.into());
        };
        // Not `Async`, whose close would not tell the client that the answer ends.
        let stream = match Async::new_nonblocking(stream) {
            Ok(stream) => smol::net::TcpStream::from(stream),
            Err(error) => return self.refusals.log(address, &error),
        };
        let stream = tls::web_stream(self.hub.tls(), stream);
        let hub = Rc::clone(&self.hub);
        self.hub.spawn(async move {
            http::serve(stream, Peer::Address(address), &*hub).await;
            drop(seat);
        });
    }

    fn refuse(&self, stream: TcpStream) {
        refusal::say(&stream, BUSY.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::BUSY;

    #[test]
    fn busy_is_as_long_as_it_says() {
        let (head, body) = BUSY.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}
