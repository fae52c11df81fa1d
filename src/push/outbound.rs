//! What is written to a connection: replies, stanzas for its session, and the pushes its device waits for. What
//! the client counts (XEP-0198 §4) is counted here, where its order on the wire is settled.

use super::domain::Domain;
use super::event::{Action, ConnId};
use super::gateway::{Gateway, Pending};
use super::parcel::Parcel;
use super::store::DeviceId;
use crate::time::Now;
use crate::xmpp::feature::{management, time};

impl Gateway {
    /// Sends what a session has written, so that what its client counts is counted here in the same order.
    pub(super) fn write(&mut self, id: ConnId, out: Vec<u8>) {
        let conn = self.conns.get_mut(&id);
        let written = conn.map(|conn| (conn.session.take_written(), conn.device));
        let session = written.and_then(|(written, device)| {
            let device = device?;
            let serial = self.domain.link_mut(device)?.serial;
            (written.begins.is_some() || !written.stanzas.is_empty())
                .then_some((written, device, serial))
        });
        let Some((written, device, serial)) = session else {
            return self.write_uncounted(id, Some(&out));
        };
        let mut rest = 0;
        let begins = written.begins.map(|at| at..at);
        for mark in begins.into_iter().chain(written.stanzas) {
            self.write_uncounted(id, out.get(rest..mark.start));
            rest = mark.end;
            let pending = match out.get(mark).filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => Pending::Stanza {
                    device,
                    serial,
                    conn: Some(id),
                    parcel: Parcel::Only(bytes.into()),
                },
                None => Pending::Begin(device, serial),
            };
            self.actions.push_back(pending);
        }
        self.write_uncounted(id, out.get(rest..));
    }

    fn write_uncounted(&mut self, id: ConnId, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) {
            self.actions.push_back(Pending::Bytes(id, bytes.to_vec()));
        }
    }

    /// Writes a stanza to a session, or keeps it if the session sleeps; the connection it goes to.
    pub(super) fn write_stanza(
        &mut self,
        device: DeviceId,
        serial: u32,
        conn: Option<ConnId>,
        parcel: Parcel,
        out: &mut Vec<u8>,
        now: Now,
    ) -> Option<ConnId> {
        let link = self.domain.link_mut(device);
        let Some(link) = link.filter(|link| link.serial == serial) else {
            // The session is over; what was meant for it before comes before the end of its stream.
            let conn = conn.filter(|conn| self.conns.contains_key(conn))?;
            out.extend_from_slice(parcel.stanza());
            return Some(conn);
        };
        let conn = link.conn;
        let mut asks = false;
        let start = out.len();
        for parcel in link.hold(parcel) {
            out.extend_from_slice(parcel.stanza());
            asks |= self.domain.sent(device, parcel);
        }
        let Some(conn) = conn.filter(|_| out.len() > start) else {
            out.truncate(start);
            return None;
        };
        let waits = self.domain.link_mut(device).and_then(|link| link.ping);
        if asks && waits.is_some_and(|ping| !ping.heard_since) {
            // Asking again must not give a dead connection more time.
            out.extend_from_slice(management::REQUEST);
        } else if asks {
            let bound = self.conns.get(&conn)?.session.bound()?;
            self.domain.ping(device, bound, out, now);
            self.look_again(conn, now);
        }
        Some(conn)
    }

    pub(super) fn flushed(&mut self, id: ConnId) {
        let Some(device) = self.conns.get(&id).and_then(|conn| conn.device) else {
            return;
        };
        self.domain.welcome_further(device);
        if let Some(link) = self
            .domain
            .devices
            .get_mut(device)
            .and_then(|d| d.link.as_mut())
            && link.conn == Some(id)
        {
            link.pumping = false;
            self.actions.push_back(Pending::Pump(device));
        }
    }

    /// A device goes on seeing others when its socket has taken what it has; at once if it has no socket.
    pub(super) fn flush(&mut self, device: DeviceId) {
        let conn = self.domain.link_mut(device).and_then(|link| link.conn);
        match conn.filter(|id| self.conns.get(id).is_some_and(|conn| !conn.closing)) {
            Some(conn) => self.actions.push_back(Pending::Flush(conn)),
            None => self.domain.welcome_further(device),
        }
    }

    pub(super) fn ask_time(&mut self, device: DeviceId) {
        let link = self.domain.link_mut(device);
        let conn = link.and_then(|link| self.conns.get(&link.conn?));
        if let Some(bound) = conn.and_then(|conn| conn.session.bound()) {
            let mut out = Vec::new();
            time::write_question(bound, &mut out);
            self.domain.deliver(device, out.into());
        }
    }

    /// Writes what a device can be sent now.
    pub(super) fn pump(&mut self, device: DeviceId, out: &mut Vec<u8>, now: Now) -> Option<Action> {
        let link = self.domain.devices.get(device)?.link.as_ref()?;
        if link.pumping {
            return None;
        }
        let id = link.conn?;
        let conn = self.conns.get(&id).filter(|conn| !conn.closing)?;
        let bound = conn.session.bound()?;
        let start = out.len();
        let more = self.domain.pump(device, bound, out, now);
        if let Some(link) = self
            .domain
            .devices
            .get_mut(device)
            .and_then(|d| d.link.as_mut())
        {
            link.pumping = more;
        }
        self.look_again(id, now);
        (out.len() > start).then_some(Action::Send {
            conn: id,
            tell: more,
        })
    }
}

impl Domain {
    /// `<enabled/>` is on the wire.
    pub(super) fn begin_to_count(&mut self, device: DeviceId, serial: u32) {
        let link = self.link_mut(device).filter(|link| link.serial == serial);
        if let Some(managed) = link.and_then(|link| link.managed.as_mut()) {
            managed.begin();
        }
    }
}
