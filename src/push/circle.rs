//! RFC 6121 §4: what the users of chat apps see of each other's sessions, and when.
//!
//! Presence is never written to the disk. Telling many about one goes in steps, see
//! [`spread`](super::spread).

use std::collections::VecDeque;
use std::rc::Rc;

use super::devices::ChatSession;
use super::domain::Domain;
use super::spread::{Sender, Welcome};
use super::store::DeviceId;
use crate::limits;
use crate::xmpp::feature::presence;
use crate::xmpp::jid::Jid;

/// What a chat app's session has to do with other users.
#[derive(Debug, Default)]
pub struct Circle {
    /// Whether its client has asked for the roster, and so is told of changes (RFC 6121 §2.2).
    pub interested: bool,
    /// Its presence without addresses, while it is available.
    pub presence: Option<Rc<[u8]>>,
    /// Whom it has sent presence to directly, oldest first (§4.6).
    pub told: VecDeque<Told>,
    /// What it still has to see when its socket has taken what it has.
    pub welcome: Option<Box<Welcome>>,
}

/// Somebody who was sent presence directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    user: Box<str>,
    /// One session, or `None` for all.
    resource: Option<Box<str>>,
}

impl Circle {
    /// Whether a user's session has been sent presence directly.
    #[must_use]
    pub fn has_told(&self, user: &str, resource: &str) -> bool {
        let mut told = self.told.iter();
        told.any(|told| {
            let is_meant = told.resource.as_deref().is_none_or(|one| one == resource);
            *told.user == *user && is_meant
        })
    }

    /// Whether any session of a user has been.
    #[must_use]
    pub fn has_told_any(&self, user: &str) -> bool {
        self.told.iter().any(|told| *told.user == *user)
    }
}

impl Domain {
    /// The session of a chat app.
    pub(super) fn chat(&self, device: DeviceId) -> Option<&ChatSession> {
        let link = self.devices.get(device)?.link.as_ref()?;
        link.chat.as_deref()
    }

    /// A user's devices that are available chat apps.
    pub(super) fn seeing(&self, user: &str) -> Vec<DeviceId> {
        let devices = self.accounts.devices(user).iter().copied();
        let is_available = |id: &DeviceId| {
            let chat = self.chat(*id);
            chat.is_some_and(|chat| chat.circle.presence.is_some())
        };
        devices.filter(is_available).collect()
    }

    /// A session is available, is so in another way, or is not any longer.
    pub(super) fn show(&mut self, device: DeviceId, words: &[u8], available: bool) {
        let Some(sender) = self.sender(device) else {
            return;
        };
        let Some(chat) = self.chat_session(device) else {
            return;
        };
        if !available {
            if chat.circle.presence.take().is_some() {
                let told = std::mem::take(&mut chat.circle.told);
                chat.circle.welcome = None;
                self.depart(sender, told, words);
            }
            return;
        }
        let words: Rc<[u8]> = words.into();
        let is_first = chat.circle.presence.replace(Rc::clone(&words)).is_none();
        // A session sees itself too (§4.2.2), and that before anything that its presence brings it.
        self.show_session(&sender, &words, device);
        if is_first {
            self.ask_again(&sender.user, device);
            self.welcome(device, &sender.user);
        }
        self.spread_presence(sender, words);
    }

    /// Everybody who saw a session sees it no longer.
    fn depart(&mut self, sender: Sender, told: VecDeque<Told>, words: &[u8]) {
        for told in told {
            self.pass_on(&sender, &told, words);
        }
        self.spread_presence(sender, words.into());
    }

    /// A session is over, whoever ended it; the device has it no longer.
    pub(super) fn left(&mut self, device: DeviceId, chat: Option<Box<ChatSession>>) {
        let (Some(sender), Some(chat)) = (self.sender(device), chat) else {
            return;
        };
        let user = Rc::clone(&sender.user);
        if chat.circle.presence.is_some() {
            self.depart(sender, chat.circle.told, &presence::bare("unavailable"));
        }
        let mut devices = self.accounts.devices(&user).iter();
        if !devices.any(|id| self.chat(*id).is_some()) {
            self.rosters.leave(&user);
            self.departures.insert(user, self.clock.mono);
        }
    }

    /// Who sends what comes from a device.
    fn sender(&self, device: DeviceId) -> Option<Sender> {
        let known = self.devices.get(device)?;
        Some(Sender {
            device,
            user: Rc::clone(&known.account),
            resource: Rc::clone(known.resource.as_ref()?),
        })
    }

    /// Presence to one user or session directly (§4.6).
    pub(super) fn tell(&mut self, device: DeviceId, to: &Jid, words: &[u8], kind: Option<&str>) {
        let (Some(sender), Some(user)) = (self.sender(device), &to.local) else {
            return;
        };
        let told = Told {
            user: user.as_str().into(),
            resource: to.resource.as_deref().map(Into::into),
        };
        self.pass_on(&sender, &told, words);
        let exists = self.accounts.get(user).is_some();
        let Some(chat) = self.chat_session(device) else {
            return;
        };
        let list = &mut chat.circle.told;
        match kind {
            None if !exists || list.contains(&told) => {}
            None => {
                let too_many = list.len() >= limits::DIRECTED_PRESENCES;
                let oldest = list.pop_front_if(|_| too_many);
                list.push_back(told);
                if let Some(oldest) = oldest {
                    self.pass_on(&sender, &oldest, &presence::bare("unavailable"));
                }
            }
            Some("unavailable") => list.retain(|other| *other != told),
            Some(_) => {}
        }
    }

    fn pass_on(&mut self, sender: &Sender, told: &Told, words: &[u8]) {
        for device in self.seeing(&told.user) {
            let known = self.devices.get(device);
            let resource = known.and_then(|device| device.resource.as_deref());
            if told.resource.is_none() || told.resource.as_deref() == resource {
                self.show_session(sender, words, device);
            }
        }
    }

    /// Shows a session what there is to be seen of a user; the same is seen of one who does not exist and of
    /// one who does not allow it (§4.3.2).
    pub(super) fn probe(&mut self, device: DeviceId, to: &Jid) {
        let (Some(bound), Some(user)) = (self.bound(device), &to.local) else {
            return;
        };
        let sees = self.may_see(&bound.user, user);
        let mut shown = self.shown(user);
        // Who is blocked hears what is heard of somebody who is away.
        shown.retain(|(sender, _)| sees && self.is_unhindered(sender, &bound));
        for (sender, words) in &shown {
            self.show_session(sender, words, device);
        }
        if shown.is_empty() {
            let kind = if sees { "unavailable" } else { "unsubscribed" };
            let from = format!("{user}@{}", bound.domain);
            let words = presence::bare(kind);
            let stanza = presence::with_addresses(&words, &from, &bound.to_string());
            self.deliver(device, stanza.into());
        }
    }

    /// Whether a user may see another's presence.
    pub(super) fn may_see(&self, user: &Rc<str>, other: &str) -> bool {
        let contact = self.contact(user, other).ok().flatten();
        **user == *other
            || contact.is_some_and(|contact| contact.state.to())
            || self.is_listed(other)
            || (self.is_listed(user) && self.accounts.get(other).is_some())
    }

    /// For how many seconds no chat app of a user has been there, as far as this server has been up.
    pub(super) fn seconds_away(&self, user: &str) -> Option<u64> {
        if !self.seeing(user).is_empty() {
            return Some(0);
        }
        let left = self.departures.get(user)?;
        Some(self.clock.mono.since(*left).as_secs())
    }

    /// Shows one session to another, unless one of their users has blocked the other.
    pub(super) fn show_session(&mut self, sender: &Sender, words: &[u8], to: DeviceId) {
        if let Some(bound) = self.bound(to)
            && self.is_unhindered(sender, &bound)
        {
            let from = format!("{}@{}/{}", sender.user, bound.domain, sender.resource);
            let to_user = format!("{}@{}", bound.user, bound.domain);
            let stanza = presence::with_addresses(words, &from, &to_user);
            self.deliver(to, stanza.into());
        }
    }

    /// Every session of a user that is available, with its presence.
    pub(super) fn shown(&self, user: &str) -> Vec<(Sender, Rc<[u8]>)> {
        let devices = self.accounts.devices(user).iter();
        let shown = devices.filter_map(|id| {
            let words = self.chat(*id)?.circle.presence.as_ref()?;
            Some((self.sender(*id)?, Rc::clone(words)))
        });
        shown.collect()
    }

    /// A user who has come into the phone book sees everybody, and is seen.
    pub(super) fn show_again(&mut self, user: &str) {
        for (sender, words) in self.shown(user) {
            self.welcome(sender.device, &sender.user.clone());
            self.spread_presence(sender, words);
        }
    }
}
