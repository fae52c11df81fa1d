//! The door phones come in by.

use std::net::{IpAddr, TcpStream};
use std::rc::Rc;

use smol::Async;

use super::hub::Hub;
use super::listener::Door;
use super::refusal::{self, Refusals};
use crate::xmpp::error::StreamError;
use crate::xmpp::session;

/// Lets phones in up to the limit.
pub(super) struct Phones {
    hub: Rc<Hub>,
    /// Phones at once.
    most: usize,
    refusals: Refusals,
}

impl Phones {
    pub(super) fn new(hub: Rc<Hub>, most: usize) -> Self {
        Self {
            hub,
            most,
            refusals: Refusals::default(),
        }
    }

    fn full(&self) -> Vec<u8> {
        let domain = &self.hub.config().server.domain;
        session::refusal(domain, StreamError::ResourceConstraint)
    }
}

impl Door for Phones {
    fn admit(&self, stream: TcpStream, address: IpAddr) {
        if self.hub.phones() >= self.most {
            let why = format_args!("{} phones are connected", self.most);
            self.refusals.log(address, &why);
            return self.refusals.turn_away(&self.hub, stream, self.full());
        }
        match Async::new_nonblocking(stream) {
            Ok(socket) => self.hub.admit(socket, address),
            Err(error) => self.refusals.log(address, &error),
        }
    }

    fn refuse(&self, stream: TcpStream) {
        refusal::say(&stream, &self.full());
    }
}
