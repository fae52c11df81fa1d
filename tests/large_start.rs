//! A start with 10 000 users and 100 000 queued references: how long it takes, and how much memory.
//!
//! The binary is what counts, so this wants the release build: `LANPUSH_BIN`, or the bounds of time are
//! not checked.

#![cfg(test)]

mod harness;

use std::path::Path;
use std::time::{Duration, Instant};

use lanpush::edge::data_dir::DataDir;
use lanpush::edge::storage::SledStore;
use lanpush::push::notification::{DeliveryState, Extras, Notification, NotificationId, Target};
use lanpush::push::store::{Account, Change, Delivery, Device, DeviceId, Store, Ticket, Urgency};

use harness::server::Setup;

const USERS: u32 = 10_000;
const REFERENCES: u32 = 100_000;
const START: Duration = Duration::from_secs(2);
/// In kB, as `VmRSS` is told.
const RESIDENT: usize = 48 * 1024;

/// How the references are spread.
struct Shape {
    name: &'static str,
    notifications: u32,
}

const SHAPES: [Shape; 2] = [
    Shape {
        name: "10 broadcasts to 10 000 devices",
        notifications: 10,
    },
    Shape {
        name: "10 000 notifications for 10 devices each",
        notifications: 10_000,
    },
];

fn user(number: u32) -> Vec<Change> {
    let name = format!("{number:032x}");
    let device = Device {
        id: DeviceId(number),
        account: name.clone(),
        resource: Some("AndroidpnClient".into()),
        last_seen: 1_700_000_000,
        withdraws: false,
    };
    let account = Account {
        password: name.clone(),
        tags: vec!["office".into()],
        created: 1_600_000_000,
        updated: 1_600_000_000,
        name,
        ..Account::default()
    };
    vec![Change::PutAccount(account), Change::PutDevice(device)]
}

/// Notification `number`, for as many devices as make the references whole, spread over all of them.
fn push(number: u32, shape: &Shape) -> Vec<Change> {
    let id = NotificationId((u128::from(1_700_000_000_000 + u64::from(number)) << 80) | 77);
    let notification = Notification {
        id,
        target: Target::Everyone,
        title: "Door".into(),
        message: "Somebody has rung at the front door. ".repeat(6),
        uri: String::new(),
        extras: Extras::default(),
    };
    let count = REFERENCES / shape.notifications;
    let delivery = |index| {
        Change::PutDelivery(Delivery {
            notification: id,
            device: DeviceId(1 + (number * count + index) % USERS),
            state: DeliveryState::Queued,
            at: 1_700_000_000,
            queued: 1,
            sent: 0,
            acknowledged: 0,
        })
    };
    let mut changes = vec![Change::PutNotification(notification)];
    changes.extend((0..count).map(delivery));
    changes
}

fn fill(directory: &Path, shape: &Shape) {
    let data = DataDir::open(directory).unwrap();
    let (mut store, outcomes) = SledStore::open(&data, 1_000_000).unwrap();
    let users = (1..=USERS).map(user);
    let pushes = (0..shape.notifications).map(|number| push(number, shape));
    let mut batches = 0;
    for changes in users.chain(pushes) {
        store.submit(Ticket(batches), changes, Urgency::Now);
        batches += 1;
        // The store's memory is not the subject.
        if batches % 512 == 0 {
            (0..512).for_each(|_| assert_eq!(outcomes.recv_blocking().unwrap().1, Ok(())));
        }
    }
}

#[test]
fn a_full_store_starts_soon_and_small() {
    let is_release = std::env::var_os("LANPUSH_BIN").is_some();
    for shape in SHAPES {
        let setup = Setup::new();
        fill(&setup.data(), &shape);
        // The first start after so much writing tidies up; the second is what a user sees.
        let mut setup = Some(setup);
        for start in ["first", "second"] {
            let begin = Instant::now();
            let server = setup.take().unwrap().start();
            let took = begin.elapsed();
            let [resident, peak] = ["VmRSS", "VmHWM"].map(|key| server.status(key));
            eprintln!(
                "{}, {start} start: {took:?}, {resident} kB, peak {peak} kB",
                shape.name
            );
            assert!(
                resident <= RESIDENT,
                "{} {start}: {resident} kB",
                shape.name
            );
            if is_release {
                assert!(took <= START, "{} {start}: {took:?}", shape.name);
            }
            setup = Some(server.stop());
        }
    }
}
