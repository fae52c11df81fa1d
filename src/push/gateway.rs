//! The gateway: every session, every account, every queue, behind one `handle`.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;

pub use super::domain::Entropy;
use super::domain::{Domain, Effect};
use super::event::{Action, Answer, AskId, ConnId, Event, Refusal, Request};
use super::local::Local;
use super::parcel::Parcel;
use super::store::{DeviceId, Store, StoreError};
use super::wheel::Wheel;
use crate::config::Config;
use crate::limits;
use crate::time::{Hinter, Instant, Now};
use crate::xmpp::error::{StanzaError, StreamError};
use crate::xmpp::session::{Flow, Session};

/// Every session, every account and every queue.
///
/// After every [`handle`](Self::handle), drain [`poll_action`](Self::poll_action) until `None`, then wait
/// for an event or [`next_deadline`](Self::next_deadline).
#[doc(alias = "SessionManager")]
#[doc(alias = "NotificationManager")]
pub struct Gateway {
    pub(super) domain: Domain,
    pub(super) conns: BTreeMap<ConnId, Box<Conn>>,
    pub(super) actions: VecDeque<Pending>,
    pub(super) wheel: Wheel,
    stopping: bool,
}

/// One connection.
pub(super) struct Conn {
    pub(super) session: Session,
    pub(super) peer: IpAddr,
    pub(super) device: Option<DeviceId>,
    pub(super) opened: Instant,
    /// When bytes last came.
    pub(super) heard: Instant,
    /// The tick at which the wheel comes back to it; other entries of it there are stale.
    pub(super) next_check: u32,
    /// Its last bytes are out or on their way: nothing more is taken from it.
    pub(super) closing: bool,
}

impl Conn {
    /// The session, and the server as it sees it.
    pub(super) fn with_host<'a>(
        &'a mut self,
        id: ConnId,
        domain: &'a mut Domain,
        now: Now,
    ) -> (&'a mut Session, Local<'a>) {
        let host = Local {
            domain,
            conn: id,
            peer: self.peer,
            device: &mut self.device,
            now,
        };
        (&mut self.session, host)
    }
}

/// An action before its bytes are made: a broadcast is serialised one phone at a time, when its turn comes.
pub(super) enum Pending {
    Bytes(ConnId, Vec<u8>),
    /// For a session by device and serial number; should that be over, for what is left of its connection.
    Stanza {
        device: DeviceId,
        serial: u32,
        conn: Option<ConnId>,
        parcel: Parcel,
    },
    /// The client of that session counts what comes behind this.
    Begin(DeviceId, u32),
    Pump(DeviceId),
    /// Nothing, but the edge says when the socket has taken all that came before.
    Flush(ConnId),
    Close(ConnId),
    StartTls(ConnId),
    Resume(ConnId),
    Hint(Hinter, u64),
    Answer(AskId, Answer),
}

impl Gateway {
    /// A gateway over what `store` holds.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(
        config: Rc<Config>,
        store: Box<dyn Store>,
        entropy: Entropy,
        now: Now,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            domain: Domain::load(config, store, entropy, now)?,
            conns: BTreeMap::new(),
            actions: VecDeque::new(),
            wheel: Wheel::new(now.mono),
            stopping: false,
        })
    }

    /// Takes in what happened.
    pub fn handle(&mut self, event: Event<'_>, now: Now) {
        self.domain.on_time(now);
        match event {
            Event::Connected { conn, peer } => self.connected(conn, peer, now),
            Event::Secured { conn } => self.secured(conn),
            Event::Received { conn, bytes } => self.received(conn, bytes, now),
            Event::Flushed { conn } => self.flushed(conn),
            Event::Disconnected { conn } => self.disconnected(conn, now),
            Event::Ask { ask, request } => self.asked(ask, request, now),
            Event::Forgotten { ask } => self.domain.forget_ask(ask),
            Event::Stored { ticket, outcome } => self.domain.stored(ticket, &outcome, now),
            Event::Tick => self.tick(now),
            Event::Shutdown => self.shutdown(now),
        }
        self.carry_out(now);
        if self.domain.end_requests(now) {
            self.carry_out(now);
        }
        self.domain.submit_receipts();
    }

    /// The next thing to do, or `None`. The bytes of an [`Action::Send`] are appended to `out`.
    pub fn poll_action(&mut self, out: &mut Vec<u8>, now: Now) -> Option<Action> {
        loop {
            let Some(pending) = self.actions.pop_front() else {
                // What has to be sent to many goes last, and a step at a time.
                if !self.domain.spread() {
                    break;
                }
                self.carry_out(now);
                continue;
            };
            let action = match pending {
                Pending::Bytes(conn, bytes) => {
                    out.extend_from_slice(&bytes);
                    Action::Send { conn, tell: false }
                }
                Pending::Stanza {
                    device,
                    serial,
                    conn,
                    parcel,
                } => match self.write_stanza(device, serial, conn, parcel, out, now) {
                    Some(conn) => Action::Send { conn, tell: false },
                    None => continue,
                },
                Pending::Begin(device, serial) => {
                    self.domain.begin_to_count(device, serial);
                    continue;
                }
                Pending::Pump(device) => {
                    let action = self.pump(device, out, now);
                    // Somebody may have waited for it to be sent.
                    self.carry_out(now);
                    match action {
                        Some(action) => action,
                        None => continue,
                    }
                }
                Pending::Flush(conn) => Action::Send { conn, tell: true },
                Pending::Close(conn) => Action::Close { conn },
                Pending::StartTls(conn) => Action::StartTls { conn },
                Pending::Resume(conn) => Action::Resume { conn },
                Pending::Hint(from, millis) => Action::Hint { from, millis },
                Pending::Answer(ask, answer) => Action::Answer { ask, answer },
            };
            return Some(action);
        }
        self.domain.submit_receipts();
        None
    }

    /// When [`Event::Tick`] is due, or `None` while nothing waits for time.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let settled = self.domain.settling.front().map(|(due, _)| *due);
        let deadlines = [
            self.wheel.next_due(),
            settled,
            self.domain.next_due(),
            self.domain.attempts.next_due(),
            self.domain.sleepers.front().map(|(due, _)| *due),
            self.domain.holding.front().map(|(due, _)| *due),
            self.domain.unwritten.next_due(),
            self.domain.unread.next_due(),
            self.domain.requests.next_due(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Whether a connection waits for the disk: it must not be read until [`Action::Resume`].
    #[must_use]
    pub fn is_waiting(&self, conn: ConnId) -> bool {
        self.conns
            .get(&conn)
            .is_some_and(|conn| conn.session.is_waiting())
    }

    /// Replaces the configuration; listeners and storage keep theirs until the next start.
    pub fn configure(&mut self, config: Rc<Config>) {
        self.domain.configure(config);
    }

    fn connected(&mut self, id: ConnId, peer: IpAddr, now: Now) {
        let stream_id = u64::from_be_bytes(self.domain.random());
        let mut conn = Box::new(Conn {
            session: Session::new(stream_id),
            peer,
            device: None,
            opened: now.mono,
            heard: now.mono,
            next_check: 0,
            closing: false,
        });
        conn.next_check = self
            .wheel
            .insert(id, now.mono.after(limits::LOGIN_WAIT), now.mono);
        self.conns.insert(id, conn);
        if self.stopping {
            self.close(id, StreamError::SystemShutdown, now);
        }
    }

    fn secured(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.session.secured();
        }
    }

    fn received(&mut self, id: ConnId, bytes: &[u8], now: Now) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.closing) else {
            return;
        };
        conn.heard = now.mono;
        if let Some(device) = conn.device {
            self.domain.heard_from(device);
        }
        let mut out = Vec::new();
        let (session, mut host) = conn.with_host(id, &mut self.domain, now);
        let logged_in_before = host.device.is_some();
        let flow = session.feed(bytes, &mut host, &mut out);
        let logs_in = !logged_in_before && conn.device.is_some();
        self.follow(id, flow, out, now);
        if logs_in {
            // The idle rule may be stricter than the one for logging in.
            self.look_again(id, now);
        }
    }

    /// Sends what a session has written and does what it asks for.
    pub(super) fn follow(&mut self, id: ConnId, flow: Flow, out: Vec<u8>, now: Now) {
        self.write(id, out);
        match flow {
            Flow::Open | Flow::Waiting => {}
            Flow::StartTls => self.actions.push_back(Pending::StartTls(id)),
            Flow::Close => self.end(id, now),
        }
    }

    /// Ends a stream with an error.
    pub(super) fn close(&mut self, id: ConnId, error: StreamError, now: Now) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.closing) else {
            return;
        };
        log::debug!("c{}: closing with {}", id.0, error.condition());
        if error == StreamError::ConnectionTimeout
            && let Some(device) = conn.device.take()
        {
            // The phone is out of reach rather than gone.
            let (handled, request) = (conn.session.handled(), conn.session.take_waiting());
            self.domain.answer_late(id, device, request);
            self.lose(id, device, handled, now);
        }
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let mut out = Vec::new();
        let (session, mut host) = conn.with_host(id, &mut self.domain, now);
        session.close(error, &mut host, &mut out);
        self.follow(id, Flow::Close, out, now);
    }

    /// The stream is over: its device is away from now on, the socket goes when its bytes are out.
    fn end(&mut self, id: ConnId, now: Now) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.closing) else {
            return;
        };
        conn.closing = true;
        if let Some(device) = conn.device.take() {
            self.domain.unbind(id, device, now);
        }
        self.domain.forget_conn(id);
        self.actions.push_back(Pending::Close(id));
    }

    fn disconnected(&mut self, id: ConnId, now: Now) {
        if let Some(mut conn) = self.conns.remove(&id) {
            if let Some(device) = conn.device {
                let request = conn.session.take_waiting();
                self.domain.answer_late(id, device, request);
                self.lose(id, device, conn.session.handled(), now);
            }
            self.domain.forget_conn(id);
        }
    }

    fn asked(&mut self, ask: AskId, request: Request, now: Now) {
        let outcome = match self.stopping {
            true => Err(Refusal::Busy),
            false => self.domain.carry_out_request(ask, request, now),
        };
        if let Err(refusal) = outcome {
            self.actions.push_back(Pending::Answer(ask, Err(refusal)));
        }
    }

    fn shutdown(&mut self, now: Now) {
        self.stopping = true;
        self.domain.write_again();
        self.domain.refuse_waits();
        self.domain.end_every_sleep();
        let open: Vec<ConnId> = self.conns.keys().copied().collect();
        for id in open {
            self.close(id, StreamError::SystemShutdown, now);
        }
    }

    /// Turns the domain's effects into actions; closing one stream may cause effects of its own.
    fn carry_out(&mut self, now: Now) {
        while let Some(effect) = self.domain.effects.pop_front() {
            match effect {
                Effect::Close(id, error) => self.close(id, error, now),
                Effect::Deliver(device, serial, parcel) => {
                    let link = self.domain.link_mut(device);
                    if let Some(link) = link.filter(|link| link.serial == serial) {
                        let conn = link.conn;
                        self.actions.push_back(Pending::Stanza {
                            device,
                            serial,
                            conn,
                            parcel,
                        });
                    }
                }
                Effect::Resume {
                    conn,
                    user,
                    session,
                    handled,
                } => self.resume(conn, &user, &session, handled, now),
                Effect::Forget(device) => self.forget(device, now),
                Effect::Flush(device) => self.flush(device),
                Effect::Pump(device) => self.actions.push_back(Pending::Pump(device)),
                Effect::Finish(id, outcome) => self.finish(id, outcome, now),
                Effect::AskTime(id) => self.ask_time(id),
                Effect::Hint(from, millis) => {
                    self.actions.push_back(Pending::Hint(from, millis));
                }
                Effect::Answer(ask, answer) => self.actions.push_back(Pending::Answer(ask, answer)),
            }
        }
    }

    fn finish(&mut self, id: ConnId, outcome: Result<(), StanzaError>, now: Now) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.closing) else {
            return;
        };
        let mut out = Vec::new();
        let (session, mut host) = conn.with_host(id, &mut self.domain, now);
        let flow = session.finish(outcome, &mut host, &mut out);
        self.follow(id, flow, out, now);
        if matches!(flow, Flow::Open | Flow::StartTls) {
            self.actions.push_back(Pending::Resume(id));
        }
    }
}
