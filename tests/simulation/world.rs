//! The gateway with its disk, its clocks and its wires. Whatever passes between them is held against the
//! model.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use lanpush::config::{Config, Registration};
use lanpush::limits;
use lanpush::push::head::Head;
use lanpush::push::notification::{DeliveryState, NotificationId, Target};
use lanpush::push::store::Ticket;
use lanpush::push::views::{DeliveryView, NotificationView, Status};
use lanpush::push::{
    Action, Answer, AskId, ConnId, Done, Draft, Event, Gateway, Refusal, Request, Until,
};
use lanpush::time::{Instant, Now, Timekeeper};

use super::disk::Disk;
use super::model::{Fate, Model, Push};
use super::phone::{Asked, Meaning, Phone, Wire};
use super::random::Random;
use super::trace;
use super::xml::{Item, Node};

/// 2026-01-01T00:00:00Z, when every simulation begins.
pub(crate) const BEGIN: u64 = 1_767_225_600_000;
/// Steps that are shown when something is wrong.
const SHOWN: usize = 4000;

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) config: Config,
    pub(crate) gateway: Option<Gateway>,
    pub(crate) disk: Disk,
    pub(crate) model: Model,
    pub(crate) phones: Vec<Phone>,
    pub(crate) wires: Vec<Wire>,
    /// Connections that are gone, of which the server has not heard.
    pub(crate) gone: Vec<Wire>,
    pub(crate) now: Now,
    /// What the machine's own clock shows, and who judges it.
    pub(crate) system: u64,
    keeper: Timekeeper,
    pub(crate) trace: VecDeque<String>,
    asked: u64,
    before: Status,
    /// Which deliveries are dropped.
    dropped: BTreeSet<(NotificationId, String)>,
    /// What waited for each device after the last start: what the bound had put out may be back.
    restored: BTreeMap<String, usize>,
    restored_history: usize,
    /// Users that were removed during this event.
    removals: usize,
    /// What was accepted during this event, and whether it tells of a batch.
    accepted: Option<NotificationId>,
    stored: bool,
    /// What that batch says of: the history does not give up the one it makes room for.
    brought: Vec<NotificationId>,
    /// What each notification was worth before it, and how many waited for it.
    ranks: BTreeMap<NotificationId, (u8, usize)>,
    /// Whether something was forgotten for its age.
    aged: bool,
    /// Whether a device came or went.
    moved: bool,
    /// What the disk had not settled when this event came, and of what is too old the second in which that
    /// kept it: it is looked at again in the next.
    held: BTreeSet<NotificationId>,
    put_off: BTreeMap<NotificationId, u64>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        let mut config = Config::default();
        config.server.domain = "push.lan".to_owned();
        config.xmpp.registration = Registration::Open;
        config.xmpp.plaintext_login = true;
        config.xmpp.settle = random.next() % 3;
        config.push.queue = 2 + random.below(20);
        config.push.history = 3 + random.below(60);
        config.push.history_days = *random.pick(&[30, 36_500]);
        let relaxed = random.one_in(3);
        let mut world = Self {
            random,
            config,
            gateway: None,
            disk: Disk::new(relaxed),
            model: Model::default(),
            phones: Vec::new(),
            wires: Vec::new(),
            gone: Vec::new(),
            now: Now {
                mono: Instant(1_000),
                ..Now::default()
            },
            system: BEGIN,
            keeper: Timekeeper::default(),
            trace: VecDeque::new(),
            asked: 0,
            before: Status::default(),
            dropped: BTreeSet::new(),
            restored: BTreeMap::new(),
            restored_history: 0,
            removals: 0,
            accepted: None,
            stored: false,
            brought: Vec::new(),
            ranks: BTreeMap::new(),
            aged: false,
            moved: false,
            held: BTreeSet::new(),
            put_off: BTreeMap::new(),
        };
        world.start();
        world
    }

    pub(crate) fn note(&mut self, what: impl Into<String>) {
        if self.trace.len() == SHOWN {
            self.trace.pop_front();
        }
        self.trace.push_back(what.into());
    }

    fn trace_batches(&mut self, submitted: Vec<(Ticket, String)>) {
        for (ticket, changes) in submitted {
            self.note(format!("server writes batch {}:{changes}", ticket.0));
        }
    }

    fn gateway(&mut self) -> &mut Gateway {
        self.gateway.as_mut().expect("the server runs")
    }

    pub(crate) fn start(&mut self) {
        self.keeper = Timekeeper::default();
        self.look_at_the_clock();
        let config = Rc::new(self.config.clone());
        let gateway = Gateway::new(config, self.disk.port(), self.random.entropy(), self.now);
        self.gateway = Some(gateway.expect("the disk can be read"));
        self.disk.look();
        let submitted = self.disk.submitted();
        self.trace_batches(submitted);
        let now = self.now;
        self.before = self.gateway().status(now);
        // What is for a device that was forgotten is recorded as dropped at start.
        let views = self.views();
        self.dropped = dropped(&views);
        self.restored = waiting(&views);
        self.restored_history = views.len();
        self.check_turns();
    }

    /// Reads the clock of the machine.
    pub(crate) fn look_at_the_clock(&mut self) {
        self.now.wall = self.keeper.read(self.now.mono.0, self.system);
    }

    /// The process is gone. Its wires break, of which no phone is told.
    pub(crate) fn stop(&mut self) {
        self.gateway = None;
        self.disk.cut_power();
        self.wires.clear();
        self.gone.clear();
        self.model.restart(&self.disk);
        self.disk.check_rows();
        self.disk.unsettled.clear();
    }

    pub(crate) fn handle(&mut self, event: Event<'_>) {
        let now = self.now;
        (self.removals, self.accepted, self.aged) = (0, None, false);
        self.brought.clear();
        self.held = self.disk.held();
        self.stored = matches!(event, Event::Stored { .. });
        if self.stored {
            let views = self.views();
            self.ranks = ranks(&views);
            self.dropped = dropped(&views);
        }
        let heard = match &event {
            Event::Stored { ticket, .. } => Some(*ticket),
            _ => None,
        };
        if let Event::Stored { ticket, outcome } = &event {
            self.note(format!("batch {}: {outcome:?}", ticket.0));
            self.brought = self.disk.hears(*ticket, outcome.is_ok());
        }
        self.gateway().handle(event, now);
        let mut bytes = Vec::new();
        while let Some(action) = self.gateway().poll_action(&mut bytes, now) {
            self.perform(action, &bytes);
            bytes.clear();
        }
        self.disk.look();
        self.moved = self.disk.has_moved();
        let submitted = self.disk.submitted();
        self.trace_batches(submitted);
        if let Some(ticket) = heard {
            self.disk.heard(ticket);
        }
        self.check_turns();
        self.check_bounds();
    }

    /// Nothing expires, fires or begins to count but when its time has come, by a clock that is trusted; and
    /// what is over stays so.
    fn check_turns(&mut self) {
        let wall = self.now.wall;
        for (before, head) in self.disk.turns() {
            let id = head.id;
            let is_new = |fact: fn(&Head) -> bool| fact(&head) && !before.is_some_and(|h| fact(&h));
            if is_new(|head| head.begun > 0) || before.is_some_and(|old| old.begun != head.begun) {
                assert!(wall.trusted, "{id} begins to count, and nobody knows when");
                assert_eq!(
                    u64::from(head.begun),
                    wall.seconds(),
                    "{id} begins to count"
                );
            }
            if before.is_some_and(|before| before.over.is_some()) {
                // If the disk refuses that, it may end later; what it is told since says so too.
                assert!(head.over.is_some(), "{id} was over");
            } else if head
                .over
                .is_some_and(|over| over.state == DeliveryState::Expired)
            {
                let before = before.expect("nothing begins with its end");
                assert!(wall.trusted, "{id} expires, and nobody knows when");
                let end = before
                    .expires()
                    .expect("only what has a time to live expires");
                assert!(u64::from(end) <= wall.seconds(), "{id} expires too soon");
            }
            if before.is_some_and(|before| !before.fired) && head.fired {
                assert!(wall.trusted, "{id} fires, and nobody knows when");
                let due = u64::from(head.deliver_at) <= wall.seconds();
                assert!(due, "{id} fires too soon");
                let push = self.model.ids.get(&id).cloned();
                let target = push.map(|push| self.model.pushes[&push].draft.target.clone());
                if let Some(target) = target {
                    self.find(&target, id);
                }
            }
            assert!(
                before.is_none_or(|before| before.fired <= head.fired || before.over.is_some()),
                "{id} is scheduled again"
            );
        }
    }

    /// A scheduled push finds its users.
    fn find(&mut self, target: &Target, id: NotificationId) {
        let (may, must) = self.meant(target);
        let push = self.model.ids[&id].clone();
        let push = self.model.pushes.get_mut(&push).unwrap();
        (push.may, push.must) = (may, must);
    }

    /// Users who may get what is sent to a target now, and those who have to. Of whom something is on its way
    /// to the disk, it may be this way or that.
    fn meant(&self, target: &Target) -> (BTreeSet<String>, BTreeSet<String>) {
        let changing = self.disk.changing();
        let (mut may, mut must) = (changing.clone(), BTreeSet::new());
        let names = self.model.users.keys();
        for account in names.filter_map(|name| self.disk.account(name)) {
            let topic = |topic: &str, whole: bool| {
                let mut own = account.subscriptions.iter();
                own.any(|one| one.topic == topic && (!whole || one.device.is_none()))
            };
            let (is_meant, is_sure) = match target {
                Target::Everyone => (true, true),
                Target::User(user) => (*user == account.name, *user == account.name),
                Target::Device { user, .. } => (*user == account.name, false),
                Target::Alias(alias) => (*alias == account.alias, *alias == account.alias),
                Target::Topic(name) => (topic(name, false), topic(name, true)),
                Target::Tags(tags) => {
                    let meets = tags.matches(&|tag| account.tags.iter().any(|own| own == tag));
                    (meets, meets)
                }
            };
            if is_meant {
                may.insert(account.name.clone());
            }
            if is_sure && !changing.contains(&account.name) {
                must.insert(account.name);
            }
        }
        (may, must)
    }

    fn perform(&mut self, action: Action, bytes: &[u8]) {
        match action {
            Action::Send { conn, tell } => {
                assert!(!bytes.is_empty(), "nothing to send");
                let wire = self.wire(conn);
                assert!(!wire.closed, "bytes behind the end of {conn:?}");
                wire.tell |= tell;
                let items = wire.arrive(bytes);
                // The edge drops a phone that reads too slowly.
                wire.dead |= wire.unread > limits::OUT_BYTES;
                for item in items {
                    self.arrived(conn, &item);
                }
            }
            Action::Close { conn } => {
                self.note(format!("server closes {conn:?}"));
                let wire = self.wire(conn);
                assert!(wire.ended, "closed without an end of the stream");
                assert!(!wire.closed, "closed twice");
                assert!(!wire.is_inside_a_stanza(), "closed within a stanza");
                wire.closed = true;
            }
            Action::StartTls { conn } => panic!("nobody has asked for TLS on {conn:?}"),
            Action::Resume { conn } => {
                self.wire(conn);
            }
            Action::Answer { ask, answer } => self.answered(ask, answer),
            // A guess at the time, for the edge's clock only.
            Action::Hint { .. } => {}
        }
    }

    pub(crate) fn wire(&mut self, conn: ConnId) -> &mut Wire {
        let mut wires = self.wires.iter_mut().chain(&mut self.gone);
        let wire = wires.find(|wire| wire.conn == conn);
        wire.unwrap_or_else(|| panic!("the server uses {conn:?}, which is gone"))
    }

    fn arrived(&mut self, conn: ConnId, item: &Item) {
        match item {
            Item::Header(_) | Item::Closed => {}
            Item::End => self.wire(conn).ended = true,
            Item::Stanza(node) => match (node.name.as_str(), node.attribute("type")) {
                ("iq", Some("set")) => self.pushed(conn, node),
                ("iq", Some("get")) => {
                    node.attribute("id")
                        .unwrap()
                        .clone_into(&mut self.wire(conn).newest_ping);
                }
                ("iq", Some("result")) => self.granted(conn, node),
                ("iq", Some("error")) => self.denied(conn, node),
                ("error", _) => self.ended(conn, node),
                ("features", _) => {}
                // The presence of a pipelining phone whose login was refused.
                ("presence", Some("error")) => assert_eq!(self.wire(conn).device, None),
                _ => panic!("unexpected: {node}"),
            },
        }
    }

    fn pushed(&mut self, conn: ConnId, node: &Node) {
        let body = *node.nodes().first().unwrap();
        let field = |name: &str| {
            let found = body.nodes().into_iter().find(|node| node.name == name);
            found.unwrap().text()
        };
        let id: NotificationId = node.attribute("id").unwrap().parse().unwrap();
        assert_eq!(field("id"), id.to_string());
        let named = |name: &str| {
            let found = body.nodes().into_iter().find(|node| node.name == name);
            found.map(|node| node.text().parse::<NotificationId>().unwrap())
        };
        let replaces = named("replaces");
        match named("withdraws") {
            Some(withdraws) => self.model.notice(id, withdraws),
            None => {
                let (title, message, uri) = (field("title"), field("message"), field("uri"));
                self.model.identify(id, &title, &message, &uri);
            }
        }
        let head = self.disk.head(id).expect("what is sent has a head");
        let wire = self.wire(conn);
        assert!(wire.got.insert(id), "{id} comes twice on {conn:?}");
        // What had to wait for its time comes when it comes.
        if head.deliver_at == 0 {
            assert!(
                wire.newest.is_none_or(|newest| newest < id),
                "{id} comes behind {:?} on {conn:?}",
                wire.newest
            );
            wire.newest = Some(id);
        }
        let key = wire.device.clone().expect("a push before login");
        self.note(format!("server pushes {id} to {key:?}"));
        let wall = self.now.wall;
        self.model.sent(&key, id, &self.disk, wall);
        if let Some(old) = replaces {
            self.model.replaces(&key, id, old, &self.disk);
        }
    }

    fn granted(&mut self, conn: ConnId, node: &Node) {
        let wire = self.wire(conn);
        let id = node.attribute("id").unwrap();
        let asked = wire.asked.get(id).cloned();
        let name = wire.phone;
        let name = self.phones[name].user.clone();
        match asked.unwrap_or_else(|| panic!("an answer to {id:?}, which was not asked")) {
            Asked::Register { password } => {
                let removing = self.model.user(&name).removing > 0;
                if !removing {
                    let stored = self.disk.account(&name);
                    let stored = stored.expect("a registration is answered and not durable");
                    let user = self.model.user(&name);
                    assert!(stored.is_password(&password) || user.changing > 0);
                    if !user.exists {
                        user.password = password;
                    }
                    user.exists = true;
                }
            }
            Asked::Login { resource, .. } => {
                let key = self.model.key(&name, &resource);
                self.note(format!("{key:?} is logged in on {conn:?}"));
                self.wire(conn).device = Some(key);
            }
            Asked::Fields => {
                let version = self.model.user(&name).version;
                self.wire(conn).offered = version;
            }
            Asked::Labels | Asked::Ping | Asked::Confirmation => {}
        }
    }

    fn denied(&mut self, conn: ConnId, node: &Node) {
        let wire = self.wire(conn);
        let asked = wire.asked.get(node.attribute("id").unwrap()).cloned();
        let name = wire.phone;
        let name = self.phones[name].user.clone();
        let faulty = self.disk.refusals > 0 || self.disk.reads_fail || self.disk.refused;
        let user = self.model.user(&name);
        let excused = match asked.expect("a refusal of what was not asked") {
            Asked::Register { password } => faulty || user.is_unsure() || password != user.password,
            Asked::Login { version, .. } => faulty || user.is_unsure() || version != user.version,
            Asked::Labels => true,
            Asked::Fields => faulty,
            Asked::Ping | Asked::Confirmation => false,
        };
        assert!(excused, "{name} is refused: {node}");
    }

    /// A stream may only end with an error for a reason that exists.
    fn ended(&mut self, conn: ConnId, node: &Node) {
        let reason = node.nodes().first().unwrap().name.clone();
        self.note(format!("stream {conn:?} ends with {reason}"));
        let key = self.wire(conn).device.clone();
        match (reason.as_str(), key) {
            ("conflict", Some(key)) => {
                // The newer login of the same device may still be on its way to us.
                let user = key.0;
                let others = self.wires.iter().chain(&self.gone);
                let others = others.filter(|wire| self.phones[wire.phone].user == user);
                assert!(others.count() > 1, "a conflict with nobody");
            }
            ("not-authorized", Some(_)) => self.removals += 1,
            ("connection-timeout" | "system-shutdown", _) => {}
            (other, _) => panic!("a stream ends with {other}"),
        }
    }

    /// Asks something, and notes that it was.
    pub(crate) fn ask(&mut self, request: Request) {
        self.note(format!("asks: {}", trace::request(&request)));
        self.asked += 1;
        let ask = AskId(self.asked);
        match &request {
            Request::Notify(draft) => {
                let (may, must) = self.meant(&draft.target);
                let push = Push::pending(draft.clone(), may, must);
                let twin = self.model.pushes.insert(draft.message.clone(), push);
                assert!(twin.is_none(), "two pushes have one message");
            }
            Request::SetPassword { name, password } => {
                let user = self.model.user(name);
                user.changing += 1;
                user.tried.insert(password.clone());
            }
            Request::RemoveUser { name } => self.model.user(name).removing += 1,
            Request::Withdraw(withdrawal) => {
                let meant = self.model.meant(withdrawal);
                self.model.withdrawing.insert(ask, meant);
            }
            Request::AddUser { name, password } => {
                self.model.user(name).tried.insert(password.clone());
            }
            Request::Wait { .. } | Request::Subscribe(_) | Request::Unsubscribe(_) => {}
            other @ (Request::PutAccount { .. }
            | Request::SetTags { .. }
            | Request::AddToken(_)
            | Request::RemoveToken { .. }) => unreachable!("{other:?} is not asked"),
        }
        self.model.asks.insert(ask, request.clone());
        self.handle(Event::Ask { ask, request });
    }

    fn answered(&mut self, ask: AskId, answer: Answer) {
        self.note(format!("answer: {}", trace::answer(&answer)));
        let request = self.model.asks.remove(&ask);
        let request = request.expect("answers come once, and to what was asked");
        if let Err(refusal) = &answer {
            self.check_refusal(&request, refusal);
        }
        match request {
            Request::Notify(draft) => self.notified(&draft, answer),
            Request::AddUser { name, password } => {
                if answer.is_ok() {
                    let stored = self.disk.account(&name);
                    let stored = stored.expect("a user is added and not durable");
                    assert!(stored.is_password(&password));
                    let user = self.model.user(&name);
                    user.exists = true;
                    user.password = password;
                    user.version += 1;
                }
            }
            Request::SetPassword { name, password } => {
                let user = self.model.user(&name);
                user.changing -= 1;
                if answer.is_ok() {
                    user.password = password;
                    user.version += 1;
                }
            }
            Request::RemoveUser { name } => {
                let user = self.model.user(&name);
                user.removing -= 1;
                if answer.is_ok() {
                    user.exists = false;
                    user.epoch += 1;
                    self.removals += 1;
                    assert_eq!(self.disk.account(&name), None);
                }
            }
            Request::Withdraw(_) => {
                let meant = self.model.withdrawing.remove(&ask).unwrap();
                if answer.is_ok() {
                    self.model.end(meant);
                }
            }
            Request::Wait { id, until } => {
                if let Ok(Done::Settled { reached, devices }) = answer {
                    self.check_wait(id, until, reached, devices);
                }
            }
            Request::Subscribe(_) | Request::Unsubscribe(_) => {}
            other @ (Request::PutAccount { .. }
            | Request::SetTags { .. }
            | Request::AddToken(_)
            | Request::RemoveToken { .. }) => unreachable!("{other:?} was not asked"),
        }
    }

    /// A wait ends when no device is on its way any more, and says how many have come so far.
    fn check_wait(&mut self, id: NotificationId, until: Until, reached: usize, devices: usize) {
        let Some(view) = self.view(id) else {
            // Forgotten while somebody waited.
            return;
        };
        assert!(
            !is_waited(&view, until),
            "{id} was waited for, and still is"
        );
        let arrived = view.count(|state| has_reached(state, until));
        // What was sent may have ended behind the answer, when its connection did; nothing else changes
        // once nobody is waited for.
        let was_sent = |delivery: &&DeliveryView| {
            let ended = !delivery.state.is_waiting() && !delivery.state.has_arrived();
            until == Until::Sent && ended && delivery.sent > 0
        };
        let perhaps = view.deliveries.iter().filter(was_sent).count();
        assert!(
            (arrived..=arrived + perhaps).contains(&reached) && devices == view.total,
            "{id}: {reached} of {devices} are {until:?}, {:?}",
            view.deliveries
        );
    }

    /// A sender gives up waiting; the answer may be on its way.
    pub(crate) fn forget(&mut self, ask: AskId) {
        self.note(format!("{ask:?} is forgotten"));
        self.model.asks.remove(&ask);
        self.handle(Event::Forgotten { ask });
    }

    fn check_refusal(&mut self, request: &Request, refusal: &Refusal) {
        let excused = match refusal {
            Refusal::Full | Refusal::Failed => self.disk.refused || self.disk.reads_fail,
            Refusal::Busy => !matches!(request, Request::Notify(_)),
            Refusal::Unknown(_) | Refusal::Taken => match request {
                Request::Notify(Draft {
                    target, message, ..
                }) => match target {
                    Target::User(name) => self.model.user(name).is_unsure(),
                    Target::Everyone => false,
                    _ => self.model.pushes[message].must.is_empty(),
                },
                Request::AddUser { .. } => true,
                Request::Subscribe(topic) | Request::Unsubscribe(topic) => {
                    topic.resource.is_some() || self.model.user(&topic.user).is_unsure()
                }
                Request::SetPassword { name, .. } | Request::RemoveUser { name } => {
                    self.model.user(name).is_unsure()
                }
                other => panic!("{other:?} is refused: {refusal:?}"),
            },
            Refusal::NoToken | Refusal::TooManyTokens | Refusal::Closed => false,
            Refusal::NoNotification => {
                let ids = match request {
                    Request::Withdraw(withdrawal) => self.model.meant(withdrawal),
                    Request::Wait { id, .. } => vec![*id],
                    _ => panic!("{request:?} is refused: {refusal:?}"),
                };
                let over = |id: &NotificationId| {
                    let head = self.disk.head(*id);
                    head.is_none_or(|head| head.over.is_some() || head.series.is_some())
                };
                let sure: Vec<_> = ids.iter().copied().filter(|id| !over(id)).collect();
                sure.into_iter().all(|id| self.view(id).is_none())
            }
            Refusal::TooLong { .. } | Refusal::Invalid { .. } => false,
        };
        assert!(excused, "{request:?} is refused: {refusal:?}");
    }

    fn notified(&mut self, draft: &Draft, answer: Answer) {
        let fate = match answer {
            Ok(Done::Accepted { id, queued, sent }) => {
                assert!(sent <= queued);
                let stored = self
                    .disk
                    .notification(id)
                    .expect("accepted, so it is durable");
                self.model
                    .identify(id, &stored.title, &stored.message, &stored.uri);
                self.accepted = Some(id);
                Fate::Accepted(id)
            }
            Ok(Done::Scheduled { id }) => {
                let stored = self.disk.notification(id);
                assert!(stored.is_some(), "accepted, so it is durable");
                self.model
                    .identify(id, &draft.title, &draft.message, &draft.uri);
                assert!(draft.extras.deliver_at > 0, "{id} was to be sent at once");
                self.accepted = Some(id);
                Fate::Accepted(id)
            }
            Ok(done) => panic!("a push is {done:?}"),
            Err(_) => {
                let seen = self.model.ids.values().any(|other| *other == draft.message);
                assert!(!seen, "{draft:?} was sent and is refused");
                Fate::Refused
            }
        };
        self.model.pushes.get_mut(&draft.message).unwrap().fate = fate;
        if let Some(id) = self.accepted {
            let scheduled = self.disk.head(id).is_some_and(|head| !head.fired);
            self.model.replace(id, scheduled, &self.disk);
            if let Some(view) = self.view(id).filter(|view| !view.scheduled) {
                self.model.check_devices(&view);
            }
        }
    }

    /// One notification with all deliveries.
    fn view(&mut self, id: NotificationId) -> Option<NotificationView> {
        let fail = self.disk.reads_fail;
        self.disk.fail_reads(false);
        let view = self.gateway().notification(id, 0, usize::MAX).unwrap();
        self.disk.fail_reads(fail);
        view
    }

    /// All notifications with all deliveries, whether the gateway can read or not.
    pub(crate) fn views(&mut self) -> Vec<NotificationView> {
        let fail = self.disk.reads_fail;
        self.disk.fail_reads(false);
        let views = self
            .gateway()
            .notifications(0, usize::MAX, usize::MAX)
            .unwrap();
        self.disk.fail_reads(fail);
        views
    }

    pub(crate) fn pending(&self) -> usize {
        let asks = self.model.asks.values();
        let pushes = asks.filter(|request| matches!(request, Request::Notify(_)));
        // Each may be told of by a push of its own.
        let meant = self.model.withdrawing.values().map(Vec::len);
        pushes.count() + meant.sum::<usize>()
    }

    /// Nothing is forgotten or dropped but where a bound was reached.
    fn check_bounds(&mut self) {
        let now = self.now;
        let status = self.gateway().status(now);
        let history = self.config.push.history;
        let aged = self.aged();
        if self.stored || !aged.is_empty() {
            self.model.kept.extend(self.accepted);
            let views = self.views();
            let found: BTreeSet<_> = views.iter().map(|view| view.notification.id).collect();
            let lost: Vec<_> = self.model.kept.difference(&found).copied().collect();
            self.model.forgotten.extend(&lost);
            let lost: Vec<_> = lost.into_iter().filter(|id| !aged.contains(id)).collect();
            let over = self.before.notifications.saturating_sub(history);
            assert!(
                lost.len() <= over,
                "{lost:?} are forgotten, {over} would have done"
            );
            self.check_age(found.intersection(&aged));
            self.check_victims(&lost, &views, status.dropped - self.before.dropped);
            // The one that is answered is kept, even if nobody waits for it.
            let bound = history.max(self.restored_history);
            assert!(status.notifications <= bound + self.pending() + 1);
            self.model.kept = found;
            self.aged = !aged.is_empty();
        }
        if status.dropped > self.before.dropped {
            self.check_drops(status.dropped - self.before.dropped);
        }
        assert_eq!(status.connections, self.wires.len() + self.gone.len());
        self.before = status;
    }

    /// What is older than the history may be goes, unless its end or its start was just on its way to the disk.
    fn check_age<'a>(&mut self, old: impl Iterator<Item = &'a NotificationId>) {
        let second = self.now.wall.seconds();
        let held = self.disk.held();
        for id in old {
            if self.held.contains(id) || held.contains(id) {
                self.put_off.insert(*id, second);
            }
            let is_put_off = self.put_off.get(id).is_some_and(|when| *when >= second);
            assert!(is_put_off, "{id} is older than the history may be");
        }
    }

    /// What the history gave up was worth least: what nobody waits for goes first, then the lowest priority,
    /// then the oldest. Who waited for it is counted.
    fn check_victims(&mut self, lost: &[NotificationId], views: &[NotificationView], count: u64) {
        let after = ranks(views);
        let newly = dropped(views);
        // Of what has only now become durable, a device may have been forgotten before.
        let newly = newly.difference(&self.dropped);
        let newly = newly.filter(|(_, label)| label != "(forgotten)").count();
        let waited = |id: &NotificationId| self.ranks.get(id).map_or(0, |(_, waited)| *waited);
        let gone: usize = lost.iter().map(waited).sum();
        let replaces = self.accepted.is_some_and(|id| {
            let head = self.disk.head(id);
            head.is_some_and(|head| head.series.is_some())
        });
        if replaces || self.removals > 0 || !self.aged().is_empty() || self.ended_one(lost) {
            return;
        }
        assert_eq!(
            u64::try_from(newly + gone).unwrap(),
            count,
            "dropped, and counted as dropped"
        );
        let bound = self.config.push.queue;
        let is_full = waiting(views).values().any(|queue| *queue >= bound);
        for id in lost {
            let Some((rank, _)) = self.ranks.get(id) else {
                continue;
            };
            let better = after
                .iter()
                .filter(|(other, _)| !self.brought.contains(other));
            let better = better.filter(|(other, _)| self.ranks.contains_key(other));
            let better = better.min_by_key(|(other, (rank, _))| (*rank, **other));
            if let Some((other, (least, _))) = better {
                // Its last device may have had to give it up just before.
                let own = if is_full { (0, id) } else { (*rank, id) };
                assert!(
                    own < (*least, other),
                    "{id} is forgotten and {other} is not"
                );
            }
        }
    }

    /// Whether one of these was taken back or has fired at the same time: then nobody can say from outside how
    /// many waited.
    fn ended_one(&self, ids: &[NotificationId]) -> bool {
        let over = |id: &NotificationId| {
            let head = self.disk.head(*id);
            head.is_none_or(|head| head.over.is_some() || head.deliver_at > 0)
        };
        ids.iter().any(over)
    }

    /// What is older than the history may be, by a clock that is trusted.
    fn aged(&self) -> BTreeSet<NotificationId> {
        let wall = self.now.wall;
        let age = u64::from(self.config.push.history_days) * 86_400;
        let is_old = |id: &&NotificationId| {
            let head = self.disk.head(**id).filter(|head| head.begun > 0);
            head.is_some_and(|head| {
                !head.is_scheduled() && u64::from(head.begun) + age <= wall.seconds()
            })
        };
        let kept = self.model.kept.iter().filter(|_| wall.trusted);
        kept.filter(is_old).copied().collect()
    }

    fn check_drops(&mut self, count: u64) {
        let views = self.views();
        let after = dropped(&views);
        let waiting = waiting(&views);
        let firing = views.iter().filter(|view| view.scheduled);
        let firing: BTreeSet<_> = firing.map(|view| view.notification.id).collect();
        let bound = self.config.push.queue;
        let now = self.now;
        let status = self.gateway().status(now);
        let ended = |status: &Status| status.expired + status.withdrawn;
        let ends = ended(&status) > ended(&self.before);
        for (id, label) in after.difference(&self.dropped) {
            let user = owner(label);
            let own = waiting.iter().filter(|(label, _)| owner(label) == user);
            let queue = own.map(|(_, queue)| *queue).max().unwrap_or(0) + self.pending();
            let excused = self.removals > 0 || self.aged || user == "(forgotten)";
            // What fills the history goes out of the queues too, and what has expired or was replaced.
            let over = self.before.notifications > self.config.push.history || ends;
            assert!(
                excused || over || queue >= bound,
                "{id} is dropped for {user}, whose queue has {queue} of {bound}"
            );
            let priority = |id: &NotificationId| self.disk.head(*id).unwrap().priority;
            let kept = by_state(&views, DeliveryState::is_waiting);
            // What has fired and is not on the disk yet does not count.
            let kept = kept.filter(|(other, _)| !firing.contains(other));
            for (other, _) in kept.filter(|(_, other)| other == label && !excused) {
                assert!(
                    (priority(id), *id) < (priority(&other), other),
                    "{id} is dropped for {label}, and not {other}"
                );
            }
        }
        let over = self.before.notifications > self.config.push.history;
        let full = waiting
            .values()
            .any(|queue| queue + self.pending() >= bound);
        assert!(
            self.removals > 0 || self.aged || self.moved || (self.stored && (over || full)),
            "{count} deliveries are dropped for no reason"
        );
        self.dropped = after;
    }

    /// The views agree with the model and with each other.
    pub(crate) fn audit(&mut self) {
        let views = self.views();
        for view in &views {
            self.model.check_view(view, &self.disk);
        }
        let found: BTreeSet<_> = views.iter().map(|view| view.notification.id).collect();
        assert_eq!(found, self.model.kept, "what is kept");
        let now = self.now;
        let status = self.gateway().status(now);
        let fail = self.disk.reads_fail;
        self.disk.fail_reads(false);
        let users = self.gateway().users(None, 0, usize::MAX).unwrap();
        self.disk.fail_reads(fail);
        let names: BTreeSet<_> = users.iter().map(|user| user.name.as_str()).collect();
        for (name, user) in &self.model.users {
            let there = names.contains(name.as_str());
            assert!(there || !user.exists || user.removing > 0, "{name} is gone");
        }
        let stranger = names
            .iter()
            .find(|name| !self.model.users.contains_key(**name));
        assert_eq!(stranger, None, "nobody has asked for this user");
        for (ask, request) in self.model.asks.clone() {
            if let Request::Wait { id, until } = request {
                let view = views.iter().find(|view| view.notification.id == id);
                let still = view.is_some_and(|view| is_waited(view, until));
                assert!(still, "{ask:?} waits for {id}, which has settled");
            }
        }
        let firing = views.iter().any(|view| {
            let head = self.disk.head(view.notification.id);
            view.scheduled && head.is_some_and(|head| head.fired)
        });
        if self.pending() == 0 && !firing {
            let waits: usize = waiting(&views).values().sum();
            assert_eq!(status.waiting, waits, "status and deliveries differ");
            for user in &users {
                let own = waiting(&views).into_iter();
                let own = own.filter(|(label, _)| owner(label) == user.name);
                let waits: usize = own.map(|(_, queue)| queue).sum();
                assert_eq!(
                    user.waiting, waits,
                    "queues of {} and its deliveries",
                    user.name
                );
            }
            for (label, queue) in waiting(&views) {
                // A device without a resource gets one at its first login.
                let names = [label.as_str(), owner(&label)];
                let restored = names.iter().filter_map(|name| self.restored.get(*name));
                let restored = restored.max().copied().unwrap_or(0);
                let bound = self.config.push.queue.max(restored);
                assert!(queue <= bound, "{queue} wait for {label}, not {bound}");
            }
        }
    }

    /// Bytes have been given to the server: what they mean holds, unless they may still wait there.
    pub(crate) fn receive(&mut self, conn: ConnId, count: usize) {
        let wire = self.wire(conn);
        let bytes: Vec<u8> = wire.outgoing.drain(..count).collect();
        wire.given += count;
        let given = wire.given;
        let awaited = wire.newest_ping.clone();
        let mut meant = Vec::new();
        while let Some((_, meaning)) = wire.meanings.pop_front_if(|(end, _)| *end <= given) {
            meant.push(meaning);
        }
        self.handle(Event::Received {
            conn,
            bytes: &bytes,
        });
        if self.gateway().is_waiting(conn) || self.wire(conn).closed {
            return;
        }
        let key = self.wire(conn).device.clone();
        for meaning in meant {
            let key = key.as_ref().expect("only devices acknowledge");
            match meaning {
                Meaning::Confirmed(id) => self.model.acknowledge(key, id),
                Meaning::Pong { ping, read } if ping == awaited => {
                    for id in read {
                        self.model.acknowledge(key, id);
                    }
                }
                Meaning::Pong { .. } => {}
            }
        }
    }

    /// A phone connects.
    pub(crate) fn connect(&mut self, phone: usize) -> ConnId {
        let taken = |conn: &ConnId| {
            let mut wires = self.gone.iter().chain(&self.wires);
            wires.any(|wire| wire.conn == *conn)
        };
        let conn = (0..).map(ConnId).find(|conn| !taken(conn)).unwrap();
        self.note(format!("phone {phone} connects as {conn:?}"));
        self.wires.push(Wire::new(conn, phone));
        let peer = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 20));
        self.handle(Event::Connected { conn, peer });
        conn
    }

    /// A connection is gone for both ends.
    pub(crate) fn disconnect(&mut self, conn: ConnId) {
        self.note(format!("{conn:?} is gone"));
        let wire = self.wires.iter().position(|wire| wire.conn == conn);
        self.gone.push(self.wires.remove(wire.unwrap()));
    }

    /// Lets time pass, with a tick at each deadline on the way.
    pub(crate) fn advance(&mut self, time: Duration) {
        let end = self.now.mono.after(time);
        let mut ticks = 0;
        while let Some(next) = self.gateway().next_deadline()
            && next <= end
        {
            self.pass(next.since(self.now.mono));
            self.handle(Event::Tick);
            ticks += 1;
            assert!(ticks < 10_000, "the deadline does not move on");
        }
        self.pass(end.since(self.now.mono));
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono.after(time);
        self.system += u64::try_from(time.as_millis()).unwrap();
        self.look_at_the_clock();
    }
}

fn dropped(views: &[NotificationView]) -> BTreeSet<(NotificationId, String)> {
    by_state(views, |state| state == DeliveryState::Dropped).collect()
}

/// What each notification is worth, and how many devices wait for it.
fn ranks(views: &[NotificationView]) -> BTreeMap<NotificationId, (u8, usize)> {
    let rank = |view: &NotificationView| {
        let waited = view.count(DeliveryState::is_waiting);
        let wanted = waited > 0 || view.scheduled;
        let priority = view.notification.extras.priority.number();
        let worth = if wanted { priority } else { 0 };
        (view.notification.id, (worth, waited))
    };
    views.iter().map(rank).collect()
}

fn has_reached(state: DeliveryState, until: Until) -> bool {
    match until {
        Until::Sent => state.has_arrived() || state == DeliveryState::Sent,
        Until::Acknowledged => state.has_arrived(),
        Until::Confirmed => state == DeliveryState::Confirmed,
    }
}

/// Whether a device may still come so far.
fn is_waited(view: &NotificationView, until: Until) -> bool {
    let on_its_way = |state: DeliveryState| match until {
        Until::Sent => state == DeliveryState::Queued,
        Until::Acknowledged => state.is_waiting(),
        Until::Confirmed => state.is_waiting() || state == DeliveryState::Acknowledged,
    };
    view.scheduled || view.count(on_its_way) > 0
}

/// The user whose device a label names. A device without a resource gets one at its first login.
fn owner(label: &str) -> &str {
    label.split('/').next().unwrap_or(label)
}

/// How many pushes wait for each device.
pub(crate) fn waiting(views: &[NotificationView]) -> BTreeMap<String, usize> {
    let mut waiting = BTreeMap::new();
    for (_, label) in by_state(views, DeliveryState::is_waiting) {
        *waiting.entry(label).or_default() += 1;
    }
    waiting
}

pub(crate) fn by_state(
    views: &[NotificationView],
    wanted: impl Fn(DeliveryState) -> bool + Copy,
) -> impl Iterator<Item = (NotificationId, String)> {
    views.iter().flat_map(move |view| {
        let id = view.notification.id;
        let deliveries = view.deliveries.iter();
        deliveries
            .filter(move |delivery| wanted(delivery.state))
            .map(move |delivery| (id, delivery.device.clone()))
    })
}
