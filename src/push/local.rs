//! The server as one connection sees it: floor 0's port, answered by the domain.

use std::net::IpAddr;
use std::rc::Rc;

use minidom::Element;

use super::chat::Sender;
use super::commits::Waiter;
use super::contact;
use super::domain::{Domain, Effect};
use super::event::ConnId;
use super::notification::DeliveryState;
use super::store::DeviceId;
use crate::config::Config;
use crate::time::{Now, Wall};
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::message::Message;
use crate::xmpp::feature::presence::Taken;
use crate::xmpp::feature::roster;
use crate::xmpp::host::{
    AccountChange, Attempt, Enabled, Host, Login, Presence, Registration, Scope, TopicChange, Whose,
};
use crate::xmpp::jid::Jid;
use crate::xmpp::payload::caps::Caps;
use crate::xmpp::sasl::keys::Keys;
use crate::xmpp::session::Bound;
use crate::xmpp::subscription::Kind;

/// One connection's view of the domain, made anew for every event.
pub struct Local<'a> {
    /// Everything but the streams.
    pub domain: &'a mut Domain,
    /// The connection.
    pub conn: ConnId,
    /// Where it comes from.
    pub peer: IpAddr,
    /// The device that is logged in on it.
    pub device: &'a mut Option<DeviceId>,
    /// When the event happened.
    pub now: Now,
}

impl Local<'_> {
    /// Whose connection it is.
    pub(super) fn user(&self) -> Result<Rc<str>, StanzaError> {
        let device = self.device.and_then(|id| self.domain.devices.get(id));
        device
            .map(|device| Rc::clone(&device.account))
            .ok_or(StanzaError::NotAuthorized)
    }

    /// Whether a domain is one this session may call the server by.
    fn is_ours(&self, domain: &str) -> bool {
        let chat = self.device.and_then(|id| self.domain.chat(id));
        chat.is_some_and(|chat| *chat.domain == *domain) || self.domain.is_own_domain(domain)
    }
}

impl Host for Local<'_> {
    fn config(&self) -> &Config {
        &self.domain.config
    }

    fn wall(&self) -> Wall {
        self.now.wall
    }

    fn domain_name(&mut self, domain: &str) -> Rc<str> {
        self.domain.domain_name(domain)
    }

    fn new_stream_id(&mut self) -> u64 {
        self.domain.invitations.forget(self.conn);
        u64::from_be_bytes(self.domain.random())
    }

    fn is_own_domain(&self, domain: &str) -> bool {
        self.domain.is_own_domain(domain)
    }

    fn may_register(&self) -> bool {
        self.domain.may_register(self.conn, self.peer)
    }

    fn takes_tokens(&self) -> bool {
        self.domain.takes_tokens()
    }

    fn show_token(&mut self, token: &str) -> Result<(), StanzaError> {
        self.domain
            .show_token(token, self.conn, self.peer, self.now)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        (self.domain.entropy)(bytes);
    }

    fn recoverable_password(&self, user: &str) -> Result<Option<String>, StanzaError> {
        self.domain.recoverable_password(user)
    }

    fn is_user(&self, user: &str) -> bool {
        self.domain.accounts.get(user).is_some()
    }

    fn is_password(&mut self, user: &str, password: &str) -> Result<bool, StanzaError> {
        self.domain.is_password(user, password)
    }

    fn keys(&mut self, user: &str) -> Result<(Keys, Whose), StanzaError> {
        self.domain.keys(user)
    }

    fn make_keys(&mut self, user: &str) -> Result<Keys, StanzaError> {
        self.domain.make_keys(user)
    }

    fn bind(
        &mut self,
        user: &str,
        resource: Option<&str>,
        login: Login,
    ) -> Result<(Rc<str>, Rc<str>), StanzaError> {
        let (device, user, resource) = self.domain.bind(self.conn, user, resource, login)?;
        log::debug!("c{}: {user}/{resource} logged in", self.conn.0);
        *self.device = Some(device);
        Ok((user, resource))
    }

    fn attempt(&mut self, registers: bool) -> Attempt {
        let now = self.now.mono;
        match self.domain.attempts.admit(self.peer, self.conn, now) {
            Attempt::Now if registers => self.domain.pace(self.conn, self.peer, now),
            attempt => attempt,
        }
    }

    fn failed(&mut self, user: &str) {
        let now = self.now.mono;
        self.domain.attempts.failed(self.peer, user, now);
    }

    fn succeeded(&mut self, user: &str) {
        self.domain.attempts.succeeded(self.peer, user);
    }

    fn login(&self) -> Option<Login> {
        let device = self.domain.devices.get((*self.device)?)?;
        device.link.as_ref().map(|link| link.login)
    }

    fn register(&mut self, registration: Registration) -> Result<bool, StanzaError> {
        self.domain
            .register_in_band(registration, self.conn, self.peer, self.now)
    }

    fn registered_fields(&self) -> Result<(String, String), StanzaError> {
        let account = self
            .domain
            .account(&self.user()?)?
            .ok_or(StanzaError::ItemNotFound)?;
        Ok((account.email, account.full_name))
    }

    fn change_account(&mut self, mut change: AccountChange) -> Result<(), StanzaError> {
        let user = self.user()?;
        let wanted = change.tags.take();
        change.tags = wanted.map(|wanted| self.domain.tags_by_phone(&user, wanted));
        self.domain
            .change_account(&user, change, Waiter::Conn(self.conn), self.now)
    }

    fn remove_account(&mut self) -> Result<(), StanzaError> {
        let user = self.user()?;
        self.domain.remove_account(&user, Waiter::Conn(self.conn))
    }

    fn is_chat(&self) -> bool {
        self.device
            .is_some_and(|device| self.domain.chat(device).is_some())
    }

    fn roster(&mut self, known: Option<&str>) -> Result<roster::View, StanzaError> {
        let device = self.device.ok_or(StanzaError::NotAuthorized)?;
        self.domain.roster_view(device, known)
    }

    fn change_roster(&mut self, wish: roster::Wish) -> Result<(), StanzaError> {
        let user = self.user()?;
        let waiter = Waiter::Conn(self.conn);
        match wish {
            roster::Wish::Put { jid, name, groups } => {
                let key = contact::key(&jid, self.is_ours(&jid.domain));
                self.domain.put_contact(&user, key, &name, groups, waiter)
            }
            roster::Wish::Remove { jid } => {
                let key = contact::key(&jid, self.is_ours(&jid.domain));
                self.domain.remove_contact(&user, key, waiter)
            }
        }
    }

    fn show(&mut self, words: &[u8], available: bool) {
        if let Some(device) = *self.device {
            self.domain.show(device, words, available);
        }
    }

    fn tell(&mut self, to: &Jid, words: &[u8], kind: Option<&str>) {
        if let Some(device) = *self.device {
            self.domain.tell(device, to, words, kind);
        }
    }

    fn probe(&mut self, to: &Jid) {
        if let Some(device) = *self.device {
            self.domain.probe(device, to);
        }
    }

    fn subscription(&mut self, kind: Kind, to: &str, words: &[u8]) -> Result<Taken, StanzaError> {
        let user = self.user()?;
        let waiter = Waiter::Conn(self.conn);
        self.domain.subscription(&user, kind, to, words, waiter)
    }

    fn available(&mut self, presence: Presence) {
        if let Some(device) = *self.device {
            self.domain.available(device, presence, self.now);
        }
    }

    fn unavailable(&mut self) {
        if let Some(device) = *self.device {
            self.domain.unavailable(device);
        }
    }

    fn chats_in(&mut self, domain: &Rc<str>) {
        if let Some(device) = *self.device {
            self.domain.chats_in(device, domain);
        }
    }

    fn goes_unmanaged(&mut self) {
        if let Some(device) = *self.device {
            self.domain.goes_unmanaged(device);
        }
    }

    fn announces(&mut self, caps: Caps) {
        if let Some(device) = *self.device {
            self.domain.announces(device, caps);
        }
    }

    fn told_abilities(&mut self, question: u32, info: Option<&Element>) {
        if let Some(device) = *self.device {
            self.domain.told_abilities(device, question, info);
        }
    }

    fn knows_time(&mut self) {
        if let Some(device) = *self.device {
            self.domain.knows_time(device, self.now);
        }
    }

    fn told_time(&mut self, millis: u64) {
        if let Some(device) = *self.device {
            self.domain.told_time(device, millis);
        }
    }

    fn confirmed(&mut self, id: &str) {
        if let (Some(device), Ok(notification)) = (*self.device, id.parse()) {
            self.domain
                .settle(device, notification, DeliveryState::Confirmed, self.now);
        }
    }

    fn takes_back(&mut self) {
        if let Some(device) = *self.device {
            self.domain.takes_back(device);
        }
    }

    fn topics(&self) -> Result<Vec<(String, Scope)>, StanzaError> {
        let device = self.device.ok_or(StanzaError::NotAuthorized)?;
        Ok(self.domain.topics(&self.user()?, device))
    }

    fn change_topics(&mut self, changes: &[TopicChange]) -> Result<(), StanzaError> {
        let user = self.user()?;
        self.domain.change_topics(
            &user,
            *self.device,
            changes,
            Waiter::Conn(self.conn),
            self.now,
        )
    }

    fn answered(&mut self, id: &str, result: bool) {
        if let Some(device) = *self.device {
            self.domain.answered(device, id, result, self.now);
        }
    }

    fn manage(&mut self, bound: &Bound, resumable: bool) -> Enabled {
        match *self.device {
            Some(device) => self.domain.manage(device, bound, resumable),
            None => Enabled {
                id: None,
                seconds: 0,
            },
        }
    }

    fn acknowledged(&mut self, handled: u32) -> Result<(), u32> {
        match *self.device {
            Some(device) => self.domain.acknowledged(device, handled, self.now),
            None => Ok(()),
        }
    }

    fn resume(&mut self, user: &str, session: &str, handled: u32) {
        self.domain.effects.push_back(Effect::Resume {
            conn: self.conn,
            user: user.into(),
            session: session.into(),
            handled,
        });
    }

    fn client_state(&mut self, active: bool) {
        if let Some(device) = *self.device {
            self.domain.client_state(device, active);
        }
    }

    fn wants_carbons(&mut self, wanted: bool) -> Result<(), StanzaError> {
        let chat = self.device.and_then(|id| self.domain.chat_session(id));
        chat.ok_or(StanzaError::NotAllowed)?.carbons = wanted;
        Ok(())
    }

    fn send(&mut self, message: Message, bound: &Bound) -> Result<bool, StanzaError> {
        let sender = Sender {
            device: self.device.ok_or(StanzaError::NotAuthorized)?,
            bound,
            waiter: Waiter::Conn(self.conn),
        };
        self.domain.send(message, sender, self.now)
    }

    fn uptime(&self) -> u64 {
        u64::from(self.now.mono.seconds())
    }

    fn may_address(&mut self, user: &str, resource: Option<&str>) -> Result<(), StanzaError> {
        let device = self.device.and_then(|id| self.domain.devices.get(id));
        let device = device.ok_or(StanzaError::NotAuthorized)?;
        let own = (Rc::clone(&device.account), device.resource.clone());
        self.domain
            .may_address((&own.0, own.1.as_deref()), (user, resource))
    }

    fn may_see(&self, user: &str) -> bool {
        let own = self.user();
        own.is_ok_and(|own| self.domain.may_see(&own, user))
    }

    fn seconds_away(&self, user: &str) -> Option<u64> {
        self.domain.seconds_away(user)
    }

    fn ask(&mut self, to: &Jid, request: &Element, bound: &Bound) -> Result<(), StanzaError> {
        let device = self.device.ok_or(StanzaError::NotAuthorized)?;
        self.domain.ask(device, bound, to, request, self.now)
    }

    fn pass_answer(&mut self, to: &Jid, answer: &Element) -> bool {
        self.device
            .is_some_and(|device| self.domain.pass_answer(device, to, answer))
    }
}
