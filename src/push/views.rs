//! What the gateway shows of itself: plain values for the page and the API, made on request.

use std::net::IpAddr;

use super::accounts::{Account, Subscription};
use super::devices::Device;
pub use super::disk_figures::{Repaired, Written};
use super::event::TopicOf;
use super::gateway::{Conn, Gateway};
use super::notification::{DeliveryState, Notification, NotificationId};
use super::receipt::Receipt;
use super::store::StoreError;
pub use super::token_view::TokenView;
use crate::time::{Basis, Now};
use crate::xmpp::host::Show;

/// Figures of the whole gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Registered users.
    pub users: usize,
    /// Users with at least one available device.
    pub users_online: usize,
    /// Open XMPP connections, logged in or not.
    pub connections: usize,
    /// Logged-in connections.
    pub sessions: usize,
    /// Sessions whose connection is lost and whose client may come back.
    pub asleep: usize,
    /// Deliveries that still wait for their device.
    pub waiting: usize,
    /// Notifications kept, with their receipts.
    pub notifications: usize,
    /// Deliveries given up since start because a bound was reached or a device was forgotten.
    pub dropped: u64,
    /// Deliveries whose time to live was over before the device came, since start.
    pub expired: u64,
    /// Deliveries taken back before the device came, since start.
    pub withdrawn: u64,
    /// Notifications that wait for their time.
    pub scheduled: usize,
    /// Seconds since start.
    pub uptime: u64,
    /// What the time is based on; filled in by whoever has the [`Timekeeper`](crate::time::Timekeeper).
    pub clock: Basis,
    /// What keeps new pushes from being accepted, in words, or `None`.
    pub trouble: Option<String>,
    /// What else an administrator should know, in words; the edge adds what only it can see.
    pub warnings: Vec<String>,
    /// What the flash has had to take; filled in by the edge.
    pub written: Written,
    /// SHA-256 of the certificate phones are shown; filled in by the edge, `None` without TLS.
    pub fingerprint: Option<String>,
    /// What had to be repaired of the database; filled in by the edge.
    pub repaired: Repaired,
}

/// A registered user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserView {
    /// Local part.
    pub name: String,
    /// Whether a device of theirs is available.
    pub online: bool,
    /// Full name, may be empty.
    pub full_name: String,
    /// E-mail address, may be empty.
    pub email: String,
    /// Alias, may be empty.
    pub alias: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Seconds since 1970.
    pub created: u64,
    /// Deliveries that wait for their devices.
    pub waiting: usize,
}

/// A user with their devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDetails {
    /// The user.
    pub user: UserView,
    /// Devices that have told their resource.
    pub devices: Vec<DeviceView>,
}

/// A device of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// Its resource.
    pub resource: String,
    /// androidpn's word while it is available, as in [`SessionView::presence`].
    pub presence: Option<&'static str>,
    /// Seconds since 1970 when it was last available, as far as the store knows; 0 for never.
    pub last_seen: u64,
    /// Notifications that wait for it.
    pub waiting: usize,
}

/// An open XMPP connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Local part, empty before login.
    pub user: String,
    /// Resource, empty before login.
    pub resource: String,
    /// androidpn's word: `CONNECTED` before login, `AUTHENTICATED` after.
    pub status: &'static str,
    /// androidpn's word: Online, Away, Chat, Do Not Disturb, eXtended Away, Offline.
    pub presence: &'static str,
    /// Where it comes from.
    pub peer: IpAddr,
    /// Seconds since 1970.
    pub created: u64,
}

/// A notification with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationView {
    /// The notification itself.
    pub notification: Notification,
    /// Devices it is for; 0 while it is scheduled.
    pub total: usize,
    /// How many of them are in each state, in the order of [`DeliveryState::ALL`].
    pub counts: [usize; DeliveryState::ALL.len()],
    /// Some of the devices, in the order in which they came to us.
    pub deliveries: Vec<DeliveryView>,
    /// Whether it waits for its time.
    pub scheduled: bool,
    /// Second since 1970 at which it expires, if it has a time to live and a clock to be counted on.
    pub expires: Option<u64>,
    /// How it ended for whoever had not got it by then, with the second since 1970.
    pub over: Option<(DeliveryState, u64)>,
}

impl NotificationView {
    /// How many devices are in a state of that kind.
    #[must_use]
    pub fn count(&self, kind: impl Fn(DeliveryState) -> bool) -> usize {
        let counted = DeliveryState::ALL.into_iter().zip(self.counts);
        let counted = counted.filter(|(state, _)| kind(*state));
        counted.map(|(_, count)| count).sum()
    }
}

/// How far one device has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryView {
    /// `user/resource`, or only `user` while no device of theirs has ever come.
    pub device: String,
    /// The furthest state.
    pub state: DeliveryState,
    /// Seconds since 1970 when it was reached.
    pub at: u64,
    /// Seconds since 1970 when it was kept for the device.
    pub queued: u64,
    /// Seconds since 1970 when it was first written to the device's connection; 0 if it was not.
    pub sent: u64,
    /// Seconds since 1970 when the device had it; 0 if it has not.
    pub acknowledged: u64,
}

impl Gateway {
    /// Figures of the whole gateway.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let domain = &self.domain;
        Status {
            users: domain.accounts.len(),
            users_online: domain
                .accounts
                .iter()
                .filter(|(name, _)| self.is_online(name))
                .count(),
            connections: self.conns.len(),
            asleep: self.domain.sleepers.len(),
            sessions: self
                .conns
                .values()
                .filter(|conn| conn.device.is_some())
                .count(),
            waiting: domain.ledger.waiting(),
            notifications: domain.ledger.len(),
            dropped: domain.tally.dropped,
            expired: domain.tally.expired,
            withdrawn: domain.tally.withdrawn,
            scheduled: domain.ledger.scheduled(),
            uptime: u64::from(now.mono.seconds()),
            clock: Basis::default(),
            trouble: domain.trouble.as_ref().map(ToString::to_string),
            warnings: Vec::new(),
            written: Written::default(),
            fingerprint: None,
            repaired: Repaired::default(),
        }
    }

    /// Users by name, `limit` of them from `skip` on; `online` keeps only those available, or only the
    /// others.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn users(
        &self,
        online: Option<bool>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<UserView>, StoreError> {
        let mut users = Vec::new();
        let accounts = self.domain.accounts.iter();
        let wanted =
            accounts.filter(|(name, _)| online.is_none_or(|on| on == self.is_online(name)));
        for (name, account) in wanted.skip(skip).take(limit) {
            users.extend(self.user_view(name, account)?);
        }
        Ok(users)
    }

    /// A user with their devices; `None` if there is no such user.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn user(&self, name: &str) -> Result<Option<UserDetails>, StoreError> {
        let Some((name, account)) = self.domain.accounts.get(&name.to_lowercase()) else {
            return Ok(None);
        };
        let view = |device: &Device| {
            Some(DeviceView {
                resource: device.resource.as_ref()?.to_string(),
                presence: device
                    .link
                    .as_ref()
                    .and_then(|link| link.presence)
                    .map(|presence| word(presence.show)),
                last_seen: device.last_seen,
                waiting: device.queue.len(),
            })
        };
        let devices = account.devices.iter();
        let devices = devices.filter_map(|id| view(self.domain.devices.get(*id)?));
        let user = self.user_view(name, account)?;
        Ok(user.map(|user| UserDetails {
            user,
            devices: devices.collect(),
        }))
    }

    fn user_view(&self, name: &str, account: &Account) -> Result<Option<UserView>, StoreError> {
        let Some(record) = self.domain.store.account(name)? else {
            return Ok(None);
        };
        let devices = account.devices.iter();
        let devices = devices.filter_map(|id| self.domain.devices.get(*id));
        Ok(Some(UserView {
            name: record.name,
            online: self.is_online(name),
            full_name: record.full_name,
            email: record.email,
            alias: record.alias,
            tags: record.tags,
            created: record.created,
            waiting: devices.map(|device| device.queue.len()).sum(),
        }))
    }

    fn is_online(&self, user: &str) -> bool {
        let devices = self.domain.accounts.devices(user).iter();
        devices
            .filter_map(|id| self.domain.devices.get(*id))
            .any(|device| device.is_available())
    }

    /// Open connections, newest first, `limit` of them from `skip` on.
    #[must_use]
    pub fn sessions(&self, skip: usize, limit: usize, now: Now) -> Vec<SessionView> {
        let mut conns: Vec<&Conn> = self.conns.values().map(Box::as_ref).collect();
        conns.sort_by_key(|conn| std::cmp::Reverse(conn.opened));
        let view = |conn: &Conn| {
            let device = conn.device.and_then(|id| self.domain.devices.get(id));
            let presence = device.and_then(|device| device.link.as_ref()?.presence);
            let open_for = now.mono.since(conn.opened).as_secs();
            SessionView {
                user: device
                    .map(|device| device.account.to_string())
                    .unwrap_or_default(),
                resource: device
                    .and_then(|device| device.resource.as_ref().map(ToString::to_string))
                    .unwrap_or_default(),
                status: if device.is_some() {
                    "AUTHENTICATED"
                } else {
                    "CONNECTED"
                },
                presence: presence.map_or("Offline", |presence| word(presence.show)),
                peer: conn.peer,
                created: now.wall.seconds().saturating_sub(open_for),
            }
        };
        conns.into_iter().skip(skip).take(limit).map(view).collect()
    }

    /// Notifications, newest first, `limit` of them from `skip` on, each with at most `devices` of its
    /// deliveries.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn notifications(
        &self,
        skip: usize,
        limit: usize,
        devices: usize,
    ) -> Result<Vec<NotificationView>, StoreError> {
        let newest = self.domain.ledger.newest_first().skip(skip).take(limit);
        newest
            .filter_map(|id| self.notification(id, 0, devices).transpose())
            .collect()
    }

    /// A notification with at most `limit` of its deliveries from `skip` on; `None` if it is not kept.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn notification(
        &self,
        id: NotificationId,
        skip: usize,
        limit: usize,
    ) -> Result<Option<NotificationView>, StoreError> {
        let ledger = &self.domain.ledger;
        let Some(head) = ledger.head(id).filter(|_| ledger.is_durable(id)) else {
            return Ok(None);
        };
        let Some(notification) = self.domain.store.notification(id)? else {
            return Ok(None);
        };
        let receipts = ledger.receipts(id);
        let shown = receipts.iter().skip(skip).take(limit);
        Ok(Some(NotificationView {
            notification,
            total: receipts.len(),
            counts: ledger.counts(id),
            deliveries: shown.map(|receipt| self.delivery(receipt)).collect(),
            scheduled: head.is_scheduled(),
            expires: head.expires().map(u64::from),
            over: head.over.map(|over| (over.state, u64::from(over.at))),
        }))
    }

    /// Every token to register with, oldest first.
    #[must_use]
    pub fn tokens(&self) -> Vec<TokenView> {
        let mut tokens = self.domain.tokens();
        tokens.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        tokens
    }

    /// What a user and their devices have subscribed to; `None` if there is no such user.
    #[must_use]
    pub fn topics_of(&self, user: &str) -> Option<Vec<TopicOf>> {
        let (name, account) = self.domain.accounts.get(&user.to_lowercase())?;
        let topic = |one: &Subscription| TopicOf {
            topic: one.topic.to_string(),
            user: name.to_string(),
            resource: one.device.map(|id| {
                let device = self.domain.devices.get(id);
                let resource = device.and_then(|device| device.resource.as_ref());
                resource.map(ToString::to_string).unwrap_or_default()
            }),
        };
        Some(account.subscriptions.iter().map(topic).collect())
    }

    fn delivery(&self, receipt: &Receipt) -> DeliveryView {
        let device = self.domain.devices.get(receipt.device);
        DeliveryView {
            device: device.map_or_else(|| "(forgotten)".to_owned(), Device::label),
            state: receipt.state,
            at: u64::from(receipt.at),
            queued: u64::from(receipt.queued),
            sent: u64::from(receipt.sent),
            acknowledged: u64::from(receipt.acknowledged),
        }
    }
}

/// androidpn's word for an availability.
fn word(show: Show) -> &'static str {
    match show {
        Show::Online => "Online",
        Show::Away => "Away",
        Show::Chat => "Chat",
        Show::DoNotDisturb => "Do Not Disturb",
        Show::ExtendedAway => "eXtended Away",
    }
}
