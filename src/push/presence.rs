//! Who is connected and who is available: sessions take devices, and devices outlive sessions.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::devices::{Clock, Link};
use super::domain::{Domain, Effect};
use super::event::ConnId;
use super::head::Reach;
use super::notification::{DeliveryState, NotificationId, Target};
use super::receipt::Receipt;
use super::store::{Change, Device, DeviceId};
use crate::limits;
use crate::time::Now;
use crate::xmpp::error::{StanzaError, StreamError};
use crate::xmpp::host::{Login, Presence};

/// How far `last_seen` on disk may lag behind: it is worth no write of its own.
const LAST_SEEN_LAG: u64 = 86_400;
/// How a resource begins that the server has made; eight hex digits follow.
const SERVER_MADE: &str = "lanpush-";

impl Domain {
    /// Makes `conn` the session of `user/resource`; an older one ends with a conflict. Without a resource it
    /// gets one of the server's.
    pub(super) fn bind(
        &mut self,
        conn: ConnId,
        user: &str,
        resource: Option<&str>,
        login: Login,
    ) -> Result<(DeviceId, Rc<str>, Rc<str>), StanzaError> {
        let Some((user, _)) = self.accounts.get(user) else {
            return Err(StanzaError::NotAuthorized);
        };
        let user = Rc::clone(user);
        let resource = match resource {
            Some(resource) => Rc::from(resource),
            None => self.resource_for(&user),
        };
        let id = self.device_for(&user, &resource);
        self.settling.retain(|(_, settling)| *settling != id);
        self.sessions = self.sessions.wrapping_add(1);
        let device = self
            .devices
            .get_mut(id)
            .ok_or(StanzaError::InternalServerError)?;
        let resource = Rc::clone(device.resource.get_or_insert(resource));
        let link = Link {
            conn: Some(conn),
            serial: self.sessions,
            login,
            presence: None,
            // Only androidpn's clients announce themselves before they listen.
            settled: login == Login::Sasl,
            in_flight: 0,
            ping: None,
            pings: 0,
            clock: Clock::default(),
            pumping: false,
            chat: None,
            managed: None,
            inactive: None,
        };
        if let Some(old) = device.link.replace(Box::new(link)) {
            if let Some(conn) = old.conn {
                self.effects
                    .push_back(Effect::Close(conn, StreamError::Conflict));
            }
            self.wake(id);
            self.end_what_was_in_flight(id, old.in_flight);
            self.undelivered(id, old.managed);
            self.reader_left(id);
            self.left(id, old.chat);
        }
        Ok((id, user, resource))
    }

    /// A resource for whoever wants none in particular: that of a device which is away and got its own in the
    /// same way, so that a client which never names one is one device and not another at each login.
    fn resource_for(&mut self, user: &Rc<str>) -> Rc<str> {
        let devices = self.accounts.devices(user).iter();
        let devices = devices.filter_map(|id| self.devices.get(*id));
        let away = devices.filter(|device| device.link.is_none());
        let ours = away.filter(|device| device.resource.as_deref().is_some_and(is_server_made));
        if let Some(device) = ours.max_by_key(|device| device.last_seen)
            && let Some(resource) = &device.resource
        {
            return Rc::clone(resource);
        }
        let number = u32::from_be_bytes(self.random());
        format!("{SERVER_MADE}{number:08x}").into()
    }

    /// The device of that resource; else the one that waits for a first resource; else a fresh one.
    fn device_for(&mut self, user: &Rc<str>, resource: &str) -> DeviceId {
        let own = self.accounts.devices(user);
        let with = |wanted: Option<&str>| {
            own.iter().copied().find(|id| {
                self.devices
                    .get(*id)
                    .is_some_and(|device| device.resource.as_deref() == wanted)
            })
        };
        if let Some(id) = with(Some(resource)).or_else(|| with(None)) {
            return id;
        }
        let id = self.devices.fresh_id();
        self.add_device(id, user, Some(resource.into()));
        id
    }

    /// The connection is gone. Only a device that still has this very connection is affected: a newer
    /// session of the same full JID stays.
    pub(super) fn unbind(&mut self, conn: ConnId, id: DeviceId, now: Now) {
        let link = self.devices.get(id).and_then(|device| device.link.as_ref());
        if link.is_some_and(|link| link.conn == Some(conn)) {
            self.end_session(id, now);
        }
    }

    /// The device's session is over.
    pub(super) fn end_session(&mut self, id: DeviceId, now: Now) {
        let Some(device) = self.devices.get_mut(id) else {
            return;
        };
        let Some(mut link) = device.link.take() else {
            return;
        };
        self.left(id, link.chat.take());
        let Some(device) = self.devices.get_mut(id) else {
            return;
        };
        self.settling.retain(|(_, settling)| *settling != id);
        if device.seen {
            let seconds = now.wall.seconds();
            if seconds > device.last_seen.saturating_add(LAST_SEEN_LAG) {
                device.last_seen = seconds;
                self.put_device(id);
            }
        } else if device.stored {
            // The next one to log in takes it, and is another app.
            device.resource = None;
            device.withdraws = false;
        } else {
            let account = Rc::clone(&device.account);
            self.devices.remove(id);
            if let Some(account) = self.accounts.get_mut(&account) {
                account.forget(id);
            }
        }
        self.wake(id);
        self.end_what_was_in_flight(id, link.in_flight);
        self.undelivered(id, link.managed);
        self.reader_left(id);
    }

    /// The device can be reached from now on.
    pub(super) fn available(&mut self, id: DeviceId, presence: Presence, now: Now) {
        let Some(device) = self.devices.get_mut(id) else {
            return;
        };
        let Some(link) = &mut device.link else {
            return;
        };
        let is_first = link.presence.replace(presence).is_none() && !link.settled;
        if !device.seen {
            device.seen = true;
            device.last_seen = now.wall.seconds();
            let fresh = !device.stored;
            device.stored = true;
            let account = Rc::clone(&device.account);
            if fresh {
                self.inherit(id, &account, now);
                self.keep_queue_bounded(id, now);
                self.forget_long_away(&account, now);
            }
            self.put_device(id);
        }
        if is_first {
            self.settle_later(id, now);
        }
        self.settle_due(now);
        self.effects.push_back(Effect::Pump(id));
        self.reader_said(id);
    }

    /// Lets phones have their pushes whose time to settle is over.
    pub(super) fn settle_due(&mut self, now: Now) {
        while let Some((_, id)) = self.settling.pop_front_if(|(due, _)| *due <= now.mono) {
            if let Some(link) = self
                .devices
                .get_mut(id)
                .and_then(|device| device.link.as_mut())
            {
                link.settled = true;
                self.effects.push_back(Effect::Pump(id));
            }
        }
    }

    /// The device is connected but does not want anything.
    pub(super) fn unavailable(&mut self, id: DeviceId) {
        if let Some(link) = self
            .devices
            .get_mut(id)
            .and_then(|device| device.link.as_mut())
        {
            link.presence = None;
        }
        self.reader_said(id);
    }

    /// A device never seen before gets what no device of its account has acknowledged: to its user it is
    /// the next one to come online.
    fn inherit(&mut self, id: DeviceId, account: &Rc<str>, now: Now) {
        let siblings: Vec<DeviceId> = self
            .accounts
            .devices(account)
            .iter()
            .copied()
            .filter(|own| *own != id)
            .collect();
        let waiting: BTreeSet<NotificationId> = siblings
            .iter()
            .filter_map(|sibling| self.devices.get(*sibling))
            .flat_map(|sibling| sibling.queue.iter().copied())
            .collect();
        for notification in waiting {
            let read = siblings.iter().any(|sibling| {
                let state = self.ledger.state(notification, *sibling);
                state.is_some_and(DeliveryState::has_arrived)
            });
            let delivery = Receipt::queued(id, now.wall.seconds()).delivery(notification);
            if !read && self.reaches(notification, id, account) && self.ledger.restore(&delivery) {
                self.write_delivery(notification, id);
                if let Some(device) = self.devices.get_mut(id) {
                    device.enqueue(notification);
                }
            }
        }
    }

    /// Whether a notification for a device's siblings is for that device too.
    fn reaches(&self, id: NotificationId, device: DeviceId, account: &str) -> bool {
        let Some(head) = self.ledger.head(id).filter(|head| head.over.is_none()) else {
            return false;
        };
        match head.reach {
            Reach::Users => true,
            Reach::Device => false,
            Reach::Topic => {
                let body = self.store.notification(id).ok().flatten();
                let account = self.accounts.get(account).map(|(_, account)| account);
                match (body.map(|body| body.target), account) {
                    (Some(Target::Topic(topic)), Some(account)) => account.gets(&topic, device),
                    _ => false,
                }
            }
        }
    }

    /// Keeps the number of remembered devices bounded: the one away longest goes.
    fn forget_long_away(&mut self, account: &Rc<str>, now: Now) {
        let away: Vec<(u64, DeviceId)> = self
            .accounts
            .devices(account)
            .iter()
            .filter_map(|id| self.devices.get(*id).map(|device| (*id, device)))
            .filter(|(_, device)| device.link.is_none())
            .map(|(id, device)| (device.last_seen, id))
            .collect();
        if away.len() <= limits::DEVICES_AWAY {
            return;
        }
        let Some((_, id)) = away.into_iter().min() else {
            return;
        };
        if let Some(account) = self.accounts.get_mut(account) {
            account.forget(id);
        }
        if let Some(device) = self.devices.remove(id) {
            log::warn!(
                "forgot device {:?}, away longest of its account",
                device.label()
            );
            for notification in device.queue {
                self.drop_delivery(notification, id, now);
            }
        }
        self.receipts.push(Change::DeleteDevice(id));
    }

    /// The device's app understands that a notification is taken back.
    pub(super) fn takes_back(&mut self, id: DeviceId) {
        if let Some(device) = self.devices.get_mut(id)
            && !device.withdraws
        {
            device.withdraws = true;
            // Of one that has never been available the disk learns when it is.
            if device.seen {
                self.put_device(id);
            }
        }
    }

    pub(super) fn put_device(&mut self, id: DeviceId) {
        if let Some(device) = self.devices.get(id) {
            self.receipts.push(Change::PutDevice(Device {
                id,
                account: device.account.to_string(),
                resource: device.resource.as_ref().map(ToString::to_string),
                last_seen: device.last_seen,
                withdraws: device.withdraws,
            }));
        }
    }
}

fn is_server_made(resource: &str) -> bool {
    let digits = resource.strip_prefix(SERVER_MADE);
    digits.is_some_and(|digits| {
        digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}
