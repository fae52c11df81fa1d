//! What the gateway shows of itself: plain values for the page and the API, made on request.

use std::net::IpAddr;

use super::gateway::{Conn, Gateway};
use super::notification::{DeliveryState, Notification};
use super::store::StoreError;
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
    /// Deliveries that still wait for their device.
    pub waiting: usize,
    /// Notifications kept, with their receipts.
    pub notifications: usize,
    /// Deliveries given up since start because a bound was reached.
    pub dropped: u64,
    /// Seconds since start.
    pub uptime: u64,
    /// What the time is based on; filled in by whoever has the [`Timekeeper`](crate::time::Timekeeper).
    pub clock: Basis,
    /// What keeps new pushes from being accepted, in words, or `None`.
    pub trouble: Option<String>,
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
    /// One entry per device it was for.
    pub deliveries: Vec<DeliveryView>,
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
            sessions: self
                .conns
                .values()
                .filter(|conn| conn.device.is_some())
                .count(),
            waiting: domain.ledger.waiting(),
            notifications: domain.ledger.len(),
            dropped: domain.dropped,
            uptime: u64::from(now.mono.seconds()),
            clock: Basis::default(),
            trouble: domain.trouble.as_ref().map(ToString::to_string),
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
            let Some(record) = self.domain.store.account(name)? else {
                continue;
            };
            let devices = account
                .devices
                .iter()
                .filter_map(|id| self.domain.devices.get(*id));
            users.push(UserView {
                name: record.name,
                online: self.is_online(name),
                full_name: record.full_name,
                email: record.email,
                alias: record.alias,
                tags: record.tags,
                created: record.created,
                waiting: devices.map(|device| device.queue.len()).sum(),
            });
        }
        Ok(users)
    }

    fn is_online(&self, user: &str) -> bool {
        let devices = self.domain.accounts.devices(user).iter();
        devices
            .filter_map(|id| self.domain.devices.get(*id))
            .any(|device| device.is_available())
    }

    /// Open connections, newest first.
    #[must_use]
    pub fn sessions(&self, limit: usize, now: Now) -> Vec<SessionView> {
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
                presence: presence.map_or("Offline", word),
                peer: conn.peer,
                created: now.wall.seconds().saturating_sub(open_for),
            }
        };
        conns.into_iter().take(limit).map(view).collect()
    }

    /// Notifications, newest first, each with at most `devices` of its deliveries.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn notifications(
        &self,
        limit: usize,
        devices: usize,
    ) -> Result<Vec<NotificationView>, StoreError> {
        let mut views = Vec::new();
        for id in self.domain.ledger.newest_first().take(limit) {
            let Some(notification) = self.domain.store.notification(id)? else {
                continue;
            };
            let receipts = self.domain.ledger.receipts(id).iter().take(devices);
            let deliveries = receipts.map(|receipt| DeliveryView {
                device: self
                    .domain
                    .devices
                    .get(receipt.device)
                    .map_or_else(|| "(forgotten)".to_owned(), |device| device.label()),
                state: receipt.state,
                at: receipt.at(),
            });
            views.push(NotificationView {
                notification,
                deliveries: deliveries.collect(),
            });
        }
        Ok(views)
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
