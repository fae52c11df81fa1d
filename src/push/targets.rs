//! Whom a target names: from what a sender wrote to devices.

use super::accounts::Account;
use super::domain::Domain;
use super::notification::Target;
use super::store::DeviceId;

impl Domain {
    /// The devices of all whom a target names, in ascending order; `None` if it names nobody.
    /// Everyone is somebody even where there are no users.
    pub(super) fn resolve(&self, target: &Target) -> Option<Vec<DeviceId>> {
        let mut devices = match target {
            Target::Everyone => self.devices_of(|_| true),
            Target::User(user) => self.accounts.devices(user).to_vec(),
            Target::Device { user, resource } => {
                self.device_named(user, resource).into_iter().collect()
            }
            Target::Alias(alias) => {
                self.devices_of(|account| !alias.is_empty() && *account.alias == **alias)
            }
            Target::Tags(tags) => self.devices_of(|account| {
                tags.matches(&|tag| account.tags.iter().any(|own| **own == *tag))
            }),
            Target::Topic(topic) => self.subscribers(topic),
        };
        // A login that has never been available is no device yet: it may go and leave nothing behind. When
        // it becomes one, it inherits what waits.
        devices.retain(|id| self.devices.get(*id).is_some_and(|device| device.stored));
        if devices.is_empty() && *target != Target::Everyone {
            return None;
        }
        devices.sort_unstable();
        Some(devices)
    }

    /// The device of that resource, if it has ever been available.
    pub(super) fn device_named(&self, user: &str, resource: &str) -> Option<DeviceId> {
        let mut own = self.accounts.devices(user).iter().copied();
        own.find(|id| {
            let device = self.devices.get(*id);
            device.is_some_and(|device| device.seen && device.resource.as_deref() == Some(resource))
        })
    }

    fn devices_of(&self, wanted: impl Fn(&Account) -> bool) -> Vec<DeviceId> {
        let accounts = self.accounts.iter().map(|(_, account)| account);
        accounts
            .filter(|account| wanted(account))
            .flat_map(|account| account.devices.iter().copied())
            .collect()
    }

    fn subscribers(&self, topic: &str) -> Vec<DeviceId> {
        let mut devices = Vec::new();
        for (_, account) in self.accounts.iter() {
            let gets = |id: &&DeviceId| account.gets(topic, **id);
            devices.extend(account.devices.iter().filter(gets));
        }
        devices
    }
}
