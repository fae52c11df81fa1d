//! One contract for both stores, in memory and on disk.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and says where it is"
)]

mod scratch;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lanpush::config::{Durability, Storage};
use lanpush::edge::data_dir::DataDir;
use lanpush::edge::storage::{Outcomes, SledStore};
use lanpush::limits;
use lanpush::push::head::Head;
use lanpush::push::memory_store::{MemoryStore, Rows};
use lanpush::push::notification::{DeliveryState, Extras, Notification, NotificationId, Target};
use lanpush::push::store::{
    Account, Change, Delivery, Device, DeviceId, Document, DocumentId, DocumentKind, Row, Store,
    StoreError, Ticket, Urgency,
};

use scratch::Scratch;

/// A store and what a gateway's edge does for it.
trait Bench {
    fn store(&mut self) -> &mut dyn Store;
    /// Waits for the next outcome.
    fn outcome(&mut self) -> (Ticket, Result<(), StoreError>);
    /// Ends the process cleanly and starts it again.
    fn reopen(&mut self);
    /// Changes rows behind the store's back.
    fn edit(&mut self, edit: &dyn Fn(&mut Rows));
    /// Damaged records met since the last start.
    fn damaged(&self) -> u64;
}

impl dyn Bench + '_ {
    fn submit(&mut self, ticket: u64, changes: &[Change], urgency: Urgency) {
        self.store()
            .submit(Ticket(ticket), changes.to_vec(), urgency);
    }

    /// Writes a batch and waits until it is durable or refused.
    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.submit(1, changes, Urgency::Now);
        let (ticket, outcome) = self.outcome();
        assert_eq!(ticket, Ticket(1));
        outcome
    }

    fn load(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.store().load(&mut |row| rows.push(row)).unwrap();
        rows
    }
}

type Clause = (&'static str, fn(&mut dyn Bench));

const CONTRACT: [Clause; 11] = [
    ("an empty store is empty", starts_empty),
    ("load hands out all kinds in order", loads_in_order),
    ("puts replace and deletes remove", replaces_and_removes),
    (
        "a notification takes its deliveries along",
        takes_deliveries_along,
    ),
    ("documents go with their owner", keeps_documents),
    ("changes of a batch apply in order", applies_in_order),
    ("a refused batch leaves nothing", refuses_whole_batches),
    (
        "outcomes come in the order of the tickets",
        reports_in_order,
    ),
    ("everything is there after a restart", survives_a_restart),
    ("damaged records are skipped and counted", skips_damage),
    ("many accounts and deliveries load", loads_many),
];

fn keep_contract(bench: impl Fn() -> Box<dyn Bench>) {
    for (name, clause) in CONTRACT {
        println!("{name}");
        clause(bench().as_mut());
    }
}

#[test]
fn memory_store_keeps_the_contract() {
    keep_contract(|| Box::new(InMemory::default()));
}

#[test]
fn sled_store_keeps_the_contract() {
    keep_contract(|| Box::new(OnDisk::new(Storage::default())));
}

#[test]
fn relaxed_sled_store_keeps_the_contract() {
    let relaxed = || Storage {
        durability: Durability::Relaxed,
        delay: 3600,
        ..Storage::default()
    };
    keep_contract(|| Box::new(OnDisk::new(relaxed())));
}

#[derive(Default)]
struct InMemory {
    store: MemoryStore,
    told: VecDeque<(Ticket, Result<(), StoreError>)>,
}

impl Bench for InMemory {
    fn store(&mut self) -> &mut dyn Store {
        &mut self.store
    }

    fn outcome(&mut self) -> (Ticket, Result<(), StoreError>) {
        self.told.extend(self.store.take_stored());
        self.told.pop_front().unwrap()
    }

    fn reopen(&mut self) {
        self.store.cut_power();
    }

    fn edit(&mut self, edit: &dyn Fn(&mut Rows)) {
        self.store.edit(edit);
    }

    fn damaged(&self) -> u64 {
        self.store.damaged()
    }
}

struct OnDisk {
    /// `None` only while it is reopened.
    open: Option<(SledStore, Outcomes)>,
    data: DataDir,
    config: Storage,
    _scratch: Scratch,
}

impl OnDisk {
    fn new(config: Storage) -> Self {
        let scratch = Scratch::new();
        let data = DataDir::open(&scratch.path().join("data")).unwrap();
        Self {
            open: Some(SledStore::open_with(&data, &config).unwrap()),
            data,
            config,
            _scratch: scratch,
        }
    }
}

impl Bench for OnDisk {
    fn store(&mut self) -> &mut dyn Store {
        &mut self.open.as_mut().unwrap().0
    }

    fn outcome(&mut self) -> (Ticket, Result<(), StoreError>) {
        self.open.as_ref().unwrap().1.recv_blocking().unwrap()
    }

    fn reopen(&mut self) {
        self.edit(&|_| ());
    }

    fn edit(&mut self, edit: &dyn Fn(&mut Rows)) {
        // Reading all writes all, also what a relaxed store need not keep.
        self.store().load(&mut |_| ()).unwrap();
        self.open = None;
        edit_database(&self.data.database(), edit);
        self.open = Some(SledStore::open_with(&self.data, &self.config).unwrap());
    }

    fn damaged(&self) -> u64 {
        self.open.as_ref().unwrap().0.damaged()
    }
}

/// Lets `edit` change the rows of a closed database.
fn edit_database(path: &Path, edit: &dyn Fn(&mut Rows)) {
    let config = sled::Config::new().path(path).segment_size(64 * 1024);
    let config = config.flush_every_ms(None);
    let is_held = |opened: &sled::Result<sled::Db>| matches!(opened, Err(error) if error.to_string().contains("could not acquire lock"));
    // sled's own threads give its lock back a moment after the last handle is gone.
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut opened = config.open();
    while is_held(&opened) && Instant::now() < deadline {
        thread::yield_now();
        opened = config.open();
    }
    let database = opened.unwrap();
    let row =
        |row: sled::Result<(sled::IVec, sled::IVec)>| row.map(|(k, v)| (k.to_vec(), v.to_vec()));
    let before: Rows = database.iter().map(|pair| row(pair).unwrap()).collect();
    let mut after = before.clone();
    edit(&mut after);
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        database.remove(key).unwrap();
    }
    for (key, value) in after {
        database.insert(key, value).unwrap();
    }
    database.flush().unwrap();
}

fn account(name: &str) -> Account {
    Account {
        name: name.into(),
        password: format!("secret of {name}"),
        tags: vec!["office".into()],
        created: 1_700_000_000,
        ..Account::default()
    }
}

fn device(id: u32) -> Device {
    Device {
        id: DeviceId(id),
        account: "sam".into(),
        resource: Some(format!("phone {id}")),
        last_seen: 5,
        withdraws: false,
    }
}

/// What a start reads of a push.
fn head(id: u128, message: &str) -> Row {
    Row::Notification(Head::of(&push(id, message)))
}

fn push(id: u128, message: &str) -> Notification {
    Notification {
        id: NotificationId(id),
        target: Target::User("sam".into()),
        title: "Door".into(),
        message: message.into(),
        uri: String::new(),
        extras: Extras::default(),
    }
}

fn delivery(notification: u128, device: u32, state: DeliveryState) -> Delivery {
    Delivery {
        notification: NotificationId(notification),
        device: DeviceId(device),
        state,
        at: 9,
        queued: 1,
        sent: 0,
        acknowledged: 0,
    }
}

fn queued(notification: u128, device: u32) -> Change {
    Change::PutDelivery(delivery(notification, device, DeliveryState::Queued))
}

fn starts_empty(bench: &mut dyn Bench) {
    assert_eq!(bench.load(), []);
    assert_eq!(bench.store().account("sam"), Ok(None));
    assert_eq!(bench.store().notification(NotificationId(1)), Ok(None));
    let deletes = [
        Change::DeleteAccount("sam".into()),
        Change::DeleteDevice(DeviceId(1)),
        Change::DeleteNotification(NotificationId(1)),
    ];
    assert_eq!(bench.write(&deletes), Ok(()));
    assert_eq!(bench.write(&[]), Ok(()));
    assert_eq!(bench.load(), []);
}

fn loads_in_order(bench: &mut dyn Bench) {
    let changes = [
        queued(300, 1),
        Change::PutNotification(push(300, "later")),
        Change::PutDevice(device(256)),
        Change::PutAccount(account("sam")),
        queued(2, 300),
        queued(2, 3),
        Change::PutNotification(push(2, "earlier")),
        Change::PutDevice(device(3)),
        Change::PutAccount(account("ann")),
    ];
    assert_eq!(bench.write(&changes), Ok(()));
    let want = [
        Row::Account(account("ann")),
        Row::Account(account("sam")),
        Row::Device(device(3)),
        Row::Device(device(256)),
        head(2, "earlier"),
        head(300, "later"),
        Row::Delivery(delivery(2, 3, DeliveryState::Queued)),
        Row::Delivery(delivery(2, 300, DeliveryState::Queued)),
        Row::Delivery(delivery(300, 1, DeliveryState::Queued)),
    ];
    assert_eq!(bench.load(), want);
}

fn document(owner: &str, kind: DocumentKind, name: &str, text: &str) -> Document {
    let id = DocumentId {
        owner: owner.into(),
        kind,
        name: name.into(),
    };
    Document {
        id,
        text: text.into(),
    }
}

fn keeps_documents(bench: &mut dyn Bench) {
    use DocumentKind::{Contact, Server, Vcard};
    let long = "x".repeat(limits::DOCUMENT);
    let all = [
        document("", Server, "", "salt"),
        document("ann", Contact, "eve@lan", "1"),
        document("sam", Contact, "ann@lan", "2"),
        document("sam", Contact, "eve@lan", &long),
        document("sam", Vcard, "", "3"),
    ];
    let puts: Vec<_> = all.iter().cloned().map(Change::PutDocument).collect();
    assert_eq!(bench.write(&puts), Ok(()));
    assert_eq!(bench.load(), []);
    for one in &all {
        assert_eq!(bench.store().document(&one.id), Ok(Some(one.text.clone())));
    }
    let contacts = bench.store().documents("sam", Contact);
    assert_eq!(contacts.unwrap(), all[2..4]);
    bench.reopen();
    let shorter = document("sam", Contact, "eve@lan", "4");
    let zoe = document("sam", Contact, "zoe@lan", "5");
    let changes = [
        Change::PutDocument(shorter.clone()),
        Change::PutDocument(zoe.clone()),
        Change::DeleteDocument(all[2].id.clone()),
    ];
    assert_eq!(bench.write(&changes), Ok(()));
    let contacts = bench.store().documents("sam", Contact);
    assert_eq!(contacts.unwrap(), [shorter, zoe]);
    assert_eq!(bench.store().document(&all[2].id), Ok(None));
    assert_eq!(bench.write(&[Change::DeleteAccount("sam".into())]), Ok(()));
    assert_eq!(bench.store().documents("sam", Contact), Ok(Vec::new()));
    assert_eq!(bench.store().document(&all[4].id), Ok(None));
    bench.reopen();
    assert_eq!(bench.store().documents("sam", Contact), Ok(Vec::new()));
    let left = bench.store().documents("ann", Contact);
    assert_eq!(left.unwrap(), all[1..2]);
}

fn replaces_and_removes(bench: &mut dyn Bench) {
    let first = [
        Change::PutAccount(account("sam")),
        Change::PutDevice(device(1)),
        Change::PutNotification(push(1, "one")),
        queued(1, 1),
    ];
    assert_eq!(bench.write(&first), Ok(()));
    let changed = Account {
        tags: vec!["t".repeat(limits::LABEL); limits::TAGS],
        ..account("sam")
    };
    let moved = Device {
        resource: None,
        ..device(1)
    };
    let confirmed = delivery(1, 1, DeliveryState::Confirmed);
    let second = [
        Change::PutAccount(changed.clone()),
        Change::PutDevice(moved.clone()),
        Change::PutNotification(push(1, &"two".repeat(5000))),
        Change::PutDelivery(confirmed),
    ];
    assert_eq!(bench.write(&second), Ok(()));
    assert_eq!(bench.store().account("sam"), Ok(Some(changed)));
    let body = bench.store().notification(NotificationId(1)).unwrap();
    assert_eq!(body, Some(push(1, &"two".repeat(5000))));
    assert_eq!(bench.write(&[Change::PutAccount(account("sam"))]), Ok(()));
    let want = [
        Row::Account(account("sam")),
        Row::Device(moved),
        head(1, &"two".repeat(5000)),
        Row::Delivery(confirmed),
    ];
    assert_eq!(bench.load(), want);
    let last = [
        Change::DeleteAccount("sam".into()),
        Change::DeleteDevice(DeviceId(1)),
        Change::DeleteNotification(NotificationId(1)),
    ];
    assert_eq!(bench.write(&last), Ok(()));
    assert_eq!(bench.load(), []);
    assert_eq!(bench.store().account("sam"), Ok(None));
    assert_eq!(bench.store().notification(NotificationId(1)), Ok(None));
}

fn takes_deliveries_along(bench: &mut dyn Bench) {
    let mut changes = Vec::new();
    for id in [1, 2, u128::MAX] {
        changes.push(Change::PutNotification(push(id, "m")));
        changes.extend((0..300).map(|device| queued(id, device)));
    }
    assert_eq!(bench.write(&changes), Ok(()));
    for id in [2, u128::MAX] {
        let delete = Change::DeleteNotification(NotificationId(id));
        assert_eq!(bench.write(&[delete]), Ok(()));
        assert_eq!(bench.store().notification(NotificationId(id)), Ok(None));
    }
    let rows = bench.load();
    assert_eq!(rows.len(), 301);
    let other = |row: &&Row| match row {
        Row::Notification(head) => head.id != NotificationId(1),
        Row::Delivery(delivery) => delivery.notification != NotificationId(1),
        _ => true,
    };
    assert_eq!(rows.iter().find(other), None);
}

fn applies_in_order(bench: &mut dyn Bench) {
    let changes = [
        Change::PutAccount(account("ann")),
        Change::DeleteAccount("ann".into()),
        Change::PutAccount(account("sam")),
        Change::DeleteAccount("sam".into()),
        Change::PutAccount(account("sam")),
        queued(1, 1),
        Change::PutNotification(push(1, "gone")),
        Change::DeleteNotification(NotificationId(1)),
        queued(2, 1),
        Change::DeleteNotification(NotificationId(2)),
        Change::PutNotification(push(2, "back")),
    ];
    assert_eq!(bench.write(&changes), Ok(()));
    let want = [Row::Account(account("sam")), head(2, "back")];
    assert_eq!(bench.load(), want);
    assert_eq!(bench.store().notification(NotificationId(1)), Ok(None));
    let back = bench.store().notification(NotificationId(2));
    assert_eq!(back, Ok(Some(push(2, "back"))));
}

fn refuses_whole_batches(bench: &mut dyn Bench) {
    let unstorable = Change::PutAccount(account(""));
    let bad = [Change::PutAccount(account("ann")), unstorable, queued(1, 1)];
    bench.submit(1, &[Change::PutAccount(account("sam"))], Urgency::Now);
    assert_eq!(bench.outcome(), (Ticket(1), Ok(())));
    bench.submit(2, &bad, Urgency::Now);
    let (ticket, outcome) = bench.outcome();
    assert_eq!(ticket, Ticket(2));
    let why = outcome.unwrap_err().to_string();
    assert_eq!(why, "store failed: the account name cannot be stored");
    bench.submit(3, &[Change::PutDevice(device(1))], Urgency::Now);
    assert_eq!(bench.outcome(), (Ticket(3), Ok(())));
    let want = [Row::Account(account("sam")), Row::Device(device(1))];
    assert_eq!(bench.load(), want);
    bench.reopen();
    assert_eq!(bench.load(), want);
}

fn reports_in_order(bench: &mut dyn Bench) {
    let mut want = Vec::new();
    for ticket in 1..=60 {
        let urgency = match ticket % 3 {
            0 => Urgency::Now,
            _ => Urgency::Soon,
        };
        let change = match ticket % 7 {
            0 => Change::PutAccount(account("")),
            _ => Change::PutDevice(device(ticket)),
        };
        want.push((Ticket(ticket.into()), ticket % 7 != 0));
        bench.submit(ticket.into(), &[change], urgency);
    }
    let got = std::iter::repeat_with(|| bench.outcome()).take(want.len());
    let got: Vec<_> = got
        .map(|(ticket, outcome)| (ticket, outcome.is_ok()))
        .collect();
    assert_eq!(got, want);
    let kept = (1..=60).filter(|ticket| ticket % 7 != 0);
    let kept: Vec<_> = kept.map(|ticket| Row::Device(device(ticket))).collect();
    assert_eq!(bench.load(), kept);
}

fn survives_a_restart(bench: &mut dyn Bench) {
    let mut want = BTreeMap::new();
    for round in 0..3 {
        for id in 0..20 {
            let id = round * 10 + id;
            let body = push(id, &format!("{round} ").repeat(id as usize * 40));
            let changes = [
                Change::PutNotification(body.clone()),
                queued(id, round as u32),
            ];
            assert_eq!(bench.write(&changes), Ok(()));
            want.insert(id, body);
        }
        bench.reopen();
        for (id, body) in &want {
            let read = bench.store().notification(NotificationId(*id));
            assert_eq!(read, Ok(Some(body.clone())));
        }
        let rows = bench.load();
        let notifications = rows
            .iter()
            .filter(|row| matches!(row, Row::Notification(_)));
        assert_eq!(notifications.count(), want.len());
        assert_eq!(rows.len(), want.len() + 20 * (round as usize + 1));
    }
}

fn skips_damage(bench: &mut dyn Bench) {
    let changes = [
        Change::PutAccount(account("ann")),
        Change::PutAccount(account("ben")),
        Change::PutDevice(device(1)),
        Change::PutDevice(device(2)),
        Change::PutNotification(push(1, "one")),
        Change::PutNotification(push(2, "two")),
        queued(1, 1),
        queued(1, 20),
    ];
    assert_eq!(bench.write(&changes), Ok(()));
    // A byte in the middle of: ben, phone 1, the second body, the first delivery.
    bench.edit(&|rows| {
        let keys: Vec<_> = rows.keys().cloned().collect();
        assert_eq!(keys.len(), 10);
        for row in [1, 2, 6, 9] {
            let value = rows.get_mut(&keys[row]).unwrap();
            let middle = value.len() / 2;
            value[middle] ^= 0x10;
        }
        rows.insert(vec![0], vec![1, 2, 3]);
    });
    let want = [
        Row::Account(account("ann")),
        Row::Device(device(2)),
        head(1, "one"),
        head(2, "two"),
        Row::Delivery(delivery(1, 20, DeliveryState::Queued)),
    ];
    assert_eq!(bench.load(), want);
    assert_eq!(bench.damaged(), 4);
    assert_eq!(bench.store().account("ben"), Ok(None));
    assert_eq!(bench.store().notification(NotificationId(2)), Ok(None));
    assert_eq!(bench.damaged(), 6);
    let one = bench.store().notification(NotificationId(1));
    assert_eq!(one, Ok(Some(push(1, "one"))));

    // Putting the record again heals it.
    assert_eq!(bench.write(&[Change::PutAccount(account("ben"))]), Ok(()));
    assert_eq!(bench.store().account("ben"), Ok(Some(account("ben"))));
}

fn loads_many(bench: &mut dyn Bench) {
    let accounts = 10_000;
    for chunk in (0..accounts).collect::<Vec<_>>().chunks(500) {
        let name = |id: &u32| Change::PutAccount(account(&format!("user{id:05}")));
        let changes: Vec<_> = chunk.iter().map(name).collect();
        assert_eq!(bench.write(&changes), Ok(()));
    }
    for id in 0..10 {
        let body = Change::PutNotification(push(id, "to all"));
        let all = (0..accounts).map(|device| queued(id, device));
        let changes: Vec<_> = std::iter::once(body).chain(all).collect();
        assert_eq!(bench.write(&changes), Ok(()));
    }
    bench.reopen();
    let rows = bench.load();
    assert_eq!(rows.len(), 10_000 + 10 + 100_000);
    assert_eq!(rows[9_999], Row::Account(account("user09999")));
    let last = delivery(9, 9_999, DeliveryState::Queued);
    assert_eq!(rows.last(), Some(&Row::Delivery(last)));
}
