//! What the store on disk has to stand besides the contract: kill -9, a power cut, a clean stop, leftovers,
//! idleness.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test stops at the first surprise"
)]

#[path = "scratch/mount.rs"]
mod mount;
#[path = "scratch/power.rs"]
mod power;
mod scratch;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use lanpush::edge::data_dir::DataDir;
use lanpush::edge::storage::{Outcomes, SledStore};
use lanpush::limits;
use lanpush::push::notification::{DeliveryState, Extras, Notification, NotificationId, Target};
use lanpush::push::store::{
    Account, Change, Delivery, DeviceId, Row, Store, StoreError, Ticket, Urgency,
};

use mount::{Mount, succeeds};
use power::copy_at_once;
use scratch::Scratch;

const CACHE: u64 = 1_000_000;
/// Tells a child of this test which directory to use and with which batch to begin.
const CHILD_DIRECTORY: &str = "LANPUSH_TEST_DIRECTORY";
const CHILD_START: &str = "LANPUSH_TEST_START";

fn open(path: &Path) -> (DataDir, SledStore, Outcomes) {
    let data = DataDir::open(path).unwrap();
    let (store, outcomes) = SledStore::open(&data, CACHE).unwrap();
    (data, store, outcomes)
}

fn write(
    store: &mut SledStore,
    outcomes: &Outcomes,
    changes: Vec<Change>,
) -> Result<(), StoreError> {
    store.submit(Ticket(0), changes, Urgency::Now);
    outcomes.recv_blocking().unwrap().1
}

fn account(name: String) -> Change {
    Change::PutAccount(Account {
        name,
        ..Account::default()
    })
}

fn queued(notification: u64, device: u32) -> Change {
    Change::PutDelivery(Delivery {
        notification: NotificationId(notification.into()),
        device: DeviceId(device),
        state: DeliveryState::Queued,
        at: notification,
        queued: 1,
        sent: 0,
        acknowledged: 0,
    })
}

/// Batch number `number`: an account, a body of up to 5 kB, and deliveries, sometimes many. Every fifth one
/// also removes what an earlier one put.
fn batch(number: u64) -> Vec<Change> {
    let length = usize::try_from(number * 7919 % 5000).unwrap();
    let mut changes = vec![
        account(format!("user{number}")),
        Change::PutNotification(body(number, length)),
    ];
    changes.extend((0..devices(number)).map(|device| queued(number, device)));
    if let Some(old) = removed_by(number) {
        changes.push(Change::DeleteNotification(NotificationId(old.into())));
        changes.push(Change::DeleteAccount(format!("user{old}")));
    }
    changes
}

fn body(number: u64, length: usize) -> Notification {
    Notification {
        id: NotificationId(number.into()),
        target: Target::Everyone,
        title: String::new(),
        message: format!("{number},")
            .repeat(length)
            .chars()
            .take(length)
            .collect(),
        uri: String::new(),
        extras: Extras::default(),
    }
}

fn devices(number: u64) -> u32 {
    if number.is_multiple_of(20) { 700 } else { 3 }
}

fn removed_by(number: u64) -> Option<u64> {
    (number >= 10 && number.is_multiple_of(5)).then(|| number - 7)
}

fn remover_of(number: u64) -> Option<u64> {
    Some(number + 7).filter(|remover| removed_by(*remover) == Some(number))
}

/// A process of this test, which does not outlive it.
struct Helper(Child);

impl Helper {
    fn start(test: &str, directory: &Path, start: u64) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", test])
            .env(CHILD_DIRECTORY, directory)
            .env(CHILD_START, start.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// What it says.
    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let output = BufReader::new(self.0.stdout.take().unwrap());
        output.lines().map(Result::unwrap)
    }

    /// The batches it calls durable.
    fn durable(&mut self) -> impl Iterator<Item = u64> + use<> {
        self.lines()
            .filter_map(|line| Some(line.strip_prefix("durable ")?.parse().unwrap()))
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn for_child(variable: &str) -> String {
    std::env::var(variable).expect("started by another test, not by hand")
}

/// Writes batch after batch, some of them waiting together, and names each one that is durable.
#[test]
#[ignore = "a child of kill_loses_nothing_durable"]
fn child_that_writes() {
    let (_data, mut store, outcomes) = open(Path::new(&for_child(CHILD_DIRECTORY)));
    let start = for_child(CHILD_START).parse().unwrap();
    let mut told = start;
    for number in start.. {
        let urgency = if number % 3 == 0 {
            Urgency::Soon
        } else {
            Urgency::Now
        };
        store.submit(Ticket(number), batch(number), urgency);
        while number - told > 16 || (number % 3 != 0 && told < number) {
            let Ok((ticket, outcome)) = outcomes.recv_blocking() else {
                return;
            };
            assert_eq!((ticket, outcome), (Ticket(told), Ok(())));
            println!("durable {told}");
            told += 1;
        }
    }
}

/// Checks that the store holds the batches up to some number, at least `durable`, each as a whole, and
/// nothing else. Gives the number of the next.
fn check_batches(path: &Path, durable: u64) -> u64 {
    let (_data, store, _outcomes) = open(path);
    let mut found: BTreeMap<u64, (u32, u32, u32)> = BTreeMap::new();
    let number = |id: NotificationId| u64::try_from(id.0).unwrap();
    store
        .load(&mut |row| match row {
            Row::Account(account) => {
                let number = account.name.strip_prefix("user").unwrap().parse().unwrap();
                found.entry(number).or_default().0 += 1;
            }
            Row::Notification(head) => found.entry(number(head.id)).or_default().1 += 1,
            Row::Delivery(delivery) => {
                found.entry(number(delivery.notification)).or_default().2 += 1
            }
            Row::Device(device) => panic!("{device:?}"),
            Row::Document(document) => panic!("{:?}", document.id),
        })
        .unwrap();
    assert_eq!(store.damaged(), 0);
    let last = found.keys().next_back().copied().unwrap_or(0);
    assert!(
        last >= durable,
        "batch {durable} was durable, {last} is the last one there"
    );
    for number in 1..=last {
        let removed = remover_of(number).is_some_and(|remover| remover <= last);
        let want = (!removed).then(|| (1, 1, devices(number)));
        assert_eq!(
            found.get(&number).copied(),
            want,
            "batch {number} of {last}"
        );
        let length = usize::try_from(number * 7919 % 5000).unwrap();
        let want = (!removed).then(|| body(number, length));
        let read = store.notification(NotificationId(number.into())).unwrap();
        assert_eq!(read, want, "body {number} of {last}");
    }
    last + 1
}

#[test]
fn kill_loses_nothing_durable() {
    let scratch = Scratch::new();
    let directory = scratch.path().join("data");
    let mut next = 1;
    for round in 0..10 {
        let mut writer = Helper::start("child_that_writes", &directory, next);
        let mut durable = writer.durable();
        let last = durable.by_ref().take(40 + 17 * round).last();
        writer.kill();
        // What it still said before it died counts as well.
        let last = durable.last().or(last).unwrap();
        next = check_batches(&directory, last);
    }
}

/// The power is cut by copying the disk, without what the file system has not written to it, while the
/// writer stands still.
#[test]
fn power_cut_loses_nothing_durable() {
    let scratch = Scratch::new();
    let [disk, copy, mount, after] =
        ["disk", "copy", "mount", "after"].map(|name| scratch.path().join(name));
    let size = 48 * 1024 * 1024;
    fs::File::create(&disk).unwrap().set_len(size).unwrap();
    assert!(succeeds(Command::new("mkfs.ext4").arg("-q").arg(&disk)));
    fs::create_dir(&mount).unwrap();
    fs::create_dir(&after).unwrap();
    let Some(mounted) = Mount::new(&["-o", "loop", disk.to_str().unwrap()], &mount) else {
        return;
    };
    let mut writer = Helper::start("child_that_writes", &mounted.path().join("data"), 1);
    let mut durable = writer.durable();
    for _ in 0..5 {
        let last = durable.by_ref().take(60).last().unwrap();
        let process = rustix::process::Pid::from_child(&writer.0);
        rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
        copy_at_once(&disk, &copy);
        rustix::process::kill_process(process, rustix::process::Signal::CONT).unwrap();
        let copied = Mount::new(&["-o", "loop", copy.to_str().unwrap()], &after).unwrap();
        check_batches(&copied.path().join("data"), last);
    }
}

/// Opens, writes, waits until all is durable, and then does nothing until its input ends.
#[test]
#[ignore = "a child of an_idle_store_is_still"]
fn child_that_idles() {
    let (_data, mut store, outcomes) = open(Path::new(&for_child(CHILD_DIRECTORY)));
    for number in 1..20 {
        assert_eq!(write(&mut store, &outcomes, batch(number)), Ok(()));
    }
    println!("idle");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Bytes written through system calls so far, and wake-ups of the storage thread.
fn activity(process: u32) -> (String, String) {
    let file = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap();
    let line = |text: String, start: &str| {
        text.lines()
            .find(|line| line.starts_with(start))
            .unwrap()
            .to_owned()
    };
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let ids = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
    let names: Vec<_> = ids
        .map(|id| (file(&format!("task/{id}/comm")), id))
        .collect();
    let busy = ["store-open\n", "log flusher\n"];
    let busy = names.iter().find(|(name, _)| busy.contains(&name.as_str()));
    assert_eq!(busy, None);
    let storage = &names
        .iter()
        .find(|(name, _)| name == "storage\n")
        .unwrap()
        .1;
    let wake_ups = line(
        file(&format!("task/{storage}/status")),
        "voluntary_ctxt_switches",
    );
    (line(file("io"), "wchar"), wake_ups)
}

#[test]
fn an_idle_store_is_still() {
    let scratch = Scratch::new();
    let mut helper = Helper::start("child_that_idles", &scratch.path().join("data"), 0);
    let mut lines = helper.lines();
    assert!(lines.any(|line| line == "idle"));
    let stamps = || -> BTreeMap<_, _> {
        let files = walk(scratch.path());
        let stamp = |path: &String| fs::metadata(path).unwrap().modified().unwrap();
        files
            .into_iter()
            .map(|path| (path.clone(), stamp(&path)))
            .collect()
    };
    // The report that ends the last commit wakes the main thread before the storage thread sleeps.
    thread::sleep(Duration::from_millis(500));
    let (before, files) = (activity(helper.0.id()), stamps());
    thread::sleep(limits::RECEIPT_DELAY + Duration::from_secs(1));
    assert_eq!(activity(helper.0.id()), before);
    assert_eq!(stamps(), files);
    drop(helper.0.stdin.take());
    assert!(helper.0.wait().unwrap().success());
}

fn walk(path: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        }
        files.push(path.to_str().unwrap().to_owned());
    }
    files
}

#[test]
fn a_clean_stop_keeps_what_nobody_waited_for() {
    let scratch = Scratch::new();
    for round in 0..5 {
        let (_data, mut store, outcomes) = open(scratch.path());
        for number in 0..50 {
            let change = queued(number, round);
            store.submit(Ticket(number), vec![change], Urgency::Soon);
        }
        drop(store);
        let told = std::iter::from_fn(|| outcomes.try_recv().ok()).filter(|(_, told)| told.is_ok());
        assert_eq!(told.count(), 50);
    }
    let (_data, store, _outcomes) = open(scratch.path());
    let mut count = 0;
    store.load(&mut |_| count += 1).unwrap();
    assert_eq!(count, 250);
}

#[test]
fn soon_is_soon() {
    let scratch = Scratch::new();
    let (_data, mut store, outcomes) = open(scratch.path());
    store.submit(Ticket(1), vec![queued(1, 1)], Urgency::Soon);
    assert!(outcomes.is_empty(), "it was to wait for others");
    assert_eq!(outcomes.recv_blocking(), Ok((Ticket(1), Ok(()))));
}

#[test]
fn what_an_interrupted_start_left_is_removed() {
    let scratch = Scratch::new();
    let (data, mut store, outcomes) = open(scratch.path());
    assert_eq!(write(&mut store, &outcomes, batch(1)), Ok(()));
    drop(store);
    for name in [
        "snap.FFFFFFFFFFFFFFFF.generating",
        "snap.0000000000000000.generating",
    ] {
        fs::write(data.database().join(name), "half a snapsh").unwrap();
    }
    drop(data);
    check_batches(scratch.path(), 1);
    assert!(
        !walk(scratch.path())
            .iter()
            .any(|path| path.ends_with(".generating"))
    );
}

/// Rows are so short that sled's pages stay in its log; files beside it would not be reused.
#[test]
fn the_longest_records_make_no_blobs() {
    let scratch = Scratch::new();
    let (data, mut store, outcomes) = open(scratch.path());
    let blobs = || fs::read_dir(data.database().join("blobs")).unwrap().count();
    for number in 0..300 {
        let long = Account {
            name: format!("{number:x>255}"),
            password: "p".repeat(limits::PASSWORD),
            full_name: "f".repeat(limits::REGISTERED_FIELD),
            email: "e".repeat(limits::REGISTERED_FIELD),
            alias: "a".repeat(limits::LABEL),
            tags: vec!["t".repeat(limits::LABEL); limits::TAGS],
            ..Account::default()
        };
        let push = Change::PutNotification(body(number, limits::MESSAGE));
        let changes = vec![Change::PutAccount(long), push];
        assert_eq!(write(&mut store, &outcomes, changes), Ok(()));
    }
    assert_eq!(blobs(), 0);
}

#[test]
fn files_belong_to_their_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let (data, mut store, outcomes) = open(&scratch.path().join("data"));
    assert_eq!(write(&mut store, &outcomes, batch(1)), Ok(()));
    for path in walk(data.path()) {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path} has mode {mode:o}");
    }
}

#[test]
fn what_is_no_database_is_refused() {
    let scratch = Scratch::new();
    let data = DataDir::open(scratch.path()).unwrap();
    fs::File::create(data.database())
        .unwrap()
        .write_all(b"?")
        .unwrap();
    let refusal = SledStore::open(&data, CACHE).unwrap_err().to_string();
    assert!(
        refusal.starts_with("the database does not open: "),
        "{refusal}"
    );
}
