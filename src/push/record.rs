//! Stored form: bytes ⇄ account, device, notification, delivery, as rows of one ordered map.
//!
//! One map for all kinds makes a batch atomic across them. A row's key is a kind byte and the identity in
//! big-endian order; its value is a version byte, a payload, and a CRC-32 of key, version and payload, so
//! that a row under the wrong key is damaged too. Version first and checksum last hold for every version.
//!
//! | kind | key after the kind byte | payload |
//! |---|---|---|
//! | 1 account | name and 0, or 255 and SHA-1 of a long name; part | number of parts, a piece of the fields |
//! | 2 device | id | fields |
//! | 3 notification | id | fields of its head |
//! | 4 deliveries | notification, block of 16 devices | device in the block, state and times of each |
//! | 5 body | notification, part | number of parts, a piece of the fields |
//! | 6 document | owner as in 1, kind, name as in 1, part | number of parts, a piece of the fields |
//!
//! Accounts and bodies are cut into parts, and long names are digested, because sled puts a page above 16 KiB
//! into a file of its own, which it neither syncs nor, often, ever removes; a page holds about 16 rows, or 256
//! keys. Bodies are a kind of their own, behind the others, and documents behind them, so that a start reads
//! everything but these.
//! Deliveries share rows because a row costs sled far more than its bytes: a push to 10 000 devices writes
//! 0.4 MB instead of 4.

use super::entries;
use super::fields::{self, Fields};
use super::head::Head;
use super::notification::{Notification, NotificationId};
use super::row::{
    ACCOUNT, BODY, DELIVERIES, DEVICE, DOCUMENT, NOTIFICATION, PART, Parts, open, read_parts,
    sealed,
};
use super::row_key::{
    account_prefix, deliveries_key, device_key, document_prefix, notification_key, owner_prefix,
};
use super::store::{Account, Change, Delivery, DeviceId, Document, DocumentId, DocumentKind, Row};

pub use super::entries::{Entry, device_of};
pub use super::fields::Unstorable;
pub use super::row::{BadRecord, Fault, VERSION};

/// First key [`Loader`] has no use for: bodies lie behind it.
pub const END_OF_LOADED: [u8; 1] = [BODY];

/// First key of the documents, which go to the end.
pub const DOCUMENTS: [u8; 1] = [DOCUMENT];

/// One write to the map of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Adds or replaces a row.
    Put {
        /// Its key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Replaces a row by [`merged`] of it and this entry.
    Merge {
        /// Its key.
        key: Vec<u8>,
        /// A delivery.
        entry: Entry,
    },
    /// Removes a row, if it is there.
    Delete(Vec<u8>),
    /// Removes every row whose key begins so.
    DeletePrefix(Vec<u8>),
}

/// Appends the writes that carry out `change`.
///
/// # Errors
/// [`Unstorable`] if a field exceeds what the form holds; `into` then has a part of the writes.
pub fn writes(change: &Change, into: &mut Vec<Write>) -> Result<(), Unstorable> {
    match change {
        Change::PutAccount(account) => {
            put_parts(
                account_prefix(&account.name)?,
                &fields::of_account(account)?,
                into,
            )?;
        }
        // A name that cannot be stored has not been.
        Change::DeleteAccount(name) => {
            if let (Ok(account), Ok(documents)) = (account_prefix(name), owner_prefix(name)) {
                into.push(Write::DeletePrefix(account));
                into.push(Write::DeletePrefix(documents));
            }
        }
        Change::PutDevice(device) => put(device_key(device.id), &fields::of_device(device)?, into),
        Change::DeleteDevice(id) => into.push(Write::Delete(device_key(*id))),
        Change::PutNotification(notification) => {
            put_head(&Head::of(notification), into);
            let prefix = notification_key(BODY, notification.id);
            put_parts(prefix, &fields::of_body(notification)?, into)?;
        }
        Change::PutHead(head) => put_head(head, into),
        Change::DeleteNotification(id) => {
            into.push(Write::Delete(notification_key(NOTIFICATION, *id)));
            into.push(Write::DeletePrefix(notification_key(DELIVERIES, *id)));
            into.push(Write::DeletePrefix(notification_key(BODY, *id)));
        }
        Change::PutDelivery(delivery) => into.push(Write::Merge {
            key: deliveries_key(delivery),
            entry: entries::of_delivery(delivery),
        }),
        Change::PutDocument(document) => {
            let prefix = document_prefix(&document.id)?;
            put_parts(prefix, &fields::of_document(document)?, into)?;
        }
        Change::DeleteDocument(id) => into.extend(document_prefix(id).map(Write::DeletePrefix)),
    }
    Ok(())
}

/// A row of deliveries with one added or replaced. What cannot be read of `old` is given up.
#[must_use]
pub fn merged(key: &[u8], old: Option<&[u8]>, entry: Entry) -> Vec<u8> {
    let old = old.and_then(|old| open(key, old).ok());
    let old = old.and_then(|(version, payload)| entries::entries(payload, version));
    let mut entries = old.unwrap_or_default();
    match entries.binary_search_by_key(&entries::device_of(entry), |entry| {
        entries::device_of(*entry)
    }) {
        Ok(at) => entries.splice(at..=at, [entry]),
        Err(at) => entries.splice(at..at, [entry]),
    };
    sealed(key, entries.as_flattened())
}

/// Reads an account through `get`, which looks up one row.
///
/// # Errors
/// Those of `get`. A record that cannot be read is `Some(Err(_))`.
pub fn read_account<V: AsRef<[u8]>, E>(
    name: &str,
    get: impl FnMut(&[u8]) -> Result<Option<V>, E>,
) -> Result<Option<Result<Account, BadRecord>>, E> {
    let Ok(prefix) = account_prefix(name) else {
        return Ok(None);
    };
    let record = read_parts(prefix, get)?;
    Ok(record.map(finish_account))
}

/// Reads a notification's body through `get`, which looks up one row.
///
/// # Errors
/// Those of `get`. A record that cannot be read is `Some(Err(_))`.
pub fn read_notification<V: AsRef<[u8]>, E>(
    id: NotificationId,
    get: impl FnMut(&[u8]) -> Result<Option<V>, E>,
) -> Result<Option<Result<Notification, BadRecord>>, E> {
    let record = read_parts(notification_key(BODY, id), get)?;
    Ok(record.map(|parts| parts.finish(|fields| fields::body(id, fields))))
}

/// Reads a document through `get`, which looks up one row.
///
/// # Errors
/// Those of `get`. A record that cannot be read is `Some(Err(_))`.
pub fn read_document<V: AsRef<[u8]>, E>(
    id: &DocumentId,
    get: impl FnMut(&[u8]) -> Result<Option<V>, E>,
) -> Result<Option<Result<Document, BadRecord>>, E> {
    let Ok(prefix) = document_prefix(id) else {
        return Ok(None);
    };
    Ok(read_parts(prefix, get)?.map(finish_document))
}

/// The documents that rows make, given in order.
pub fn documents<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    rows: impl IntoIterator<Item = (K, V)>,
) -> Vec<Result<Document, BadRecord>> {
    let mut found = Vec::new();
    let mut keep = |read: Result<Row, BadRecord>| match read {
        Ok(Row::Document(document)) => found.push(Ok(document)),
        Ok(_) => {}
        Err(bad) => found.push(Err(bad)),
    };
    let mut loader = Loader::default();
    for (key, value) in rows {
        loader.row(key.as_ref(), value.as_ref(), &mut keep);
    }
    loader.finish(&mut keep);
    found
}

/// How the keys of an owner's documents of one kind begin; `None` if there cannot be any.
#[must_use]
pub fn documents_prefix(owner: &str, kind: DocumentKind) -> Option<Vec<u8>> {
    let mut prefix = owner_prefix(owner).ok()?;
    prefix.push(kind as u8);
    Some(prefix)
}

/// Whether a new record begins with this row, so that a [`Loader`] can begin here.
#[must_use]
pub fn begins_record(key: &[u8]) -> bool {
    !matches!(key.first(), Some(&ACCOUNT | &DOCUMENT)) || key.last() == Some(&0)
}

/// Turns rows, given in order, into records. Those below [`END_OF_LOADED`] are what
/// [`crate::push::store::Store::load`] hands out; those from [`DOCUMENTS`] on are documents.
#[derive(Debug, Default)]
pub struct Loader {
    /// The account or document whose parts are coming in.
    open: Option<Parts>,
}

impl Loader {
    /// Takes the next row.
    pub fn row(&mut self, key: &[u8], value: &[u8], visit: &mut dyn FnMut(Result<Row, BadRecord>)) {
        if let (Some(&(ACCOUNT | DOCUMENT)), Some((_, prefix))) = (key.first(), key.split_last()) {
            if self
                .open
                .as_ref()
                .is_none_or(|parts| parts.prefix != prefix)
            {
                self.finish(visit);
            }
            let parts = self.open.get_or_insert_with(|| Parts::new(prefix.to_vec()));
            return parts.add(key, value);
        }
        self.finish(visit);
        let read = match key.first() {
            Some(&DELIVERIES) => deliveries(key, value, &mut |delivery| {
                visit(Ok(Row::Delivery(delivery)))
            }),
            _ => single_row(key, value).map(|row| visit(Ok(row))),
        };
        if let Err(fault) = read {
            let key = key.to_vec();
            visit(Err(BadRecord { key, fault }));
        }
    }

    /// Hands out the last record, if it was still waiting for parts. To be called after the last row.
    pub fn finish(&mut self, visit: &mut dyn FnMut(Result<Row, BadRecord>)) {
        let Some(parts) = self.open.take() else {
            return;
        };
        visit(match parts.prefix.first() {
            Some(&DOCUMENT) => finish_document(parts).map(Row::Document),
            _ => finish_account(parts).map(Row::Account),
        });
    }
}

/// The row that tells that a notification exists.
#[must_use]
pub fn existence_key(id: NotificationId) -> Vec<u8> {
    notification_key(NOTIFICATION, id)
}

/// How the keys of its rows of deliveries begin.
#[must_use]
pub fn deliveries_prefix(id: NotificationId) -> Vec<u8> {
    notification_key(DELIVERIES, id)
}

/// The notification a row belongs to, if it is one of a notification, a delivery or a body.
#[must_use]
pub fn notification_of(key: &[u8]) -> Option<NotificationId> {
    let (kind, rest) = key.split_first()?;
    matches!(*kind, NOTIFICATION | DELIVERIES | BODY)
        .then(|| rest.first_chunk().copied())?
        .map(|id| NotificationId(u128::from_be_bytes(id)))
}

// ---- rows -------------------------------------------------------------------------------------

fn put(key: Vec<u8>, payload: &[u8], into: &mut Vec<Write>) {
    let value = sealed(&key, payload);
    into.push(Write::Put { key, value });
}

fn put_head(head: &Head, into: &mut Vec<Write>) {
    let key = notification_key(NOTIFICATION, head.id);
    put(key, &fields::of_head(head), into);
}

fn put_parts(prefix: Vec<u8>, fields: &[u8], into: &mut Vec<Write>) -> Result<(), Unstorable> {
    let parts = u8::try_from(fields.len().div_ceil(PART)).map_err(|_| Unstorable("record"))?;
    // What it replaces may have had more parts.
    into.push(Write::DeletePrefix(prefix.clone()));
    for (part, piece) in (0..parts).zip(fields.chunks(PART)) {
        let mut key = prefix.clone();
        key.push(part);
        put(key, &[&[parts], piece].concat(), into);
    }
    Ok(())
}

fn finish_account(parts: Parts) -> Result<Account, BadRecord> {
    let prefix = parts.prefix.clone();
    // The name is checked against the key, which may only have its digest.
    let ours = |account: &Account| account_prefix(&account.name).is_ok_and(|own| own == prefix);
    parts.finish(|fields| fields::account(fields).filter(ours))
}

fn finish_document(parts: Parts) -> Result<Document, BadRecord> {
    let prefix = parts.prefix.clone();
    let ours = |found: &Document| document_prefix(&found.id).is_ok_and(|own| own == prefix);
    parts.finish(|fields| fields::document(fields).filter(ours))
}

fn single_row(key: &[u8], value: &[u8]) -> Result<Row, Fault> {
    let (version, payload) = open(key, value)?;
    let fields = Fields::new(payload, version);
    let row = match key {
        [DEVICE, id @ ..] => id.try_into().ok().and_then(|id| {
            fields::device(DeviceId(u32::from_be_bytes(id)), fields).map(Row::Device)
        }),
        [NOTIFICATION, id @ ..] => id.try_into().ok().and_then(|id| {
            let id = NotificationId(u128::from_be_bytes(id));
            fields::head(id, fields).map(Row::Notification)
        }),
        _ => None,
    };
    row.ok_or(Fault::Damaged)
}

/// Hands out the deliveries of a row, or none of them.
fn deliveries(key: &[u8], value: &[u8], visit: &mut dyn FnMut(Delivery)) -> Result<(), Fault> {
    let (version, payload) = open(key, value)?;
    let entries = entries::entries(payload, version).ok_or(Fault::Damaged)?;
    let [DELIVERIES, rest @ ..] = key else {
        return Err(Fault::Damaged);
    };
    let (id, block) = rest.split_last_chunk::<4>().ok_or(Fault::Damaged)?;
    let id = id.try_into().map_err(|_| Fault::Damaged)?;
    let id = NotificationId(u128::from_be_bytes(id));
    let block = u32::from_be_bytes(*block);
    let read = |entry: &Entry| entries::delivery(id, block, *entry).ok_or(Fault::Damaged);
    let deliveries: Vec<_> = entries.iter().map(read).collect::<Result<_, _>>()?;
    deliveries.into_iter().for_each(visit);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;
    use crate::limits;
    use crate::push::head::Over;
    use crate::push::notification::{DeliveryState, Extras, Link, Priority, Target};
    use crate::push::row::checksum;
    use crate::push::store::{Device, Subscription};
    use crate::xmpp::sasl::keys::{Keys, SALT};

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;
    type Read = Vec<Result<Row, BadRecord>>;

    fn apply(rows: &mut Rows, change: &Change) {
        let mut list = Vec::new();
        writes(change, &mut list).unwrap();
        for write in list {
            match write {
                Write::Put { key, value } => drop(rows.insert(key, value)),
                Write::Merge { key, entry } => {
                    let value = merged(&key, rows.get(&key).map(Vec::as_slice), entry);
                    rows.insert(key, value);
                }
                Write::Delete(key) => drop(rows.remove(&key)),
                Write::DeletePrefix(prefix) => rows.retain(|key, _| !key.starts_with(&prefix)),
            }
        }
    }

    fn rows_of(change: &Change) -> Rows {
        let mut rows = Rows::new();
        apply(&mut rows, change);
        rows
    }

    fn load(rows: &Rows) -> Read {
        let mut read = Read::new();
        let mut loader = Loader::default();
        for (key, value) in rows.range(..END_OF_LOADED.to_vec()) {
            loader.row(key, value, &mut |row| read.push(row));
        }
        loader.finish(&mut |row| read.push(row));
        read
    }

    fn body(rows: &Rows, id: NotificationId) -> Option<Result<Notification, BadRecord>> {
        read_notification(id, |key| Ok::<_, Infallible>(rows.get(key))).unwrap()
    }

    fn by_name(rows: &Rows, name: &str) -> Option<Result<Account, BadRecord>> {
        read_account(name, |key| Ok::<_, Infallible>(rows.get(key))).unwrap()
    }

    fn sam() -> Account {
        Account {
            name: "sam".into(),
            password: "p\u{1f511}w".into(),
            full_name: "Sam".into(),
            email: "sam@lan".into(),
            alias: "kitchen".into(),
            tags: vec!["office".into(), String::new()],
            created: 1_700_000_000,
            updated: u64::MAX,
            keys: Some(Box::new(Keys::new("p", [9; SALT]))),
            subscriptions: vec![
                Subscription {
                    topic: "doors".into(),
                    device: None,
                },
                Subscription {
                    topic: "t".repeat(limits::LABEL),
                    device: Some(DeviceId(7)),
                },
            ],
        }
    }

    /// As long as every limit allows.
    fn longest_account() -> Account {
        Account {
            name: "n".repeat(limits::JID_PART),
            password: "p".repeat(limits::PASSWORD),
            full_name: "f".repeat(limits::REGISTERED_FIELD),
            email: "e".repeat(limits::REGISTERED_FIELD),
            alias: "a".repeat(limits::LABEL),
            tags: vec!["t".repeat(limits::LABEL); limits::TAGS],
            subscriptions: vec![
                Subscription {
                    topic: "t".repeat(limits::LABEL),
                    device: Some(DeviceId(7)),
                };
                limits::SUBSCRIPTIONS
            ],
            ..sam()
        }
    }

    fn push(message: &str) -> Notification {
        Notification {
            id: NotificationId(0x0102_0304),
            target: Target::Tags("office & !night".parse().unwrap()),
            title: "Door".into(),
            message: message.into(),
            uri: "http://door.lan/?a=1&b=2".into(),
            extras: Extras {
                image: "http://door.lan/door.png".into(),
                priority: Priority::new(5).unwrap(),
                tags: vec!["door".into(), String::new()],
                actions: vec![Link {
                    label: "Open".into(),
                    uri: "http://door.lan/open".into(),
                }],
                silent: true,
                sequence: "door".into(),
                ttl: 60,
                deliver_at: 1_800_000_000,
                sender: "bell".into(),
                withdraws: Some(NotificationId(9)),
            },
        }
    }

    fn longest_push() -> Notification {
        Notification {
            target: Target::User("u".repeat(limits::JID_PART)),
            title: "t".repeat(limits::TITLE),
            uri: "u".repeat(limits::URI),
            extras: longest_extras(),
            ..push(&"m".repeat(limits::MESSAGE))
        }
    }

    fn longest_extras() -> Extras {
        let link = Link {
            label: "l".repeat(limits::LABEL),
            uri: "u".repeat(limits::URI),
        };
        Extras {
            image: "i".repeat(limits::URI),
            tags: vec!["t".repeat(limits::LABEL); limits::TAGS],
            actions: vec![link; limits::ACTIONS],
            sequence: "s".repeat(limits::LABEL),
            sender: "s".repeat(limits::LABEL),
            ttl: u32::MAX,
            deliver_at: u64::MAX,
            ..Extras::default()
        }
    }

    /// A head of which nothing is as it is by default.
    fn head() -> Head {
        Head {
            fired: true,
            begun: 1_700_000_000,
            over: Some(Over {
                state: DeliveryState::Withdrawn,
                at: 1_700_000_001,
            }),
            ..Head::of(&push("hi"))
        }
    }

    fn phone(resource: Option<String>) -> Device {
        Device {
            id: DeviceId(7),
            account: "sam".into(),
            resource,
            last_seen: 3,
            withdraws: true,
        }
    }

    fn receipt(state: DeliveryState) -> Delivery {
        Delivery {
            notification: NotificationId(9 << 80),
            device: DeviceId(u32::MAX),
            state,
            at: 1_700_000_001,
            queued: 1_700_000_000,
            sent: u32::MAX,
            acknowledged: 7,
        }
    }

    fn samples() -> Vec<(&'static str, Change)> {
        vec![
            ("account", Change::PutAccount(sam())),
            ("longest account", Change::PutAccount(longest_account())),
            ("head", Change::PutHead(head())),
            ("device", Change::PutDevice(phone(Some("Android".into())))),
            ("device without resource", Change::PutDevice(phone(None))),
            (
                "delivery",
                Change::PutDelivery(receipt(DeliveryState::Sent)),
            ),
            (
                "notification",
                Change::PutNotification(push("open \u{1f6aa}")),
            ),
        ]
    }

    #[test]
    fn accounts_devices_and_deliveries_come_back() {
        for account in [
            sam(),
            longest_account(),
            Account {
                name: "x".into(),
                ..Account::default()
            },
        ] {
            let rows = rows_of(&Change::PutAccount(account.clone()));
            assert_eq!(load(&rows), [Ok(Row::Account(account.clone()))]);
            assert_eq!(by_name(&rows, &account.name), Some(Ok(account)));
            assert_eq!(by_name(&rows, "nobody"), None);
        }
        for resource in [None, Some(String::new()), Some("\u{1f4f1}".repeat(63))] {
            let device = phone(resource);
            let rows = rows_of(&Change::PutDevice(device.clone()));
            assert_eq!(load(&rows), [Ok(Row::Device(device))]);
        }
        for state in DeliveryState::ALL {
            let rows = rows_of(&Change::PutDelivery(receipt(state)));
            assert_eq!(load(&rows), [Ok(Row::Delivery(receipt(state)))]);
        }
    }

    #[test]
    fn notifications_come_back() {
        let mut cases = vec![push(""), longest_push()];
        // Lengths around the end of a part.
        cases.extend((PART - 60..PART + 4).map(|length| push(&"m".repeat(length))));
        let targets = [
            Target::Everyone,
            Target::User("sam".into()),
            Target::Alias("k".into()),
        ];
        cases.extend(targets.map(|target| Notification {
            target,
            ..push("hi")
        }));
        for notification in cases {
            let rows = rows_of(&Change::PutNotification(notification.clone()));
            assert_eq!(
                load(&rows),
                [Ok(Row::Notification(Head::of(&notification)))]
            );
            assert_eq!(body(&rows, notification.id), Some(Ok(notification)));
        }
        assert_eq!(body(&Rows::new(), NotificationId(1)), None);
    }

    #[test]
    fn load_gives_accounts_devices_notifications_deliveries_each_in_order() {
        let mut rows = Rows::new();
        let mut want = Vec::new();
        for name in ["a", "a-b", "ab", "b", "sam"] {
            let account = Account {
                name: name.into(),
                ..longest_account()
            };
            want.push(Ok(Row::Account(account)));
        }
        for id in [0, 1, 255, 256, u32::MAX] {
            want.push(Ok(Row::Device(Device {
                id: DeviceId(id),
                ..phone(None)
            })));
        }
        let ids = [1, 1 << 8, 1 << 80, u128::MAX].map(NotificationId);
        want.extend(ids.map(|id| Ok(Row::Notification(Head { id, ..head() }))));
        for notification in ids {
            for device in [1, 300].map(DeviceId) {
                let delivery = Delivery {
                    notification,
                    device,
                    ..receipt(DeliveryState::Queued)
                };
                want.push(Ok(Row::Delivery(delivery)));
            }
        }
        for row in want.iter().rev() {
            let change = match row.clone().unwrap() {
                Row::Account(account) => Change::PutAccount(account),
                Row::Device(device) => Change::PutDevice(device),
                Row::Notification(head) => Change::PutHead(head),
                Row::Delivery(delivery) => Change::PutDelivery(delivery),
                Row::Document(document) => Change::PutDocument(document),
            };
            apply(&mut rows, &change);
        }
        assert_eq!(load(&rows), want);
    }

    #[test]
    fn documents_lie_apart_and_are_told_from_each_other() {
        let mut rows = rows_of(&Change::PutAccount(sam()));
        let id = |owner: &str, kind, name: &str| DocumentId {
            owner: owner.into(),
            kind,
            name: name.into(),
        };
        let long = "n".repeat(limits::DOCUMENT_NAME);
        let ids = [
            id("", DocumentKind::Server, ""),
            id("sa", DocumentKind::Contact, "m"),
            id("sam", DocumentKind::Contact, ""),
            id("sam", DocumentKind::Contact, "eve@lan"),
            id("sam", DocumentKind::Contact, "eve@lan2"),
            id("sam", DocumentKind::Contact, &long),
            id("sam", DocumentKind::Vcard, "eve@lan"),
            id(&"s".repeat(33), DocumentKind::Contact, "eve@lan"),
        ];
        for (number, id) in ids.iter().enumerate() {
            let text = "x".repeat(700 * number);
            let id = id.clone();
            apply(&mut rows, &Change::PutDocument(Document { id, text }));
        }
        assert_eq!(load(&rows), [Ok(Row::Account(sam()))]);
        let text = |rows: &Rows, id| {
            let read = read_document(id, |key| Ok::<_, Infallible>(rows.get(key))).unwrap();
            read.map(|document| document.unwrap().text.len())
        };
        for (number, id) in ids.iter().enumerate() {
            assert_eq!(text(&rows, id), Some(700 * number), "{id:?}");
        }
        let prefix = documents_prefix("sam", DocumentKind::Contact).unwrap();
        let own = rows.iter().filter(|(key, _)| key.starts_with(&prefix));
        let names: Vec<_> = documents(own)
            .into_iter()
            .map(|one| one.unwrap().id.name)
            .collect();
        assert_eq!(names, ["", "eve@lan", "eve@lan2", &long]);
        apply(&mut rows, &Change::DeleteDocument(ids[3].clone()));
        assert_eq!(text(&rows, &ids[3]), None);
        assert_eq!(text(&rows, &ids[4]), Some(2800));
        apply(&mut rows, &Change::DeleteAccount("sam".into()));
        let left: Vec<_> = ids.iter().filter(|id| text(&rows, id).is_some()).collect();
        assert_eq!(left, [&ids[0], &ids[1], &ids[7]]);
        let too_long = Document {
            id: ids[0].clone(),
            text: "x".repeat(limits::DOCUMENT + 1),
        };
        let refused = writes(&Change::PutDocument(too_long), &mut Vec::new());
        assert_eq!(refused, Err(Unstorable("document")));
    }

    #[test]
    fn deliveries_share_rows() {
        let mut rows = Rows::new();
        let mut want = Vec::new();
        let devices = (0..40).chain([u32::MAX - 1, u32::MAX]);
        for device in devices.map(DeviceId) {
            let delivery = Delivery {
                device,
                ..receipt(DeliveryState::Queued)
            };
            want.push(delivery);
        }
        for delivery in want.iter().rev() {
            apply(&mut rows, &Change::PutDelivery(*delivery));
        }
        assert_eq!(rows.len(), 4);
        for at in [0, 15, 16, 39, 41] {
            want[at].state = DeliveryState::Dropped;
            want[at].at = u64::from(u32::MAX);
            let later = Delivery {
                at: u64::MAX,
                ..want[at]
            };
            apply(&mut rows, &Change::PutDelivery(later));
        }
        let read: Vec<_> = want
            .into_iter()
            .map(|delivery| Ok(Row::Delivery(delivery)))
            .collect();
        assert_eq!(load(&rows), read);

        // A delivery put into a damaged row starts it anew.
        rows.values_mut().next().unwrap()[1] ^= 1;
        assert_eq!(load(&rows).len(), 42 - 15);
        let confirmed = Delivery {
            device: DeviceId(3),
            ..receipt(DeliveryState::Confirmed)
        };
        apply(&mut rows, &Change::PutDelivery(confirmed));
        assert_eq!(load(&rows).len(), 42 - 15);
        assert_eq!(load(&rows)[0], Ok(Row::Delivery(confirmed)));
    }

    #[test]
    fn deleting_and_replacing_leave_no_rows_behind() {
        let mut rows = rows_of(&Change::PutAccount(longest_account()));
        let short = Account {
            tags: Vec::new(),
            ..longest_account()
        };
        apply(&mut rows, &Change::PutAccount(short.clone()));
        assert_eq!(load(&rows), [Ok(Row::Account(short.clone()))]);
        apply(
            &mut rows,
            &Change::PutAccount(Account {
                name: "nn".into(),
                ..sam()
            }),
        );
        apply(&mut rows, &Change::DeleteAccount(short.name));
        apply(&mut rows, &Change::DeleteAccount("n".into()));
        assert_eq!(
            load(&rows).len(),
            1,
            "an account was deleted for another's name"
        );
        apply(&mut rows, &Change::DeleteAccount("nn".into()));
        assert_eq!(rows.len(), 0);

        apply(&mut rows, &Change::PutNotification(longest_push()));
        let id = longest_push().id;
        for notification in [id, NotificationId(id.0 + 1)] {
            let delivery = Delivery {
                notification,
                ..receipt(DeliveryState::Queued)
            };
            apply(&mut rows, &Change::PutDelivery(delivery));
        }
        apply(&mut rows, &Change::DeleteNotification(id));
        assert_eq!(
            rows.len(),
            1,
            "only the other notification's delivery stays"
        );
        apply(&mut rows, &Change::PutDevice(phone(None)));
        apply(&mut rows, &Change::DeleteDevice(DeviceId(7)));
        assert_eq!(rows.len(), 1);
    }

    /// Every way of reading `rows` gives this fault; nothing of them is taken for a record.
    fn assert_bad(rows: &Rows, fault: Fault, case: &str) {
        let mut found: Vec<_> = load(rows);
        // A head without a body is whole; the body is what is looked at.
        found.retain(|row| !matches!(row, Ok(Row::Notification(_))));
        for name in ["ann", "sam", &"n".repeat(limits::JID_PART)] {
            found.extend(by_name(rows, name).map(|read| read.map(Row::Account)));
        }
        let read = body(rows, push("").id);
        found.extend(read.map(|read| read.map(|read| Row::Notification(Head::of(&read)))));
        assert!(!found.is_empty(), "{case}: not seen");
        for row in found {
            assert_eq!(row.map_err(|bad| bad.fault), Err(fault), "{case}");
        }
    }

    /// The rows with one value edited, for each row that carries data.
    fn edited(change: &Change, edit: impl Fn(&mut Vec<u8>)) -> Vec<Rows> {
        let rows = rows_of(change);
        let keys = rows.keys().filter(|key| key.first() != Some(&NOTIFICATION));
        keys.map(|key| {
            let mut rows = rows.clone();
            edit(rows.get_mut(key).unwrap());
            rows
        })
        .collect()
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        for (name, change) in samples() {
            for at in 0..PART + 8 {
                for bit in 0..8 {
                    let case = format!("{name}, byte {at}, bit {bit}");
                    let flip = |value: &mut Vec<u8>| {
                        let length = value.len();
                        value[at % length] ^= 1 << bit;
                    };
                    for rows in edited(&change, flip) {
                        assert_bad(&rows, Fault::Damaged, &case);
                    }
                }
            }
        }
        let header = notification_key(NOTIFICATION, NotificationId(5));
        let mut rows = Rows::new();
        put_row(&mut rows, header.clone(), &[]);
        for at in 0..5 {
            let mut value = rows[&header].clone();
            value[at] ^= 1;
            let damaged = Rows::from([(header.clone(), value)]);
            assert_bad(&damaged, Fault::Damaged, "header");
        }
    }

    #[test]
    fn every_cut_is_seen() {
        for (name, change) in samples() {
            for cut in 0..PART + 6 {
                let whole = rows_of(&change);
                for rows in edited(&change, |value| value.truncate(cut)) {
                    if rows != whole {
                        assert_bad(&rows, Fault::Damaged, &format!("{name} cut at {cut}"));
                    }
                }
            }
            for rows in edited(&change, |value| value.push(0)) {
                assert_bad(&rows, Fault::Damaged, &format!("{name} with a byte more"));
            }
        }
    }

    #[test]
    fn a_row_under_another_key_is_damaged() {
        for (name, change) in samples() {
            for (key, value) in rows_of(&change) {
                for at in 0..key.len() {
                    let mut moved = key.clone();
                    moved[at] ^= 2;
                    let read = load(&Rows::from([(moved, value.clone())]));
                    assert!(read.iter().all(Result::is_err), "{name}: {read:?}");
                }
            }
        }
        for key in [
            &[][..],
            &[ACCOUNT],
            &[ACCOUNT, 0],
            &[DEVICE],
            &[DELIVERIES, 1],
            &[0, 1],
        ] {
            let mut rows = Rows::new();
            put_row(&mut rows, key.to_vec(), &[1, 0, 0]);
            assert_eq!(load(&rows).len(), 1, "{key:?}");
            assert!(load(&rows)[0].is_err(), "{key:?}");
        }
    }

    #[test]
    fn a_missing_part_is_damage() {
        for change in [
            Change::PutAccount(longest_account()),
            Change::PutNotification(longest_push()),
        ] {
            let rows = rows_of(&change);
            let mut parts: Vec<_> = rows.keys().filter(|key| key[0] != NOTIFICATION).collect();
            assert!(parts.len() > 2);
            if matches!(change, Change::PutNotification(_)) {
                // Without its first part a body is simply not there.
                parts.remove(0);
            }
            for part in parts {
                let mut rows = rows.clone();
                rows.remove(part);
                let bad = match &change {
                    Change::PutAccount(_) => load(&rows)[0].is_err(),
                    _ => body(&rows, push("").id).unwrap().is_err(),
                };
                assert!(bad, "{part:?}");
            }
        }
    }

    #[test]
    fn a_damaged_account_costs_only_itself() {
        let mut rows = rows_of(&Change::PutAccount(longest_account()));
        let part = rows.keys().next().unwrap().clone();
        apply(&mut rows, &Change::PutAccount(sam()));
        apply(
            &mut rows,
            &Change::PutAccount(Account {
                name: "ann".into(),
                ..sam()
            }),
        );
        rows.get_mut(&part).unwrap()[3] ^= 1;
        let read = load(&rows);
        assert_eq!(read.iter().filter(|row| row.is_ok()).count(), 2);
        let bad = read[2].clone().unwrap_err();
        assert!(bad.to_string().starts_with("account record 01ff"), "{bad}");
        assert!(bad.to_string().ends_with(" is damaged"), "{bad}");
    }

    fn put_row(rows: &mut Rows, key: Vec<u8>, payload: &[u8]) {
        let mut list = Vec::new();
        put(key, payload, &mut list);
        for write in list {
            if let Write::Put { key, value } = write {
                rows.insert(key, value);
            }
        }
    }

    #[test]
    fn payloads_that_lie_are_damage() {
        struct Case {
            name: &'static str,
            key: Vec<u8>,
            payload: Vec<u8>,
        }
        let part = |total: u8, fields: &[u8]| [&[total], fields].concat();
        let sam = [account_prefix("sam").unwrap(), vec![0]].concat();
        let body = [notification_key(BODY, push("").id), vec![0]].concat();
        let deliveries = deliveries_key(&receipt(DeliveryState::Sent));
        let far = [
            notification_key(DELIVERIES, NotificationId(1)),
            vec![0xff; 4],
        ]
        .concat();
        let cases = [
            Case {
                name: "no part count",
                key: sam.clone(),
                payload: vec![],
            },
            Case {
                name: "no parts",
                key: sam.clone(),
                payload: vec![0],
            },
            Case {
                name: "255 parts, one there",
                key: sam.clone(),
                payload: part(255, &[0; 9]),
            },
            Case {
                name: "text of 65535 bytes",
                key: sam.clone(),
                payload: part(1, &[0xff; 40]),
            },
            Case {
                name: "255 tags",
                key: sam.clone(),
                payload: part(1, &[0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0]),
            },
            Case {
                name: "not UTF-8",
                key: sam.clone(),
                payload: part(1, &[0, 1, 0xff]),
            },
            Case {
                name: "part of 4096 bytes",
                key: sam,
                payload: part(1, &[0; 4096]),
            },
            Case {
                name: "another's account",
                key: [account_prefix("ann").unwrap(), vec![0]].concat(),
                payload: part(1, &fields::of_account(&self::sam()).unwrap()),
            },
            Case {
                name: "unknown target",
                key: body.clone(),
                payload: part(1, &[4, 0, 0, 0, 0, 0, 0, 0, 0]),
            },
            Case {
                name: "bytes behind the body",
                key: body,
                payload: part(1, &[0; 10]),
            },
            Case {
                name: "unknown state",
                key: deliveries.clone(),
                payload: [&[0xf7][..], &[0; 16]].concat(),
            },
            Case {
                name: "half a delivery",
                key: deliveries.clone(),
                payload: vec![0xf1, 0, 0],
            },
            Case {
                name: "no deliveries",
                key: deliveries.clone(),
                payload: vec![],
            },
            Case {
                name: "a device twice",
                key: deliveries,
                payload: [&[0x10][..], &[0; 16], &[0x11], &[0; 16]].concat(),
            },
            Case {
                name: "a device beyond the last",
                key: far,
                payload: [&[0xf1][..], &[0; 16]].concat(),
            },
            Case {
                name: "device of nothing",
                key: device_key(DeviceId(1)),
                payload: vec![],
            },
        ];
        for Case { name, key, payload } in cases {
            let mut rows = Rows::new();
            put_row(&mut rows, key, &payload);
            assert_bad(&rows, Fault::Damaged, name);
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        for (name, change) in samples() {
            let mut rows = rows_of(&change);
            for (key, value) in &mut rows {
                value[0] = VERSION + 1;
                let end = value.len() - 4;
                let crc = checksum(key, &value[..end]);
                value[end..].copy_from_slice(&crc);
            }
            assert_bad_version(&rows, name);
        }
    }

    fn assert_bad_version(rows: &Rows, name: &str) {
        let read = load(rows);
        assert_eq!(read.len(), 1, "{name}");
        let bad = read[0].clone().unwrap_err();
        assert_eq!(bad.fault, Fault::Newer(VERSION + 1), "{name}");
        assert!(
            bad.to_string().ends_with("newer than this program"),
            "{bad}"
        );
        if let Some(read) = body(rows, push("").id) {
            assert_eq!(read.unwrap_err().fault, Fault::Newer(VERSION + 1), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        let long = "x".repeat(70_000);
        let name = |name: &str| {
            Change::PutAccount(Account {
                name: name.into(),
                ..sam()
            })
        };
        let cases = [
            ("no name", name("")),
            ("long name", name(&"x".repeat(limits::JID_PART + 1))),
            ("name with a zero", name("sam\0")),
            (
                "password",
                Change::PutAccount(Account {
                    password: long.clone(),
                    ..sam()
                }),
            ),
            (
                "tags",
                Change::PutAccount(Account {
                    tags: vec![String::new(); 256],
                    ..sam()
                }),
            ),
            ("message", Change::PutNotification(push(&long))),
            (
                "resource",
                Change::PutDevice(phone(Some("x".repeat(limits::JID_PART + 1)))),
            ),
        ];
        for (case, change) in cases {
            assert!(writes(&change, &mut Vec::new()).is_err(), "{case}");
        }
        let mut none = Vec::new();
        assert_eq!(
            writes(&Change::DeleteAccount(String::new()), &mut none),
            Ok(())
        );
        assert_eq!(none, []);
    }

    /// Twenty rows, the most a page of sled's holds, stay below the 16332 bytes that would make it a file.
    #[test]
    fn rows_are_short() {
        let device = phone(Some("r".repeat(limits::JID_PART)));
        let device = Device {
            account: "a".repeat(limits::JID_PART),
            ..device
        };
        for change in [
            Change::PutAccount(longest_account()),
            Change::PutNotification(longest_push()),
            Change::PutDevice(device),
        ] {
            for (key, value) in rows_of(&change) {
                assert!(20 * (key.len() + value.len() + 8) < 16_332, "{key:?}");
            }
        }
    }
}
