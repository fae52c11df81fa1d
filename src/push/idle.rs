//! The idle rule: whoever does not log in is shown out, whoever falls silent is asked, then shown out.

use std::time::Duration;

use super::event::ConnId;
use super::gateway::{Gateway, Pending};
use crate::limits;
use crate::time::{Instant, Now};
use crate::xmpp::error::StreamError;

/// What time demands of a connection.
enum Deadline {
    /// Close it: it has been silent too long.
    Close(Instant),
    /// Ask whether it is still there.
    Ping(Instant),
}

impl Gateway {
    /// Looks at the connections whose time has come.
    pub(super) fn tick(&mut self, now: Now) {
        self.domain.settle_due(now);
        self.attempts_due(now);
        self.domain.end_sleep(now);
        self.domain.end_holding(now);
        for (id, tick) in self.wheel.take_due(now.mono) {
            let current = self
                .conns
                .get(&id)
                .is_some_and(|conn| conn.next_check == tick);
            if !current {
                continue;
            }
            self.ask_time_again(id, now);
            match self.deadline(id) {
                Some(Deadline::Close(at)) if at <= now.mono => {
                    self.close(id, StreamError::ConnectionTimeout, now);
                }
                Some(Deadline::Ping(at)) if at <= now.mono => {
                    self.ping(id, now);
                    self.look_again(id, now);
                }
                Some(_) => self.look_again(id, now),
                None => {}
            }
        }
    }

    /// A clock may come into doubt long after a phone has logged in.
    fn ask_time_again(&mut self, id: ConnId, now: Now) {
        if let Some(device) = self.conns.get(&id).and_then(|conn| conn.device) {
            self.domain.ask_time(device, now);
        }
    }

    /// Makes sure that the wheel comes back to a connection when its deadline is due.
    pub(super) fn look_again(&mut self, id: ConnId, now: Now) {
        let (Some(Deadline::Close(at) | Deadline::Ping(at)), Some(conn)) =
            (self.deadline(id), self.conns.get_mut(&id))
        else {
            return;
        };
        if !self.wheel.comes_before(conn.next_check, at) {
            conn.next_check = self.wheel.insert(id, at, now.mono);
        }
    }

    fn ping(&mut self, id: ConnId, now: Now) {
        let mut out = Vec::new();
        if let Some(conn) = self.conns.get(&id)
            && let (Some(device), Some(bound)) = (conn.device, conn.session.bound())
        {
            self.domain.ping(device, bound, &mut out, now);
            self.actions.push_back(Pending::Bytes(id, out));
        }
    }

    /// What time will demand of a connection next, as things stand.
    fn deadline(&self, id: ConnId) -> Option<Deadline> {
        let conn = self.conns.get(&id).filter(|conn| !conn.closing)?;
        let Some(device) = conn.device else {
            return Some(Deadline::Close(conn.opened.after(limits::LOGIN_WAIT)));
        };
        let link = self.domain.devices.get(device)?.link.as_ref()?;
        // Any byte after the ping shows that the phone is there, even if it never answers.
        Some(match link.ping.filter(|ping| !ping.heard_since) {
            Some(ping) => Deadline::Close(ping.at.after(limits::PING_WAIT)),
            None => {
                let mut idle = Duration::from_secs(self.domain.config.xmpp.idle);
                if link.is_managed() {
                    idle = idle.max(limits::MANAGED_IDLE);
                }
                Deadline::Ping(conn.heard.after(idle))
            }
        })
    }
}
