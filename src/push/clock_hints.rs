//! XEP-0202: what time phones think it is, asked while nobody here knows.
//!
//! Whom to believe is decided by [`crate::time::Timekeeper`], which counts users. Where anybody may register,
//! one phone can be any number of users and could expire what waits for others; so phones are asked only
//! where accounts are the administrator's to give (`xmpp.registration = "closed"`).

use super::devices::Clock;
use super::domain::{Domain, Effect};
use super::store::DeviceId;
use crate::config::Registration;
use crate::limits;
use crate::time::{Hinter, Now};

impl Domain {
    /// The device's client is one that knows what time it is.
    pub(super) fn knows_time(&mut self, id: DeviceId, now: Now) {
        if let Some(clock) = self.clock_of(id)
            && *clock == Clock::None
        {
            *clock = Clock::Known;
        }
        self.ask_time(id, now);
    }

    /// Asks a device for the time if that is unknown here, registration is closed, it is one to ask, and
    /// it has not been asked for [`limits::CLOCK_ASK`].
    pub(super) fn ask_time(&mut self, id: DeviceId, now: Now) {
        if now.wall.trusted || self.config.xmpp.registration != Registration::Closed {
            return;
        }
        let Some(link) = self
            .devices
            .get_mut(id)
            .and_then(|device| device.link.as_mut())
        else {
            return;
        };
        let due = match link.clock {
            Clock::None => false,
            Clock::Known => true,
            Clock::Asked(at) | Clock::Told(at) => now.mono.since(at) >= limits::CLOCK_ASK,
        };
        if due {
            link.clock = Clock::Asked(now.mono);
            self.effects.push_back(Effect::AskTime(id));
        }
    }

    /// A device has told the time. Only the first answer to a question of ours counts.
    pub(super) fn told_time(&mut self, id: DeviceId, millis: u64) {
        let Some(clock) = self.clock_of(id) else {
            return;
        };
        let Clock::Asked(at) = *clock else {
            return;
        };
        *clock = Clock::Told(at);
        let Some(device) = self.devices.get(id) else {
            return;
        };
        let from = Hinter::Phone(device.account.to_string());
        self.effects.push_back(Effect::Hint(from, millis));
    }

    fn clock_of(&mut self, id: DeviceId) -> Option<&mut Clock> {
        let link = self.devices.get_mut(id)?.link.as_mut()?;
        Some(&mut link.clock)
    }
}
