//! What may happen next, chosen at random, and how a simulation ends.

use std::collections::BTreeSet;
use std::time::Duration;

use lanpush::push::notification::{DeliveryState, Extras, Link, NotificationId, Priority, Target};
use lanpush::push::{AskId, ConnId, Draft, Event, Request, TopicOf, Until, Withdrawal};
use lanpush::time::keeper::{CEILING, FLOOR};

use super::phone::{Asked, Habits, Knowledge, Phone, Wire};
use super::world::{BEGIN, World, by_state};

/// Events after which a server that still has something to do will never come to rest.
const RESTLESS: usize = 100_000;

/// A phone of each kind, some of them the same user's.
fn household() -> Vec<Phone> {
    let phone = |user: &str, resource: &str, habits: Habits| Phone {
        user: user.to_owned(),
        resource: resource.to_owned(),
        habits,
    };
    let stock = Habits::default();
    let is = |change: fn(&mut Habits)| {
        let mut habits = Habits::default();
        change(&mut habits);
        habits
    };
    vec![
        phone("ann", "AndroidpnClient", stock),
        phone("ann", "Tablet", is(|habits| habits.results = true)),
        phone(
            "ben",
            "AndroidpnClient",
            is(|habits| habits.confirms = true),
        ),
        phone("cat", "AndroidpnClient", is(|habits| habits.silent = true)),
        phone("dan", "AndroidpnClient", is(|habits| habits.hides = true)),
        phone("eve", "AndroidpnClient", is(|habits| habits.doubles = true)),
        phone(
            "fay",
            "AndroidpnClient",
            is(|habits| habits.pipelines = true),
        ),
        phone("gus", "AndroidpnClient", is(|habits| habits.lies = true)),
        phone("hal", "AndroidpnClient", is(|habits| habits.wanders = true)),
        phone("ida", "AndroidpnClient", is(|habits| habits.labels = true)),
        phone("jon", "AndroidpnClient", is(|habits| habits.topics = true)),
        phone(
            "jon",
            "Tablet",
            is(|habits| {
                habits.topics = true;
                habits.labels = true;
            }),
        ),
        phone(
            "ida",
            "Watch",
            is(|habits| {
                habits.pongs = true;
                habits.labels = true;
                habits.doubles = true;
            }),
        ),
        phone(
            "fay",
            "Tablet",
            is(|habits| {
                habits.pipelines = true;
                habits.hides = true;
                habits.results = true;
            }),
        ),
    ]
}

impl World {
    pub(crate) fn run(&mut self, steps: usize) {
        self.phones = household();
        for step in 0..steps {
            self.step();
            if step % 16 == 0 {
                self.audit();
            }
        }
        self.finish();
    }

    fn step(&mut self) {
        match self.random.below(200) {
            0..60 => self.some_bytes(),
            60..115 => self.some_phone_reads(),
            115..130 => self.some_phone_connects(),
            130..148 => self.some_push(),
            148..158 => self.outcome(),
            158..166 => self.some_flush(),
            166..172 => self.some_chat(),
            172..177 => self.some_cut(),
            177..182 => self.some_end(),
            182..190 => self.disk_moves(),
            190..195 => self.time_passes(),
            195..197 => self.administrate(),
            197 => self.some_second_thought(),
            198 => self.some_wait(),
            _ if self.random.one_in(4) => self.jump(),
            _ if self.random.one_in(6) => self.restart(),
            _ => self.rest(),
        }
    }

    /// Conn of a random wire for which something holds.
    fn some_wire(&self, wanted: impl Fn(&Wire) -> bool) -> Option<ConnId> {
        let found: Vec<ConnId> = self
            .wires
            .iter()
            .filter(|wire| wanted(wire))
            .map(|wire| wire.conn)
            .collect();
        (!found.is_empty()).then(|| *self.random.pick(&found))
    }

    fn some_bytes(&mut self) {
        let ready = |wire: &Wire| !wire.outgoing.is_empty() && !wire.closed;
        let Some(conn) = self.some_wire(ready) else {
            return;
        };
        let most = self.wire(conn).outgoing.len();
        let count = match self.random.below(4) {
            0 => 1,
            1 => 1 + self.random.below(most.min(200)),
            _ => most,
        };
        self.give(conn, count);
    }

    fn give(&mut self, conn: ConnId, count: usize) {
        let waits = self
            .gateway
            .as_ref()
            .is_some_and(|gateway| gateway.is_waiting(conn));
        if !waits && !self.wire(conn).closed {
            self.receive(conn, count);
        }
    }

    fn some_phone_reads(&mut self) {
        let ready = |wire: &Wire| !wire.inbox.is_empty() && !wire.dead;
        if let Some(conn) = self.some_wire(ready) {
            let phone = self.wire(conn).phone;
            if !self.phones[phone].habits.silent || self.random.one_in(4) {
                self.read(conn);
            }
        }
    }

    fn read(&mut self, conn: ConnId) {
        let random = self.random.clone();
        // What waits for its time is nobody's yet.
        let at_once = |id: &&NotificationId| {
            let push = &self.model.pushes[&self.model.ids[*id]];
            push.draft.extras.deliver_at == 0
        };
        let ids = self.model.ids.keys().filter(at_once);
        let ids: Vec<NotificationId> = ids.copied().collect();
        let any_id = match ids.is_empty() || random.one_in(4) {
            true => NotificationId(u128::from(random.next()) << 20),
            false => *random.pick(&ids),
        };
        let index = self
            .wires
            .iter()
            .position(|wire| wire.conn == conn)
            .unwrap();
        let phone = &self.phones[self.wires[index].phone];
        let user = self.model.user(&phone.user);
        let known = Knowledge {
            phone,
            password: &user.password,
            version: user.version,
            any_id,
        };
        let wire = &mut self.wires[index];
        let meant = wire.meanings.len();
        wire.read_one(&known, &random);
        let said: Vec<NotificationId> = wire
            .meanings
            .iter()
            .skip(meant)
            .flat_map(|(_, meaning)| match meaning {
                super::phone::Meaning::Pong { read, .. } => read.clone(),
                super::phone::Meaning::Confirmed(id) => vec![*id],
            })
            .collect();
        if let Some(key) = wire.device.clone() {
            for id in said {
                self.model.says(&key, id);
            }
        }
    }

    fn some_phone_connects(&mut self) {
        let phone = self.random.below(self.phones.len());
        let connected = self
            .wires
            .iter()
            .any(|wire| wire.phone == phone && !wire.dead);
        let doubles = self.phones[phone].habits.doubles && self.random.one_in(4);
        if !connected || doubles {
            self.call(phone);
        }
    }

    fn call(&mut self, phone: usize) {
        if self.phones[phone].habits.wanders {
            self.phones[phone].resource = format!("r{}", self.random.next());
        }
        let conn = self.connect(phone);
        let index = self
            .wires
            .iter()
            .position(|wire| wire.conn == conn)
            .unwrap();
        let phone = &self.phones[phone];
        let user = self.model.user(&phone.user);
        let known = Knowledge {
            phone,
            password: &user.password,
            version: user.version,
            any_id: NotificationId(0),
        };
        self.wires[index].open(&known);
    }

    fn some_user(&self) -> String {
        let users = [
            "ann", "ben", "cat", "dan", "eve", "fay", "gus", "hal", "ida", "jon", "zoe",
        ];
        (*self.random.pick(&users)).to_owned()
    }

    fn some_target(&self) -> Target {
        let tags = |text: &str| Target::Tags(text.parse().unwrap());
        match self.random.below(14) {
            0..3 => Target::Everyone,
            3 => Target::Alias(format!("a{}", self.random.below(4))),
            4 => {
                const CONDITIONS: [&str; 5] = ["t0", "t1 & !t2", "t9 & (t0 | !t1)", "!t9", "t3"];
                let condition: &&str = self.random.pick(&CONDITIONS);
                tags(condition)
            }
            5 => Target::Topic((*self.random.pick(&["p0", "p1", "p2", "p9", "p10"])).to_owned()),
            6 => {
                let phone = self.random.pick(&self.phones);
                Target::Device {
                    user: phone.user.clone(),
                    resource: phone.resource.clone(),
                }
            }
            _ => Target::User(self.some_user()),
        }
    }

    fn some_extras(&self) -> Extras {
        let random = &self.random;
        let mut extras = Extras::default();
        if random.one_in(2) {
            extras.priority = Priority::new(u8::try_from(1 + random.below(5)).unwrap()).unwrap();
        }
        if random.one_in(5) {
            extras.ttl = *random.pick(&[1, 30, 600, 4_000, 200_000]);
        }
        if random.one_in(7) {
            let ahead = random.below(*random.pick(&[20, 900, 200_000]));
            extras.deliver_at = self.now.wall.seconds() + u64::try_from(ahead).unwrap();
        }
        if random.one_in(4) {
            extras.sequence = format!("s{}", random.below(3));
            extras.sender = (*random.pick(&["", "", "door"])).to_owned();
        }
        if random.one_in(8) {
            extras.tags = vec!["<&>".to_owned(), "warning".to_owned()];
            extras.actions = vec![Link {
                label: "open \"it\"".to_owned(),
                uri: "http://192.168.1.9/?a=1&b=2".to_owned(),
            }];
            extras.silent = random.one_in(2);
        }
        extras
    }

    fn some_push(&mut self) {
        let target = self.some_target();
        let count = if self.random.one_in(12) { 30 } else { 1 };
        let extras = self.some_extras();
        for _ in 0..count {
            let number = self.model.pushes.len();
            let length = if self.random.one_in(20) { 12_000 } else { 10 };
            self.ask(Request::Notify(Draft {
                target: target.clone(),
                title: format!("<{number}> & 'more'"),
                message: format!("m{number} {}", "é<".repeat(length / 3)),
                uri: String::new(),
                extras: Box::new(extras.clone()),
            }));
        }
    }

    /// Something that was accepted, mostly of late; or nothing at all.
    fn some_id(&self) -> NotificationId {
        let newest = self.model.kept.iter().rev();
        let newest = newest.take(1 + self.random.below(20));
        let ids: Vec<NotificationId> = newest.copied().collect();
        if ids.is_empty() || self.random.one_in(20) {
            return NotificationId(u128::from(self.random.next()) << 20);
        }
        *self.random.pick(&ids)
    }

    /// A sender takes something back.
    fn some_second_thought(&mut self) {
        let id = self.some_id();
        let push = self.model.ids.get(&id).map(|push| &self.model.pushes[push]);
        let withdrawal = match push.map(|push| &push.draft) {
            Some(draft) if !draft.extras.sequence.is_empty() && self.random.one_in(2) => {
                Withdrawal::Sequence {
                    sequence: draft.extras.sequence.clone(),
                    target: draft.target.clone(),
                    sender: draft.extras.sender.clone(),
                }
            }
            _ => Withdrawal::Id(id),
        };
        self.ask(Request::Withdraw(withdrawal));
    }

    /// A sender waits, or no longer.
    fn some_wait(&mut self) {
        if self.random.one_in(5) {
            let waits = self.model.asks.iter();
            let waits = waits.filter(|(_, request)| matches!(request, Request::Wait { .. }));
            let waits: Vec<AskId> = waits.map(|(ask, _)| *ask).collect();
            if !waits.is_empty() {
                self.forget(*self.random.pick(&waits));
            }
            return;
        }
        let id = self.some_id();
        let until = [Until::Sent, Until::Acknowledged, Until::Confirmed];
        let until = *self.random.pick(&until);
        self.ask(Request::Wait { id, until });
    }

    fn outcome(&mut self) {
        if let Some((ticket, outcome)) = self.disk.outcomes.pop_front() {
            self.handle(Event::Stored { ticket, outcome });
        }
    }

    fn some_flush(&mut self) {
        let hurry = self.random.one_in(2);
        let ready = |wire: &Wire| {
            wire.tell && !wire.dead && !wire.closed && (hurry || wire.inbox.is_empty())
        };
        if let Some(conn) = self.some_wire(ready) {
            self.wire(conn).tell = false;
            self.handle(Event::Flushed { conn });
        }
    }

    fn some_chat(&mut self) {
        if let Some(conn) = self.some_wire(|wire| !wire.dead && !wire.ended) {
            let random = self.random.clone();
            let phone = self.wire(conn).phone;
            let habits = self.phones[phone].habits;
            self.wire(conn).chat(habits, &random);
        }
    }

    /// A connection breaks; the server may hear of it much later.
    fn some_cut(&mut self) {
        if let Some(conn) = self.some_wire(|wire| !wire.dead) {
            if self.random.one_in(2) {
                self.wire(conn).dead = true;
            } else {
                self.disconnect(conn);
            }
        }
    }

    fn some_end(&mut self) {
        if let Some(Wire { conn, .. }) = self.gone.pop() {
            self.handle(Event::Disconnected { conn });
        } else if let Some(conn) = self.some_wire(|wire| wire.dead || wire.closed) {
            self.disconnect(conn);
        }
    }

    fn disk_moves(&mut self) {
        let random = self.random.clone();
        match self.random.below(14) {
            12.. => self.disk.flush(false, &random),
            0 => self.disk.hold(),
            1..5 => self.disk.release_one(),
            5..9 => self.disk.release(),
            9 => {
                let count = 1 + random.below(3);
                self.note(format!("disk refuses {count} batches"));
                self.disk.refuse(count, &random);
            }
            10 => self.disk.fail_reads(true),
            _ => self.disk.fail_reads(false),
        }
    }

    fn time_passes(&mut self) {
        let most = *self.random.pick(&[100, 5_000, 40_000, 200_000]);
        let time = Duration::from_millis(self.random.next() % most);
        self.note(format!("{time:?} pass"));
        self.advance(time);
    }

    /// The clock of the machine is set: to anything from 1970 to 2100, to what may be true, by a little, or
    /// to where it was believed to be.
    fn jump(&mut self) {
        let day = 86_400_000;
        self.system = match self.random.below(5) {
            0 => self.random.next() % 4_102_444_800_000,
            1 => BEGIN + self.random.next() % (CEILING - FLOOR - 30 * 86_400) * 1000,
            2 => self.system.saturating_sub(self.random.next() % day),
            3 => self.system + self.random.next() % day,
            _ => self.now.wall.millis.max(BEGIN),
        };
        let millis = self.system;
        self.note(format!("the clock jumps to {millis}"));
        self.look_at_the_clock();
        if self.random.one_in(2) {
            self.handle(Event::Tick);
        }
    }

    fn administrate(&mut self) {
        let name = self.some_user();
        let password = format!("secret {}", self.random.below(1000));
        let topic = TopicOf {
            topic: format!("p{}", self.random.below(3)),
            user: name.clone(),
            resource: self.random.one_in(3).then(|| "AndroidpnClient".to_owned()),
        };
        let request = match self.random.below(10) {
            // Whose password is kept as keys takes long to log in.
            0 => Request::AddUser { name, password },
            1 => Request::SetPassword { name, password },
            2 => Request::RemoveUser { name },
            3..8 => Request::Subscribe(topic),
            _ => Request::Unsubscribe(topic),
        };
        self.ask(request);
    }

    /// The process ends, with or without a warning, and starts again.
    fn restart(&mut self) {
        self.disk.fail_reads(false);
        match self.random.below(3) {
            0 => {
                self.note("the power is cut");
            }
            1 => {
                self.note("the process is killed");
                for _ in 0..self.random.below(4) {
                    self.disk.release_one();
                }
            }
            _ => {
                self.note("the server stops");
                self.handle(Event::Shutdown);
                assert!(
                    self.wires.iter().all(|wire| wire.closed),
                    "not told of the end"
                );
                self.disk.release();
                let random = self.random.clone();
                self.disk.flush(true, &random);
            }
        }
        self.stop();
        self.start();
    }

    /// Everything that can happen does, for a while.
    fn all_goes_well(&mut self) {
        self.note("all goes well");
        self.disk.fail_reads(false);
        self.disk.release();
        for _ in 0..RESTLESS {
            if !self.settle_one() {
                return;
            }
        }
        panic!("the server never comes to rest");
    }

    /// The same, until nothing is left to be sent to a phone that is there.
    fn rest(&mut self) {
        self.all_goes_well();
        self.advance(Duration::from_secs(self.config.xmpp.settle + 1));
        self.all_goes_well();
        let is_there = |wire: &&Wire| !self.phones[wire.phone].habits.hides;
        let wires = self.wires.iter().filter(is_there);
        let keys = wires.filter_map(|wire| wire.device.as_ref());
        let there: BTreeSet<String> = keys.map(|key| format!("{}/{}", key.0, key.2)).collect();
        let queued = |state: DeliveryState| state == DeliveryState::Queued;
        let views = self.views();
        let mut left = by_state(&views, queued).filter(|(_, label)| there.contains(label));
        let left = left.next();
        // What could not be read is tried again when the phone is next heard of.
        assert!(
            left.is_none() || self.disk.was_unreadable,
            "not sent: {left:?}"
        );
        self.disk.was_unreadable &= left.is_some();
    }

    fn settle_one(&mut self) -> bool {
        if !self.disk.outcomes.is_empty() {
            self.outcome();
        } else if let Some(Wire { conn, .. }) = self.gone.pop() {
            self.handle(Event::Disconnected { conn });
        } else if let Some(conn) = self.some_wire(|wire| wire.dead || wire.ended && wire.closed) {
            self.disconnect(conn);
        } else if let Some(conn) = self.some_wire(|wire| !wire.inbox.is_empty()) {
            self.read(conn);
        } else if let Some(conn) = self.some_wire(|wire| wire.tell && !wire.closed) {
            self.wire(conn).tell = false;
            self.handle(Event::Flushed { conn });
        } else if let Some(conn) = self.some_wire(|wire| self.takes_bytes(wire)) {
            let count = self.wire(conn).outgoing.len();
            self.give(conn, count);
        } else {
            return false;
        }
        true
    }

    /// Whether there is something to give to the server that it takes now. With a disk that works it takes
    /// all but what stands behind a password or a registration that has to wait for its turn: only time ends that.
    fn takes_bytes(&self, wire: &Wire) -> bool {
        let gateway = self.gateway.as_ref().expect("the server runs");
        let waits = gateway.is_waiting(wire.conn);
        let proves = |asked: &Asked| matches!(asked, Asked::Login { .. } | Asked::Register { .. });
        let excused = wire.closed || wire.asked.values().any(proves);
        assert!(!waits || excused, "{:?} waits for nothing", wire.conn);
        !waits && !wire.closed && !wire.outgoing.is_empty()
    }

    /// The disk works, every phone comes back and acknowledges: each delivery is settled.
    fn finish(&mut self) {
        self.note("the end begins");
        for phone in &mut self.phones {
            phone.habits = Habits {
                pipelines: phone.habits.pipelines,
                results: phone.habits.results,
                confirms: phone.habits.confirms,
                ..Habits::default()
            };
        }
        // The last one succeeds, and with it the trouble ends.
        self.time_goes_on();
        for _ in 0..=self.disk.refusals {
            let number = self.model.pushes.len();
            self.ask(Request::Notify(Draft {
                target: Target::Everyone,
                title: String::new(),
                message: format!("last {number}"),
                uri: String::new(),
                extras: Box::default(),
            }));
            self.all_goes_well();
        }
        let before: Vec<ConnId> = self.wires.iter().map(|wire| wire.conn).collect();
        for conn in before {
            self.disconnect(conn);
        }
        self.all_goes_well();
        for phone in 0..self.phones.len() {
            self.call(phone);
            self.all_goes_well();
        }
        // In steps that leave a pinged phone time to answer.
        for _ in 0..30 {
            self.advance(Duration::from_secs(20));
            self.all_goes_well();
        }
        self.audit();
        self.check_the_end();
    }

    /// Somebody sets the clock, behind all that is scheduled, and it is believed again.
    fn time_goes_on(&mut self) {
        self.all_goes_well();
        let heads = self.model.kept.iter();
        let heads = heads.filter_map(|id| self.disk.head(*id));
        let last = heads.map(|head| head.deliver_at).max().unwrap_or(0);
        let end = (u64::from(last) + 3600) * 1000;
        self.system = end.max(self.now.wall.millis).max(BEGIN);
        self.look_at_the_clock();
        let open: Vec<ConnId> = self.wires.iter().map(|wire| wire.conn).collect();
        for conn in open {
            self.disconnect(conn);
        }
        for _ in 0..2 {
            self.advance(Duration::from_secs(700));
            self.handle(Event::Tick);
            self.all_goes_well();
        }
        assert!(self.now.wall.trusted, "the clock is never believed again");
    }

    fn check_the_end(&mut self) {
        let asks = self.model.asks.values();
        let waits = |request: &&Request| !matches!(request, Request::Wait { .. });
        let left: Vec<_> = asks.filter(waits).collect();
        assert!(left.is_empty(), "not answered: {left:?}");
        let mut online = BTreeSet::new();
        for wire in &self.wires {
            assert!(wire.asked.is_empty(), "not answered: {:?}", wire.asked);
            let (user, _, resource) = wire.device.clone().expect("every phone is logged in");
            online.insert(format!("{user}/{resource}"));
        }
        assert_eq!(online.len(), self.phones.len());
        for (id, label) in by_state(&self.views(), DeliveryState::is_waiting) {
            assert!(!online.contains(&label), "{label} is there and {id} waits");
        }
        let unsettled = &self.disk.unsettled;
        assert!(unsettled.is_empty(), "never written again: {unsettled:?}");
        let unlearned = &self.disk.unlearned;
        assert!(unlearned.is_empty(), "never written again: {unlearned:?}");
        let now = self.now;
        let status = self.gateway.as_ref().unwrap().status(now);
        assert_eq!(status.sessions, self.phones.len());
        assert_eq!(status.trouble, None);
        assert_eq!(
            status.scheduled, 0,
            "what was scheduled has its time behind it"
        );
    }
}
