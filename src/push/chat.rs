//! Sessions of chat apps, and where the messages between users go.

use std::rc::Rc;

use super::devices::ChatSession;
use super::domain::Domain;
use super::store::DeviceId;
use crate::xmpp::feature::caps::Abilities;
use crate::xmpp::session::Bound;

impl Domain {
    /// A device's session is one of a chat app.
    pub(super) fn chats_in(&mut self, id: DeviceId, domain: &Rc<str>) {
        let device = self.devices.get_mut(id);
        if let Some(link) = device.and_then(|device| device.link.as_mut()) {
            link.chat = Some(Box::new(ChatSession {
                domain: Rc::clone(domain),
                abilities: Abilities::default(),
                question: None,
                carbons: false,
            }));
        }
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
}
