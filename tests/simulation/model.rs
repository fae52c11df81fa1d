//! What has to be true of the gateway, kept apart from it: who exists, what was accepted, who has what.

use std::collections::{BTreeMap, BTreeSet};

use lanpush::push::notification::{DeliveryState, Notification, NotificationId, Target};
use lanpush::push::store::{DeviceId, Row};
use lanpush::push::views::NotificationView;
use lanpush::push::{AskId, Draft, Request};

use super::disk::Disk;

/// A device: user, how often that user had been removed before, resource.
pub(crate) type DeviceKey = (String, u32, String);

#[derive(Debug, Default)]
pub(crate) struct User {
    /// As far as anybody was told.
    pub(crate) exists: bool,
    pub(crate) password: String,
    /// Password changes so far, and requests on their way that may change the account.
    pub(crate) version: u64,
    pub(crate) changing: u32,
    pub(crate) removing: u32,
    /// How often the user was removed.
    pub(crate) epoch: u32,
}

impl User {
    /// Whether a refusal says nothing about the server.
    pub(crate) fn is_unsure(&self) -> bool {
        self.changing > 0 || self.removing > 0 || !self.exists
    }
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    Accepted(NotificationId),
    Refused,
    /// The power was cut before there was an answer.
    Unsure,
}

#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) draft: Draft,
    pub(crate) fate: Fate,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) users: BTreeMap<String, User>,
    /// By message: each is unlike all others.
    pub(crate) pushes: BTreeMap<String, Push>,
    /// Which message an id was first seen with.
    pub(crate) ids: BTreeMap<NotificationId, String>,
    pub(crate) asks: BTreeMap<AskId, Request>,
    /// Accepted and not forgotten.
    pub(crate) kept: BTreeSet<NotificationId>,
    /// Forgotten because the history was full; back after a restart if the disk was not told in time.
    pub(crate) forgotten: BTreeSet<NotificationId>,
    /// What the server has been told by a device, and what may be on its way.
    pub(crate) acknowledged: BTreeMap<DeviceKey, BTreeSet<NotificationId>>,
    pub(crate) perhaps: BTreeMap<DeviceKey, BTreeSet<NotificationId>>,
    /// The newest push each device has ever got.
    newest: BTreeMap<DeviceKey, NotificationId>,
}

impl Model {
    pub(crate) fn user(&mut self, name: &str) -> &mut User {
        let user = self.users.entry(name.to_owned()).or_default();
        if user.password.is_empty() {
            user.password = format!("secret of {name}");
        }
        user
    }

    pub(crate) fn key(&mut self, user: &str, resource: &str) -> DeviceKey {
        (user.to_owned(), self.user(user).epoch, resource.to_owned())
    }

    /// An id and a body belong together for ever, and refused pushes have no id.
    pub(crate) fn identify(&mut self, id: NotificationId, title: &str, message: &str, uri: &str) {
        let push = self.pushes.get(message);
        let push = push.unwrap_or_else(|| panic!("{id} has the body {message:?} of nobody"));
        let draft = &push.draft;
        assert_eq!(
            (title, message, uri),
            (&*draft.title, &*draft.message, &*draft.uri),
            "{id} is not what was posted"
        );
        match &push.fate {
            Fate::Refused => panic!("{id}, {message:?}, was refused"),
            Fate::Accepted(accepted) => assert_eq!(id, *accepted, "{message:?}"),
            Fate::Pending | Fate::Unsure => {}
        }
        let known = self.ids.insert(id, message.to_owned());
        assert!(
            known.is_none_or(|known| known == message),
            "{id} has two bodies"
        );
        let again = self
            .ids
            .iter()
            .filter(|(_, other)| *other == message)
            .count();
        assert_eq!(again, 1, "{message:?} has two ids");
    }

    /// A push is sent to a device.
    pub(crate) fn sent(&mut self, key: &DeviceKey, id: NotificationId, disk: &Disk) {
        let user = &key.0;
        let push = &self.pushes[&self.ids[&id]];
        if let Target::User(target) = &push.draft.target {
            assert_eq!(user, target, "{id} is for somebody else");
        }
        assert!(
            disk.notification(id).is_some(),
            "{id} is sent and not durable"
        );
        let acknowledged = self.acknowledged.get(key);
        assert!(
            !acknowledged.is_some_and(|ids| ids.contains(&id)),
            "{key:?} gets {id} again, which it has acknowledged"
        );
        let newest = self.newest.entry(key.clone()).or_insert(id);
        *newest = id.max(*newest);
    }

    /// The server has taken in an acknowledgement.
    pub(crate) fn acknowledge(&mut self, key: &DeviceKey, id: NotificationId) {
        self.acknowledged.entry(key.clone()).or_default().insert(id);
    }

    /// A device says that it has a push; the server may never hear it.
    pub(crate) fn says(&mut self, key: &DeviceKey, id: NotificationId) {
        self.perhaps.entry(key.clone()).or_default().insert(id);
    }

    /// The server starts again. What was answered has to be there; what was not may be.
    pub(crate) fn restart(&mut self, disk: &Disk) {
        let rows = disk.rows();
        self.recall_users(&rows);
        self.recall_acknowledgements(&rows, disk);
        self.asks.clear();
        for push in self.pushes.values_mut() {
            if push.fate == Fate::Pending {
                push.fate = Fate::Unsure;
            }
        }
        let stored = rows.iter().filter_map(|row| match row {
            Row::Notification(head) => Some(head.id),
            _ => None,
        });
        let stored: BTreeSet<NotificationId> = stored.collect();
        for id in &self.kept {
            assert!(
                stored.contains(id),
                "{id} was accepted and is not on the disk"
            );
        }
        self.forgotten.retain(|id| !stored.contains(id));
        self.kept = stored;
    }

    fn recall_users(&mut self, rows: &[Row]) {
        let mut stored = BTreeMap::new();
        for row in rows {
            if let Row::Account(account) = row {
                stored.insert(account.name.clone(), account.password.clone());
            }
        }
        let names: BTreeSet<String> = self.users.keys().chain(stored.keys()).cloned().collect();
        for name in names {
            let user = self.user(&name);
            match stored.get(&name) {
                Some(password) => {
                    if *password != user.password {
                        assert!(user.is_unsure(), "{name} has a password nobody set");
                        user.password.clone_from(password);
                        user.version += 1;
                    }
                    user.exists = true;
                }
                None => {
                    let gone = user.exists;
                    assert!(!gone || user.removing > 0, "{name} existed and is gone");
                    user.epoch += u32::from(gone);
                    user.exists = false;
                }
            }
            (user.changing, user.removing) = (0, 0);
        }
    }

    /// The rule for what comes again: a device may get a push again after it has acknowledged it only if
    /// the server was restarted before the acknowledgement was durable. An acknowledgement is not durable
    /// while its batch waits, or if the disk has refused the batch.
    fn recall_acknowledgements(&mut self, rows: &[Row], disk: &Disk) {
        let mut devices: BTreeMap<DeviceId, DeviceKey> = BTreeMap::new();
        for row in rows {
            if let Row::Device(device) = row {
                let resource = device.resource.clone().unwrap_or_default();
                devices.insert(device.id, self.key(&device.account, &resource));
            }
        }
        for row in rows {
            let Row::Delivery(delivery) = row else {
                continue;
            };
            let Some(key) = devices.get(&delivery.device) else {
                continue;
            };
            if key.2.is_empty() && delivery.state.is_waiting() {
                // The disk has refused to learn whose device this was.
                for (other, ids) in &mut self.acknowledged {
                    if other.0 == key.0 {
                        ids.remove(&delivery.notification);
                    }
                }
            }
            let Some(acknowledged) = self.acknowledged.get_mut(key) else {
                continue;
            };
            let id = delivery.notification;
            if delivery.state.is_waiting() && acknowledged.remove(&id) {
                assert!(
                    self.forgotten.contains(&id) || disk.unsettled.contains(&(delivery.device, id)),
                    "{key:?} acknowledged {id}, that was durable, and it waits again"
                );
            }
        }
    }

    /// What a person is told of the deliveries has to be true.
    pub(crate) fn check_view(&mut self, view: &NotificationView, disk: &Disk) {
        let Notification {
            id,
            title,
            message,
            uri,
            ..
        } = &view.notification;
        self.identify(*id, title, message, uri);
        let mut labels = BTreeSet::new();
        for delivery in &view.deliveries {
            let label = &delivery.device;
            if label == "(forgotten)" {
                assert!(
                    !delivery.state.is_waiting(),
                    "{id} waits for a forgotten device"
                );
                continue;
            }
            assert!(labels.insert(label), "{id} is twice for {label}");
            let Some((user, resource)) = label.split_once('/') else {
                continue;
            };
            if disk.unknown.contains(user) {
                continue;
            }
            let key = self.key(user, resource);
            let has = |of: &BTreeMap<DeviceKey, BTreeSet<NotificationId>>| {
                of.get(&key).is_some_and(|ids| ids.contains(id))
            };
            match delivery.state {
                DeliveryState::Acknowledged | DeliveryState::Confirmed => {
                    assert!(has(&self.perhaps), "{label} never acknowledged {id}");
                }
                // Its bound was reached after it was sent: a bare ping does not bring it back.
                DeliveryState::Dropped => {}
                state => {
                    assert!(
                        !has(&self.acknowledged),
                        "{label} has {id}, which is {state:?}"
                    );
                }
            }
        }
    }
}
