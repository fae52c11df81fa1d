//! The door phones come in by, and what those hear who do not fit in.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::rc::Rc;

use smol::future::or;
use smol::{Async, Timer};

use super::hub::Hub;
use super::listener::Door;
use super::seldom::Seldom;
use crate::limits::{LINGER, REFUSALS};

/// Lets phones in up to the limit.
pub(super) struct Phones {
    hub: Rc<Hub>,
    /// Phones at once.
    most: usize,
    /// Newcomers that are being told no.
    refused: Rc<Cell<usize>>,
    seldom: Seldom,
}

impl Phones {
    pub(super) fn new(hub: Rc<Hub>, most: usize) -> Self {
        Self {
            hub,
            most,
            refused: Rc::default(),
            seldom: Seldom::default(),
        }
    }

    fn log_refusal(&self, address: IpAddr, why: &dyn std::fmt::Display) {
        if let Some(held) = self.seldom.turn() {
            log::warn!("{address} not let in: {why} ({held} such lines left out)");
        }
    }
}

impl Door for Phones {
    fn admit(&self, stream: TcpStream, address: IpAddr) {
        let full = self.hub.phones() >= self.most;
        if full {
            self.log_refusal(address, &format_args!("{} phones are connected", self.most));
        }
        if full && self.refused.get() >= REFUSALS {
            return;
        }
        match Async::new_nonblocking(stream) {
            Ok(socket) if full => {
                self.refused.set(self.refused.get() + 1);
                let (domain, refused) = (self.hub.config(), Rc::clone(&self.refused));
                self.hub.spawn(async move {
                    turn_away(socket, &domain.server.domain).await;
                    refused.set(refused.get() - 1);
                });
            }
            Ok(socket) => self.hub.admit(socket, address),
            Err(error) => self.log_refusal(address, &error),
        }
    }

    fn refuse(&self, stream: TcpStream) {
        let _ = say_no(&stream, &self.hub.config().server.domain);
        // Unread input would turn the end into a reset.
        while matches!((&stream).read(&mut [0; 1024]), Ok(1..)) {}
    }
}

/// A complete stream that ends with `resource-constraint`.
fn refusal(domain: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='UTF-8'?>\
         <stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' \
         from='{domain}' id='0' version='1.0'><stream:error>\
         <resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         </stream:error></stream:stream>"
    )
}

fn say_no(mut stream: &TcpStream, domain: &str) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(stream, None)?;
    stream.write_all(refusal(domain).as_bytes())?;
    stream.shutdown(Shutdown::Write)
}

/// Says no, and reads on until the phone has heard it.
async fn turn_away(socket: Async<TcpStream>, domain: &str) {
    if say_no(socket.get_ref(), domain).is_err() {
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
