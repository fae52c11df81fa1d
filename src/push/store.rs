//! What outlives a power cut, and the port through which the gateway reaches it.
//!
//! Writes are data ([`Change`]) and answer later: [`Store::submit`] returns at once, and the edge reports
//! the ticket with [`crate::push::Event::Stored`] when its changes are durable or refused. Batches become
//! durable in the order they were submitted, each as a whole. Reads are synchronous and see durable data.
//! Two stores exist, [`MemoryStore`](crate::push::memory_store::MemoryStore) and sled's in `edge/storage.rs`;
//! `tests/store.rs` holds both to one contract.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::head::Head;
use super::notification::{DeliveryState, Notification, NotificationId};

/// An account as stored: credentials and what the user or an administrator said about it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Account {
    /// Local part, lower case: the key.
    pub name: String,
    /// Clear text, because the digest of XEP-0078 needs it (§3).
    pub password: String,
    /// As given at registration, may be empty.
    pub full_name: String,
    /// As given at registration, may be empty.
    pub email: String,
    /// Name by which senders may address the user, may be empty.
    pub alias: String,
    /// Words by which senders may address groups.
    pub tags: Vec<String>,
    /// Topics the user's devices get.
    pub subscriptions: Vec<Subscription>,
    /// Seconds since 1970.
    pub created: u64,
    /// Seconds since 1970 of the last change of this record.
    pub updated: u64,
}

/// A topic somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Subscription {
    /// Its name.
    pub topic: String,
    /// The only device that gets it, or `None` if all of the user's do.
    pub device: Option<DeviceId>,
}

/// Number of a device, given once and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct DeviceId(pub u32);

/// A device: one resource of one account, remembered so that pushes can wait for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Device {
    /// The key.
    pub id: DeviceId,
    /// Local part of its account.
    pub account: String,
    /// Its resource, or `None` while the account has never been available: pushes wait under such a
    /// device, and the first resource that comes takes it over.
    pub resource: Option<String>,
    /// Seconds since 1970 when it was last available.
    pub last_seen: u64,
    /// Whether its app is known to take back what a silent push withdraws.
    #[serde(default)]
    pub withdraws: bool,
}

/// How far one device has got with one notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Delivery {
    /// The notification.
    pub notification: NotificationId,
    /// The device.
    pub device: DeviceId,
    /// The furthest state it has reached.
    pub state: DeliveryState,
    /// Seconds since 1970 when it reached that state.
    pub at: u64,
    /// When it was queued, sent first and acknowledged: seconds since 1970, 0 if it was not.
    #[serde(default)]
    pub queued: u32,
    /// See `queued`.
    #[serde(default)]
    pub sent: u32,
    /// See `queued`.
    #[serde(default)]
    pub acknowledged: u32,
}

/// One write. Putting replaces; deleting what is not there is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds or replaces an account.
    PutAccount(Account),
    /// Removes an account; its devices are removed by changes of their own.
    DeleteAccount(String),
    /// Adds or replaces a device.
    PutDevice(Device),
    /// Removes a device; its deliveries are removed by changes of their own.
    DeleteDevice(DeviceId),
    /// Adds a notification: its body, and the head that [`Head::of`] makes of it.
    PutNotification(Notification),
    /// Replaces the head of a notification.
    PutHead(Head),
    /// Removes a notification's body and all its deliveries.
    DeleteNotification(NotificationId),
    /// Adds or replaces a delivery.
    PutDelivery(Delivery),
}

/// Names one submitted batch. Tickets grow by one with each batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How soon a batch must be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits for it.
    Now,
    /// Within [`crate::limits::RECEIPT_DELAY`], together with others.
    Soon,
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// No room on the disk; nothing of the batch was kept.
    Full,
    /// The disk or the database failed; the text is for the log.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no space left for the store"),
            Self::Failed(why) => write!(f, "store failed: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// One stored thing, as handed out by [`Store::load`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// An account.
    Account(Account),
    /// A device.
    Device(Device),
    /// A notification; its body stays on disk.
    Notification(Head),
    /// A delivery.
    Delivery(Delivery),
}

/// Where accounts, devices, notifications and deliveries live.
pub trait Store {
    /// Hands out everything once, at start: all accounts, then all devices, then all notifications, then
    /// all deliveries, each kind in the order of its keys; accounts with names above 32 bytes come after the
    /// others, in no useful order.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the store cannot be read at all. A record that is damaged is skipped and
    /// logged.
    fn load(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError>;

    /// An account by its local part.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if it cannot be read.
    fn account(&self, name: &str) -> Result<Option<Account>, StoreError>;

    /// A notification's body.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if it cannot be read.
    fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError>;

    /// Takes a batch. Its outcome comes as [`crate::push::Event::Stored`] with this ticket, for batches of
    /// either urgency.
    fn submit(&mut self, ticket: Ticket, changes: Vec<Change>, urgency: Urgency);
}
