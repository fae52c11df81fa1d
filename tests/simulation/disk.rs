//! The disk under the simulated gateway. It notes what was submitted and what became of it, so that the
//! model knows for itself what is durable.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use lanpush::push::memory_store::MemoryStore;
use lanpush::push::notification::{Notification, NotificationId};
use lanpush::push::store::{
    Account, Change, DeviceId, Document, DocumentId, DocumentKind, Row, Store, StoreError, Ticket,
    Urgency,
};

use super::random::Random;

type Outcome = (Ticket, Result<(), StoreError>);

pub(crate) struct Disk {
    store: MemoryStore,
    journal: Rc<RefCell<BTreeMap<Ticket, Vec<Change>>>>,
    begun: Rc<RefCell<BTreeMap<NotificationId, u32>>>,
    /// What the gateway has not heard of yet.
    pub(crate) outcomes: VecDeque<Outcome>,
    /// Settled deliveries whose record the disk does not have, because it has not got that far or has
    /// refused it: after a restart they may come again.
    pub(crate) unsettled: BTreeSet<(DeviceId, NotificationId)>,
    pub(crate) holds: bool,
    pub(crate) reads_fail: bool,
    /// Batches that will still be refused, and whether any was since the last start.
    pub(crate) refusals: usize,
    pub(crate) refused: bool,
    /// Devices the server has told it to forget.
    forgotten: BTreeSet<DeviceId>,
    /// Devices of which the disk has refused to learn something, with their users, until it is told again.
    pub(crate) unlearned: BTreeMap<DeviceId, String>,
    /// Users of whose devices the disk had not learned something when the server ended: who reads what is
    /// not known.
    pub(crate) unknown: BTreeSet<String>,
}

/// What the gateway gets.
struct Port {
    store: MemoryStore,
    journal: Rc<RefCell<BTreeMap<Ticket, Vec<Change>>>>,
    begun: Rc<RefCell<BTreeMap<NotificationId, u32>>>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            journal: Rc::default(),
            begun: Rc::default(),
            outcomes: VecDeque::new(),
            unsettled: BTreeSet::new(),
            holds: false,
            reads_fail: false,
            refusals: 0,
            refused: false,
            forgotten: BTreeSet::new(),
            unlearned: BTreeMap::new(),
            unknown: BTreeSet::new(),
        }
    }

    pub(crate) fn port(&self) -> Box<dyn Store> {
        Box::new(Port {
            store: self.store.clone(),
            journal: Rc::clone(&self.journal),
            begun: Rc::clone(&self.begun),
        })
    }

    /// Takes in what has become durable or was refused; to be called after whatever may have caused it.
    pub(crate) fn look(&mut self) {
        for (ticket, outcome) in self.store.take_stored() {
            let changes = self.journal.borrow_mut().remove(&ticket);
            self.refusals -= usize::from(outcome.is_err());
            self.refused |= outcome.is_err();
            let changes = changes.expect("a batch that was never submitted");
            // Whose registration is refused has no device either.
            let accounts = |change: &Change| matches!(change, Change::PutAccount(_));
            let registers = changes.iter().any(accounts);
            for change in changes {
                match (&change, &outcome) {
                    (Change::DeleteDevice(id), Ok(())) => {
                        self.forgotten.insert(*id);
                        self.unlearned.remove(id);
                    }
                    (Change::PutDevice(device), Ok(())) => drop(self.unlearned.remove(&device.id)),
                    (Change::PutDevice(device), Err(_)) if !registers => {
                        self.unlearned.insert(device.id, device.account.clone());
                    }
                    (Change::DeleteNotification(gone), Ok(())) => {
                        self.unsettled.retain(|(_, id)| id != gone);
                    }
                    _ => {}
                }
                if let Change::PutDelivery(delivery) = change
                    && !delivery.state.is_waiting()
                {
                    let key = (delivery.device, delivery.notification);
                    if outcome.is_ok() {
                        self.unsettled.remove(&key);
                    } else {
                        self.unsettled.insert(key);
                    }
                }
            }
            self.outcomes.push_back((ticket, outcome));
        }
    }

    pub(crate) fn hold(&mut self) {
        self.store.hold();
        self.holds = true;
    }

    /// Lets one batch, or all of them, reach the disk.
    pub(crate) fn release_one(&mut self) {
        self.store.release_one();
        self.look();
    }

    pub(crate) fn release(&mut self) {
        self.store.release();
        self.holds = false;
        self.look();
    }

    pub(crate) fn refuse(&mut self, count: usize, random: &Random) {
        let error = if random.one_in(2) {
            StoreError::Full
        } else {
            StoreError::Failed("the simulation says so".into())
        };
        self.store.refuse(count, &error);
        self.refusals += count;
    }

    pub(crate) fn fail_reads(&mut self, fail: bool) {
        self.store.fail_reads(fail);
        self.reads_fail = fail;
    }

    /// The machine is off: what has not become durable is lost, and the disk works again.
    pub(crate) fn cut_power(&mut self) {
        self.look();
        self.begun.borrow_mut().clear();
        for (id, user) in std::mem::take(&mut self.unlearned) {
            self.forgotten.insert(id);
            self.unknown.insert(user);
        }
        for change in std::mem::take(&mut *self.journal.borrow_mut())
            .into_values()
            .flatten()
        {
            if let Change::PutDelivery(delivery) = change
                && !delivery.state.is_waiting()
            {
                self.unsettled
                    .insert((delivery.device, delivery.notification));
            }
        }
        self.store.cut_power();
        for row in self.rows() {
            if let Row::Notification(head) = row {
                self.begun.borrow_mut().insert(head.id, head.begun);
            }
        }
        self.outcomes.clear();
        self.refusals = 0;
        self.refused = false;
        self.holds = false;
        self.reads_fail = false;
    }

    /// Everything that is durable.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.reading(|store| store.load(&mut |row| rows.push(row)))
            .unwrap();
        rows
    }

    /// Each delivery on the disk is one of a notification there. What waits waits for a device that is there,
    /// or that was to be forgotten.
    pub(crate) fn check_rows(&self) {
        let mut devices = BTreeSet::new();
        let mut notifications = BTreeSet::new();
        for row in self.rows() {
            match &row {
                Row::Notification(head) => drop(notifications.insert(head.id)),
                Row::Delivery(delivery) => {
                    let id = delivery.notification;
                    assert!(notifications.contains(&id), "{id} has but a delivery");
                }
                _ => {}
            }
            match row {
                Row::Device(device) => drop(devices.insert(device.id)),
                Row::Delivery(delivery) if delivery.state.is_waiting() => {
                    let device = delivery.device;
                    assert!(
                        devices.contains(&device) || self.forgotten.contains(&device),
                        "{} waits on the disk for {device:?}, which the disk does not know",
                        delivery.notification
                    );
                }
                _ => {}
            }
        }
    }

    /// From when on a notification's age counts, if it does: as the gateway has last written it.
    pub(crate) fn begun(&self, id: NotificationId) -> Option<u64> {
        let begun = self.begun.borrow().get(&id).copied().unwrap_or(0);
        (begun > 0).then_some(u64::from(begun))
    }

    pub(crate) fn account(&self, name: &str) -> Option<Account> {
        self.reading(|store| store.account(name)).unwrap()
    }

    pub(crate) fn notification(&self, id: NotificationId) -> Option<Notification> {
        self.reading(|store| store.notification(id)).unwrap()
    }

    /// The model may read even while the gateway may not.
    fn reading<T>(&self, read: impl FnOnce(&MemoryStore) -> T) -> T {
        self.store.fail_reads(false);
        let result = read(&self.store);
        self.store.fail_reads(self.reads_fail);
        result
    }
}

impl Store for Port {
    fn load(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.store.load(visit)
    }

    fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        self.store.account(name)
    }

    fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        self.store.notification(id)
    }

    fn document(&self, id: &DocumentId) -> Result<Option<String>, StoreError> {
        self.store.document(id)
    }

    fn documents(&self, owner: &str, kind: DocumentKind) -> Result<Vec<Document>, StoreError> {
        self.store.documents(owner, kind)
    }

    fn submit(&mut self, ticket: Ticket, changes: Vec<Change>, urgency: Urgency) {
        let known = self.journal.borrow_mut().insert(ticket, changes.clone());
        assert!(known.is_none(), "ticket {} is used twice", ticket.0);
        for change in &changes {
            if let Change::PutHead(head) = change {
                self.begun.borrow_mut().insert(head.id, head.begun);
            }
        }
        self.store.submit(ticket, changes, urgency);
    }
}
