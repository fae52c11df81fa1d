//! XEP-0352: while nobody looks at a client, what can wait does, so that its radio sleeps.
//!
//! Presence waits, the latest of each sender; so do pushes of low priority, for [`limits::INACTIVE_HOLD`] at
//! most. Anything else goes at once and takes what waits along, in order: the radio is awake then anyway.

use std::collections::VecDeque;
use std::rc::Rc;

use litemap::LiteMap;

use super::devices::{Device, Link};
use super::domain::{Domain, Effect};
use super::notification::Priority;
use super::parcel::Parcel;
use super::store::DeviceId;
use crate::limits;
use crate::time::{Instant, Now};

/// What waits until somebody looks.
#[derive(Debug, Default)]
pub struct Inactive {
    /// The latest presence of each sender, by the start of the stanza that names it.
    presences: LiteMap<Box<[u8]>, Rc<[u8]>>,
    /// Whether pushes wait, and the device is in [`Domain::holding`].
    holds_pushes: bool,
}

/// Devices whose pushes wait for somebody to look, by when they wait no longer.
pub(super) type Holding = VecDeque<(Instant, DeviceId)>;

impl Link {
    /// Whether nobody looks at the client.
    #[must_use]
    pub fn is_inactive(&self) -> bool {
        self.inactive.is_some()
    }

    /// Keeps a stanza that can wait; gives it back, behind all that has waited, if it cannot.
    pub(super) fn hold(&mut self, parcel: Parcel) -> Vec<Parcel> {
        let Some(inactive) = &mut self.inactive else {
            return vec![parcel];
        };
        if let Parcel::Only(stanza) = &parcel
            && let Some(sender) = presence_of(stanza)
            && inactive.presences.len() < limits::INACTIVE_PRESENCES
        {
            inactive.presences.insert(sender.into(), Rc::clone(stanza));
            return Vec::new();
        }
        let mut all: Vec<_> = std::mem::take(&mut inactive.presences)
            .into_iter()
            .map(|(_, presence)| Parcel::Only(presence))
            .collect();
        all.push(parcel);
        all
    }
}

impl Domain {
    /// The client says whether anybody looks at it.
    pub(super) fn client_state(&mut self, id: DeviceId, active: bool) {
        let Some(link) = self.link_mut(id) else {
            return;
        };
        if !active {
            link.inactive.get_or_insert_default();
            return;
        }
        let Some(inactive) = link.inactive.take() else {
            return;
        };
        self.holding.retain(|(_, held)| *held != id);
        for (_, presence) in inactive.presences {
            self.deliver(id, presence);
        }
        self.effects.push_back(Effect::Pump(id));
    }

    /// Whether a device's pushes wait for somebody to look at it.
    pub(super) fn holds_pushes(&mut self, id: DeviceId, now: Now) -> bool {
        if !self.may_hold(id) {
            return false;
        }
        let inactive = self.link_mut(id).and_then(|link| link.inactive.as_mut());
        let Some(inactive) = inactive else {
            return false;
        };
        if !inactive.holds_pushes {
            inactive.holds_pushes = true;
            self.holding
                .push_back((now.mono.after(limits::INACTIVE_HOLD), id));
        }
        // Taken out of `holding` when its time is over, it waits no longer.
        self.holding.iter().any(|(_, held)| *held == id)
    }

    /// Whether all a device has yet to be sent can wait.
    fn may_hold(&self, id: DeviceId) -> bool {
        let can_wait = |device: &Device| {
            let link = device.link.as_ref().filter(|link| link.is_inactive())?;
            let mut rest = device.queue.iter().skip(link.in_flight).peekable();
            rest.peek()?;
            Some(rest.all(|id| {
                let head = self.ledger.head(*id);
                head.is_some_and(|head| head.priority < Priority::default())
            }))
        };
        self.devices.get(id).and_then(can_wait).unwrap_or(false)
    }

    /// Pushes have waited long enough.
    pub(super) fn end_holding(&mut self, now: Now) {
        while let Some((_, id)) = self.holding.pop_front_if(|(due, _)| *due <= now.mono) {
            self.effects.push_back(Effect::Pump(id));
        }
    }

    /// Everything a device has yet to be sent has been sent: what comes next may wait again.
    pub(super) fn hold_again(&mut self, id: DeviceId) {
        if let Some(inactive) = self.link_mut(id).and_then(|link| link.inactive.as_mut()) {
            inactive.holds_pushes = false;
        }
        self.holding.retain(|(_, held)| *held != id);
    }
}

/// The sender of a presence that a later one of the same sender makes worthless: one that says who is there.
fn presence_of(stanza: &[u8]) -> Option<&[u8]> {
    let text = stanza.strip_prefix(b"<presence ")?;
    let end = text.iter().position(|byte| *byte == b'>')?;
    let tag = std::str::from_utf8(text.get(..end)?).ok()?;
    let value = |name: &str| {
        let rest = tag.split_once(name)?.1;
        let quote = rest.chars().next()?;
        rest.get(1..)?.split(quote).next()
    };
    let kind = value(" type=").or_else(|| tag.strip_prefix("type=").and_then(|_| value("type=")));
    match kind {
        None | Some("unavailable") => {}
        Some(_) => return None,
    }
    Some(value("from=")?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::presence_of;

    #[test]
    fn which_presence_can_wait() {
        for (stanza, sender) in [
            ("<presence from='a@b/c' to='d@b'/>", Some("a@b/c")),
            (
                "<presence to=\"d@b\" from=\"a@b/c\"><show>dnd</show></presence>",
                Some("a@b/c"),
            ),
            (
                "<presence xmlns='jabber:client' type='unavailable' from='a@b/c'/>",
                Some("a@b/c"),
            ),
            ("<presence type='unavailable' from='a@b/c'/>", Some("a@b/c")),
            ("<presence type='subscribe' from='a@b'/>", None),
            ("<presence from='a@b' type='error'/>", None),
            ("<presence/>", None),
            ("<message from='a@b'/>", None),
        ] {
            let found = presence_of(stanza.as_bytes());
            assert_eq!(found, sender.map(str::as_bytes), "{stanza}");
        }
    }
}
