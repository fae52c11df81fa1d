//! What the disk has to be told and has not taken: changes nobody waits for are written again.
//!
//! Of a change that was refused only its key is kept. What is written in the end is what memory holds then,
//! so that changes to one record become one, and there are never more of them than records.

use std::collections::BTreeSet;

use super::domain::Domain;
use super::notification::NotificationId;
use super::store::{Change, DeviceId};
use crate::limits;
use crate::time::{Instant, Now};

/// Names a record whose owner is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A device.
    Device(DeviceId),
    /// The head of a notification, or all of one that is forgotten.
    Head(NotificationId),
    /// How far a device has got with a notification.
    Delivery(NotificationId, DeviceId),
}

/// Records in which the disk differs from memory, without anything on its way that changes that.
#[derive(Debug, Default)]
pub struct Unwritten {
    keys: BTreeSet<Key>,
    /// When to try again, if nothing succeeds before.
    retry: Option<Instant>,
}

impl Key {
    /// The record a change is about; `None` if it is none of those that memory can write again.
    #[must_use]
    pub fn of(change: &Change) -> Option<Self> {
        match change {
            Change::PutDevice(device) => Some(Self::Device(device.id)),
            Change::DeleteDevice(id) => Some(Self::Device(*id)),
            Change::PutHead(head) => Some(Self::Head(head.id)),
            Change::DeleteNotification(id) => Some(Self::Head(*id)),
            Change::PutDelivery(delivery) => {
                Some(Self::Delivery(delivery.notification, delivery.device))
            }
            Change::PutAccount(_)
            | Change::DeleteAccount(_)
            | Change::PutNotification(_)
            | Change::PutDocument(_)
            | Change::DeleteDocument(_) => None,
        }
    }
}

impl Unwritten {
    /// Takes in what the disk has refused.
    pub fn refused(&mut self, keys: &[Key], now: Now) {
        self.keys.extend(keys);
        if !self.keys.is_empty() {
            self.retry = Some(now.mono.after(limits::STORE_RETRY));
        }
    }

    /// Leaves a record for later.
    pub fn add(&mut self, key: Key) {
        self.keys.insert(key);
    }

    /// When to try again.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.retry
    }
}

impl Domain {
    /// Writes what waits for the disk to take writes again, when it is time to see whether it does.
    pub(super) fn retry_writes(&mut self, now: Now) {
        if self.unwritten.retry.is_some_and(|due| due <= now.mono) {
            self.write_again();
        }
    }

    /// Writes what the disk has not taken.
    pub(super) fn write_again(&mut self) {
        self.unwritten.retry = None;
        for key in std::mem::take(&mut self.unwritten.keys) {
            match key {
                Key::Device(id) => {
                    if self.devices.get(id).is_some_and(|device| device.stored) {
                        self.put_device(id);
                    } else {
                        self.receipts.push(Change::DeleteDevice(id));
                    }
                }
                Key::Head(id) => match self.ledger.head(id) {
                    None => self.receipts.push(Change::DeleteNotification(id)),
                    // A head is on its way that the one in memory must not overtake.
                    Some(_) if self.ledger.is_held(id) => self.unwritten.add(key),
                    Some(head) => self.receipts.push(Change::PutHead(*head)),
                },
                Key::Delivery(id, device) => self.write_delivery(id, device),
            }
        }
    }

    /// Writes how far a device has got with a notification, as soon as the disk has the notification.
    pub(super) fn write_delivery(&mut self, id: NotificationId, device: DeviceId) {
        if !self.ledger.may_be_sent(id) {
            if self.ledger.head(id).is_some() {
                self.unwritten.add(Key::Delivery(id, device));
            }
            return;
        }
        let delivery = self.ledger.delivery(id, device);
        self.receipts.extend(delivery.map(Change::PutDelivery));
    }
}
