//! For tests: a server whose users have chat apps, without sockets or streams.

use std::rc::Rc;

use super::domain::{Domain, Effect};
use super::event::{AskId, ConnId, Draft};
use super::memory_store::MemoryStore;
use super::notification::{Extras, NotificationId, Target};
use super::store::{Account, Change, DeviceId, Document, Store, Ticket, Urgency};
use crate::config::Config;
use crate::time::Now;
use crate::xmpp::host::Login;

pub(super) struct Crowd {
    pub(super) domain: Domain,
    pub(super) store: MemoryStore,
    conns: u32,
}

impl Crowd {
    /// Users `u0` to `u{count-1}` with these tags; `shared` is the phone book.
    pub(super) fn new(count: usize, tags: &[&str], shared: &[&str]) -> Self {
        Self::with(count, tags, shared, Vec::new())
    }

    /// The same with documents.
    pub(super) fn with(
        count: usize,
        tags: &[&str],
        shared: &[&str],
        documents: Vec<Document>,
    ) -> Self {
        let mut store = MemoryStore::new();
        let account = |number: usize| Account {
            name: format!("u{number}"),
            tags: tags.iter().map(ToString::to_string).collect(),
            ..Account::default()
        };
        let accounts = (0..count).map(|number| Change::PutAccount(account(number)));
        let changes = accounts.chain(documents.into_iter().map(Change::PutDocument));
        store.submit(Ticket(0), changes.collect(), Urgency::Now);
        let _ = store.take_stored();
        let mut config = Config::default();
        config.server.domain = "push.lan".to_owned();
        config.roster.shared = shared.iter().map(ToString::to_string).collect();
        let entropy = Box::new(|bytes: &mut [u8]| bytes.fill(7));
        let durable = Box::new(store.clone());
        let domain = Domain::load(Rc::new(config), durable, entropy, Now::default()).unwrap();
        let _ = store.take_stored();
        Self {
            domain,
            store,
            conns: 0,
        }
    }

    pub(super) fn user(&self, name: &str) -> Rc<str> {
        Rc::clone(self.domain.accounts.get(name).unwrap().0)
    }

    /// A session of a user's chat app, which has not said that it is there.
    pub(super) fn log_in(&mut self, user: &str) -> DeviceId {
        self.conns += 1;
        let bound = self
            .domain
            .bind(ConnId(self.conns), user, Some("App"), Login::Sasl);
        let (device, ..) = bound.unwrap();
        self.domain.chats_in(device, &"push.lan".into());
        device
    }

    /// … and one that has.
    pub(super) fn come(&mut self, user: &str) -> DeviceId {
        let device = self.log_in(user);
        self.domain.show(device, b"<presence/>", true);
        device
    }

    /// Pushes to the first user; what the push is called.
    pub(super) fn notify(&mut self, extras: Extras, now: Now) -> NotificationId {
        let draft = Draft {
            target: Target::User("u0".into()),
            title: "door".into(),
            message: String::new(),
            uri: String::new(),
            extras: Box::new(extras),
        };
        self.domain.notify(draft, AskId(0), now).unwrap();
        self.domain.newest.unwrap()
    }

    /// Goes one step on; the stanzas it makes, or `None` if there is nothing left to tell.
    pub(super) fn step(&mut self) -> Option<usize> {
        let goes_on = self.domain.spread();
        let mut stanzas = 0;
        while let Some(effect) = self.domain.effects.pop_front() {
            match effect {
                Effect::Deliver(..) => stanzas += 1,
                Effect::Flush(device) => self.domain.welcome_further(device),
                _ => {}
            }
        }
        goes_on.then_some(stanzas)
    }

    /// Lets the disk answer; what is delivered then.
    pub(super) fn settle(&mut self) -> Vec<String> {
        for (ticket, outcome) in self.store.take_stored() {
            self.domain.stored(ticket, &outcome, Now::default());
        }
        let mut stanzas = Vec::new();
        while let Some(effect) = self.domain.effects.pop_front() {
            if let Effect::Deliver(_, _, parcel) = effect {
                stanzas.push(String::from_utf8(parcel.stanza().to_vec()).unwrap());
            }
        }
        stanzas
    }
}
