//! The disk under the simulated gateway. It notes what was submitted and what became of it, so that the
//! model knows for itself what is durable.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use lanpush::push::head::Head;
use lanpush::push::memory_store::{MemoryStore, Rows};
use lanpush::push::notification::{Notification, NotificationId};
use lanpush::push::record;
use lanpush::push::store::{
    Account, Change, DeviceId, Document, DocumentId, DocumentKind, Row, Store, StoreError, Ticket,
    Urgency,
};

use super::random::Random;
use super::trace;

type Outcome = (Ticket, Result<(), StoreError>);

/// A head that was written, and what the one before it was.
pub(crate) type Turn = (Option<Head>, Head);

/// What has been submitted.
#[derive(Default)]
struct Journal {
    batches: BTreeMap<Ticket, Vec<Change>>,
    /// Heads as the gateway has last written them, and those it has written since somebody looked.
    heads: BTreeMap<NotificationId, Head>,
    turns: Vec<Turn>,
    /// Devices it was ever told of, and whether one came or went since somebody looked.
    devices: BTreeSet<DeviceId>,
    moved: bool,
    /// Batches since somebody looked, for whoever reads what went before a failure.
    submitted: Vec<(Ticket, String)>,
    /// What heads were before a batch that somebody waits for: refused, it changes nothing.
    before: BTreeMap<Ticket, Vec<(NotificationId, Option<Head>)>>,
    /// Users of whom something was submitted that the gateway has not heard of yet.
    changing: BTreeMap<Ticket, BTreeSet<String>>,
}

pub(crate) struct Disk {
    store: MemoryStore,
    journal: Rc<RefCell<Journal>>,
    /// Whether batches are answered from memory and reach the disk later, as with
    /// `storage.durability = "relaxed"`.
    pub(crate) relaxed: bool,
    /// What of it has: the rows at the last [`flush`](Self::flush).
    flushed: Rows,
    /// Notifications that never were, and whether their batch held anything besides them.
    young: BTreeMap<NotificationId, bool>,
    /// Deliveries settled since.
    settled: BTreeSet<(DeviceId, NotificationId)>,
    /// Users that were changed since; after the power was cut, what of it was lost.
    pub(crate) touched: BTreeSet<String>,
    pub(crate) lost: BTreeSet<String>,
    /// Notifications that were lost with the power.
    pub(crate) lost_young: BTreeSet<NotificationId>,
    /// What the gateway has not heard of yet.
    pub(crate) outcomes: VecDeque<Outcome>,
    /// Settled deliveries whose record the disk does not have, because it has not got that far or has
    /// refused it: after a restart they may come again.
    pub(crate) unsettled: BTreeSet<(DeviceId, NotificationId)>,
    pub(crate) holds: bool,
    pub(crate) reads_fail: bool,
    /// Whether reads have failed since everything was last sent that could be.
    pub(crate) was_unreadable: bool,
    /// Batches that will still be refused, and whether any was since the last start.
    pub(crate) refusals: usize,
    pub(crate) refused: bool,
    /// Whether any was before the last start.
    pub(crate) refused_before: bool,
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
    journal: Rc<RefCell<Journal>>,
}

impl Disk {
    pub(crate) fn new(relaxed: bool) -> Self {
        Self {
            store: MemoryStore::new(),
            journal: Rc::default(),
            relaxed,
            flushed: Rows::new(),
            young: BTreeMap::new(),
            settled: BTreeSet::new(),
            touched: BTreeSet::new(),
            lost: BTreeSet::new(),
            lost_young: BTreeSet::new(),
            outcomes: VecDeque::new(),
            unsettled: BTreeSet::new(),
            holds: false,
            reads_fail: false,
            was_unreadable: false,
            refusals: 0,
            refused: false,
            refused_before: false,
            forgotten: BTreeSet::new(),
            unlearned: BTreeMap::new(),
            unknown: BTreeSet::new(),
        }
    }

    pub(crate) fn port(&self) -> Box<dyn Store> {
        Box::new(Port {
            store: self.store.clone(),
            journal: Rc::clone(&self.journal),
        })
    }

    /// Takes in what has become durable or was refused; to be called after whatever may have caused it.
    pub(crate) fn look(&mut self) {
        for (ticket, outcome) in self.store.take_stored() {
            let changes = self.journal.borrow_mut().batches.remove(&ticket);
            self.refusals -= usize::from(outcome.is_err());
            self.refused |= outcome.is_err();
            let changes = changes.expect("a batch that was never submitted");
            // Whose registration is refused has no device either.
            let accounts = |change: &Change| matches!(change, Change::PutAccount(_));
            let registers = changes.iter().any(accounts);
            if outcome.is_ok() && self.relaxed {
                self.note_unflushed(&changes);
            }
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

    /// What of a batch is on no disk yet.
    fn note_unflushed(&mut self, changes: &[Change]) {
        let mut ids = BTreeSet::new();
        let mut others = false;
        for change in changes {
            match change {
                Change::PutNotification(new) => drop(ids.insert(new.id)),
                Change::PutHead(head) => drop(ids.insert(head.id)),
                Change::PutDelivery(delivery) => {
                    ids.insert(delivery.notification);
                    let key = (delivery.device, delivery.notification);
                    if !delivery.state.is_waiting() {
                        self.settled.insert(key);
                    }
                }
                Change::PutAccount(account) => {
                    self.touched.insert(account.name.clone());
                    others = true;
                }
                Change::DeleteAccount(name) => {
                    self.touched.insert(name.clone());
                    others = true;
                }
                _ => others = true,
            }
        }
        for change in changes {
            if let Change::PutNotification(new) = change {
                self.young.insert(new.id, others || ids.len() > 1);
            }
        }
    }

    /// The disk catches up, as far as it ever does: what every device has settled before is not written,
    /// and what is very young may wait for the next time if nothing else hangs on it.
    pub(crate) fn flush(&mut self, everything: bool, random: &Random) {
        if !self.relaxed || self.holds {
            return;
        }
        let waiting = self.waiting();
        let young = std::mem::take(&mut self.young);
        let stays = |id: &NotificationId, joined: bool| {
            let is_settled = waiting.get(id).is_some_and(|waiting| *waiting == 0);
            !everything && (is_settled || !joined && random.one_in(3))
        };
        self.young = young
            .into_iter()
            .filter(|(id, joined)| stays(id, *joined))
            .collect();
        let mut rows = Rows::new();
        self.store.edit(|all| rows = all.clone());
        rows.retain(|key, _| {
            record::notification_of(key).is_none_or(|id| !self.young.contains_key(&id))
        });
        self.flushed = rows;
        self.settled.clear();
        self.touched.clear();
    }

    /// How many devices each notification that has ever been for one waits for.
    fn waiting(&self) -> BTreeMap<NotificationId, usize> {
        let mut waiting = BTreeMap::new();
        for row in self.rows() {
            if let Row::Delivery(delivery) = row {
                *waiting.entry(delivery.notification).or_default() +=
                    usize::from(delivery.state.is_waiting());
            }
        }
        waiting
    }

    /// The gateway hears of a batch: which heads somebody waited for were in it.
    pub(crate) fn hears(&self, ticket: Ticket, taken: bool) -> Vec<NotificationId> {
        let mut journal = self.journal.borrow_mut();
        let before = journal.before.remove(&ticket).unwrap_or_default();
        let ids = before.iter().map(|(id, _)| *id).collect();
        for (id, head) in before.into_iter().filter(|_| !taken) {
            match head {
                Some(head) => drop(journal.heads.insert(id, head)),
                None => drop(journal.heads.remove(&id)),
            }
        }
        ids
    }

    /// What is about to be sent, to end or to be taken back, as soon as the gateway hears that the disk has it.
    pub(crate) fn held(&self) -> BTreeSet<NotificationId> {
        let journal = self.journal.borrow();
        let heads = journal.before.values().flatten();
        heads.map(|(id, _)| *id).collect()
    }

    /// The gateway has heard of a batch.
    pub(crate) fn heard(&mut self, ticket: Ticket) {
        self.journal.borrow_mut().changing.remove(&ticket);
    }

    /// Users of whom the gateway may know something else than the disk.
    pub(crate) fn changing(&self) -> BTreeSet<String> {
        let journal = self.journal.borrow();
        journal.changing.values().flatten().cloned().collect()
    }

    /// The heads that were written since the last call.
    pub(crate) fn turns(&mut self) -> Vec<Turn> {
        std::mem::take(&mut self.journal.borrow_mut().turns)
    }

    /// Whether a device came or went since the last call: it inherits what waits, and may cost the one away
    /// longest its place.
    pub(crate) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.journal.borrow_mut().moved)
    }

    /// The batches that were submitted since the last call, and what they say.
    pub(crate) fn submitted(&mut self) -> Vec<(Ticket, String)> {
        std::mem::take(&mut self.journal.borrow_mut().submitted)
    }

    /// A head as the gateway has last written it.
    pub(crate) fn head(&self, id: NotificationId) -> Option<Head> {
        self.journal.borrow().heads.get(&id).copied()
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
        self.was_unreadable |= fail;
    }

    /// The machine is off: what has not become durable is lost, and the disk works again.
    pub(crate) fn cut_power(&mut self) {
        self.look();
        let before = self.resources();
        for (id, user) in std::mem::take(&mut self.unlearned) {
            self.forgotten.insert(id);
            self.unknown.insert(user);
        }
        let journal = std::mem::take(&mut *self.journal.borrow_mut());
        for change in journal.batches.into_values().flatten() {
            if let Change::PutDelivery(delivery) = change
                && !delivery.state.is_waiting()
            {
                self.unsettled
                    .insert((delivery.device, delivery.notification));
            }
        }
        self.store.cut_power();
        if self.relaxed {
            self.unsettled.append(&mut self.settled);
            self.lost = std::mem::take(&mut self.touched);
            self.lost_young = std::mem::take(&mut self.young).into_keys().collect();
            self.store.edit(|rows| rows.clone_from(&self.flushed));
            let after = self.resources();
            let differ = |(id, device): &(&DeviceId, &(String, Option<String>))| {
                before.get(id) != Some(device) || after.get(id) != Some(device)
            };
            let changed = before.iter().chain(&after).filter(differ);
            self.unknown
                .extend(changed.map(|(_, (user, _))| user.clone()));
        }
        for row in self.rows() {
            if let Row::Notification(head) = row {
                self.journal.borrow_mut().heads.insert(head.id, head);
            }
        }
        self.outcomes.clear();
        self.refusals = 0;
        self.refused_before = std::mem::take(&mut self.refused);
        self.holds = false;
        self.reads_fail = false;
        self.was_unreadable = false;
    }

    /// Users and resources of all devices.
    fn resources(&self) -> BTreeMap<DeviceId, (String, Option<String>)> {
        let device = |row| match row {
            Row::Device(device) => Some((device.id, (device.account, device.resource))),
            _ => None,
        };
        self.rows().into_iter().filter_map(device).collect()
    }

    /// Everything that is durable, or answered for.
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
        let mut journal = self.journal.borrow_mut();
        let known = journal.batches.insert(ticket, changes.clone());
        assert!(known.is_none(), "ticket {} is used twice", ticket.0);
        let text = trace::changes(&changes);
        journal.submitted.push((ticket, text));
        for change in &changes {
            match change {
                Change::PutDevice(device) => journal.moved |= journal.devices.insert(device.id),
                Change::DeleteDevice(_) => journal.moved = true,
                _ => {}
            }
            let user = match change {
                Change::PutHead(head) => {
                    let before = journal.heads.insert(head.id, *head);
                    journal.turns.push((before, *head));
                    if urgency != Urgency::Soon {
                        let own = journal.before.entry(ticket).or_default();
                        own.push((head.id, before));
                    }
                    continue;
                }
                Change::PutAccount(account) => &account.name,
                Change::DeleteAccount(name) => name,
                Change::PutDevice(device) => &device.account,
                _ => continue,
            };
            journal
                .changing
                .entry(ticket)
                .or_default()
                .insert(user.clone());
        }
        drop(journal);
        self.store.submit(ticket, changes, urgency);
    }
}
