//! Databases that earlier versions wrote, in `tests/data/`: everything in them is found.

#![cfg(test)]
mod scratch;

use std::fs;
use std::path::Path;
use std::rc::Rc;

use lanpush::config::Config;
use lanpush::edge::data_dir::DataDir;
use lanpush::edge::storage::SledStore;
use lanpush::push::Gateway;
use lanpush::push::notification::{DeliveryState, Extras, NotificationId, Priority, Target};
use lanpush::push::store::{DeviceId, DocumentKind, Row, Store};
use lanpush::time::{Instant, Now, Wall};

use scratch::Scratch;

const CACHE: u64 = 1_000_000;
/// The account with a name so long that its key has only its digest.
const LONG: &str = "584c1d2ab4c24f6f9c3c1d0e7b6a5f43584c1d2ab4c24f6f";

/// A copy of a directory, because opening it writes to it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn open(version: &str) -> (Scratch, DataDir, SledStore) {
    let scratch = Scratch::new();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(version);
    copy(&stored, scratch.path());
    let data = DataDir::open(scratch.path()).unwrap();
    let (store, _) = SledStore::open(&data, CACHE).unwrap();
    (scratch, data, store)
}

fn id(number: u128) -> NotificationId {
    NotificationId(((1_767_225_600_000 + number * 1000) << 80) | number)
}

#[test]
fn version_1_is_read_row_by_row() {
    let (_scratch, _data, store) = open("version-1");
    let mut rows = Vec::new();
    store.load(&mut |row| rows.push(row)).unwrap();
    assert_eq!(store.damaged(), 0);
    assert_eq!(rows.len(), 3 + 4 + 4 + 11);
    let sam = store.account("sam").unwrap().unwrap();
    assert_eq!((sam.alias.as_str(), sam.tags.len()), ("kitchen", 2));
    assert_eq!(
        (sam.password.as_str(), sam.updated),
        ("secret of sam", 1_767_225_601)
    );
    assert_eq!(sam.subscriptions, []);
    assert_eq!(
        store.account(LONG).unwrap().unwrap().email,
        format!("{LONG}@lan")
    );
    let heads: Vec<_> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Notification(head) => Some((head.id, head.priority, head.fired, head.ttl)),
            _ => None,
        })
        .collect();
    assert_eq!(
        heads,
        [1, 2, 3, 4].map(|n| (id(n), Priority::default(), true, 0))
    );
    let targets = [
        (1, Target::Everyone, "a long message \u{1f6aa} ".repeat(60)),
        (2, Target::User("sam".into()), "for sam".into()),
        (3, Target::Alias("kitchen".into()), "for the kitchen".into()),
        (4, "tag:office".parse().unwrap(), "for the office".into()),
    ];
    for (number, target, message) in targets {
        let body = store.notification(id(number)).unwrap().unwrap();
        assert_eq!(body.title, format!("Title {number}"));
        assert_eq!(body.message, message);
        assert_eq!(body.uri, "http://door.lan/?a=1&b=2");
        assert_eq!(body.extras, Extras::default());
        assert_eq!(body.target.to_string(), target.to_string());
    }
}

#[test]
fn version_1_goes_on_in_the_gateway() {
    let (_scratch, _data, store) = open("version-1");
    let now = Now {
        mono: Instant(1000),
        wall: Wall {
            millis: 1_767_300_000_000,
            trusted: true,
        },
    };
    let config = Rc::new(Config::default());
    let gateway = Gateway::new(config, Box::new(store), Box::new(|_| {}), now).unwrap();
    let status = gateway.status(now);
    assert_eq!(
        (status.users, status.notifications, status.waiting),
        (3, 4, 7)
    );
    let view = gateway.notification(id(1), 0, 10).unwrap().unwrap();
    let seen: Vec<_> = view
        .deliveries
        .iter()
        .map(|delivery| (delivery.device.as_str(), delivery.state, delivery.at))
        .collect();
    let at = 1_767_225_801;
    assert_eq!(
        seen,
        [
            ("sam/AndroidpnClient", DeliveryState::Confirmed, at),
            ("sam/Tablet", DeliveryState::Queued, at),
            ("eve/AndroidpnClient", DeliveryState::Acknowledged, at),
            (LONG, DeliveryState::Queued, at),
        ]
    );
    assert_eq!(view.counts[DeliveryState::Queued as usize], 2);
    let users = gateway.users(None, 0, 10).unwrap();
    let waiting: Vec<_> = users
        .iter()
        .map(|user| (user.name.as_str(), user.waiting))
        .collect();
    assert_eq!(waiting, [(LONG, 1), ("eve", 1), ("sam", 5)]);
}

#[test]
fn version_2_is_read_row_by_row() {
    let (_scratch, _data, store) = open("version-2");
    let mut rows = Vec::new();
    store.load(&mut |row| rows.push(row)).unwrap();
    assert_eq!(store.damaged(), 0);
    assert_eq!(rows.len(), 2 + 2 + 1 + 1);
    let sam = store.account("sam").unwrap().unwrap();
    assert_eq!(sam.password, "secret of sam");
    assert_eq!(sam.keys, None);
    let topics: Vec<_> = sam
        .subscriptions
        .iter()
        .map(|one| (one.topic.as_str(), one.device))
        .collect();
    assert_eq!(topics, [("doors", None), ("garden", Some(DeviceId(1)))]);
    assert_eq!(
        store.account(LONG).unwrap().unwrap().email,
        format!("{LONG}@lan")
    );
    let door = store.notification(id(1)).unwrap().unwrap();
    assert_eq!(door.target.to_string(), "topic:doors");
    assert_eq!((door.extras.priority.number(), door.extras.ttl), (5, 3600));
    let device = rows.iter().find_map(|row| match row {
        Row::Device(device) if device.id == DeviceId(1) => Some(device),
        _ => None,
    });
    assert!(device.unwrap().withdraws);
    let cards = store.documents("sam", DocumentKind::Vcard).unwrap();
    assert_eq!(cards.len(), 1);
}
