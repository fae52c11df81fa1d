//! RFC 6121 §8.5.3: requests of one client to another. Each is remembered until it has been answered, so that
//! whoever asks always hears something, and nobody hears an answer without having asked.

use std::collections::VecDeque;

use minidom::Element;

use super::devices::Link;
use super::domain::Domain;
use super::store::DeviceId;
use crate::limits;
use crate::time::{Instant, Now};
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Jid;
use crate::xmpp::ns;
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, attr, name, set_attr};

/// Requests that have not been answered, oldest first.
#[derive(Debug, Default)]
pub struct Requests {
    open: VecDeque<Request>,
}

#[derive(Debug)]
struct Request {
    asker: Side,
    answerer: Side,
    id: Box<str>,
    /// Whom it was addressed to, as the client that asks writes it: that is what it waits to hear from.
    to: Box<str>,
    due: Instant,
}

/// A session, which may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Side {
    device: DeviceId,
    serial: u32,
}

impl Requests {
    /// When the oldest has waited long enough.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.open.front().map(|request| request.due)
    }
}

impl Domain {
    /// Passes a request on to a session of one of our users.
    pub(super) fn ask(
        &mut self,
        device: DeviceId,
        bound: &Bound,
        to: &Jid,
        request: &Element,
        now: Now,
    ) -> Result<(), StanzaError> {
        let user = to.local.as_deref().unwrap_or_default();
        let resource = to.resource.as_deref();
        self.may_address((&bound.user, Some(&bound.resource)), (user, resource))?;
        let answerer = self
            .session_of(user, resource)
            .filter(|other| self.may_know(bound, device, other.device))
            .ok_or(StanzaError::ServiceUnavailable)?;
        let own = self.link_of(device).ok_or(StanzaError::NotAuthorized)?;
        let asker = Side {
            device,
            serial: own.serial,
        };
        let open = &self.requests.open;
        let own = open.iter().filter(|request| request.asker == asker).count();
        if open.len() >= limits::REQUESTS || own >= limits::REQUESTS_OF_ONE {
            return Err(StanzaError::ResourceConstraint);
        }
        let target = self.bound(answerer.device);
        let target = target.ok_or(StanzaError::ServiceUnavailable)?;
        let from = format!("{}@{}/{}", bound.user, target.domain, bound.resource);
        let bytes = readdressed(request, &from, &target.to_string());
        let bytes = bytes.ok_or(StanzaError::NotAcceptable)?;
        self.requests.open.push_back(Request {
            asker,
            answerer,
            id: attr(request, "id").unwrap_or_default().into(),
            to: attr(request, "to").unwrap_or_default().into(),
            due: now.mono.after(limits::REQUEST_WAIT),
        });
        self.deliver(answerer.device, bytes.into());
        Ok(())
    }

    /// Passes an answer on to who has asked; false if nobody has.
    pub(super) fn pass_answer(&mut self, device: DeviceId, to: &Jid, answer: &Element) -> bool {
        let id = attr(answer, "id").unwrap_or_default();
        let is_meant = |request: &Request| {
            let asker = self.devices.get(request.asker.device);
            request.answerer.device == device
                && self.is_there(request.answerer)
                && *request.id == *id
                && asker.is_some_and(|asker| {
                    Some(&*asker.account) == to.local.as_deref()
                        && asker.resource.as_deref() == to.resource.as_deref()
                })
        };
        let Some(at) = self.requests.open.iter().position(is_meant) else {
            return false;
        };
        if let Some(request) = self.requests.open.remove(at)
            && self.is_there(request.asker)
            && let Some(asker) = self.bound(request.asker.device)
        {
            match readdressed(answer, &request.to, &asker.to_string()) {
                Some(bytes) => self.deliver(request.asker.device, bytes.into()),
                None => self.no_answer(&request),
            }
        }
        true
    }

    /// Tells clients that no answer will come: the other session is over, or has had its time. Whether there was
    /// anything to tell.
    pub(super) fn end_requests(&mut self, now: Now) -> bool {
        let mut open = self.requests.open.iter();
        if open.all(|request| self.waits(request, now)) {
            return false;
        }
        let open = std::mem::take(&mut self.requests.open);
        let (open, over): (VecDeque<_>, VecDeque<_>) = open
            .into_iter()
            .partition(|request| self.waits(request, now));
        self.requests.open = open;
        for request in &over {
            self.no_answer(request);
        }
        true
    }

    /// Whether an answer may still come, and somebody waits for it.
    fn waits(&self, request: &Request, now: Now) -> bool {
        let in_time = request.due > now.mono;
        in_time && self.is_there(request.answerer) && self.is_there(request.asker)
    }

    fn no_answer(&mut self, request: &Request) {
        let asker = self.bound(request.asker.device);
        let Some(asker) = asker.filter(|_| self.is_there(request.asker)) else {
            return;
        };
        let asked = Element::builder("iq", ns::CLIENT)
            .attr(name("id"), &*request.id)
            .attr(name("to"), &*request.to)
            .build();
        let mut out = Vec::new();
        let why = StanzaError::ServiceUnavailable;
        stanza::write_error(&asked, &asker.to_string(), why, &mut out);
        self.deliver(request.asker.device, out.into());
    }

    /// Whether two users may know of each other's sessions, and so may ask them something: one of them sees the
    /// other, or has been sent presence directly.
    fn may_know(&self, asker: &Bound, device: DeviceId, other: DeviceId) -> bool {
        let Some(owner) = self.devices.get(other) else {
            return false;
        };
        let told = |from: DeviceId, user: &str, resource: &str| {
            let chat = self.chat(from);
            chat.is_some_and(|chat| chat.circle.has_told(user, resource))
        };
        let resource = owner.resource.as_deref().unwrap_or_default();
        self.may_see(&asker.user, &owner.account)
            || self.may_see(&owner.account, &asker.user)
            || told(other, &asker.user, &asker.resource)
            || told(device, &owner.account, resource)
    }

    fn session_of(&self, user: &str, resource: Option<&str>) -> Option<Side> {
        self.accounts.devices(user).iter().find_map(|id| {
            let device = self.devices.get(*id)?;
            let link = device.link.as_ref().filter(|link| link.chat.is_some())?;
            (device.resource.as_deref() == resource).then_some(Side {
                device: *id,
                serial: link.serial,
            })
        })
    }

    fn link_of(&self, device: DeviceId) -> Option<&Link> {
        self.devices.get(device)?.link.as_deref()
    }

    fn is_there(&self, side: Side) -> bool {
        let link = self.link_of(side.device);
        link.is_some_and(|link| link.serial == side.serial)
    }
}

/// A stanza with other addresses; `None` if it is too long.
fn readdressed(stanza: &Element, from: &str, to: &str) -> Option<Vec<u8>> {
    let mut stanza = stanza.clone();
    set_attr(&mut stanza, "from", from);
    set_attr(&mut stanza, "to", to);
    let mut bytes = Vec::new();
    stanza::write(stanza, &mut bytes);
    (!bytes.is_empty() && bytes.len() <= limits::CHAT_MESSAGE).then_some(bytes)
}
