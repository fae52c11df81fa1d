//! A store that fails at each of its calls in turn: what was answered holds, what was refused is never seen.

#![cfg(test)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use lanpush::config::Config;
use lanpush::push::memory_store::MemoryStore;
use lanpush::push::notification::{Notification, NotificationId, Target};
use lanpush::push::store::{
    Account, Change, Document, DocumentId, DocumentKind, Row, Store, StoreError, Ticket, Urgency,
};
use lanpush::push::{Action, Answer, AskId, ConnId, Done, Draft, Event, Gateway, Refusal, Request};
use lanpush::time::{Instant, Now, Wall};

type Outcomes = Rc<RefCell<Vec<(Ticket, Result<(), StoreError>)>>>;

/// Calls are counted from 1; those within `fails` fail.
#[derive(Clone)]
struct Faults {
    calls: Rc<Cell<u32>>,
    fails: (u32, u32),
    error: StoreError,
}

impl Faults {
    fn new(fails: (u32, u32), error: StoreError) -> Self {
        let calls = Rc::default();
        Self {
            calls,
            fails,
            error,
        }
    }

    /// Whether no call to come will fail.
    fn is_over(&self) -> bool {
        self.calls.get() >= self.fails.1
    }

    fn hit(&self) -> Result<(), StoreError> {
        self.calls.set(self.calls.get() + 1);
        let hit = (self.fails.0..=self.fails.1).contains(&self.calls.get());
        if hit { Err(self.error.clone()) } else { Ok(()) }
    }
}

struct Faulty {
    store: MemoryStore,
    faults: Faults,
    refused: Outcomes,
}

impl Store for Faulty {
    fn load(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.faults.hit()?;
        self.store.load(visit)
    }

    fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        self.faults.hit()?;
        self.store.account(name)
    }

    fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        self.faults.hit()?;
        self.store.notification(id)
    }

    fn document(&self, id: &DocumentId) -> Result<Option<String>, StoreError> {
        self.faults.hit()?;
        self.store.document(id)
    }

    fn documents(&self, owner: &str, kind: DocumentKind) -> Result<Vec<Document>, StoreError> {
        self.faults.hit()?;
        self.store.documents(owner, kind)
    }

    fn submit(&mut self, ticket: Ticket, changes: Vec<Change>, urgency: Urgency) {
        match self.faults.hit() {
            Ok(()) => self.store.submit(ticket, changes, urgency),
            Err(error) => self.refused.borrow_mut().push((ticket, Err(error))),
        }
    }
}

/// A gateway over a store, and what has come out of it.
struct Stage {
    gateway: Gateway,
    store: MemoryStore,
    refused: Outcomes,
    millis: u64,
    wires: BTreeMap<ConnId, String>,
    answers: BTreeMap<u64, Answer>,
}

impl Stage {
    fn start(store: &MemoryStore, faults: Faults, millis: u64) -> Result<Self, StoreError> {
        let refused = Outcomes::default();
        let faulty = Faulty {
            store: store.clone(),
            faults,
            refused: Rc::clone(&refused),
        };
        let mut config = Config::default();
        config.server.domain = "lan".into();
        config.xmpp.settle = 0;
        let seed = Cell::new(millis);
        let entropy = Box::new(move |bytes: &mut [u8]| {
            for byte in bytes {
                seed.set(
                    seed.get()
                        .wrapping_mul(0x5851_f42d_4c95_7f2d)
                        .wrapping_add(1),
                );
                *byte = seed.get().to_be_bytes()[0];
            }
        });
        let gateway = Gateway::new(Rc::new(config), Box::new(faulty), entropy, now(millis))?;
        let mut stage = Self {
            gateway,
            store: store.clone(),
            refused,
            millis,
            wires: BTreeMap::new(),
            answers: BTreeMap::new(),
        };
        stage.settle();
        Ok(stage)
    }

    fn handle(&mut self, event: Event<'_>) {
        self.millis += 1;
        self.gateway.handle(event, now(self.millis));
        self.settle();
    }

    /// Performs actions and tells outcomes until nothing happens any more.
    fn settle(&mut self) {
        loop {
            let mut bytes = Vec::new();
            while let Some(action) = self.gateway.poll_action(&mut bytes, now(self.millis)) {
                match action {
                    Action::Send { conn, tell } => {
                        let wire = self.wires.entry(conn).or_default();
                        wire.push_str(std::str::from_utf8(&bytes).unwrap());
                        if tell {
                            let event = Event::Flushed { conn };
                            self.gateway.handle(event, now(self.millis));
                        }
                    }
                    Action::Answer { ask, answer } => {
                        assert_eq!(self.answers.insert(ask.0, answer), None, "answered twice");
                    }
                    Action::StartTls { .. }
                    | Action::Close { .. }
                    | Action::Resume { .. }
                    | Action::Hint { .. } => {}
                }
                bytes.clear();
            }
            let mut outcomes = self.refused.take();
            outcomes.extend(self.store.take_stored());
            if outcomes.is_empty() {
                return;
            }
            for (ticket, outcome) in outcomes {
                let event = Event::Stored { ticket, outcome };
                self.gateway.handle(event, now(self.millis));
            }
        }
    }

    /// Sends on a connection, and returns what comes back.
    fn says(&mut self, conn: u32, text: &str) -> String {
        let conn = ConnId(conn);
        let before = self.wires.get(&conn).map_or(0, String::len);
        let bytes = text.as_bytes();
        self.handle(Event::Received { conn, bytes });
        self.wires
            .get(&conn)
            .map_or("", |wire| &wire[before..])
            .to_owned()
    }

    /// Registers unless it is, logs in, announces itself; true if that went well.
    fn comes(&mut self, conn: u32) -> Result<(), String> {
        let peer = "127.0.0.1".parse().unwrap();
        self.handle(Event::Connected {
            conn: ConnId(conn),
            peer,
        });
        self.says(conn, "<stream:stream to='lan' xmlns='jabber:client' version='1.0' xmlns:stream='http://etherx.jabber.org/streams'>");
        for (namespace, field) in [("register", ""), ("auth", "<resource>phone</resource>")] {
            let reply = self.says(
                conn,
                &format!(
                    "<iq type='set' id='1'><query xmlns='jabber:iq:{namespace}'>\
                     <username>sam</username><password>pw</password>{field}</query></iq>"
                ),
            );
            if !reply.contains("type='result'") {
                return Err(reply);
            }
        }
        self.says(conn, "<presence/>");
        Ok(())
    }

    fn goes(&mut self, conn: u32) {
        self.handle(Event::Disconnected { conn: ConnId(conn) });
    }

    fn asks(&mut self, ask: u64, request: Request) -> Answer {
        self.handle(Event::Ask {
            ask: AskId(ask),
            request,
        });
        self.answers
            .get(&ask)
            .cloned()
            .expect("every request has its answer")
    }

    fn pushes(&mut self, ask: u64) -> Answer {
        let draft = Draft {
            target: Target::Everyone,
            title: String::new(),
            message: format!("push {ask}"),
            uri: String::new(),
            extras: Box::default(),
        };
        self.asks(ask, Request::Notify(draft))
    }

    /// Answers every ping that has come.
    fn acknowledges(&mut self, conn: u32) {
        for number in 1..=9 {
            self.says(conn, &format!("<iq type='result' id='ping-{number}'/>"));
        }
    }

    /// Messages that have come to any phone.
    fn seen(&self) -> BTreeSet<String> {
        let wires = self.wires.values();
        let parts = wires.flat_map(|wire| wire.split("<message>").skip(1));
        parts
            .filter_map(|part| part.split('<').next())
            .map(str::to_owned)
            .collect()
    }
}

fn now(millis: u64) -> Now {
    let wall = Wall {
        millis: 1_790_000_000_000 + millis,
        trusted: true,
    };
    Now {
        mono: Instant(millis),
        wall,
    }
}

/// One evening with these faults and one start without; how many calls the evening made.
fn evening(case: &str, faults: &Faults) -> u32 {
    let store = MemoryStore::new();
    let (mut accepted, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let mut seen = BTreeSet::new();
    let mut registered = false;
    if let Ok(mut stage) = Stage::start(&store, faults.clone(), 1000) {
        for conn in 1..=2 {
            let came = stage.comes(conn);
            if let Err(reply) = &came {
                assert!(reply.contains("code='500'"), "{case}: {reply}");
                registered |= reply.contains("jabber:iq:auth");
            }
            registered |= came.is_ok();
            for ask in u64::from(conn) * 10..u64::from(conn) * 10 + 3 {
                let message = format!("push {ask}");
                let over = faults.is_over();
                match stage.pushes(ask) {
                    Ok(Done::Accepted { .. }) => {
                        // One fault holds up nothing that comes after it.
                        let at_once = stage.seen().contains(&message);
                        assert!(
                            at_once || !over || came.is_err(),
                            "{case}: {message} is held up"
                        );
                        accepted.insert((ask, registered));
                    }
                    Err(Refusal::Full | Refusal::Failed) => drop(refused.insert(message)),
                    other => panic!("{case}: {other:?}"),
                }
                if ask % 10 == 1 {
                    stage.acknowledges(conn);
                }
            }
            stage.goes(conn);
            let _ = stage.pushes(100 + u64::from(conn));
            let password = Request::SetPassword {
                name: "sam".into(),
                password: "pw".into(),
            };
            let _ = stage.asks(200 + u64::from(conn), password);
            let _ = stage.gateway.users(None, 0, 9);
        }
        seen = stage.seen();
    }
    let calls = faults.calls.get();
    let healthy = Faults::new((0, 0), StoreError::Full);
    let mut stage = Stage::start(&store, healthy, 100_000).unwrap();
    assert_eq!(
        stage.comes(1),
        Ok(()),
        "{case}: registering again or logging in"
    );
    for _ in 0..3 {
        stage.acknowledges(1);
    }
    seen.extend(stage.seen());
    for (ask, for_sam) in accepted {
        assert!(
            !for_sam || seen.contains(&format!("push {ask}")),
            "{case}: push {ask} is lost"
        );
    }
    assert!(
        seen.is_disjoint(&refused),
        "{case}: {seen:?} of {refused:?}"
    );
    calls
}

#[test]
fn every_call_fails_once_and_for_good() {
    let none = Faults::new((0, 0), StoreError::Full);
    let calls = evening("no fault", &none);
    assert!(calls > 25, "{calls} calls are too few to be true");
    for error in [StoreError::Full, StoreError::Failed("EIO".into())] {
        for call in 1..=calls {
            for last in [call, u32::MAX] {
                let faults = Faults::new((call, last), error.clone());
                evening(&format!("{error}, calls {call} to {last}"), &faults);
            }
        }
    }
}
