//! A receipt: how far one device has got with one notification, and when it got there.

use super::notification::{DeliveryState, NotificationId};
use super::store::{Delivery, DeviceId};

/// How far one device has got with one notification; 24 bytes, since a broadcast has one per device.
///
/// Times are seconds since 1970 in four bytes, enough until 2106; 0 stands for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The device.
    pub device: DeviceId,
    /// When it was kept for the device.
    pub queued: u32,
    /// When it was first written to the device's connection.
    pub sent: u32,
    /// When the device had it.
    pub acknowledged: u32,
    /// When the furthest state was reached.
    pub at: u32,
    /// The furthest state.
    pub state: DeliveryState,
}

impl Receipt {
    /// A receipt for a device that has to get it.
    #[must_use]
    pub fn queued(device: DeviceId, at: u64) -> Self {
        let at = short(at);
        Self {
            device,
            queued: at,
            sent: 0,
            acknowledged: 0,
            at,
            state: DeliveryState::Queued,
        }
    }

    /// The receipt as it is stored.
    #[must_use]
    pub fn delivery(&self, notification: NotificationId) -> Delivery {
        Delivery {
            notification,
            device: self.device,
            state: self.state,
            at: u64::from(self.at),
            queued: self.queued,
            sent: self.sent,
            acknowledged: self.acknowledged,
        }
    }

    /// Notes that a state has been reached.
    pub(super) fn advance(&mut self, state: DeliveryState, at: u32) {
        self.state = state;
        self.at = at;
        match state {
            DeliveryState::Sent if self.sent == 0 => self.sent = at,
            DeliveryState::Acknowledged | DeliveryState::Confirmed if self.acknowledged == 0 => {
                self.acknowledged = at;
            }
            _ => {}
        }
    }
}

impl From<&Delivery> for Receipt {
    fn from(delivery: &Delivery) -> Self {
        Self {
            device: delivery.device,
            queued: delivery.queued,
            sent: delivery.sent,
            acknowledged: delivery.acknowledged,
            at: short(delivery.at),
            state: delivery.state,
        }
    }
}

/// Seconds since 1970 in four bytes.
pub(super) fn short(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
