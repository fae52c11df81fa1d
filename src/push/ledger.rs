//! The ledger: which notifications are kept, and how far each device has got with each.

use std::collections::BTreeMap;

use super::notification::{DeliveryState, NotificationId};
use super::store::{Delivery, DeviceId};

/// How far one device has got with one notification; twelve bytes, since a broadcast has one per device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The device.
    pub device: DeviceId,
    at: u32,
    /// The furthest state.
    pub state: DeliveryState,
}

impl Receipt {
    /// Seconds since 1970 when the state was reached.
    #[must_use]
    pub fn at(&self) -> u64 {
        u64::from(self.at)
    }
}

#[derive(Debug, Default)]
struct Entry {
    /// In the order of devices.
    receipts: Vec<Receipt>,
    waiting: u32,
    durable: bool,
}

/// All notifications that are kept.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<NotificationId, Entry>,
    waiting: usize,
}

impl Ledger {
    /// Enters a notification that is not durable yet, for these devices (in ascending order).
    pub fn enter(&mut self, id: NotificationId, devices: &[DeviceId], at: u64) {
        let receipt = |device: &DeviceId| Receipt {
            device: *device,
            at: short(at),
            state: DeliveryState::Queued,
        };
        let receipts: Vec<Receipt> = devices.iter().map(receipt).collect();
        let waiting = u32::try_from(receipts.len()).unwrap_or(u32::MAX);
        self.waiting += receipts.len();
        self.entries.insert(
            id,
            Entry {
                receipts,
                waiting,
                durable: false,
            },
        );
    }

    /// Enters a durable notification whose receipts follow by [`restore`](Self::restore).
    pub fn enter_durable(&mut self, id: NotificationId) {
        self.entries.insert(
            id,
            Entry {
                durable: true,
                ..Entry::default()
            },
        );
    }

    /// The disk has the notification; from now on it may be sent.
    pub fn set_durable(&mut self, id: NotificationId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.durable = true;
        }
    }

    /// Whether the notification may be sent.
    #[must_use]
    pub fn is_durable(&self, id: NotificationId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.durable)
    }

    /// Adds a receipt to a notification; false if it is not kept.
    pub fn restore(&mut self, delivery: &Delivery) -> bool {
        let Some(entry) = self.entries.get_mut(&delivery.notification) else {
            return false;
        };
        let receipt = Receipt {
            device: delivery.device,
            at: short(delivery.at),
            state: delivery.state,
        };
        match entry
            .receipts
            .binary_search_by_key(&delivery.device, |known| known.device)
        {
            Ok(_) => return false,
            Err(position) => entry.receipts.insert(position, receipt),
        }
        if delivery.state.is_waiting() {
            entry.waiting += 1;
            self.waiting += 1;
        }
        true
    }

    /// Moves a device's receipt on; `None` if there is nothing to move.
    pub fn mark(
        &mut self,
        id: NotificationId,
        device: DeviceId,
        state: DeliveryState,
        at: u64,
    ) -> Option<Delivery> {
        let entry = self.entries.get_mut(&id)?;
        let position = entry
            .receipts
            .binary_search_by_key(&device, |known| known.device)
            .ok()?;
        let receipt = entry.receipts.get_mut(position)?;
        let was_waiting = receipt.state.is_waiting();
        // A late confirmation still counts after a drop, and nothing that arrived becomes dropped.
        let forward = match (receipt.state, state) {
            (DeliveryState::Dropped, new) => !new.is_waiting() && new != DeliveryState::Dropped,
            (_, DeliveryState::Dropped) => was_waiting,
            (old, new) => new > old,
        };
        if !forward {
            return None;
        }
        receipt.state = state;
        receipt.at = short(at);
        if was_waiting && !state.is_waiting() {
            entry.waiting -= 1;
            self.waiting -= 1;
        }
        Some(Delivery {
            notification: id,
            device,
            state,
            at,
        })
    }

    /// Takes a notification out and returns the devices that still waited for it.
    pub fn remove(&mut self, id: NotificationId) -> Vec<DeviceId> {
        let Some(entry) = self.entries.remove(&id) else {
            return Vec::new();
        };
        let waiting: Vec<DeviceId> = entry
            .receipts
            .iter()
            .filter(|receipt| receipt.state.is_waiting())
            .map(|receipt| receipt.device)
            .collect();
        self.waiting -= waiting.len();
        waiting
    }

    /// Receipts of a notification, in the order of devices.
    #[must_use]
    pub fn receipts(&self, id: NotificationId) -> &[Receipt] {
        self.entries.get(&id).map_or(&[], |entry| &entry.receipts)
    }

    /// How far a device has got with a notification that is for it.
    #[must_use]
    pub fn state(&self, id: NotificationId, device: DeviceId) -> Option<DeliveryState> {
        let receipts = self.receipts(id);
        let position = receipts
            .binary_search_by_key(&device, |known| known.device)
            .ok()?;
        receipts.get(position).map(|receipt| receipt.state)
    }

    /// Durable notifications, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = NotificationId> {
        self.entries
            .iter()
            .rev()
            .filter(|(_, entry)| entry.durable)
            .map(|(id, _)| *id)
    }

    /// The newest id ever entered and still kept.
    #[must_use]
    pub fn newest(&self) -> Option<NotificationId> {
        self.entries.last_key_value().map(|(id, _)| *id)
    }

    /// The one to forget when there are too many: the oldest nobody waits for, else the oldest.
    #[must_use]
    pub fn least_wanted(&self) -> Option<NotificationId> {
        let durable = || self.entries.iter().filter(|(_, entry)| entry.durable);
        durable()
            .find(|(_, entry)| entry.waiting == 0)
            .or_else(|| durable().next())
            .map(|(id, _)| *id)
    }

    /// Notifications kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Deliveries that wait for their device.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}

/// Seconds since 1970 in four bytes: enough until 2106.
fn short(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryState::{Acknowledged, Confirmed, Dropped, Queued, Sent};

    const ID: NotificationId = NotificationId(7);
    const DEVICE: DeviceId = DeviceId(3);

    #[test]
    fn states_move_forward_only() {
        for (from, to, moves) in [
            (Queued, Sent, true),
            (Sent, Queued, false),
            (Sent, Acknowledged, true),
            (Acknowledged, Confirmed, true),
            (Confirmed, Acknowledged, false),
            (Acknowledged, Dropped, false),
            (Queued, Dropped, true),
            (Dropped, Confirmed, true),
            (Dropped, Sent, false),
            (Dropped, Dropped, false),
        ] {
            let mut ledger = Ledger::default();
            ledger.enter(ID, &[DEVICE], 1);
            if from != Queued {
                ledger.mark(ID, DEVICE, from, 2);
            }
            assert_eq!(
                ledger.mark(ID, DEVICE, to, 3).is_some(),
                moves,
                "{from:?} to {to:?}"
            );
            let end = if moves { to } else { from };
            assert_eq!(ledger.state(ID, DEVICE), Some(end));
            assert_eq!(
                ledger.waiting(),
                usize::from(end.is_waiting()),
                "{from:?} to {to:?}"
            );
        }
    }

    #[test]
    fn the_oldest_settled_is_forgotten_first() {
        let mut ledger = Ledger::default();
        for id in 1..=3 {
            ledger.enter(NotificationId(id), &[DEVICE], 1);
            ledger.set_durable(NotificationId(id));
        }
        assert_eq!(ledger.least_wanted(), Some(NotificationId(1)));
        ledger.mark(NotificationId(2), DEVICE, Acknowledged, 1);
        assert_eq!(ledger.least_wanted(), Some(NotificationId(2)));
        assert_eq!(ledger.remove(NotificationId(2)), vec![]);
        assert_eq!(ledger.remove(NotificationId(1)), vec![DEVICE]);
        assert_eq!(ledger.waiting(), 1);
    }

    #[test]
    fn other_devices_and_unknown_ids_are_left_alone() {
        let mut ledger = Ledger::default();
        ledger.enter(ID, &[DEVICE], 1);
        assert_eq!(ledger.mark(ID, DeviceId(9), Acknowledged, 1), None);
        assert_eq!(
            ledger.mark(NotificationId(1), DEVICE, Acknowledged, 1),
            None
        );
        assert_eq!(ledger.state(ID, DEVICE), Some(Queued));
    }
}
