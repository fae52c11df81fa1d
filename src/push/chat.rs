//! Sessions of chat apps, and where the messages between users go (RFC 6121 §8.5).

use std::rc::Rc;

use minidom::Element;

use super::abilities::Abilities;
use super::circle::Circle;
use super::commits::Waiter;
use super::devices::{ChatSession, Device};
use super::domain::Domain;
use super::parcel::Fate;
use super::store::DeviceId;
use crate::limits;
use crate::time::Now;
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::carbons::{self, Way};
use crate::xmpp::feature::message::{Kind, Message, Storing};
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, set_attr};

/// Who sends a message.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The device.
    pub device: DeviceId,
    /// Its full JID.
    pub bound: &'a Bound,
    /// Who is told if the message has to wait for the disk.
    pub waiter: Waiter,
}

impl Domain {
    /// A device's session is one of a chat app.
    pub(super) fn chats_in(&mut self, id: DeviceId, domain: &Rc<str>) {
        let device = self.devices.get_mut(id);
        if let Some(device) = &device {
            self.rosters.enter(&device.account);
        }
        if let Some(link) = device.and_then(|device| device.link.as_mut()) {
            link.chat = Some(Box::new(ChatSession {
                domain: Rc::clone(domain),
                abilities: Abilities::default(),
                question: None,
                carbons: false,
                circle: Circle::default(),
                blocklist: false,
            }));
        }
        self.may_be_managed(id);
    }

    /// What is known about the session of a chat app.
    pub(super) fn chat_session(&mut self, id: DeviceId) -> Option<&mut ChatSession> {
        let link = self.devices.get_mut(id)?.link.as_mut()?;
        link.chat.as_deref_mut()
    }

    /// The full JID of a chat app's session, in the name its client uses.
    pub(super) fn bound(&self, id: DeviceId) -> Option<Bound> {
        let device = self.devices.get(id)?;
        let chat = device.link.as_ref()?.chat.as_ref()?;
        Some(Bound {
            domain: Rc::clone(&chat.domain),
            user: Rc::clone(&device.account),
            resource: Rc::clone(device.resource.as_ref()?),
        })
    }

    /// Routes a message to a user of ours. `Ok(true)` if it waits for the disk.
    pub(super) fn send(
        &mut self,
        mut message: Message,
        sender: Sender<'_>,
        now: Now,
    ) -> Result<bool, StanzaError> {
        let is_copied = carbons::is_copied(&message.stanza);
        carbons::take_out_private(&mut message.stanza);
        let message = &message;
        let user = message.to.local.as_deref().unwrap_or_default();
        self.accepts(user, message, sender.bound)?;
        let mut readers = self.readers(message, user)?;
        self.leave_sleepers(message, &mut readers);
        if self.waits_its_turn(message, user) {
            readers.clear();
        }
        if readers.len() > limits::CHAT_SESSIONS {
            log::warn!(
                "a message for {user:?} goes to {} sessions only",
                limits::CHAT_SESSIONS
            );
            readers.truncate(limits::CHAT_SESSIONS);
        }
        let mut copies = Copies::new(message, sender.bound);
        if copies.for_domain(None)?.len() > limits::CHAT_MESSAGE {
            return Err(StanzaError::NotAcceptable);
        }
        let waits = match self.waits_for_reader(message, user, &readers) {
            true => match self.keep_message(message, sender, now) {
                Ok(()) => true,
                Err(error) if readers.is_empty() => return Err(error),
                Err(_) => false,
            },
            false if readers.is_empty() && message.storing == Storing::Forbidden => {
                return Err(StanzaError::ServiceUnavailable);
            }
            false => false,
        };
        for reader in &readers {
            let domain = self.chat_domain(*reader);
            let bytes = copies.for_domain(domain)?;
            self.deliver_shared(*reader, bytes, copies.fate.clone());
        }
        if is_copied {
            if !readers.is_empty() {
                self.send_carbons(&mut copies, Way::Received, user, &readers);
            }
            let mut senders = readers;
            senders.push(sender.device);
            self.send_carbons(&mut copies, Way::Sent, &sender.bound.user, &senders);
        }
        Ok(waits)
    }

    /// Whether `user` gets messages of the sender at all; who does not exist and who does not want to hear of
    /// the sender are not told apart.
    fn accepts(
        &mut self,
        user: &str,
        message: &Message,
        sender: &Bound,
    ) -> Result<(), StanzaError> {
        let to = (user, message.to.resource.as_deref());
        self.may_address((&sender.user, Some(&sender.resource)), to)?;
        match self.accounts.get(user) {
            Some(_) => Ok(()),
            None => Err(StanzaError::ServiceUnavailable),
        }
    }

    /// The sessions a message goes to. None is no error where it may wait for one, or where nobody cares.
    fn readers(&self, message: &Message, user: &str) -> Result<Vec<DeviceId>, StanzaError> {
        let with = |test: &dyn Fn(&Device) -> bool| -> Vec<DeviceId> {
            let own = self.accounts.devices(user).iter().copied();
            own.filter(|id| self.devices.get(*id).is_some_and(test))
                .collect()
        };
        if let Some(resource) = &message.to.resource {
            let named = with(&|device| {
                device.link.is_some() && device.resource.as_deref() == Some(resource)
            });
            if !named.is_empty() {
                return Ok(named);
            }
            // §8.5.3.2.1: only a conversation goes on with the user's other apps.
            match message.kind {
                Kind::Chat => {}
                Kind::Headline | Kind::Error => return Ok(Vec::new()),
                Kind::Normal | Kind::Groupchat => return Err(StanzaError::ServiceUnavailable),
            }
        }
        match message.kind {
            Kind::Chat | Kind::Normal | Kind::Headline => Ok(with(&Device::takes_messages)),
            Kind::Error => Ok(Vec::new()),
            Kind::Groupchat => Err(StanzaError::ServiceUnavailable),
        }
    }

    /// What may wait on the disk does not wait in the memory of a session that sleeps, which a power cut would
    /// end. It gets such messages only along with apps that are awake.
    fn leave_sleepers(&self, message: &Message, readers: &mut Vec<DeviceId>) {
        let is_kind = matches!(message.kind, Kind::Chat | Kind::Normal);
        let is_awake = |id: &DeviceId| self.devices.get(*id).is_some_and(Device::is_awake);
        let shows = |id: &DeviceId| is_awake(id) && self.chat_domain(*id).is_some();
        if is_kind && message.storing == Storing::Kept && !readers.iter().any(shows) {
            readers.retain(is_awake);
        }
    }

    /// Whether earlier messages are on their way to the disk, or wait there for their reader to have read others,
    /// who is there again: a message must not overtake them.
    fn waits_its_turn(&self, message: &Message, user: &str) -> bool {
        let is_kind = matches!(message.kind, Kind::Chat | Kind::Normal);
        is_kind
            && message.storing == Storing::Kept
            && (self.commits.keeping(user).0 > 0 || self.has_more_to_hand_out(user))
    }

    /// Whether nobody has a message yet who can show it to its reader: androidpn's clients show none, but to
    /// a user who has nothing else it cannot wait for anything better.
    fn waits_for_reader(&self, message: &Message, user: &str, readers: &[DeviceId]) -> bool {
        let is_kind = matches!(message.kind, Kind::Chat | Kind::Normal);
        let shown = readers.iter().any(|id| self.chat_domain(*id).is_some());
        let has_others = || {
            let mut devices = self.accounts.devices(user).iter();
            devices.any(|id| !readers.contains(id))
        };
        is_kind
            && message.storing == Storing::Kept
            && !shown
            && (readers.is_empty() || has_others())
    }

    /// The name a chat app's client uses for this server; `None` for androidpn's clients.
    pub(super) fn chat_domain(&self, id: DeviceId) -> Option<Rc<str>> {
        let link = self.devices.get(id)?.link.as_ref()?;
        link.chat.as_ref().map(|chat| Rc::clone(&chat.domain))
    }
}

/// A name of this server, and a stanza in that name.
type Written = (Option<Rc<str>>, Rc<[u8]>);

/// A message as its readers get it: once for each name of this server that they use, so that every address
/// they see is in that name.
pub(super) struct Copies<'a> {
    message: &'a Message,
    sender: &'a Bound,
    written: Vec<Written>,
    /// What becomes of it, whichever session gets it.
    pub(super) fate: Fate,
}

impl<'a> Copies<'a> {
    fn new(message: &'a Message, sender: &'a Bound) -> Self {
        Self {
            message,
            sender,
            written: Vec::new(),
            fate: Fate::default(),
        }
    }

    /// The stanza in the name `domain`; without one, in the names its sender uses.
    pub(super) fn in_name(&self, domain: Option<&str>) -> Element {
        let mut stanza = self.message.stanza.clone();
        let Bound { user, resource, .. } = self.sender;
        let own = &*self.sender.domain;
        set_attr(
            &mut stanza,
            "from",
            &format!("{user}@{}/{resource}", domain.unwrap_or(own)),
        );
        if let Some(domain) = domain {
            let mut to = self.message.to.clone();
            domain.clone_into(&mut to.domain);
            set_attr(&mut stanza, "to", &to.to_string());
        }
        stanza
    }

    fn for_domain(&mut self, domain: Option<Rc<str>>) -> Result<Rc<[u8]>, StanzaError> {
        if let Some((_, bytes)) = self.written.iter().find(|(name, _)| *name == domain) {
            return Ok(Rc::clone(bytes));
        }
        let mut bytes = Vec::new();
        stanza::write(self.in_name(domain.as_deref()), &mut bytes);
        if bytes.is_empty() {
            return Err(StanzaError::BadRequest);
        }
        let bytes: Rc<[u8]> = bytes.into();
        self.written.push((domain, Rc::clone(&bytes)));
        Ok(bytes)
    }
}
