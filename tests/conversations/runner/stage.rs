//! The world a script plays in: one gateway, its disk, its two clocks, and the wires to the phones.
//!
//! Nothing here waits. Time passes when a script says so, and the disk answers when a script lets it.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use lanpush::config::{Config, MessageType, Registration};
use lanpush::push::gateway::Entropy;
use lanpush::push::{Action, Answer, AskId, ConnId, Event, Gateway, Request};
use lanpush::time::{Basis, Hinter, Instant, Now, Timekeeper};

use super::disk::TestDisk;
use super::phone::Phone;
use super::template::Scope;
use super::words::Settings;

/// 2026-01-01T00:00:00Z, when every script begins.
pub(crate) const BEGIN: u64 = 1_767_225_600_000;
/// Events after which a server that still has something to do will never come to rest.
const RESTLESS: usize = 1_000_000;
/// Ticks at one and the same moment after which the server's deadline is stuck.
const STUCK: usize = 100;

pub(crate) struct Stage {
    pub(crate) phones: BTreeMap<String, Phone>,
    pub(crate) scope: Scope,
    pub(crate) disk: TestDisk,
    /// What was asked, by its name in the script.
    pub(crate) asks: BTreeMap<String, AskId>,
    /// Users that a phone of the script has registered.
    pub(crate) registered: Vec<String>,
    pub(crate) answers: BTreeMap<AskId, Answer>,
    pub(crate) now: Now,
    /// What the machine's wall clock shows, in milliseconds since 1970.
    system: u64,
    keeper: Timekeeper,
    /// The line that is played.
    pub(crate) line: usize,
    chopped: bool,
    config: Config,
    begun: bool,
    gateway: Option<Gateway>,
    open: BTreeMap<ConnId, String>,
    /// Connections whose phone has read everything, and which the server wants to hear of.
    flushed: VecDeque<ConnId>,
    /// Connections that are gone, which the server has not yet heard of.
    gone: VecDeque<ConnId>,
    asked: u64,
    seed: Rc<Cell<u64>>,
    /// Whether the script speaks of the presence of users.
    pub(crate) speaks_of_presence: bool,
}

impl Stage {
    /// `chopped`: every byte a phone sends comes in an event of its own.
    pub(crate) fn new(chopped: bool) -> Self {
        let mut config = Config::default();
        config.server.domain = "push.lan".to_owned();
        config.xmpp.settle = 0;
        let mut scope = Scope::default();
        scope.set("domain", "push.lan");
        Self {
            speaks_of_presence: false,
            phones: BTreeMap::new(),
            scope,
            disk: TestDisk::new(),
            asks: BTreeMap::new(),
            registered: Vec::new(),
            answers: BTreeMap::new(),
            now: Now {
                mono: Instant(1_000),
                ..Now::default()
            },
            system: BEGIN,
            keeper: Timekeeper::default(),
            line: 1,
            chopped,
            config,
            begun: false,
            gateway: None,
            open: BTreeMap::new(),
            flushed: VecDeque::new(),
            gone: VecDeque::new(),
            asked: 0,
            seed: Rc::new(Cell::new(1)),
        }
    }

    /// Applies `[server]`: before the first event to the new server, later to the running one.
    pub(crate) fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        for (key, value) in settings {
            configure(&mut self.config, key, value)?;
        }
        self.scope.set("domain", self.config.server.domain.clone());
        if let Some(gateway) = &mut self.gateway {
            gateway.configure(Rc::new(self.config.clone()));
        }
        self.settle()
    }

    /// Starts the server if it has never been.
    pub(crate) fn begin(&mut self) -> Result<(), String> {
        if self.begun { Ok(()) } else { self.start() }
    }

    pub(crate) fn gateway(&mut self) -> Result<&mut Gateway, String> {
        match &mut self.gateway {
            Some(gateway) => Ok(gateway),
            None => Err("the server does not run".to_owned()),
        }
    }

    pub(crate) fn start(&mut self) -> Result<(), String> {
        if self.gateway.is_some() {
            return Err("the server runs already".to_owned());
        }
        self.keeper = Timekeeper::default();
        self.read_clock();
        let gateway = Gateway::new(
            Rc::new(self.config.clone()),
            self.disk.open(),
            entropy(&self.seed),
            self.now,
        )
        .map_err(|error| format!("the server does not start: {error}"))?;
        self.gateway = Some(gateway);
        self.begun = true;
        self.settle()
    }

    /// SIGTERM. Every phone must have been told before the server is gone.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        self.handle(Event::Shutdown)?;
        self.settle()?;
        if let Some(phone) = self.open.values().next() {
            return Err(format!("the server stopped without closing {phone}"));
        }
        self.gateway = None;
        Ok(())
    }

    /// The machine is off at once: no bytes, no sync.
    pub(crate) fn cut_power(&mut self) {
        self.gateway = None;
        self.disk.cut_power();
        for (_, name) in std::mem::take(&mut self.open) {
            if let Some(phone) = self.phones.get_mut(&name) {
                phone.drop_connection();
            }
        }
        self.flushed.clear();
        self.gone.clear();
    }

    pub(crate) fn connect(&mut self, name: &str) -> Result<(), String> {
        // The lowest free number, as an edge with a table of slots gives it: ids come again.
        let conn = (0..)
            .map(ConnId)
            .find(|conn| !self.open.contains_key(conn) && !self.gone.contains(conn))
            .ok_or("no connection number is free")?;
        let phone = self.phone(name)?;
        phone.connect(conn)?;
        let peer = phone.peer;
        self.open.insert(conn, name.to_owned());
        self.handle(Event::Connected { conn, peer })?;
        self.settle()
    }

    /// A connection that begins with TLS.
    pub(crate) fn connect_with_tls(&mut self, name: &str) -> Result<(), String> {
        self.connect(name)?;
        let conn = self.phone(name)?.conn.ok_or("it is not connected")?;
        self.handle(Event::Secured { conn })
    }

    pub(crate) fn send(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let chopped = self.chopped;
        self.phone(name)?.send(bytes, chopped)?;
        self.settle()
    }

    /// The phone's end of the connection is gone.
    pub(crate) fn disconnect(&mut self, name: &str) -> Result<(), String> {
        let phone = self.phone(name)?;
        let conn = phone.conn.ok_or("it is not connected")?;
        phone.drop_connection();
        self.open.remove(&conn);
        self.gone.push_back(conn);
        self.settle()
    }

    pub(crate) fn read_again(&mut self, name: &str) -> Result<(), String> {
        let phone = self.phone(name)?;
        let stream = phone.read_again();
        let conn = phone.conn;
        self.note_stream(name, stream);
        self.flushed.extend(conn);
        self.settle()
    }

    pub(crate) fn ask(&mut self, request: Request) -> Result<AskId, String> {
        self.asked += 1;
        let ask = AskId(self.asked);
        self.handle(Event::Ask { ask, request })?;
        self.settle()?;
        Ok(ask)
    }

    /// Whoever asked does not wait any longer.
    pub(crate) fn forget(&mut self, ask: AskId) -> Result<(), String> {
        self.handle(Event::Forgotten { ask })?;
        self.settle()
    }

    pub(crate) fn phone(&mut self, name: &str) -> Result<&mut Phone, String> {
        self.phones
            .get_mut(name)
            .ok_or_else(|| format!("there is no phone {name}"))
    }

    /// Lets time pass, with a tick at each of the server's deadlines.
    pub(crate) fn advance(&mut self, time: Duration) -> Result<(), String> {
        let end = self.now.mono.after(time);
        let mut stuck = 0;
        while let Some(next) = self.gateway.as_ref().and_then(Gateway::next_deadline) {
            if next > end {
                break;
            }
            stuck = if next > self.now.mono { 0 } else { stuck + 1 };
            if stuck > STUCK {
                return Err("the server's deadline does not move on".to_owned());
            }
            self.pass(next.since(self.now.mono));
            self.handle(Event::Tick)?;
            self.settle()?;
        }
        self.pass(end.since(self.now.mono));
        self.settle()
    }

    /// The machine's wall clock jumps, as when a router learns the time.
    pub(crate) fn set_clock(&mut self, second: u64) -> Result<(), String> {
        self.system = second * 1000;
        self.wake()
    }

    /// The server sees it with whatever happens next.
    pub(crate) fn set_clock_unnoticed(&mut self, second: u64) {
        self.system = second * 1000;
        self.read_clock();
    }

    /// An administrator says what time it is.
    pub(crate) fn tell_time(&mut self, second: u64) -> Result<(), String> {
        let elapsed = self.now.mono.0;
        self.keeper
            .hint(Hinter::Administrator, second * 1000, elapsed);
        self.wake()
    }

    /// What the time is based on.
    pub(crate) fn basis(&self) -> Basis {
        self.keeper.basis()
    }

    /// The edge notices that the clock has been set.
    fn wake(&mut self) -> Result<(), String> {
        self.read_clock();
        if self.gateway.is_some() {
            self.handle(Event::Tick)?;
        }
        self.settle()
    }

    fn read_clock(&mut self) {
        self.now.wall = self.keeper.read(self.now.mono.0, self.system);
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono.after(time);
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.system = self.system.saturating_add(millis);
        self.read_clock();
    }

    /// Passes on everything that is on its way, until nothing is.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        for _ in 0..RESTLESS {
            if !self.settle_one()? {
                return Ok(());
            }
        }
        Err("the server never comes to rest".to_owned())
    }

    fn settle_one(&mut self) -> Result<bool, String> {
        if self.gateway.is_none() {
            return Ok(false);
        }
        if let Some(conn) = self.flushed.pop_front() {
            self.handle(Event::Flushed { conn })?;
        } else if let Some((ticket, outcome)) = self.disk.next_outcome() {
            self.handle(Event::Stored { ticket, outcome })?;
        } else if let Some((conn, bytes)) = self.next_input() {
            self.handle(Event::Received {
                conn,
                bytes: &bytes,
            })?;
        } else if let Some(conn) = self.gone.pop_front() {
            self.handle(Event::Disconnected { conn })?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The next bytes of a phone that may be read.
    fn next_input(&mut self) -> Option<(ConnId, Vec<u8>)> {
        let gateway = self.gateway.as_ref()?;
        let phones = &mut self.phones;
        self.open.iter().find_map(|(conn, name)| {
            if gateway.is_waiting(*conn) {
                return None;
            }
            Some((*conn, phones.get_mut(name)?.outgoing.pop_front()?))
        })
    }

    fn handle(&mut self, event: Event<'_>) -> Result<(), String> {
        let now = self.now;
        self.gateway()?.handle(event, now);
        let mut bytes = Vec::new();
        while let Some(action) = self.gateway()?.poll_action(&mut bytes, now) {
            self.perform(action, &bytes)?;
            bytes.clear();
        }
        Ok(())
    }

    fn perform(&mut self, action: Action, bytes: &[u8]) -> Result<(), String> {
        match action {
            Action::Send { conn, tell } => {
                let name = self.wire(conn)?;
                let phone = self.phone(&name)?;
                let stream = phone.take(bytes);
                // A phone that does not read has its socket flushed when it reads again.
                let flushed = tell && phone.reads;
                self.note_stream(&name, stream);
                if flushed {
                    self.flushed.push_back(conn);
                }
            }
            Action::Close { conn } => {
                let name = self.wire(conn)?;
                self.phone(&name)?.close()?;
                self.open.remove(&conn);
                self.flushed.retain(|other| *other != conn);
                self.gone.push_back(conn);
            }
            Action::StartTls { conn } => {
                let name = self.wire(conn)?;
                self.phone(&name)?.turns_to_tls();
            }
            Action::Resume { conn } => {
                self.wire(conn)?;
            }
            Action::Hint { from, millis } => {
                self.keeper.hint(from, millis, self.now.mono.0);
                self.read_clock();
            }
            Action::Answer { ask, answer } => {
                if self.answers.insert(ask, answer).is_some() {
                    return Err("a request was answered twice".to_owned());
                }
            }
        }
        Ok(())
    }

    /// The phone at the other end of an open connection.
    fn wire(&self, conn: ConnId) -> Result<String, String> {
        self.open
            .get(&conn)
            .cloned()
            .ok_or_else(|| format!("the server uses connection {}, which is gone", conn.0))
    }

    fn note_stream(&mut self, name: &str, stream: Option<String>) {
        if let Some(stream) = stream {
            self.scope.set(format!("{name}.stream"), stream);
        }
    }
}

fn configure(config: &mut Config, key: &str, value: &str) -> Result<(), String> {
    let number = || {
        value
            .parse::<usize>()
            .map_err(|_| format!("{key} wants a number, not {value:?}"))
    };
    match key {
        "domain" => value.clone_into(&mut config.server.domain),
        "alias" => config.server.aliases.push(value.to_owned()),
        "registration" => {
            config.xmpp.registration = match value {
                "open" => Registration::Open,
                "lan" => Registration::Lan,
                "token" => Registration::Token,
                "closed" => Registration::Closed,
                _ => return Err(format!("registration cannot be {value:?}")),
            }
        }
        "plaintext-login" => config.xmpp.plaintext_login = value == "yes",
        "tls" => config.tls.enabled = value == "yes",
        "settle" => config.xmpp.settle = number()? as u64,
        "idle" => config.xmpp.idle = number()? as u64,
        "push-from" => value.clone_into(&mut config.push.from),
        "message-type" => {
            config.push.message_type = match value {
                "chat" => MessageType::Chat,
                "headline" => MessageType::Headline,
                _ => return Err(format!("a message's type cannot be {value:?}")),
            }
        }
        "api-key" => value.clone_into(&mut config.push.api_key),
        "queue" => config.push.queue = number()?,
        "history" => config.push.history = number()?,
        "history-days" => config.push.history_days = number()? as u32,
        "history-bytes" => config.push.history_bytes = number()? as u64,
        "shared" => config.roster.shared.push(value.to_owned()),
        "connections" => config.limits.connections = number()?,
        _ => return Err(format!("the server has no setting {key:?}")),
    }
    Ok(())
}

/// Bytes that look random and are the same in every run; they go on over a restart.
fn entropy(seed: &Rc<Cell<u64>>) -> Entropy {
    let seed = Rc::clone(seed);
    Box::new(move |buffer| {
        for byte in buffer {
            // SplitMix64: an odd step, then bits mixed so that neighbours look unlike.
            seed.set(seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
            let mut mixed = seed.get();
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (mixed >> 56) as u8;
        }
    })
}
