//! What the store holds, put back into memory at start.

use std::rc::Rc;

use super::accounts::Accounts;
use super::devices::Devices;
use super::ledger::Ledger;
use super::notification::DeliveryState;
use super::store::{Change, Delivery, Device, Row};
use crate::time::Now;

/// Memory while it is being filled, in the order of [`super::store::Store::load`].
#[derive(Debug, Default)]
pub struct Loading {
    /// All accounts.
    pub accounts: Accounts,
    /// All devices of those accounts.
    pub devices: Devices,
    /// All notifications and how far they got.
    pub ledger: Ledger,
    /// What the store should forget, because it belongs to nothing.
    pub repairs: Vec<Change>,
}

impl Loading {
    /// Takes in one row.
    pub fn take(&mut self, row: Row, now: Now) {
        match row {
            Row::Account(account) => {
                let scopes = account
                    .subscriptions
                    .iter()
                    .filter_map(|topic| topic.device);
                scopes.for_each(|id| self.devices.note(id));
                self.accounts.put(&account);
            }
            Row::Device(record) => self.device(record),
            Row::Notification(head) => self.ledger.enter(head, true),
            Row::Delivery(delivery) => self.delivery(delivery, now),
            // Read when they are asked for.
            Row::Document(_) => {}
        }
    }

    fn device(&mut self, record: Device) {
        self.devices.note(record.id);
        let Some((name, _)) = self.accounts.get(&record.account) else {
            self.repairs.push(Change::DeleteDevice(record.id));
            return;
        };
        let name = Rc::clone(name);
        let resource: Option<Rc<str>> = record.resource.map(|resource| resource.as_str().into());
        if let Some(account) = self.accounts.get_mut(&name) {
            account.devices.reserve_exact(1);
            account.devices.push(record.id);
        }
        let device = self.devices.insert(record.id, name, resource);
        device.stored = true;
        device.seen = device.resource.is_some();
        device.last_seen = record.last_seen;
        device.withdraws = record.withdraws;
    }

    /// What was written to a connection before the stop may never have been read: it waits again.
    ///
    /// The number of a device that is gone is not given again while something tells of it.
    fn delivery(&mut self, mut delivery: Delivery, now: Now) {
        self.devices.note(delivery.device);
        let device = self.devices.get_mut(delivery.device);
        if delivery.state.is_waiting() {
            let over = self
                .ledger
                .head(delivery.notification)
                .and_then(|head| head.over);
            (delivery.state, delivery.at) = match (device.is_some(), over) {
                (true, None) => (DeliveryState::Queued, delivery.at),
                // How it ended for those who had not got it is written once, in its head.
                (_, Some(over)) => (over.state, u64::from(over.at)),
                (false, None) => (DeliveryState::Dropped, now.wall.seconds()),
            };
        }
        if self.ledger.restore(&delivery)
            && delivery.state.is_waiting()
            && let Some(device) = device
        {
            device.queue.push_back(delivery.notification);
        }
    }
}
