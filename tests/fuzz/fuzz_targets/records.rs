//! Rows of the database with anything in them, under a checksum that is right: what is read of them can be
//! written, and then is the same.
#![no_main]

use lanpush::push::notification::NotificationId;
use lanpush::push::record::{self, Loader};
use lanpush::push::store::{
    Account, Change, Device, DeviceId, Document, DocumentId, DocumentKind, Row,
};
use lanpush_fuzz::rows::come_back;
use libfuzzer_sys::fuzz_target;

/// Rows, each as the length of its key, that of its value in two bytes, and both; the checksum is put behind.
fn rows(mut bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    while let [key, high, low, rest @ ..] = bytes {
        let (key, rest) = rest.split_at(usize::from(*key).min(rest.len()));
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at(length.min(rest.len()));
        let mut crc = crc32fast::Hasher::new();
        crc.update(key);
        crc.update(value);
        let sealed = [value, &crc.finalize().to_be_bytes()].concat();
        rows.push((key.to_vec(), sealed));
        bytes = rest;
    }
    rows
}

/// The rows a change writes, in the form [`rows`] reads.
fn seed(change: Change) -> Vec<u8> {
    let mut list = Vec::new();
    record::writes(&change, &mut list).expect("a change that can be stored");
    let mut bytes = Vec::new();
    for write in list {
        if let record::Write::Put { key, value } = write {
            let value = &value[..value.len() - 4];
            bytes.push(u8::try_from(key.len()).expect("a short key"));
            bytes.extend(u16::try_from(value.len()).expect("a part").to_be_bytes());
            bytes.extend([&key, value].concat());
        }
    }
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let account = Account {
        name: "sam".into(),
        password: "secret".into(),
        tags: vec!["a".into(), "b".into()],
        ..Account::default()
    };
    let device = Device {
        id: DeviceId(17),
        account: "sam".into(),
        resource: Some("phone".into()),
        last_seen: 1_700_000_000,
        withdraws: true,
    };
    let document = Document {
        id: DocumentId {
            owner: "sam".into(),
            kind: DocumentKind::Vcard,
            name: String::new(),
        },
        text: "x".repeat(600),
    };
    let notification = lanpush::push::notification::Notification {
        id: NotificationId(0x018b_0000_0000_7000_8000_0000_0000_0001),
        target: "sam".parse().expect("a target"),
        title: "t".into(),
        message: "m".into(),
        uri: String::new(),
        extras: Default::default(),
    };
    let one = [
        seed(Change::PutAccount(account)),
        seed(Change::PutDevice(device)),
        seed(Change::PutNotification(notification)),
        seed(Change::PutDocument(document)),
    ];
    let mut delivery = vec![21, 0, 18, 4];
    delivery.extend([7; 20]);
    delivery.extend([record::VERSION, 0x11]);
    delivery.extend([0; 16]);
    let all = one.concat();
    one.into_iter().chain([delivery, all]).collect()
}

fn check(bytes: &[u8]) {
    let rows = rows(bytes);
    let get = |key: &[u8]| {
        let row = rows.iter().find(|(own, _)| own == key);
        Ok::<_, ()>(row.map(|(_, value)| value))
    };
    let mut changes = Vec::new();
    let mut visit = |row| match row {
        Ok(Row::Account(account)) => changes.push(Change::PutAccount(account)),
        Ok(Row::Device(device)) => changes.push(Change::PutDevice(device)),
        Ok(Row::Notification(head)) => changes.push(Change::PutHead(head)),
        Ok(Row::Delivery(delivery)) => changes.push(Change::PutDelivery(delivery)),
        Ok(Row::Document(document)) => changes.push(Change::PutDocument(document)),
        Err(bad) => assert!(!lanpush::push::record::BadRecord::to_string(&bad).is_empty()),
    };
    let mut loader = Loader::default();
    for (key, value) in &rows {
        loader.row(key, value, &mut visit);
        let _ = record::begins_record(key);
        let _ = record::merged(key, Some(value), [0x22; 17]);
        if let Some(id) = record::notification_of(key)
            && let Ok(Some(Ok(notification))) = record::read_notification(id, get)
        {
            come_back(Change::PutNotification(notification));
        }
    }
    loader.finish(&mut visit);
    let documents = rows.iter().map(|(key, value)| (key, value));
    for document in record::documents(documents).into_iter().flatten() {
        let read = record::read_document(&document.id, get);
        assert!(read.is_ok());
    }
    changes.into_iter().for_each(come_back);
}

fuzz_target!(init: lanpush_fuzz::seeds(seeds), |bytes: &[u8]| check(bytes));
