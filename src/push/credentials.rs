//! What is kept of passwords, and who has which.

use base64ct::{Base64, Encoding as _};

use super::commits::{Then, Waiter};
use super::domain::Domain;
use super::store::{Account, Change, Document, DocumentId, DocumentKind};
use crate::xmpp::error::StanzaError;
use crate::xmpp::host::{NewPassword, Whose};
use crate::xmpp::sasl::keys::Keys;

/// Name of the server's document that keys of nobody are made with.
const SECRET: &str = "sasl";

impl Domain {
    /// The clear password of a user, where it is kept.
    pub(super) fn recoverable_password(&self, user: &str) -> Result<Option<String>, StanzaError> {
        let account = self.account_in_use(user)?;
        let password = account.map(|account| account.password);
        Ok(password.filter(|password| !password.is_empty()))
    }

    /// Whether this is a user's password.
    pub(super) fn is_password(&mut self, user: &str, password: &str) -> Result<bool, StanzaError> {
        match self.account_in_use(user)? {
            Some(account) => {
                // A clear password takes no time to compare, which would tell who has one.
                let nobodys = match account.password.is_empty() {
                    true => false,
                    false => self.keys_of_nobody(user)?.are_of(password),
                };
                Ok(nobodys | account.is_password(password))
            }
            // No password has those keys; to find out takes as long as with others.
            None => Ok(self.keys_of_nobody(user)?.are_of(password)),
        }
    }

    /// The keys of a user, or of nobody. Where there is only a password they are not made yet: whoever asks has
    /// proved nothing, and could tell from the time it takes that there is such a user.
    pub(super) fn keys(&mut self, user: &str) -> Result<(Keys, Whose), StanzaError> {
        let whose = match self.account_in_use(user)? {
            Some(Account {
                keys: Some(keys), ..
            }) => return Ok((*keys, Whose::Theirs)),
            Some(_) => Whose::Unmade,
            None => Whose::Nobodys,
        };
        Ok((self.keys_of_nobody(user)?, whose))
    }

    /// The keys of a user who has only had a password, with the salt that was told: they are stored, so that it
    /// happens once.
    pub(super) fn make_keys(&mut self, user: &str) -> Result<Keys, StanzaError> {
        let nobodys = self.keys_of_nobody(user)?;
        let Some(mut account) = self.account_in_use(user)? else {
            return Ok(nobodys);
        };
        if let Some(keys) = account.keys {
            return Ok(*keys);
        }
        let keys = Keys::new(&account.password, nobodys.salt);
        account.keys = Some(Box::new(keys.clone()));
        if !self.commits.is_full() && !self.commits.touches(user) {
            let change = Change::PutAccount(account.clone());
            self.submit(vec![change], Then::Changed { account }, Waiter::Nobody);
        }
        Ok(keys)
    }

    /// Puts a password into an account's record.
    pub(super) fn set_credentials(&mut self, account: &mut Account, password: NewPassword) {
        if password.recoverable {
            // Phones of androidpn never ask for keys, and register all at once after a power cut.
            account.password = password.text;
            account.keys = None;
        } else {
            account.keys = Some(Box::new(Keys::new(&password.text, self.random())));
            account.password.clear();
        }
    }

    /// The record of an account that is there. The account in memory decides: what the disk has may be on its
    /// way out. The disk is asked all the same, so that nobody can tell from the time it takes.
    fn account_in_use(&self, user: &str) -> Result<Option<Account>, StanzaError> {
        let account = self.account(user)?;
        Ok(account.filter(|_| self.accounts.get(user).is_some()))
    }

    fn keys_of_nobody(&mut self, user: &str) -> Result<Keys, StanzaError> {
        Ok(Keys::made_up(&self.secret()?, user))
    }

    /// What keys of nobody are made with, for good: made when it is wanted first.
    fn secret(&mut self) -> Result<[u8; 32], StanzaError> {
        if let Some(secret) = self.secret {
            return Ok(secret);
        }
        let id = DocumentId {
            owner: String::new(),
            kind: DocumentKind::Server,
            name: SECRET.to_owned(),
        };
        let stored = self.store.document(&id).map_err(|error| {
            log::error!("cannot read the server's secret: {error}");
            StanzaError::InternalServerError
        })?;
        let stored = stored.and_then(|text| Base64::decode_vec(&text).ok()?.try_into().ok());
        let secret = stored.unwrap_or_else(|| {
            let secret: [u8; 32] = self.random();
            let text = Base64::encode_string(&secret);
            self.receipts
                .push(Change::PutDocument(Document { id, text }));
            secret
        });
        self.secret = Some(secret);
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::Config;
    use crate::push::memory_store::MemoryStore;
    use crate::time::Now;

    fn domain() -> Domain {
        let entropy = Box::new(|bytes: &mut [u8]| bytes.fill(7));
        let store = Box::new(MemoryStore::new());
        Domain::load(Rc::new(Config::default()), store, entropy, Now::default()).unwrap()
    }

    #[test]
    fn keys_of_nobody_open_nothing_and_stay_the_same() {
        let mut domain = domain();
        let (keys, whose) = domain.keys("sam").unwrap();
        assert_eq!(whose, Whose::Nobodys);
        assert_eq!(domain.make_keys("sam").unwrap(), keys);
        assert_eq!(domain.is_password("sam", "secret"), Ok(false));
    }
}
