//! What outlives a power cut, and the port through which the gateway reaches it.
//!
//! Writes are data ([`Change`]) and answer later: [`Store::submit`] returns at once, and the edge reports
//! the ticket with [`crate::push::Event::Stored`] when its changes are durable or refused. Batches become
//! durable in the order they were submitted, each as a whole. Reads are synchronous and see durable data.
//! Two stores exist, [`MemoryStore`](crate::push::memory_store::MemoryStore) and sled's in `edge/storage.rs`;
//! `tests/store.rs` holds both to one contract.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::head::Head;
use super::notification::{DeliveryState, Notification, NotificationId};
use crate::xmpp::sasl::keys::Keys;

/// An account as stored: credentials and what the user or an administrator said about it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Account {
    /// Local part, lower case: the key.
    pub name: String,
    /// Clear text where the digest of XEP-0078 needs it (§3); empty where only [`keys`](Self::keys) are kept.
    pub password: String,
    /// Keys of the password; they may be missing where it is kept in the clear, until they are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Box<Keys>>,
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

impl Account {
    /// Whether this is the account's password. Takes milliseconds where only keys of it are kept.
    #[must_use]
    pub fn is_password(&self, password: &str) -> bool {
        match &self.keys {
            _ if !self.password.is_empty() => {
                bool::from(self.password.as_bytes().ct_eq(password.as_bytes()))
            }
            Some(keys) => keys.are_of(password),
            None => false,
        }
    }
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

/// A text that a feature keeps for an account, such as a contact, a vCard, or a message that waits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "FlatDocument")]
pub struct Document {
    /// The key.
    #[serde(flatten)]
    pub id: DocumentId,
    /// What the feature made of it; at most [`crate::limits::DOCUMENT`] bytes.
    pub text: String,
}

/// What a [`Document`] is read from.
#[derive(Deserialize)]
struct FlatDocument {
    #[serde(default)]
    owner: String,
    kind: DocumentKind,
    #[serde(default)]
    name: String,
    text: String,
}

impl From<FlatDocument> for Document {
    fn from(flat: FlatDocument) -> Self {
        let FlatDocument {
            owner,
            kind,
            name,
            text,
        } = flat;
        Self {
            id: DocumentId { owner, kind, name },
            text,
        }
    }
}

/// Names a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DocumentId {
    /// Local part of the account it goes with, or nothing if it is the server's own.
    pub owner: String,
    /// What it is.
    pub kind: DocumentKind,
    /// Tells it from the owner's others of the kind; at most [`crate::limits::DOCUMENT_NAME`] bytes.
    pub name: String,
}

/// What a document is. The numbers are those of the stored form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum DocumentKind {
    /// An entry of a roster; its name is the contact's bare JID.
    Contact = 1,
    /// A vCard.
    Vcard = 2,
    /// Private XML (XEP-0049); its name is the element's.
    Private = 3,
    /// A blocked JID (XEP-0191), which is its name.
    Blocked = 4,
    /// A chat message that waits for its reader; its name rises with each.
    Message = 5,
    /// A token to register with (XEP-0445); its name is the token's digest.
    Invitation = 6,
    /// What a feature of the server keeps for itself.
    Server = 7,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Contact,
        Self::Vcard,
        Self::Private,
        Self::Blocked,
        Self::Message,
        Self::Invitation,
        Self::Server,
    ];

    /// The kind of that number.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// One write. Putting replaces; deleting what is not there is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds or replaces an account.
    PutAccount(Account),
    /// Removes an account with its documents; its devices are removed by changes of their own.
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
    /// Adds or replaces a document.
    PutDocument(Document),
    /// Removes a document.
    DeleteDocument(DocumentId),
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
    /// A document, which [`Store::load`] does not hand out.
    Document(Document),
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

    /// A document's text.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if it cannot be read.
    fn document(&self, id: &DocumentId) -> Result<Option<String>, StoreError>;

    /// All documents of one kind an account has, in the order of their names; names above 64 bytes come after
    /// the others, in no useful order.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if they cannot be read.
    fn documents(&self, owner: &str, kind: DocumentKind) -> Result<Vec<Document>, StoreError>;

    /// Takes a batch. Its outcome comes as [`crate::push::Event::Stored`] with this ticket, for batches of
    /// either urgency.
    fn submit(&mut self, ticket: Ticket, changes: Vec<Change>, urgency: Urgency);
}
