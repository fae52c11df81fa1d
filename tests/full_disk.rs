//! A disk without room: new pushes are refused, the rest goes on, and nothing acknowledged is lost.
//!
//! The disk is a tmpfs of 3 MB.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test stops at the first surprise, and says where it is"
)]

#[path = "scratch/mount.rs"]
mod mount;
mod scratch;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use lanpush::edge::data_dir::DataDir;
use lanpush::edge::storage::{Outcomes, SledStore};
use lanpush::limits;
use lanpush::push::notification::{DeliveryState, Notification, NotificationId, Target};
use lanpush::push::store::{
    Account, Change, Delivery, DeviceId, Row, Store, StoreError, Ticket, Urgency,
};

use mount::{Mount, succeeds};
use scratch::Scratch;

const CACHE: u64 = 1_000_000;

/// A file system of 3 MB.
struct SmallDisk {
    mount: Mount,
    _scratch: Scratch,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let scratch = Scratch::new();
        let options = ["-t", "tmpfs", "-o", "size=3m,mode=700", "lanpush-test"];
        let mount = Mount::new(&options, scratch.path())?;
        Some(Self {
            mount,
            _scratch: scratch,
        })
    }

    fn path(&self) -> &Path {
        self.mount.path()
    }

    fn free(&self) -> u64 {
        let fs = rustix::fs::statvfs(self.path()).unwrap();
        fs.f_bavail * fs.f_frsize
    }

    /// Leaves `left` bytes free, until the file is removed.
    fn fill(&self, left: u64) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = File::create(&path).unwrap();
        while self.free() > left {
            match file.write(&[0xaa; 4096]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
        path
    }

    fn open(&self) -> (DataDir, SledStore, Outcomes) {
        let data = DataDir::open(&self.path().join("data")).unwrap();
        let (store, outcomes) = SledStore::open(&data, CACHE).unwrap();
        (data, store, outcomes)
    }
}

fn write(store: &mut SledStore, outcomes: &Outcomes, change: Change) -> Result<(), StoreError> {
    store.submit(Ticket(0), vec![change], Urgency::Now);
    outcomes.recv_blocking().unwrap().1
}

fn account(name: &str) -> Change {
    Change::PutAccount(Account {
        name: name.into(),
        ..Account::default()
    })
}

fn push(id: u128) -> Change {
    Change::PutNotification(Notification {
        id: NotificationId(id),
        target: Target::Everyone,
        title: String::new(),
        message: "m".repeat(300),
        uri: String::new(),
    })
}

fn queued(device: u32) -> Change {
    Change::PutDelivery(Delivery {
        notification: NotificationId(1),
        device: DeviceId(device),
        state: DeliveryState::Queued,
        at: 0,
    })
}

fn deliveries(store: &SledStore) -> BTreeSet<u32> {
    let mut devices = BTreeSet::new();
    let mut note = |row| {
        if let Row::Delivery(delivery) = row {
            devices.insert(delivery.device.0);
        }
    };
    store.load(&mut note).unwrap();
    devices
}

#[test]
fn a_disk_that_is_nearly_full_takes_no_pushes() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let (data, mut store, outcomes) = disk.open();
    assert_eq!(write(&mut store, &outcomes, push(1)), Ok(()));
    assert_eq!(write(&mut store, &outcomes, account("sam")), Ok(()));

    let filler = disk.fill(limits::DISK_RESERVE - 1);
    let full = Err(StoreError::Full);
    assert_eq!(write(&mut store, &outcomes, push(2)), full);
    assert_eq!(write(&mut store, &outcomes, account("ann")), full);
    assert_eq!(write(&mut store, &outcomes, queued(1)), Ok(()));
    let delete = Change::DeleteAccount("sam".into());
    assert_eq!(write(&mut store, &outcomes, delete), Ok(()));
    assert!(store.notification(NotificationId(1)).unwrap().is_some());

    fs::remove_file(filler).unwrap();
    assert_eq!(write(&mut store, &outcomes, push(3)), Ok(()));
    drop((store, data));
    let (_data, store, _outcomes) = disk.open();
    assert_eq!(store.account("sam"), Ok(None));
    assert_eq!(store.account("ann"), Ok(None));
    for (id, kept) in [(1, true), (2, false), (3, true)] {
        let body = store.notification(NotificationId(id)).unwrap();
        assert_eq!(body.is_some(), kept, "push {id}");
    }
    assert_eq!(deliveries(&store), BTreeSet::from([1]));
}

#[test]
fn a_disk_that_is_full_stops_the_store_until_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let (data, mut store, outcomes) = disk.open();
    assert_eq!(write(&mut store, &outcomes, push(1)), Ok(()));
    let filler = disk.fill(0);

    // Receipts are taken for as long as the log has room, ten at a time.
    let mut kept = BTreeSet::new();
    let mut next = 0;
    loop {
        for device in next..next + 10 {
            store.submit(Ticket(device.into()), vec![queued(device)], Urgency::Now);
        }
        let told = (0..10).map(|_| outcomes.recv_blocking().unwrap());
        let mut refused = 0;
        for (ticket, outcome) in told {
            match outcome {
                Ok(()) => drop(kept.insert(u32::try_from(ticket.0).unwrap())),
                Err(error) => {
                    assert_eq!(error, StoreError::Full);
                    refused += 1;
                }
            }
        }
        next += 10;
        if refused > 0 {
            break;
        }
        assert!(next < 1_000_000, "the disk does not fill up");
    }
    assert!(matches!(store.account("sam"), Err(StoreError::Failed(_))));
    assert!(matches!(
        store.load(&mut |_| ()),
        Err(StoreError::Failed(_))
    ));
    assert_eq!(write(&mut store, &outcomes, push(2)), Err(StoreError::Full));

    fs::remove_file(filler).unwrap();
    let patience = Instant::now() + 4 * limits::STORE_RETRY;
    while let Err(error) = write(&mut store, &outcomes, push(3)) {
        assert_eq!(error, StoreError::Full);
        assert!(Instant::now() < patience, "the store does not come back");
        thread::sleep(Duration::from_millis(100));
    }
    // What was refused is not there, though some of it may have reached the log.
    assert_eq!(deliveries(&store), kept);
    assert_eq!(write(&mut store, &outcomes, queued(u32::MAX)), Ok(()));
    kept.insert(u32::MAX);
    drop((store, data));
    let (_data, store, _outcomes) = disk.open();
    assert_eq!(deliveries(&store), kept);
    for (id, kept) in [(1, true), (2, false), (3, true)] {
        let body = store.notification(NotificationId(id)).unwrap();
        assert_eq!(body.is_some(), kept, "push {id}");
    }
}

#[test]
fn a_start_on_a_full_disk_says_so_and_harms_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let (data, mut store, outcomes) = disk.open();
    for id in 0..100 {
        assert_eq!(write(&mut store, &outcomes, push(id)), Ok(()));
    }
    drop(store);
    let filler = disk.fill(0);
    let refusal = SledStore::open(&data, CACHE).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the database does not open: no space left"
    );
    fs::remove_file(filler).unwrap();
    let (store, _outcomes) = SledStore::open(&data, CACHE).unwrap();
    for id in 0..100 {
        assert!(
            store.notification(NotificationId(id)).unwrap().is_some(),
            "push {id}"
        );
    }
}

#[test]
fn a_read_only_disk_is_refused() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    drop(disk.open());
    let mut remount = Command::new("mount");
    assert!(succeeds(
        remount.args(["-o", "remount,ro"]).arg(disk.path())
    ));
    let refusal = DataDir::open(&disk.path().join("data")).unwrap_err();
    let sentence = refusal.to_string();
    assert!(
        sentence.contains("cannot be written: Read-only file system"),
        "{sentence}"
    );
}
