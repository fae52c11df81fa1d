//! XEP-0198 §5: sessions that outlive their connection, and go on over another.

use std::collections::VecDeque;

use super::event::ConnId;
use super::gateway::{Gateway, Pending};
use super::store::DeviceId;
use crate::time::Now;
use crate::xmpp::error::StreamError;
use crate::xmpp::feature::management;

impl Gateway {
    /// The connection of a device is lost: its session sleeps if it may, else it is over.
    pub(super) fn lose(&mut self, id: ConnId, device: DeviceId, handled: u32, now: Now) {
        let link = self.domain.link_mut(device);
        if link.is_some_and(|link| link.conn == Some(id)) && self.domain.sleep(device, handled, now)
        {
            log::debug!("c{}: lost, its session sleeps", id.0);
            return;
        }
        self.domain.unbind(id, device, now);
    }

    /// A session that sleeps is over.
    pub(super) fn forget(&mut self, device: DeviceId, now: Now) {
        let link = self.domain.link_mut(device);
        if link.is_some_and(|link| link.conn.is_none()) {
            self.domain.end_session(device, now);
        }
    }

    /// A client has come back for its session.
    pub(super) fn resume(&mut self, id: ConnId, user: &str, session: &str, handled: u32, now: Now) {
        if self.conns.get(&id).is_none_or(|conn| conn.closing) {
            return;
        }
        let Some(device) = self.domain.resumable(session, user) else {
            return self.refuse_to_resume(id, now);
        };
        self.leave_old_connection(device, now);
        // What is on its way to the session has to be counted before it is written again.
        self.count_pending(device);
        if let Err(sent) = self.domain.acknowledged(device, handled, now) {
            return self.close(id, StreamError::HandledTooMany { handled, sent }, now);
        }
        let Some((bound, ours)) = self.domain.resume(device, id) else {
            return self.refuse_to_resume(id, now);
        };
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        log::debug!("c{}: {bound} is back", id.0);
        let mut out = Vec::new();
        conn.device = Some(device);
        conn.session.resumed(bound, ours, &mut out);
        if self.domain.replay(device, &mut out) {
            out.extend_from_slice(management::REQUEST);
        }
        let (session, mut host) = conn.with_host(id, &mut self.domain, now);
        let flow = session.go_on(&mut host, &mut out);
        self.follow(id, flow, out, now);
        self.domain.reader_said(device);
        self.actions.push_back(Pending::Resume(id));
        self.actions.push_back(Pending::Pump(device));
        self.look_again(id, now);
    }

    fn refuse_to_resume(&mut self, id: ConnId, now: Now) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let mut out = Vec::new();
        let (session, mut host) = conn.with_host(id, &mut self.domain, now);
        session.not_resumed(&mut out);
        let flow = session.go_on(&mut host, &mut out);
        self.follow(id, flow, out, now);
        self.actions.push_back(Pending::Resume(id));
    }

    /// The client has come back before we noticed that its old connection is dead.
    fn leave_old_connection(&mut self, device: DeviceId, now: Now) {
        let old = self.domain.link_mut(device).and_then(|link| link.conn);
        let Some((id, conn)) = old.and_then(|id| Some((id, self.conns.get_mut(&id)?))) else {
            return;
        };
        conn.device = None;
        let (handled, request) = (conn.session.handled(), conn.session.take_waiting());
        self.domain.answer_late(id, device, request);
        self.domain.sleep(device, handled, now);
        self.close(id, StreamError::Conflict, now);
    }

    /// Keeps, in their order, the stanzas for a session that wait to be written.
    fn count_pending(&mut self, device: DeviceId) {
        let serial = self.domain.link_mut(device).map(|link| link.serial);
        let mut rest = VecDeque::with_capacity(self.actions.len());
        for pending in std::mem::take(&mut self.actions) {
            match pending {
                Pending::Stanza {
                    device: to,
                    serial: of,
                    parcel,
                    ..
                } if to == device && Some(of) == serial => {
                    self.domain.sent(device, parcel);
                }
                Pending::Pump(to) if to == device => {}
                other => rest.push_back(other),
            }
        }
        self.actions = rest;
    }
}
