//! The gateway, its disk and its clients, and what has to be true of them in the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use lanpush::config::Config;
use lanpush::push::memory_store::MemoryStore;
use lanpush::push::notification::Target;
use lanpush::push::store::Account;
use lanpush::push::{Action, AskId, ConnId, Done, Draft, Event, Gateway, Request};
use lanpush::time::{Instant, Now, Timekeeper};

use super::client::Client;
use super::random::Random;

/// 2026-01-01T00:00:00Z, when every simulation begins.
const BEGIN: u64 = 1_767_225_600_000;
/// Rounds after which everything has come to rest.
const RESTLESS: usize = 20_000;
/// Of so many cuts one may hit a login.
const LOGINS_HELD: usize = 8;
/// Steps that are shown when something is wrong.
const SHOWN: usize = 400;

/// A message somebody has sent.
struct Sent {
    by: usize,
    to: &'static str,
    /// Whether it is meant for one session.
    full: bool,
}

pub(crate) struct World {
    random: Random,
    config: Rc<Config>,
    gateway: Option<Gateway>,
    store: MemoryStore,
    outcomes: VecDeque<Event<'static>>,
    clients: Vec<Client>,
    /// Connections that are gone, of which the server has not heard.
    gone: VecDeque<ConnId>,
    now: Now,
    keeper: Timekeeper,
    system: u64,
    asked: u64,
    /// Whether sessions are lost too.
    harsh: bool,
    restarts: usize,
    sent: BTreeMap<String, Sent>,
    requests: BTreeMap<String, usize>,
    /// Whom each push is for.
    pushes: Vec<(String, &'static str)>,
    pub(crate) trace: VecDeque<String>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut config = Config::default();
        config.server.domain = "push.lan".to_owned();
        config.xmpp.settle = 0;
        let mut world = Self {
            random: Random::new(seed),
            config: Rc::new(config),
            gateway: None,
            store: MemoryStore::new(),
            outcomes: VecDeque::new(),
            clients: vec![
                Client::new("ann", "ann-phone"),
                Client::new("ben", "ben-phone"),
                Client::new("ben", "ben-desk"),
            ],
            gone: VecDeque::new(),
            now: Now {
                mono: Instant(1_000),
                ..Now::default()
            },
            keeper: Timekeeper::default(),
            system: BEGIN,
            asked: 0,
            harsh: seed.is_multiple_of(2),
            restarts: 0,
            sent: BTreeMap::new(),
            requests: BTreeMap::new(),
            pushes: Vec::new(),
            trace: VecDeque::new(),
        };
        world.start();
        world
    }

    fn note(&mut self, what: String) {
        if self.trace.len() == SHOWN {
            self.trace.pop_front();
        }
        self.trace.push_back(what);
    }

    fn start(&mut self) {
        self.now.wall = self.keeper.read(self.now.mono.0, self.system);
        let store = Box::new(self.store.clone());
        let entropy = self.random.entropy();
        let gateway = Gateway::new(Rc::clone(&self.config), store, entropy, self.now);
        self.gateway = Some(gateway.expect("the store can be read"));
    }

    /// Plays until sessions have been resumed so often, then lets all come to rest.
    pub(crate) fn run(&mut self, resumptions: usize) {
        for name in ["ann", "ben"] {
            let account = Account {
                name: name.to_owned(),
                password: "secret".to_owned(),
                ..Account::default()
            };
            self.request(Request::PutAccount {
                account,
                replace: false,
            });
        }
        self.rest();
        for index in 0..self.clients.len() {
            self.connect(index);
            self.rest();
        }
        let mut steps = 0;
        while self.most_resumptions() < resumptions {
            steps += 1;
            assert!(steps < 200_000, "nobody comes back");
            self.step();
        }
        self.finish();
    }

    /// How often one session has gone on; where sessions are lost as well, how often all of them have.
    fn most_resumptions(&self) -> usize {
        let each = self.clients.iter().map(|client| client.resumptions);
        if self.harsh {
            each.sum()
        } else {
            each.max().unwrap_or(0)
        }
    }

    fn step(&mut self) {
        let index = self.random.below(self.clients.len());
        match self.random.below(100) {
            0..25 => self.carry_to_server(index),
            25..50 => self.carry_to_client(index),
            50..62 => self.write(index),
            62..70 => self.clients[index].answer(),
            70..75 => self.clients[index].ask(),
            75..80 => self.push(),
            80..84 => self.cut(index),
            84..88 => self.server_notices(),
            88..94 => self.connect(index),
            94..97 => self.stored(),
            97 => {
                self.note("the disk is slow".to_owned());
                self.store.hold();
            }
            98 => {
                let most = if self.harsh && self.random.one_in(6) {
                    100_000_000
                } else {
                    40_000
                };
                let millis = self.random.next() % most;
                self.note(format!("{millis} ms pass"));
                self.advance(Duration::from_millis(millis));
            }
            _ if self.harsh && self.random.one_in(8) => self.restart(),
            _ => {
                self.note("the disk goes on".to_owned());
                self.store.release();
            }
        }
    }

    // ---- what happens --------------------------------------------------------------------------

    fn connect(&mut self, index: usize) {
        if self.clients[index]
            .wire
            .as_ref()
            .is_some_and(|wire| !wire.closed)
        {
            return;
        }
        let taken = |conn: &ConnId| {
            let mut open = self
                .clients
                .iter()
                .filter_map(|client| client.wire.as_ref());
            self.gone.contains(conn) || open.any(|wire| wire.conn == *conn)
        };
        let conn = (0..).map(ConnId).find(|conn| !taken(conn)).unwrap();
        if let Some(wire) = self.clients[index].wire.take() {
            self.gone.push_back(wire.conn);
        }
        let user = self.clients[index].user;
        let other = self.clients.iter().find(|other| other.user != user);
        let other = other.and_then(|other| other.session.clone());
        let errs = match self.random.below(12) {
            0 => other.filter(|_| self.clients[index].session.is_some()),
            1 => Some("7f-0".to_owned()),
            2 => Some("!".to_owned()),
            _ => None,
        };
        let client = &mut self.clients[index];
        client.note.clear();
        client.errs = errs.filter(|_| client.session.is_some());
        if client.errs.as_ref().is_some_and(|id| id != "!") {
            client.note.push("errs".to_owned());
        }
        client.connect(conn);
        self.note(format!(
            "{} connects as {conn:?}",
            self.clients[index].resource
        ));
        let peer = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 20));
        self.handle(Event::Connected { conn, peer });
    }

    fn cut(&mut self, index: usize) {
        // A login takes many steps; if all of them were as likely to be the last, hardly any came to its end.
        if self.clients[index].is_logging_in() && !self.random.one_in(LOGINS_HELD) {
            return;
        }
        let random = self.random.clone();
        if let Some((conn, last)) = self.clients[index].cut(&random) {
            self.note(format!("{} loses {conn:?}", self.clients[index].resource));
            if !self.gateway.as_ref().unwrap().is_waiting(conn) {
                self.gone.push_back(conn);
                self.handle(Event::Received { conn, bytes: &last });
            } else {
                self.gone.push_back(conn);
            }
            if random.one_in(2) {
                self.server_notices();
            }
        }
    }

    fn server_notices(&mut self) {
        if let Some(conn) = self.gone.pop_front() {
            self.note(format!("the server sees that {conn:?} is gone"));
            self.handle(Event::Disconnected { conn });
        }
    }

    fn carry_to_server(&mut self, index: usize) {
        let Some(wire) = &mut self.clients[index].wire else {
            return;
        };
        let conn = wire.conn;
        let length = wire.to_server.len();
        if wire.closed || length == 0 || self.gateway.as_ref().unwrap().is_waiting(conn) {
            return;
        }
        let count = if self.random.one_in(3) {
            1 + self.random.below(length)
        } else {
            length
        };
        let bytes: Vec<u8> = wire.to_server.drain(..count).collect();
        self.handle(Event::Received {
            conn,
            bytes: &bytes,
        });
    }

    fn carry_to_client(&mut self, index: usize) {
        let Some(wire) = &self.clients[index].wire else {
            return;
        };
        let length = wire.to_client.len();
        let count = if self.random.one_in(3) {
            self.random.below(length + 1)
        } else {
            length
        };
        let before = self.clients[index].got.messages.len();
        self.clients[index].read(count);
        let client = &self.clients[index];
        let news = client.got.messages[before..].join(" ");
        if !news.is_empty() {
            self.note(format!("{} gets {news}", client.resource));
        }
    }

    /// A client writes to the other user, or asks the server something.
    fn write(&mut self, index: usize) {
        if !self.clients[index].is_on() {
            return;
        }
        let number = self.sent.len() + self.requests.len();
        let id = format!("{number:06}");
        let to = if self.clients[index].user == "ann" {
            "ben"
        } else {
            "ann"
        };
        match self.random.below(8) {
            0 => {
                self.requests.insert(id.clone(), index);
                let ping = format!("<iq type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>");
                self.clients[index].send(&ping);
            }
            // The disk has to have it before it is answered.
            1 => {
                self.requests.insert(id.clone(), index);
                self.clients[index].send(&format!(
                    "<iq type='set' id='{id}'><query xmlns='jabber:iq:private'>\
                     <x xmlns='test:x{}'>{id}</x></query></iq>",
                    self.random.below(3)
                ));
            }
            2 => {
                let show = ["<presence/>", "<presence><show>away</show></presence>"];
                let show: &&str = self.random.pick(&show);
                self.clients[index].send(show);
            }
            kind => {
                let full = kind < 5;
                let address = match (full, to) {
                    (false, _) => format!("{to}@push.lan"),
                    (true, "ann") => "ann@push.lan/ann-phone".to_owned(),
                    (true, _) => "ben@push.lan/ben-phone".to_owned(),
                };
                let by = self.clients[index].resource;
                self.note(format!("{by} sends {id} to {address}"));
                self.sent.insert(
                    id.clone(),
                    Sent {
                        by: index,
                        to,
                        full,
                    },
                );
                self.clients[index].send(&format!(
                    "<message type='chat' id='{id}' to='{address}'><body>{id}</body></message>"
                ));
            }
        }
    }

    fn push(&mut self) {
        let user = *self.random.pick(&["ann", "ben"]);
        self.request(Request::Notify(Draft {
            target: Target::User(user.to_owned()),
            title: "push".to_owned(),
            message: user.to_owned(),
            uri: String::new(),
            extras: Box::default(),
        }));
    }

    fn request(&mut self, request: Request) {
        self.asked += 1;
        let ask = AskId(self.asked);
        self.handle(Event::Ask { ask, request });
    }

    /// The server stops and starts again; nobody can resume anything.
    fn restart(&mut self) {
        self.store.release();
        self.stored();
        self.note("the server restarts".to_owned());
        self.restarts += 1;
        self.handle(Event::Shutdown);
        self.stored();
        self.gateway = None;
        let _ = self.store.take_stored();
        self.gone.clear();
        let random = self.random.clone();
        for client in &mut self.clients {
            let _ = client.cut(&random);
        }
        self.start();
    }

    /// The gateway hears of what is on the disk.
    fn stored(&mut self) {
        for (ticket, outcome) in self.store.take_stored() {
            self.handle(Event::Stored { ticket, outcome });
        }
    }

    fn advance(&mut self, time: Duration) {
        let end = self.now.mono.after(time);
        let mut ticks = 0;
        while let Some(next) = self.gateway.as_ref().unwrap().next_deadline()
            && next <= end
        {
            self.pass(next.since(self.now.mono));
            self.handle(Event::Tick);
            self.stored();
            ticks += 1;
            assert!(ticks < 20_000, "the deadline does not move on");
        }
        self.pass(end.since(self.now.mono));
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono.after(time);
        self.system += u64::try_from(time.as_millis()).unwrap();
        self.now.wall = self.keeper.read(self.now.mono.0, self.system);
    }

    fn handle(&mut self, event: Event<'_>) {
        let now = self.now;
        self.gateway.as_mut().unwrap().handle(event, now);
        let mut bytes = Vec::new();
        while let Some(action) = self.gateway.as_mut().unwrap().poll_action(&mut bytes, now) {
            match action {
                Action::Send { conn, tell } => {
                    if let Some(client) = self.client_on(conn) {
                        client
                            .wire
                            .as_mut()
                            .unwrap()
                            .to_client
                            .extend_from_slice(&bytes);
                    }
                    if tell {
                        self.outcomes.push_back(Event::Flushed { conn });
                    }
                }
                Action::Close { conn } => {
                    self.note(format!("the server closes {conn:?}"));
                    if let Some(client) = self.client_on(conn) {
                        client.wire.as_mut().unwrap().closed = true;
                    }
                }
                Action::Answer { answer, .. } => match answer {
                    Ok(Done::Accepted { id, .. }) => {
                        self.note(format!("push {id}"));
                        let view = self.gateway.as_ref().unwrap().notification(id, 0, 9);
                        let user = view.unwrap().unwrap().notification.message;
                        let user = if user == "ann" { "ann" } else { "ben" };
                        self.pushes.push((id.to_string(), user));
                    }
                    Ok(_) => {}
                    Err(why) => panic!("refused: {why:?}"),
                },
                Action::Resume { .. } | Action::Hint { .. } => {}
                Action::StartTls { conn } => panic!("nobody has asked for TLS on {conn:?}"),
            }
            bytes.clear();
        }
        while let Some(event) = self.outcomes.pop_front() {
            self.handle(event);
        }
    }

    fn client_on(&mut self, conn: ConnId) -> Option<&mut Client> {
        let on = |client: &&mut Client| client.wire.as_ref().is_some_and(|wire| wire.conn == conn);
        self.clients.iter_mut().find(on)
    }

    // ---- the end -------------------------------------------------------------------------------

    /// Everything on its way arrives.
    fn rest(&mut self) {
        self.store.release();
        for _ in 0..RESTLESS {
            self.stored();
            let mut moved = false;
            for index in 0..self.clients.len() {
                self.clients[index].answer();
                let Some(wire) = &self.clients[index].wire else {
                    continue;
                };
                let waits = self.gateway.as_ref().unwrap().is_waiting(wire.conn);
                let writes = !wire.to_server.is_empty() && !wire.closed && !waits;
                moved |= writes || !wire.to_client.is_empty();
                self.carry_to_server(index);
                self.carry_to_client(index);
            }
            if !moved {
                return;
            }
        }
        panic!("they never come to rest");
    }

    fn finish(&mut self) {
        self.note("the end begins".to_owned());
        for _ in 0..40 {
            self.rest();
            while !self.gone.is_empty() {
                self.server_notices();
            }
            for index in 0..self.clients.len() {
                self.connect(index);
            }
            self.rest();
            self.clients
                .iter_mut()
                .filter(|client| client.is_on())
                .for_each(Client::ask);
            self.rest();
            self.advance(Duration::from_secs(20));
        }
        self.rest();
        for client in &self.clients {
            assert!(
                client.is_done(),
                "{} is not done: {:?}",
                client.resource,
                client.note
            );
        }
        self.check_messages();
        self.check_pushes();
        self.check_answers();
        let status = self.gateway.as_ref().unwrap().status(self.now);
        assert_eq!((status.sessions, status.waiting), (self.clients.len(), 0));
    }

    fn check_messages(&self) {
        let perhaps: String = self
            .clients
            .iter()
            .flat_map(|client| client.perhaps.clone())
            .collect();
        for (id, Sent { by, to, full }) in &self.sent {
            let readers = self.clients.iter().filter(|client| client.user == *to);
            let times =
                |client: &Client| client.got.messages.iter().filter(|got| *got == id).count();
            let each: Vec<usize> = readers.clone().map(times).collect();
            let all: usize = each.iter().sum();
            let bounced = self.clients[*by].got.bounced.contains(id);
            let is_sure = !perhaps.contains(&format!("id='{id}'"));
            assert!(
                all > 0 || bounced || !is_sure,
                "message {id} for {to} is lost"
            );
            if !self.harsh {
                assert!(!bounced, "message {id} came back");
                assert!(
                    each.iter().all(|times| *times <= 1),
                    "message {id} is repeated: {each:?}"
                );
                assert!(!full || all == 1, "message {id} is there {all} times");
            }
            let losses: usize = readers.map(|client| client.losses).sum();
            assert!(
                all <= each.len() * (1 + losses + self.restarts),
                "message {id}: {each:?}"
            );
        }
        for client in self.clients.iter().filter(|_| !self.harsh) {
            for by in 0..self.clients.len() {
                let own = client
                    .got
                    .messages
                    .iter()
                    .filter(|id| self.sent[*id].by == by);
                let own: Vec<&String> = own.collect();
                assert!(
                    own.is_sorted(),
                    "{} gets out of order {own:?}",
                    client.resource
                );
            }
        }
    }

    fn check_pushes(&self) {
        for client in &self.clients {
            let own = self.pushes.iter().filter(|(_, user)| *user == client.user);
            let own: Vec<&String> = own.map(|(id, _)| id).collect();
            let got: Vec<&String> = client.got.pushes.iter().collect();
            if !self.harsh {
                assert_eq!(got, own, "pushes of {}", client.resource);
            }
            let got: BTreeSet<&String> = got.into_iter().collect();
            assert_eq!(
                got,
                own.into_iter().collect(),
                "pushes of {}",
                client.resource
            );
        }
    }

    fn check_answers(&self) {
        for (id, index) in &self.requests {
            let client = &self.clients[*index];
            let times = client.got.answers.get(id).copied().unwrap_or(0);
            let is_sure = client.losses == 0 && self.restarts == 0;
            assert!(times <= 1, "request {id} is answered {times} times");
            assert!(
                times == 1 || !is_sure,
                "request {id} of {} is not answered",
                client.resource
            );
        }
    }
}
