//! Open connections by number.

use std::rc::Rc;

use super::peer::Peer;
use crate::push::ConnId;

/// Slots for connections. A freed number is given again only after [`Table::recycle`].
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<Rc<Peer>>>,
    free: Vec<u32>,
    retired: Vec<u32>,
    open: usize,
}

impl Table {
    /// Connections in the table.
    pub(super) fn len(&self) -> usize {
        self.open
    }

    /// Puts in what `make` returns for the number it is given.
    pub(super) fn insert(&mut self, make: impl FnOnce(ConnId) -> Peer) -> Rc<Peer> {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let peer = Rc::new(make(ConnId(number)));
        if let Some(slot) = self.slots.get_mut(number as usize) {
            *slot = Some(Rc::clone(&peer));
        }
        self.open += 1;
        peer
    }

    pub(super) fn get(&self, conn: ConnId) -> Option<&Rc<Peer>> {
        self.slots.get(conn.0 as usize)?.as_ref()
    }

    /// Takes a connection out. Its number rests, because actions for it may be under way.
    pub(super) fn remove(&mut self, conn: ConnId) {
        let slot = self.slots.get_mut(conn.0 as usize);
        if slot.is_some_and(|slot| slot.take().is_some()) {
            self.open -= 1;
            self.retired.push(conn.0);
        }
    }

    /// Allows the numbers of removed connections to be given again.
    pub(super) fn recycle(&mut self) {
        self.free.append(&mut self.retired);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::peer::Opening;
    use smol::Async;
    use std::net::{TcpListener, TcpStream};

    fn peer(conn: ConnId) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Peer::new(conn, Async::new(stream).unwrap(), Opening::Over)
    }

    #[test]
    fn a_number_rests_before_it_is_given_again() {
        let mut table = Table::default();
        let first = table.insert(peer).conn;
        let second = table.insert(peer).conn;
        assert_ne!(first, second);
        table.remove(first);
        table.remove(first);
        assert_eq!(table.len(), 1);
        assert!(table.get(first).is_none() && table.get(second).is_some());
        assert_ne!(table.insert(peer).conn, first);
        table.recycle();
        assert_eq!(table.insert(peer).conn, first);
        assert_eq!(table.len(), 3);
    }
}
