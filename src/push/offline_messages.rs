//! XEP-0160: messages that wait for their reader, on the disk. They are handed out in order, a few at a time,
//! and forgotten when the reader has them: a client with stream management acknowledges them (XEP-0198), any
//! other is sent a ping behind them, whose answer proves it.

use std::rc::Rc;

use litemap::LiteMap;
use minidom::Element;
use serde::{Deserialize, Serialize};

use super::accept::trusted_second;
use super::chat::Sender;
use super::commits::Then;
use super::domain::Domain;
use super::store::{Change, DeviceId, Document, DocumentId, DocumentKind, StoreError};
use crate::limits;
use crate::time::Now;
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::message::Message;
use crate::xmpp::feature::ping;
use crate::xmpp::payload::delay;
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, set_attr};

/// Pings behind messages have ids of their own.
const PING: &str = "messages-";

/// A message as it waits. Users are named by their local parts, so that it outlives a change of the domain.
#[derive(Debug, Deserialize, Serialize)]
struct Waiting {
    /// Who has sent it.
    from: String,
    /// With which resource.
    resource: String,
    /// Second since 1970 in which it came, or 0 if no clock could be trusted: a wrong time is worse than none.
    at: u32,
    /// The stanza without addresses.
    stanza: String,
}

/// Users who are being handed the messages that waited for them.
#[derive(Debug, Default)]
pub struct HandingOut {
    by_user: LiteMap<Rc<str>, Handed>,
    /// Pings sent, to give each its id.
    pings: u32,
    /// Bytes of all messages that wait, once somebody has counted them.
    waiting: Option<usize>,
}

/// What has been written to a reader's session.
#[derive(Debug)]
struct Handed {
    device: DeviceId,
    ping: u32,
    documents: Vec<DocumentId>,
    bytes: usize,
    /// The reader has them, and the disk is forgetting them.
    is_read: bool,
}

impl Domain {
    /// Keeps a message until its reader comes; the sender's connection is told when it is on the disk.
    pub(super) fn keep_message(
        &mut self,
        message: &Message,
        sender: Sender<'_>,
        now: Now,
    ) -> Result<(), StanzaError> {
        // Nothing may come to the disk behind the end of its account.
        let owner = message.to.local.clone().unwrap_or_default();
        if self.commits.is_full() || self.commits.removing(&owner) {
            return Err(StanzaError::ResourceConstraint);
        }
        let known = self.waiting_for(&owner).map_err(|error| {
            log::error!("cannot read the messages that wait for {owner:?}: {error}");
            StanzaError::InternalServerError
        })?;
        let text = written(message, sender.bound, trusted_second(now))?;
        let (pending, pending_bytes) = self.commits.keeping(&owner);
        let bytes: usize = known.iter().map(size).sum();
        let count = known.len() + pending;
        let all = self.count_waiting().map_err(|error| {
            log::error!("cannot count the messages that wait: {error}");
            StanzaError::InternalServerError
        })?;
        if count >= limits::WAITING_MESSAGES
            || bytes + pending_bytes + text.len() > limits::WAITING_MESSAGE_BYTES
            || all + text.len() > limits::WAITING_MESSAGES_TOTAL
        {
            return Err(StanzaError::ServiceUnavailable);
        }
        // Names rise, whatever the clock says.
        let newest = known
            .last()
            .and_then(|document| document.id.name.parse().ok());
        self.newest = self.newest.max(newest);
        let id = DocumentId {
            owner: owner.clone(),
            kind: DocumentKind::Message,
            name: self.next_id(now).to_string(),
        };
        let bytes = text.len();
        self.handing_out.waiting = Some(all + bytes);
        let change = Change::PutDocument(Document { id, text });
        self.submit(
            vec![change],
            Then::Kept { user: owner, bytes },
            sender.waiter,
        );
        Ok(())
    }

    /// A message is on the disk. Its reader may have come meanwhile.
    pub(super) fn kept(&mut self, user: &str) {
        self.hand_out(user);
    }

    /// The disk has refused a message; its sender is told.
    pub(super) fn not_kept(&mut self, bytes: usize) {
        if let Some(waiting) = &mut self.handing_out.waiting {
            *waiting = waiting.saturating_sub(bytes);
        }
    }

    /// Hands a user's waiting messages to the first app that can show them, oldest first.
    pub(super) fn hand_out(&mut self, user: &str) {
        if self.handing_out.by_user.contains_key(user) {
            return;
        }
        let own = self.accounts.devices(user).iter().copied();
        let reader = own.into_iter().find(|id| {
            let device = self.devices.get(*id);
            device.is_some_and(|device| {
                device.takes_messages() && device.is_chat() && device.is_awake()
            })
        });
        if let Some(device) = reader
            && let Some(bound) = self.bound(device)
        {
            self.hand_to(device, &bound);
        }
    }

    fn hand_to(&mut self, device: DeviceId, bound: &Bound) {
        let waiting = match self.waiting_for(&bound.user) {
            Ok(waiting) => waiting,
            Err(error) => {
                if self.unread.failed(device, self.clock) {
                    log::error!(
                        "cannot read the messages that wait for {:?}: {error}",
                        bound.user
                    );
                }
                return;
            }
        };
        let mut handed = Handed {
            device,
            ping: self.handing_out.pings.wrapping_add(1),
            documents: Vec::new(),
            bytes: 0,
            is_read: false,
        };
        for document in waiting {
            handed.bytes += size(&document);
            if let Some(bytes) = delivered(&document.text, bound) {
                self.deliver_kept(device, bytes.into());
            } else {
                log::error!(
                    "a message that waits for {:?} cannot be read, dropped",
                    bound.user
                );
            }
            handed.documents.push(document.id);
            if handed.bytes >= limits::PUMP_BYTES {
                break;
            }
        }
        if handed.documents.is_empty() {
            return;
        }
        self.handing_out.pings = handed.ping;
        let link = self.link_mut(device);
        if !link.is_some_and(|link| link.is_managed()) {
            let mut bytes = Vec::new();
            ping::write_ping(&format!("{PING}{}", handed.ping), bound, &mut bytes);
            self.deliver(device, bytes.into());
        }
        self.handing_out
            .by_user
            .insert(Rc::clone(&bound.user), handed);
    }

    /// A client has answered a ping; true if it was one behind messages, which it has then.
    pub(super) fn has_read(&mut self, device: DeviceId, id: &str) -> bool {
        let Some(number) = id.strip_prefix(PING) else {
            return false;
        };
        if let Ok(ping) = number.parse::<u32>() {
            self.forget_read(device, |handed| handed.ping == ping);
        }
        true
    }

    /// A client has acknowledged all messages that were handed to it.
    pub(super) fn has_acknowledged(&mut self, device: DeviceId) {
        self.forget_read(device, |_| true);
    }

    /// Lets the disk forget what a device has been handed and has.
    fn forget_read(&mut self, device: DeviceId, is_meant: impl Fn(&Handed) -> bool) {
        let mut all = self.handing_out.by_user.iter_mut();
        let found =
            all.find(|(_, handed)| handed.device == device && !handed.is_read && is_meant(handed));
        if let Some((user, handed)) = found {
            handed.is_read = true;
            let changes = handed.documents.drain(..).map(Change::DeleteDocument);
            let changes = changes.collect();
            let then = Then::Read {
                user: user.to_string(),
            };
            self.submit(changes, then, super::commits::Waiter::Nobody);
        }
    }

    /// The disk has forgotten what a reader has, or has refused to: then it is handed out again another time.
    pub(super) fn forgot_messages(&mut self, user: &str, done: bool) {
        if let Some(handed) = self.handing_out.by_user.remove(user)
            && done
        {
            self.not_kept(handed.bytes);
            self.hand_out(user);
        }
    }

    /// A device has announced how much it wants messages.
    pub(super) fn reader_said(&mut self, id: DeviceId) {
        let Some(device) = self.devices.get(id).filter(|device| device.is_chat()) else {
            return;
        };
        let user = Rc::clone(&device.account);
        let is_managed = device.link.as_ref().is_some_and(|link| link.is_managed());
        if device.takes_messages() {
            self.hand_out(&user);
        } else if !is_managed {
            // Who says goodbye acknowledges what it has behind that.
            self.reader_left(id);
        }
    }

    /// A session is over, or wants no messages any longer: another app of the user may have what it has not
    /// read.
    pub(super) fn reader_left(&mut self, device: DeviceId) {
        let mut handed = self.handing_out.by_user.iter();
        let user = handed
            .find(|(_, handed)| handed.device == device && !handed.is_read)
            .map(|(user, _)| Rc::clone(user));
        if let Some(user) = user {
            self.handing_out.by_user.remove(&user);
            self.hand_out(&user);
        }
    }

    /// Whether messages wait until a reader has read those before them. What cannot be read counts as nothing.
    pub(super) fn has_more_to_hand_out(&self, user: &str) -> bool {
        let handed = self.handing_out.by_user.get(user);
        let waiting = handed.and_then(|handed| {
            let waiting = self.waiting_for(user).ok()?;
            Some(waiting.len() > handed.documents.len())
        });
        waiting.unwrap_or(false)
    }

    /// An account is gone with what waited for it.
    pub(super) fn forget_waiting(&mut self, user: &str) {
        self.handing_out.by_user.remove(user);
        self.handing_out.waiting = None;
    }

    fn waiting_for(&self, user: &str) -> Result<Vec<Document>, StoreError> {
        self.store.documents(user, DocumentKind::Message)
    }

    /// Bytes of all messages that wait. Accounts are asked one by one, once after a start.
    fn count_waiting(&mut self) -> Result<usize, StoreError> {
        if let Some(bytes) = self.handing_out.waiting {
            return Ok(bytes);
        }
        let mut bytes = self.commits.keeping_all();
        for (user, _) in self.accounts.iter() {
            bytes += self.waiting_for(user)?.iter().map(size).sum::<usize>();
        }
        self.handing_out.waiting = Some(bytes);
        Ok(bytes)
    }
}

fn size(document: &Document) -> usize {
    document.text.len()
}

/// A message as it is kept.
fn written(message: &Message, sender: &Bound, at: u32) -> Result<String, StanzaError> {
    let mut stanza = message.stanza.clone();
    for address in ["from", "to"] {
        let _ = stanza.attrs_mut().remove(rxml::Namespace::none(), address);
    }
    let waiting = Waiting {
        from: sender.user.to_string(),
        resource: sender.resource.to_string(),
        at,
        stanza: String::from(&stanza),
    };
    let text = serde_json::to_string(&waiting).map_err(|_| StanzaError::BadRequest)?;
    if text.len() > limits::DOCUMENT {
        return Err(StanzaError::NotAcceptable);
    }
    Ok(text)
}

/// A message as its reader gets it, or `None` if it cannot be read.
fn delivered(text: &str, bound: &Bound) -> Option<Vec<u8>> {
    let waiting: Waiting = serde_json::from_slice(text.as_bytes()).ok()?;
    let mut stanza: Element = waiting.stanza.parse().ok()?;
    let Bound { user, domain, .. } = bound;
    let from = format!("{}@{domain}/{}", waiting.from, waiting.resource);
    set_attr(&mut stanza, "from", &from);
    set_attr(&mut stanza, "to", &format!("{user}@{domain}"));
    if waiting.at > 0 {
        stanza.append_child(delay::stamp(domain, u64::from(waiting.at)));
    }
    let mut bytes = Vec::new();
    stanza::write(stanza, &mut bytes);
    (!bytes.is_empty()).then_some(bytes)
}
