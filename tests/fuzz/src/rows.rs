//! The stored form, there and back.

use std::collections::BTreeMap;

use lanpush::push::record::{Loader, Write, merged, writes};
use lanpush::push::store::{Change, Row};

/// What is stored comes back as it was.
///
/// # Panics
/// If it does not.
pub fn come_back(change: Change) {
    let mut stored = BTreeMap::new();
    let mut list = Vec::new();
    if writes(&change, &mut list).is_err() {
        return;
    }
    for write in list {
        match write {
            Write::Put { key, value } => drop(stored.insert(key, value)),
            Write::Merge { key, entry } => {
                let value = merged(&key, stored.get(&key).map(Vec::as_slice), entry);
                stored.insert(key, value);
            }
            Write::Delete(key) => drop(stored.remove(&key)),
            Write::DeletePrefix(prefix) => stored.retain(|key, _| !key.starts_with(&prefix)),
        }
    }
    let mut found = Vec::new();
    let mut loader = Loader::default();
    let mut visit = |row: Result<Row, _>| found.push(row.expect("what was written can be read"));
    // Bodies are not loaded but looked up.
    for (key, value) in stored.iter().filter(|(key, _)| key[0] != 5) {
        loader.row(key, value, &mut visit);
    }
    loader.finish(&mut visit);
    let row = match change {
        Change::PutAccount(account) => Row::Account(account),
        Change::PutDevice(device) => Row::Device(device),
        Change::PutHead(head) => Row::Notification(head),
        Change::PutDelivery(delivery) => Row::Delivery(delivery),
        Change::PutDocument(document) => Row::Document(document),
        Change::PutNotification(notification) => {
            let read = lanpush::push::record::read_notification(notification.id, |key| {
                Ok::<_, ()>(stored.get(key))
            });
            assert_eq!(read, Ok(Some(Ok(notification))));
            return;
        }
        _ => return,
    };
    assert_eq!(found, [row]);
}
