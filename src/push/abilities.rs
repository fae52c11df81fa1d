//! What each chat app can do, which decides the form its pushes take. Apps announce it as a hash; whoever
//! announces one we have not met is asked once what it stands for.

use std::collections::VecDeque;
use std::time::Duration;

use litemap::LiteMap;
use minidom::Element;

use super::domain::{Domain, Effect};
use super::store::DeviceId;
use crate::limits;
use crate::time::Now;
use crate::xmpp::feature::notification;
use crate::xmpp::ns;
use crate::xmpp::payload::caps::Caps;
use crate::xmpp::payload::retraction;
use crate::xmpp::stanza::attr;

/// What matters to us of all a client can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// It reads pushes as androidpn's clients do.
    pub notifications: bool,
    /// It takes a message back (XEP-0424).
    pub retractions: bool,
}

/// What hashes stand for: those of answers that fit them.
#[derive(Debug, Default)]
pub struct KnownCaps {
    by_key: LiteMap<[u8; 20], Abilities>,
    oldest_first: VecDeque<[u8; 20]>,
}

impl KnownCaps {
    fn get(&self, caps: &Caps) -> Option<Abilities> {
        self.by_key.get(&caps.key()).copied()
    }

    fn put(&mut self, caps: &Caps, abilities: Abilities) {
        let key = caps.key();
        if self.by_key.insert(key, abilities).is_none() {
            self.oldest_first.push_back(key);
        }
        if self.oldest_first.len() > limits::KNOWN_CAPS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_key.remove(&oldest);
        }
    }
}

/// A question to one client about its capabilities.
#[derive(Debug)]
pub struct Question {
    caps: Caps,
    number: u32,
    /// It has been answered, by something that does not fit the hash: the answer counts for this client only.
    answered: bool,
}

impl Domain {
    /// A client has announced what it can do.
    pub(super) fn announces(&mut self, id: DeviceId, caps: Caps) {
        let known = self.known_caps.get(&caps);
        let Some(bound) = self.bound(id) else {
            return;
        };
        let Some(chat) = self.chat_session(id) else {
            return;
        };
        if let Some(abilities) = known {
            chat.question = None;
            chat.abilities = abilities;
            self.apply_abilities(id, abilities);
            return;
        }
        let last = chat.question.as_ref();
        if last.is_some_and(|question| question.caps == caps) {
            return;
        }
        let number = last.map_or(1, |question| question.number.wrapping_add(1));
        let mut bytes = Vec::new();
        caps.write_question(number, &bound, &mut bytes);
        chat.question = Some(Box::new(Question {
            caps,
            number,
            answered: false,
        }));
        // What has not been sent to yet waits for the answer.
        if let Some(link) = self.devices.get_mut(id).and_then(|one| one.link.as_mut())
            && link.presence.is_none()
        {
            link.settled = false;
        }
        self.deliver(id, bytes.into());
    }

    /// A client has answered a question about its capabilities, with an error if there is no `info`.
    pub(super) fn told_abilities(&mut self, id: DeviceId, number: u32, info: Option<&Element>) {
        let Some(chat) = self.chat_session(id) else {
            return;
        };
        let Some(question) = &mut chat.question else {
            return;
        };
        if question.number != number || question.answered {
            return;
        }
        let abilities = info.map(abilities).unwrap_or_default();
        chat.abilities = abilities;
        if info.is_some_and(|info| question.caps.fits(info)) {
            if let Some(question) = chat.question.take() {
                self.known_caps.put(&question.caps, abilities);
            }
        } else {
            question.answered = true;
        }
        self.apply_abilities(id, abilities);
        self.settle_now(id);
    }

    fn apply_abilities(&mut self, id: DeviceId, abilities: Abilities) {
        if abilities.retractions {
            self.takes_back(id);
        }
    }

    /// How long a device that has just announced itself is sent nothing: androidpn's client does not listen
    /// yet, and of a chat app we want to know first in which form it gets its pushes.
    pub(super) fn settle_wait(&self, id: DeviceId) -> Duration {
        let link = self.devices.get(id).and_then(|device| device.link.as_ref());
        match link.and_then(|link| link.chat.as_ref()) {
            None => Duration::from_secs(self.config.xmpp.settle),
            Some(chat) => match &chat.question {
                Some(question) if !question.answered => limits::CAPS_WAIT,
                _ => Duration::ZERO,
            },
        }
    }

    /// Nothing has to be waited for any longer.
    fn settle_now(&mut self, id: DeviceId) {
        let place = self.settling.iter().position(|(_, device)| *device == id);
        if let Some(place) = place {
            self.settling.remove(place);
            if let Some(device) = self.devices.get_mut(id)
                && let Some(link) = &mut device.link
            {
                link.settled = true;
            }
            self.effects.push_back(Effect::Pump(id));
        }
    }

    /// Lets a device that has just announced itself have its pushes when its time has come.
    pub(super) fn settle_later(&mut self, id: DeviceId, now: Now) {
        if self.settling.iter().any(|(_, device)| *device == id) {
            return;
        }
        let due = now.mono.after(self.settle_wait(id));
        let place = self.settling.partition_point(|(other, _)| *other <= due);
        self.settling.insert(place, (due, id));
    }
}

/// What a client says it can do.
fn abilities(info: &Element) -> Abilities {
    let can = |feature: &str| {
        let mut features = info.children();
        features
            .any(|child| child.is("feature", ns::DISCO_INFO) && attr(child, "var") == Some(feature))
    };
    Abilities {
        notifications: can(notification::NS),
        retractions: can(retraction::NS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::payload::caps;

    fn caps(ver: usize) -> Caps {
        let presence = format!(
            "<presence xmlns='jabber:client'><c xmlns='{}' hash='sha-1' node='n' ver='{ver}'/></presence>",
            caps::NS
        );
        Caps::of(&presence.parse().unwrap()).unwrap()
    }

    #[test]
    fn so_many_kinds_of_clients_are_known() {
        let mut known = KnownCaps::default();
        let able = Abilities {
            notifications: true,
            retractions: true,
        };
        for ver in 0..limits::KNOWN_CAPS {
            known.put(&caps(ver), able);
        }
        known.put(&caps(0), Abilities::default());
        assert_eq!(known.get(&caps(0)), Some(Abilities::default()));
        known.put(&caps(limits::KNOWN_CAPS), able);
        assert_eq!(known.get(&caps(0)), None);
        assert_eq!(known.get(&caps(limits::KNOWN_CAPS)), Some(able));
        assert_eq!(known.by_key.len(), limits::KNOWN_CAPS);
    }

    #[test]
    fn features_that_matter() {
        let info: Element = "<query xmlns='http://jabber.org/protocol/disco#info'>\
             <feature var='urn:xmpp:message-retract:1'/><feature var='x'/></query>"
            .parse()
            .unwrap();
        let want = Abilities {
            retractions: true,
            notifications: false,
        };
        assert_eq!(abilities(&info), want);
    }
}
