//! Pushes and messages that could not be read when their turn came: they are read again a little later.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::domain::{Domain, Effect};
use super::store::DeviceId;
use crate::limits;
use crate::time::{Instant, Now};

/// Devices that wait for the disk to be readable; there are never more of them than devices.
#[derive(Debug, Default)]
pub struct Unread {
    devices: BTreeSet<DeviceId>,
    retry: Option<Instant>,
}

impl Unread {
    /// Takes in a device whose next push or message could not be read; whether it is the first since the last try.
    pub fn failed(&mut self, device: DeviceId, now: Now) -> bool {
        let first = self.devices.is_empty();
        self.devices.insert(device);
        self.retry
            .get_or_insert(now.mono.after(limits::STORE_RETRY));
        first
    }

    /// When to try again.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.retry
    }
}

impl Domain {
    /// Lets devices have what could not be read, when it is time to see whether it can be now.
    pub(super) fn retry_reads(&mut self, now: Now) {
        if self.unread.retry.is_some_and(|due| due <= now.mono) {
            for id in std::mem::take(&mut self.unread).devices {
                let user = self
                    .devices
                    .get(id)
                    .map(|device| Rc::clone(&device.account));
                if let Some(user) = user {
                    self.effects.push_back(Effect::Pump(id));
                    self.hand_out(&user);
                }
            }
        }
    }
}
