//! Compaction at start: a mostly dead database shrinks, and whatever interrupts that, nothing is lost.

#![cfg(test)]

#[path = "scratch/mount.rs"]
mod mount;
mod scratch;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lanpush::edge::data_dir::DataDir;
use lanpush::edge::storage::{Outcomes, SledStore};
use lanpush::limits;
use lanpush::push::head::Head;
use lanpush::push::notification::{DeliveryState, Extras, Notification, NotificationId, Target};
use lanpush::push::store::{
    Account, Change, Delivery, Device, DeviceId, Row, Store, Ticket, Urgency,
};

use mount::{Mount, succeeds};
use scratch::Scratch;

const CACHE: u64 = 1_000_000;
const CHILD_DIRECTORY: &str = "LANPUSH_TEST_DIRECTORY";
/// Notifications written and deleted again, and those left alone.
const DEAD: u128 = 900;
const ALIVE: u128 = 60;

fn open(directory: &Path) -> (DataDir, SledStore, Outcomes) {
    let data = DataDir::open(directory).unwrap();
    let (store, outcomes) = SledStore::open(&data, CACHE).unwrap();
    (data, store, outcomes)
}

fn body(id: u128) -> Notification {
    Notification {
        id: NotificationId(id),
        target: Target::Everyone,
        title: String::new(),
        message: format!("{id} ").repeat(12_000 / 4),
        uri: String::new(),
        extras: Extras::default(),
    }
}

fn account() -> Account {
    Account {
        name: "sam".into(),
        password: "secret".into(),
        ..Account::default()
    }
}

fn device() -> Device {
    Device {
        id: DeviceId(1),
        account: "sam".into(),
        resource: None,
        last_seen: 7,
        withdraws: false,
    }
}

fn delivery(id: u128) -> Delivery {
    Delivery {
        notification: NotificationId(id),
        device: DeviceId(1),
        state: DeliveryState::Queued,
        at: 3,
        queued: 1,
        sent: 0,
        acknowledged: 0,
    }
}

/// A database whose file is mostly dead.
fn make_dead(directory: &Path) {
    let (_data, mut store, outcomes) = open(directory);
    let mut write = |changes| {
        store.submit(Ticket(0), changes, Urgency::Now);
        assert_eq!(outcomes.recv_blocking().unwrap().1, Ok(()));
    };
    write(vec![
        Change::PutAccount(account()),
        Change::PutDevice(device()),
    ]);
    let ids: Vec<u128> = (1..=DEAD + ALIVE).collect();
    for some in ids.chunks(60) {
        let put = |id: &u128| {
            let notification = Change::PutNotification(body(*id));
            [notification, Change::PutDelivery(delivery(*id))]
        };
        write(some.iter().flat_map(put).collect());
    }
    let delete = |id| Change::DeleteNotification(NotificationId(id));
    write((1..=DEAD).map(delete).collect());
}

/// Opens the database as a start does, and checks that everything is there.
fn check(directory: &Path, case: &str) {
    let (_data, store, _outcomes) = open(directory);
    let mut rows = Vec::new();
    store.load(&mut |row| rows.push(row)).unwrap();
    assert_eq!(store.damaged(), 0, "{case}");
    let mut want = vec![Row::Account(account()), Row::Device(device())];
    let alive = DEAD + 1..=DEAD + ALIVE;
    want.extend(
        alive
            .clone()
            .map(|id| Row::Notification(Head::of(&body(id)))),
    );
    want.extend(alive.clone().map(|id| Row::Delivery(delivery(id))));
    assert!(rows == want, "{case}: {} rows", rows.len());
    for id in alive {
        let read = store.notification(NotificationId(id)).unwrap();
        assert!(read == Some(body(id)), "{case}: body {id}");
    }
    let total = store.wear().view().bytes_total;
    assert!(total > 8_000_000, "{case}: {total} bytes counted so far");
    let names = fs::read_dir(directory).unwrap();
    let names: BTreeSet<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let want = ["db", "lanpush.data"].map(str::to_owned).into();
    assert_eq!(names, want, "{case}");
}

fn size(directory: &Path) -> u64 {
    fs::metadata(directory.join("db/db")).unwrap().len()
}

fn copy_of(template: &Path, scratch: &Scratch, name: &str) -> PathBuf {
    let copy = scratch.path().join(name);
    assert!(succeeds(
        Command::new("cp").arg("-a").arg(template).arg(&copy)
    ));
    copy
}

/// Opens the store, and lives for as long as it is let.
#[test]
#[ignore = "a child of a_mostly_dead_database_shrinks_whatever_interrupts_it"]
fn child_that_opens() {
    let directory = std::env::var(CHILD_DIRECTORY).expect("started by another test, not by hand");
    drop(open(Path::new(&directory)));
}

#[test]
fn a_mostly_dead_database_shrinks_whatever_interrupts_it() {
    let scratch = Scratch::new();
    let template = scratch.path().join("template");
    make_dead(&template);
    let before = size(&template);
    assert!(before > limits::COMPACT_ABOVE, "{before} bytes");

    let whole = copy_of(&template, &scratch, "whole");
    check(&whole, "uninterrupted");
    let after = size(&whole);
    println!("{before} bytes became {after}");
    assert!(after < before / 4);
    check(&whole, "opened again");

    if !succeeds(
        Command::new("strace")
            .arg("-V")
            .stdout(std::process::Stdio::null()),
    ) {
        assert!(std::env::var_os("CI").is_none(), "CI has to have strace");
        eprintln!("the rest is skipped: there is no strace");
        return;
    }
    let mut killed = 0;
    for (call, times) in [
        ("pwrite64", &[1, 5, 20, 40, 80, 160][..]),
        ("mkdir", &[1, 2]),
        ("fsync", &[1, 2, 3, 4, 5, 6, 7]),
        ("fdatasync", &[1]),
        ("rename", &[1, 2, 3, 4]),
        ("unlinkat", &[1, 2, 3]),
        ("rmdir", &[1]),
    ] {
        for time in times {
            let case = format!("killed at {call} {time}");
            let directory = copy_of(&template, &scratch, "killed");
            let mut trace = Command::new("strace");
            trace.args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={call}"),
            ]);
            trace.args(["-e", &format!("inject={call}:signal=KILL:when={time}")]);
            trace.arg(std::env::current_exe().unwrap());
            trace.args(["--ignored", "--exact", "child_that_opens"]);
            trace.env(CHILD_DIRECTORY, &directory);
            let output = trace.output().unwrap();
            if !output.status.success() {
                killed += 1;
                let left: Vec<_> = fs::read_dir(&directory)
                    .unwrap()
                    .map(|e| e.unwrap().file_name())
                    .collect();
                println!("{case}: {left:?}");
            }
            check(&directory, &case);
            assert!(size(&directory) < before / 4, "{case}");
            fs::remove_dir_all(&directory).unwrap();
        }
    }
    assert!(killed >= 15, "{killed} were killed");
}

#[test]
fn without_room_it_stays_as_it_is() {
    let scratch = Scratch::new();
    let template = scratch.path().join("template");
    make_dead(&template);
    let point = scratch.path().join("small");
    fs::create_dir(&point).unwrap();
    let megabytes = size(&template) / 1_048_576 + 3;
    let options = format!("size={megabytes}m");
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", &options, "none"], &point) else {
        return;
    };
    let directory = disk.path().join("data");
    assert!(succeeds(
        Command::new("cp").arg("-a").arg(&template).arg(&directory)
    ));
    let before = size(&directory);
    check(&directory, "no room");
    assert!(size(&directory) >= before);
}
