//! What the gateway shows of itself: plain values for the page and the API, made on request.

use std::net::IpAddr;

use super::notification::{DeliveryState, Notification};

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
