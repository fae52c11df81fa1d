//! The gateway in the middle of the sockets: events in, actions performed, nothing decided.

mod requests;

use std::cell::{Cell, Ref, RefCell};
use std::io;
use std::net::{IpAddr, TcpStream};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use async_channel::Sender;
use litemap::LiteMap;
use smol::future::{Future, yield_now};
use smol::{Async, LocalExecutor};

use super::backlog::Held;
use super::bell::Bell;
use super::clock::Clock;
use super::connection::{self, Input};
use super::export::{self, ExportError, Page};
use super::peer::{Opening, Peer, Sent};
use super::pending::Extent;
use super::repair::Repairs;
use super::seats::Seats;
use super::seldom::Seldom;
use super::storage::Rows;
use super::table::Table;
use super::tls::Acceptor;
use super::wear::Wear;
use crate::config::Config;
use crate::limits::{ACTIONS_PER_TURN, BYTES_PER_TURN, READ_BUFFER, SCRATCH};
use crate::push::views::{Repaired, Written};
use crate::push::{Action, Answer, ConnId, Event, Gateway};
use crate::time::{Instant, Now};

/// Drives the [`Gateway`] as its contract says, for every task of the edge.
///
/// No method that borrows a cell calls anything that could come back here, so no borrow ever fails.
pub(super) struct Hub {
    gateway: RefCell<Gateway>,
    config: RefCell<Rc<Config>>,
    pub(super) clock: Clock,
    /// What the store has written.
    wear: Arc<Wear>,
    /// Where TLS comes from; `None` if there is none.
    tls: Option<Acceptor>,
    executor: Weak<LocalExecutor<'static>>,
    peers: RefCell<Table>,
    held: Held,
    slow: Seldom,
    asks: RefCell<LiteMap<u64, Sender<Answer>>>,
    next_ask: Cell<u64>,
    /// Places for requests that wait for a notification.
    waits: Seats,
    input: RefCell<Box<[u8]>>,
    scratch: RefCell<Vec<u8>>,
    /// Rung when actions are left over after a turn.
    leftover: Bell,
    /// When the timer will fire, and the bell that makes it look again.
    armed: Cell<Option<Instant>>,
    rearm: Bell,
    /// Rung when a connection or a request has ended.
    ended: Bell,
    /// What has happened to the data, as [`super::repair`] tells it.
    warnings: RefCell<Vec<String>>,
    repaired: Cell<Repaired>,
    /// What the store holds, for exports.
    rows: Rows,
}

/// What a hub is made of.
pub(super) struct Parts {
    pub(super) gateway: Gateway,
    pub(super) rows: Rows,
    pub(super) clock: Clock,
    pub(super) wear: Arc<Wear>,
    pub(super) tls: Option<Acceptor>,
}

impl Hub {
    pub(super) fn new(
        parts: Parts,
        config: Rc<Config>,
        executor: &Rc<LocalExecutor<'static>>,
        waits: usize,
    ) -> Rc<Self> {
        Rc::new(Self {
            gateway: RefCell::new(parts.gateway),
            config: RefCell::new(config),
            clock: parts.clock,
            wear: parts.wear,
            tls: parts.tls,
            executor: Rc::downgrade(executor),
            peers: RefCell::default(),
            held: Held::default(),
            slow: Seldom::default(),
            asks: RefCell::default(),
            next_ask: Cell::new(0),
            waits: Seats::new(waits),
            input: RefCell::new(vec![0; READ_BUFFER].into()),
            scratch: RefCell::default(),
            leftover: Bell::default(),
            armed: Cell::new(None),
            rearm: Bell::default(),
            ended: Bell::default(),
            warnings: RefCell::default(),
            repaired: Cell::default(),
            rows: parts.rows,
        })
    }

    /// The piece of an export that begins with the row `from`.
    pub(super) fn export_page(&self, from: &[u8]) -> Result<Page, ExportError> {
        // The first piece has everything written; the others are of the same rows, or newer ones.
        let rows = match from {
            [] => self.rows.complete(Extent::Everything),
            _ => self.rows.written(),
        };
        export::page(&rows.map_err(ExportError::Store)?, from)
    }

    /// From here on the status shows what has been repaired.
    pub(super) fn repaired_at_start(&self, repairs: Repairs) {
        self.warnings.replace(repairs.warnings);
        self.repaired.set(repairs.counts);
    }

    /// What had to be repaired, and what is damaged.
    pub(super) fn repaired(&self) -> Repaired {
        Repaired {
            damaged_records: self.rows.damaged(),
            ..self.repaired.get()
        }
    }

    /// Bytes the disk has had to take.
    pub(super) fn written(&self) -> Written {
        let wear = self.wear.view();
        Written {
            today: wear.bytes_today,
            total: wear.bytes_total,
            budget: wear.budget,
        }
    }

    /// What a person has to know about the data and the disk.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings.borrow().clone();
        warnings.extend(self.wear.view().warning());
        let names = |tls: &Acceptor| tls.warning(&self.config());
        warnings.extend(self.tls.as_ref().and_then(names));
        warnings
    }

    /// Where TLS comes from.
    pub(super) fn tls(&self) -> Option<&Acceptor> {
        self.tls.as_ref()
    }

    /// Runs a task until the server stops.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        if let Some(executor) = self.executor.upgrade() {
            // Boxed, all tasks are one type: its code is there once, not for each of them.
            let task: Pin<Box<dyn Future<Output = ()>>> = Box::pin(task);
            executor.spawn(task).detach();
        }
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(super) fn config(&self) -> Rc<Config> {
        Rc::clone(&self.config.borrow())
    }

    /// Replaces the configuration.
    pub(super) fn configure(&self, config: Rc<Config>) {
        self.gateway.borrow_mut().configure(Rc::clone(&config));
        self.config.replace(config);
        self.work(self.now());
    }

    /// The gateway, to look at.
    pub(super) fn gateway(&self) -> Ref<'_, Gateway> {
        self.gateway.borrow()
    }

    /// Tells the gateway, and does what it wants.
    pub(super) fn handle(&self, event: Event<'_>) {
        let now = self.now();
        self.gateway.borrow_mut().handle(event, now);
        self.work(now);
    }

    /// Performs actions until none is left, or until others deserve a turn.
    fn work(&self, now: Now) {
        let mut out = self.scratch.borrow_mut();
        let mut written = 0;
        for _ in 0..ACTIONS_PER_TURN {
            out.clear();
            let action = self.gateway.borrow_mut().poll_action(&mut out, now);
            let Some(action) = action else {
                out.shrink_to(SCRATCH);
                self.peers.borrow_mut().recycle();
                return self.arm();
            };
            if let Some(event) = self.perform(action, &out) {
                self.gateway.borrow_mut().handle(event, now);
            }
            written += out.len();
            if written >= BYTES_PER_TURN {
                break;
            }
        }
        self.leftover.ring();
    }

    /// Does one thing, and returns what the gateway has to hear about it at once.
    fn perform(&self, action: Action, bytes: &[u8]) -> Option<Event<'static>> {
        match action {
            Action::Send { conn, tell } => {
                let sent = self
                    .peers
                    .borrow()
                    .get(conn)
                    .map(|peer| peer.send(bytes, tell, &self.held));
                if sent == Some(Sent::TooSlow) {
                    self.log_slow(conn);
                }
                return (tell && sent == Some(Sent::Taken)).then_some(Event::Flushed { conn });
            }
            Action::Close { conn } => {
                if let Some(peer) = self.peers.borrow().get(conn) {
                    peer.close();
                }
            }
            Action::StartTls { conn } => {
                if let Some(peer) = self.peers.borrow().get(conn) {
                    self.start_tls(peer);
                }
            }
            Action::Resume { conn } => {
                if let Some(peer) = self.peers.borrow().get(conn) {
                    peer.resume();
                }
            }
            Action::Hint { from, millis } => self.clock.hint(from, millis),
            Action::Answer { ask, answer } => {
                if let Some(asker) = self.asks.borrow_mut().remove(&ask.0) {
                    // Whoever does not wait any longer has no use for it.
                    let _ = asker.try_send(answer);
                }
                self.ended.ring();
            }
        }
        None
    }

    /// Goes on with what [`Hub::work`] left over. A task of its own.
    pub(super) async fn finish_turns(self: Rc<Self>) {
        loop {
            self.leftover.heard().await;
            yield_now().await;
            self.work(self.now());
        }
    }

    // ---- connections ---------------------------------------------------------------------------

    /// Phones connected, those that are just leaving included.
    pub(super) fn phones(&self) -> usize {
        self.peers.borrow().len()
    }

    /// Takes a phone in.
    pub(super) fn admit(
        self: &Rc<Self>,
        socket: Async<TcpStream>,
        address: IpAddr,
        opening: Opening,
    ) {
        let peer = self
            .peers
            .borrow_mut()
            .insert(|conn| Peer::new(conn, socket, opening));
        log::debug!("c{}: {address} connected", peer.conn.0);
        self.handle(Event::Connected {
            conn: peer.conn,
            peer: address,
        });
        self.spawn(connection::run(Rc::clone(self), peer));
    }

    /// Whether the connection must not be read.
    pub(super) fn is_waiting(&self, conn: ConnId) -> bool {
        self.gateway.borrow().is_waiting(conn)
    }

    /// Reads what a phone has sent and hands it to the gateway.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn receive(&self, peer: &Peer) -> io::Result<Input> {
        let mut input = self.input.borrow_mut();
        let (found, length) = peer.read(&mut input, &self.held)?;
        let bytes = input.get(..length).unwrap_or_default();
        if !bytes.is_empty() {
            self.handle(Event::Received {
                conn: peer.conn,
                bytes,
            });
        }
        Ok(found)
    }

    /// Reads what a phone has sent and throws it away.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn discard(&self, peer: &Peer) -> io::Result<Input> {
        let read = peer.read_socket(&mut self.input.borrow_mut());
        read.map(|(found, _)| found)
    }

    /// Sends a phone what is no part of its stream.
    pub(super) fn say(&self, peer: &Peer, bytes: &[u8]) {
        peer.send(bytes, false, &self.held);
    }

    /// Ends what a phone is sent, as TLS wants it.
    pub(super) fn say_goodbye(&self, peer: &Peer) {
        peer.say_goodbye(&self.held);
    }

    /// Puts TLS between a socket and its stream.
    pub(super) fn start_tls(&self, peer: &Peer) {
        match self.tls.as_ref().and_then(Acceptor::channel) {
            Some(channel) => peer.start_tls(channel),
            None => peer.lose(),
        }
    }

    /// Logs that a phone is dropped because it does not read, but not for every phone.
    pub(super) fn log_slow(&self, conn: ConnId) {
        if let Some(held_back) = self.slow.turn() {
            log::warn!("c{}: dropped, it does not read{held_back}", conn.0);
        }
    }

    /// The connection is gone; its socket closes with the last owner of `peer`.
    pub(super) fn forget(&self, peer: &Peer) {
        let conn = peer.conn;
        self.peers.borrow_mut().remove(conn);
        log::debug!("c{}: disconnected", conn.0);
        self.handle(Event::Disconnected { conn });
        self.ended.ring();
    }

    // ---- time and stop -------------------------------------------------------------------------

    fn arm(&self) {
        let due = self.gateway.borrow().next_deadline();
        let sooner = match (due, self.armed.get()) {
            (Some(due), Some(armed)) => due < armed,
            (due, armed) => due.is_some() && armed.is_none(),
        };
        if sooner {
            self.rearm.ring();
        }
    }

    /// When the gateway wants to hear of time; the caller promises to fire then, or at the next ring.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        let due = self.gateway.borrow().next_deadline();
        self.armed.set(due);
        due
    }

    /// Waits until the next tick may have come nearer.
    pub(super) async fn rearmed(&self) {
        self.rearm.heard().await;
    }

    /// Tells every phone that the server stops, and waits until they and all requests are gone.
    pub(super) async fn shut_down(&self) {
        self.handle(Event::Shutdown);
        while self.phones() > 0 || !self.asks.borrow().is_empty() {
            self.ended.heard().await;
        }
        // Answers that were just given are written when their tasks have a turn.
        yield_now().await;
    }
}
