//! The accounts in memory: names, labels and devices. Credentials stay in the store.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::store::{self, DeviceId};

/// What is known of an account without asking the store.
#[derive(Debug, Default)]
pub struct Account {
    /// As the user or an administrator says, may be empty.
    pub full_name: Box<str>,
    /// Name by which senders may address the user, may be empty.
    pub alias: Box<str>,
    /// Words by which senders may address groups.
    pub tags: Box<[Box<str>]>,
    /// Topics its devices get.
    pub subscriptions: Box<[Subscription]>,
    /// Its devices, at least one.
    pub devices: Vec<DeviceId>,
}

/// A topic somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its name.
    pub topic: Box<str>,
    /// The only device that gets it, or `None` if all of the account's do.
    pub device: Option<DeviceId>,
}

impl Account {
    /// Whether a device of this account gets a topic.
    #[must_use]
    pub fn gets(&self, topic: &str, device: DeviceId) -> bool {
        self.subscriptions.iter().any(|subscription| {
            *subscription.topic == *topic && subscription.device.is_none_or(|own| own == device)
        })
    }
}

impl Account {
    /// Forgets a device and what it has subscribed to.
    pub fn forget(&mut self, device: DeviceId) {
        self.devices.retain(|own| *own != device);
        if self
            .subscriptions
            .iter()
            .any(|one| one.device == Some(device))
        {
            let mut left = std::mem::take(&mut self.subscriptions).into_vec();
            left.retain(|one| one.device != Some(device));
            self.subscriptions = left.into();
        }
    }
}

/// All accounts by local part.
#[doc(alias = "AuthManager")]
#[derive(Debug, Default)]
pub struct Accounts {
    by_name: BTreeMap<Rc<str>, Account>,
}

impl Accounts {
    /// Adds an account, or takes over the labels of one that is there.
    pub fn put(&mut self, record: &store::Account) -> Rc<str> {
        let name: Rc<str> = match self.by_name.get_key_value(record.name.as_str()) {
            Some((name, _)) => Rc::clone(name),
            None => record.name.as_str().into(),
        };
        let account = self.by_name.entry(Rc::clone(&name)).or_default();
        account.full_name = record.full_name.as_str().into();
        account.alias = record.alias.as_str().into();
        account.tags = record.tags.iter().map(|tag| tag.as_str().into()).collect();
        let subscriptions = record.subscriptions.iter().map(|one| Subscription {
            topic: one.topic.as_str().into(),
            device: one.device,
        });
        account.subscriptions = subscriptions.collect();
        name
    }

    /// Removes an account and returns the devices it had.
    pub fn remove(&mut self, name: &str) -> Vec<DeviceId> {
        self.by_name
            .remove(name)
            .map(|account| account.devices)
            .unwrap_or_default()
    }

    /// The account of that name, and the shared copy of the name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(&Rc<str>, &Account)> {
        self.by_name.get_key_value(name)
    }

    /// The account of that name.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Account> {
        self.by_name.get_mut(name)
    }

    /// The devices of an account.
    #[must_use]
    pub fn devices(&self, name: &str) -> &[DeviceId] {
        self.by_name
            .get(name)
            .map_or(&[], |account| &account.devices)
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// All accounts in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Rc<str>, &Account)> {
        self.by_name.iter()
    }
}
