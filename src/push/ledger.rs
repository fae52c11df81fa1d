//! The ledger: which notifications are kept, and how far each device has got with each.

use std::collections::{BTreeMap, BTreeSet};

use super::head::Head;
use super::notification::{DeliveryState, NotificationId, Priority};
use super::receipt::{Receipt, short};
use super::store::{Delivery, DeviceId};

/// Bytes one device's receipt takes on the disk, about.
const RECEIPT_BYTES: u64 = 64;

#[derive(Debug)]
struct Entry {
    head: Head,
    /// In the order of devices.
    receipts: Vec<Receipt>,
    /// How many receipts are in each state.
    counts: [u32; DeliveryState::ALL.len()],
    durable: bool,
    /// Whether its end is on its way to the disk: nobody is sent it until that is settled.
    held: bool,
    /// Whether a newer one has replaced it meanwhile.
    overtaken: bool,
}

impl Entry {
    fn waiting(&self) -> usize {
        let of = |state: DeliveryState| count(&self.counts, state);
        of(DeliveryState::Queued) + of(DeliveryState::Sent)
    }

    fn bytes(&self) -> u64 {
        let receipts = u64::try_from(self.receipts.len()).unwrap_or(u64::MAX);
        u64::from(self.head.size).saturating_add(receipts.saturating_mul(RECEIPT_BYTES))
    }

    /// Where it stands among those to be forgotten: settled ones first, then by priority, then by age.
    fn rank(&self) -> Option<Rank> {
        let wanted = self.waiting() > 0 || self.head.is_scheduled();
        let priority = if wanted {
            self.head.priority.number()
        } else {
            0
        };
        self.durable.then_some((priority, self.head.id))
    }
}

type Rank = (u8, NotificationId);

/// All notifications that are kept.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<NotificationId, Entry>,
    ranks: BTreeSet<Rank>,
    waiting: usize,
    scheduled: usize,
    bytes: u64,
}

impl Ledger {
    /// Enters a notification without devices; `durable` tells whether the disk has it.
    pub fn enter(&mut self, head: Head, durable: bool) {
        let entry = Entry {
            head,
            receipts: Vec::new(),
            counts: [0; DeliveryState::ALL.len()],
            durable,
            held: false,
            overtaken: false,
        };
        self.scheduled += usize::from(head.is_scheduled());
        self.bytes += entry.bytes();
        self.ranks.extend(entry.rank());
        self.entries.insert(head.id, entry);
    }

    /// Adds devices in ascending order to a notification that has none yet.
    pub fn add_devices(&mut self, id: NotificationId, devices: &[DeviceId], at: u64) {
        self.change(id, |entry| {
            entry.receipts = devices.iter().map(|id| Receipt::queued(*id, at)).collect();
            add(
                &mut entry.counts,
                DeliveryState::Queued,
                entry.receipts.len(),
            );
        });
    }

    /// Takes all devices away from a notification.
    pub fn clear_devices(&mut self, id: NotificationId) {
        self.change(id, |entry| {
            entry.receipts = Vec::new();
            entry.counts = Default::default();
        });
    }

    /// The disk has the notification; from now on it may be sent.
    pub fn set_durable(&mut self, id: NotificationId) {
        self.change(id, |entry| entry.durable = true);
    }

    /// Keeps a notification from being sent, or lets it go again.
    pub fn hold(&mut self, id: NotificationId, held: bool) {
        self.change(id, |entry| entry.held = held);
    }

    /// Notes that a newer one has replaced what is kept from being sent.
    pub fn overtake(&mut self, id: NotificationId) {
        self.change(id, |entry| entry.overtaken = true);
    }

    /// Whether that was noted.
    #[must_use]
    pub fn is_overtaken(&self, id: NotificationId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.overtaken)
    }

    /// Whether the disk has the notification.
    #[must_use]
    pub fn is_durable(&self, id: NotificationId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.durable)
    }

    /// Whether the disk has the notification and knows its devices: those of one that has just fired are on
    /// their way there.
    #[must_use]
    pub fn has_durable_devices(&self, id: NotificationId) -> bool {
        let entry = self.entries.get(&id);
        entry.is_some_and(|entry| entry.durable && !entry.head.is_scheduled())
    }

    /// Whether the notification may be sent.
    #[must_use]
    pub fn may_be_sent(&self, id: NotificationId) -> bool {
        self.entries
            .get(&id)
            .is_some_and(|entry| entry.durable && !entry.held)
    }

    /// Whether the end of a notification is on its way to the disk.
    #[must_use]
    pub fn is_held(&self, id: NotificationId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.held)
    }

    /// The head of a notification.
    #[must_use]
    pub fn head(&self, id: NotificationId) -> Option<&Head> {
        self.entries.get(&id).map(|entry| &entry.head)
    }

    /// Replaces the head of a notification that is kept.
    pub fn set_head(&mut self, head: Head) {
        self.change(head.id, |entry| entry.head = head);
    }

    /// Adds a receipt to a notification; false if it is not kept, or has one for that device.
    pub fn restore(&mut self, delivery: &Delivery) -> bool {
        let mut added = false;
        self.change(delivery.notification, |entry| {
            if let Err(position) = position(&entry.receipts, delivery.device) {
                entry.receipts.insert(position, delivery.into());
                add(&mut entry.counts, delivery.state, 1);
                added = true;
            }
        });
        added
    }

    /// Moves a device's receipt on; `None` if there is nothing to move.
    pub fn mark(
        &mut self,
        id: NotificationId,
        device: DeviceId,
        state: DeliveryState,
        at: u64,
    ) -> Option<Delivery> {
        let mut marked = None;
        self.change(id, |entry| {
            let Ok(position) = position(&entry.receipts, device) else {
                return;
            };
            if let Some(receipt) = entry.receipts.get_mut(position)
                && receipt.state.may_become(state)
            {
                remove(&mut entry.counts, receipt.state, 1);
                add(&mut entry.counts, state, 1);
                receipt.advance(state, short(at));
                marked = Some(receipt.delivery(id));
            }
        });
        marked
    }

    /// Takes a notification out.
    pub fn remove(&mut self, id: NotificationId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.waiting -= entry.waiting();
            self.scheduled -= usize::from(entry.head.is_scheduled());
            self.bytes -= entry.bytes();
            if let Some(rank) = entry.rank() {
                self.ranks.remove(&rank);
            }
        }
    }

    /// Changes an entry and keeps the sums in step with it.
    fn change(&mut self, id: NotificationId, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let sums = |entry: &Entry| (entry.waiting(), entry.head.is_scheduled(), entry.bytes());
        let (before, old_rank) = (sums(entry), entry.rank());
        change(entry);
        let (after, rank) = (sums(entry), entry.rank());
        self.waiting = self.waiting + after.0 - before.0;
        self.scheduled = self.scheduled + usize::from(after.1) - usize::from(before.1);
        self.bytes = self.bytes + after.2 - before.2;
        if rank != old_rank {
            old_rank.inspect(|rank| {
                self.ranks.remove(rank);
            });
            self.ranks.extend(rank);
        }
    }

    /// Receipts of a notification, in the order of devices.
    #[must_use]
    pub fn receipts(&self, id: NotificationId) -> &[Receipt] {
        self.entries.get(&id).map_or(&[], |entry| &entry.receipts)
    }

    /// Whether some device still has to get a notification.
    #[must_use]
    pub fn is_waited_for(&self, id: NotificationId) -> bool {
        self.entries
            .get(&id)
            .is_some_and(|entry| entry.waiting() > 0)
    }

    /// Devices of a notification that still have to get it.
    #[must_use]
    pub fn waiting_for(&self, id: NotificationId) -> Vec<DeviceId> {
        let receipts = self.receipts(id).iter();
        let waiting = receipts.filter(|receipt| receipt.state.is_waiting());
        waiting.map(|receipt| receipt.device).collect()
    }

    /// How many of a notification's devices are in each state, in the order of [`DeliveryState::ALL`].
    #[must_use]
    pub fn counts(&self, id: NotificationId) -> [usize; DeliveryState::ALL.len()] {
        let entry = self.entries.get(&id);
        DeliveryState::ALL.map(|state| entry.map_or(0, |entry| count(&entry.counts, state)))
    }

    /// How far a device has got with a notification that is for it.
    #[must_use]
    pub fn state(&self, id: NotificationId, device: DeviceId) -> Option<DeliveryState> {
        let receipts = self.receipts(id);
        let position = position(receipts, device).ok()?;
        receipts.get(position).map(|receipt| receipt.state)
    }

    /// How far a device has got with a notification that is for it, as it is stored.
    #[must_use]
    pub fn delivery(&self, id: NotificationId, device: DeviceId) -> Option<Delivery> {
        let receipts = self.receipts(id);
        let position = position(receipts, device).ok()?;
        receipts.get(position).map(|receipt| receipt.delivery(id))
    }

    /// Durable notifications, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = NotificationId> {
        self.entries
            .iter()
            .rev()
            .filter(|(_, entry)| entry.durable)
            .map(|(id, _)| *id)
    }

    /// The heads of all notifications, oldest first.
    pub fn heads(&self) -> impl Iterator<Item = &Head> {
        self.entries.values().map(|entry| &entry.head)
    }

    /// The newest id ever entered and still kept.
    #[must_use]
    pub fn newest(&self) -> Option<NotificationId> {
        self.entries.last_key_value().map(|(id, _)| *id)
    }

    /// The one to forget when there are too many: the oldest nobody waits for, else the oldest of the lowest
    /// priority; never `spared`.
    #[must_use]
    pub fn least_wanted_but(&self, spared: NotificationId) -> Option<NotificationId> {
        let mut ranks = self.ranks.iter().map(|(_, id)| *id);
        ranks.find(|id| *id != spared)
    }

    /// A priority below which nothing waits.
    #[must_use]
    pub fn lowest_waiting(&self) -> Priority {
        let settled_last = (0, NotificationId(u128::MAX));
        let first = self.ranks.range(settled_last..).next();
        first
            .and_then(|(priority, _)| Priority::new(*priority))
            .unwrap_or_default()
    }

    /// Notifications kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes kept on disk, about: what senders wrote, and the receipts.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Deliveries that wait for their device.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Notifications that wait for their time.
    #[must_use]
    pub fn scheduled(&self) -> usize {
        self.scheduled
    }
}

fn position(receipts: &[Receipt], device: DeviceId) -> Result<usize, usize> {
    receipts.binary_search_by_key(&device, |known| known.device)
}

type Counts = [u32; DeliveryState::ALL.len()];

fn count(counts: &Counts, state: DeliveryState) -> usize {
    let count = counts.get(usize::from(state as u8)).copied();
    usize::try_from(count.unwrap_or_default()).unwrap_or(usize::MAX)
}

fn add(counts: &mut Counts, state: DeliveryState, number: usize) {
    if let Some(count) = counts.get_mut(usize::from(state as u8)) {
        *count = count.saturating_add(u32::try_from(number).unwrap_or(u32::MAX));
    }
}

fn remove(counts: &mut Counts, state: DeliveryState, number: u32) {
    if let Some(count) = counts.get_mut(usize::from(state as u8)) {
        *count = count.saturating_sub(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryState::{Acknowledged, Confirmed, Dropped, Expired, Queued, Sent, Withdrawn};

    const ID: NotificationId = NotificationId(7);
    const DEVICE: DeviceId = DeviceId(3);

    fn enter(ledger: &mut Ledger, id: u128, priority: u8) {
        let id = NotificationId(id);
        let priority = Priority::new(priority).unwrap();
        ledger.enter(
            Head {
                priority,
                ..Head::new(id)
            },
            false,
        );
        ledger.add_devices(id, &[DEVICE], 1);
        ledger.set_durable(id);
    }

    #[test]
    fn states_move_forward_only_and_final_ones_stay() {
        let moves = |from, to| {
            matches!(
                (from, to),
                (
                    Queued,
                    Sent | Acknowledged | Confirmed | Dropped | Expired | Withdrawn
                ) | (
                    Sent,
                    Acknowledged | Confirmed | Dropped | Expired | Withdrawn
                ) | (Acknowledged, Confirmed)
            )
        };
        for from in DeliveryState::ALL {
            for to in DeliveryState::ALL {
                let mut ledger = Ledger::default();
                enter(&mut ledger, ID.0, 3);
                ledger.mark(ID, DEVICE, from, 2);
                let moved = ledger.mark(ID, DEVICE, to, 3).is_some();
                assert_eq!(moved, moves(from, to), "{from:?} to {to:?}");
                let end = if moved { to } else { from };
                assert_eq!(ledger.state(ID, DEVICE), Some(end));
                assert_eq!(ledger.waiting(), usize::from(end.is_waiting()));
                assert_eq!(ledger.counts(ID).iter().sum::<usize>(), 1);
            }
        }
    }

    #[test]
    fn every_time_is_kept() {
        let mut ledger = Ledger::default();
        enter(&mut ledger, ID.0, 3);
        for (state, at) in [(Sent, 2), (Acknowledged, 3), (Confirmed, 4)] {
            ledger.mark(ID, DEVICE, state, at);
        }
        let receipt = ledger.receipts(ID)[0];
        let times = (
            receipt.queued,
            receipt.sent,
            receipt.acknowledged,
            receipt.at,
        );
        assert_eq!(times, (1, 2, 3, 4));
        assert_eq!(Receipt::from(&receipt.delivery(ID)), receipt);
        assert!(size_of::<Receipt>() <= 24);
    }

    #[test]
    fn settled_ones_are_forgotten_first_then_the_lowest_priority_then_the_oldest() {
        let mut ledger = Ledger::default();
        for (id, priority) in [(1, 3), (2, 1), (3, 5), (4, 1), (5, 3)] {
            enter(&mut ledger, id, priority);
        }
        ledger.mark(NotificationId(3), DEVICE, Acknowledged, 1);
        assert_eq!(ledger.lowest_waiting().number(), 1);
        let mut order = Vec::new();
        let spared = NotificationId(2);
        while let Some(id) = ledger.least_wanted_but(spared) {
            order.push(id.0);
            ledger.remove(id);
        }
        assert_eq!(order, [3, 4, 1, 5]);
        ledger.remove(spared);
        let left = (ledger.waiting(), ledger.bytes(), ledger.len());
        assert_eq!(left, (0, 0, 0));
    }

    #[test]
    fn other_devices_and_unknown_ids_are_left_alone() {
        let mut ledger = Ledger::default();
        enter(&mut ledger, ID.0, 3);
        assert_eq!(ledger.mark(ID, DeviceId(9), Acknowledged, 1), None);
        let unknown = NotificationId(1);
        assert_eq!(ledger.mark(unknown, DEVICE, Acknowledged, 1), None);
        assert_eq!(ledger.state(ID, DEVICE), Some(Queued));
    }
}
