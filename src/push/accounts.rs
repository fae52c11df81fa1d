//! The accounts in memory: names, labels and devices. Credentials stay in the store.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::notification::Target;
use super::store::{self, DeviceId};

/// What is known of an account without asking the store.
#[derive(Debug, Default)]
pub struct Account {
    /// Name by which senders may address the user, may be empty.
    pub alias: Box<str>,
    /// Words by which senders may address groups.
    pub tags: Box<[Box<str>]>,
    /// Its devices, at least one.
    pub devices: Vec<DeviceId>,
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
        account.alias = record.alias.as_str().into();
        account.tags = record.tags.iter().map(|tag| tag.as_str().into()).collect();
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

    /// The devices of all whom a target names, in ascending order; `None` if it names nobody.
    /// Everyone is somebody even where there are no users.
    #[must_use]
    pub fn resolve(&self, target: &Target) -> Option<Vec<DeviceId>> {
        let mut devices: Vec<DeviceId> = self
            .by_name
            .iter()
            .filter(|(name, account)| match target {
                Target::Everyone => true,
                Target::User(user) => ***name == **user,
                Target::Alias(alias) => !alias.is_empty() && *account.alias == **alias,
                Target::Tag(tag) => account.tags.iter().any(|own| **own == **tag),
            })
            .flat_map(|(_, account)| account.devices.iter().copied())
            .collect();
        if devices.is_empty() && *target != Target::Everyone {
            return None;
        }
        devices.sort_unstable();
        Some(devices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_name_devices() {
        let mut accounts = Accounts::default();
        for (name, alias, tags, devices) in [
            (
                "sam",
                "kitchen",
                vec!["office", "night"],
                vec![DeviceId(4), DeviceId(1)],
            ),
            ("eve", "", vec!["office"], vec![DeviceId(2)]),
        ] {
            let record = store::Account {
                name: name.into(),
                alias: alias.into(),
                tags: tags.into_iter().map(String::from).collect(),
                ..store::Account::default()
            };
            accounts.put(&record);
            accounts.get_mut(name).unwrap().devices = devices;
        }
        let found = |target: &str| {
            accounts
                .resolve(&target.parse().unwrap())
                .map(|devices| devices.into_iter().map(|id| id.0).collect::<Vec<_>>())
        };
        assert_eq!(found("*"), Some(vec![1, 2, 4]));
        assert_eq!(found("sam"), Some(vec![1, 4]));
        assert_eq!(found("alias:kitchen"), Some(vec![1, 4]));
        assert_eq!(found("tag:office"), Some(vec![1, 2, 4]));
        assert_eq!(found("tag:night"), Some(vec![1, 4]));
        assert_eq!(found("bob"), None);
        assert_eq!(found("alias:nobody"), None);
        assert_eq!(Accounts::default().resolve(&Target::Everyone), Some(vec![]));
    }
}
