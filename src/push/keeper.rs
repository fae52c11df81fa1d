//! What is kept for the user of a connection, as that sees it.

use super::commits::Waiter;
use super::local::Local;
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::blocking;
use crate::xmpp::keeper::{Keeper, PrivateItem};

impl Keeper for Local<'_> {
    fn vcard(&self, user: &str) -> Result<Option<String>, StanzaError> {
        self.domain.vcard(user)
    }

    fn change_vcard(&mut self, card: Option<String>) -> Result<(), StanzaError> {
        let user = self.user()?;
        self.domain
            .change_vcard(&user, card, Waiter::Conn(self.conn))
    }

    fn private(&self, key: &str) -> Result<Option<String>, StanzaError> {
        self.domain.private(&self.user()?, key)
    }

    fn change_private(&mut self, items: Vec<PrivateItem>) -> Result<(), StanzaError> {
        let user = self.user()?;
        self.domain
            .change_private(&user, items, Waiter::Conn(self.conn))
    }

    fn blocked(&mut self) -> Result<Vec<String>, StanzaError> {
        let device = self.device.ok_or(StanzaError::NotAuthorized)?;
        self.domain.blocked(device)
    }

    fn block(&mut self, change: blocking::Change) -> Result<(), StanzaError> {
        let device = self.device.ok_or(StanzaError::NotAuthorized)?;
        self.domain.block(device, change, Waiter::Conn(self.conn))
    }
}
