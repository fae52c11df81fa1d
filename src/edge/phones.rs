//! The door phones come in by.

use std::net::{IpAddr, TcpStream};
use std::rc::Rc;

use smol::Async;

use super::hub::Hub;
use super::listener::Door;
use super::peer::Opening;
use super::refusal::{self, Refusals};
use crate::xmpp::error::StreamError;
use crate::xmpp::header;

/// A fatal `internal_error` alert in plain text (RFC 8446 §6): what a phone understands before its handshake.
const FULL: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// Lets phones in up to the limit.
pub(super) struct Phones {
    hub: Rc<Hub>,
    /// Phones at once.
    most: usize,
    /// How they begin.
    opening: Opening,
    refusals: Refusals,
}

impl Phones {
    pub(super) fn new(hub: Rc<Hub>, most: usize, opening: Opening) -> Self {
        Self {
            hub,
            most,
            opening,
            refusals: Refusals::default(),
        }
    }

    fn full(&self) -> Vec<u8> {
        if self.opening == Opening::Tls {
            return FULL.to_vec();
        }
        let domain = &self.hub.config().server.domain;
        header::refusal(domain, StreamError::ResourceConstraint)
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
            Ok(socket) => self.hub.admit(socket, address, self.opening),
            Err(error) => self.refusals.log(address, &error),
        }
    }

    fn refuse(&self, stream: TcpStream) {
        refusal::say(&stream, &self.full());
    }
}
