//! What a relaxed store has accepted and not yet written: changes that cancel each other never reach the disk.
//!
//! A notification stays apart with its deliveries until it is written, so that it is not written at all when
//! every device has settled it first; then it lives on in memory, for the history. Everything else is a layer
//! of rows above the database's: the last write to each key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::layer::{Layer, row_cost};
use crate::limits;
use crate::push::notification::NotificationId;
use crate::push::record::{self, Unstorable, Write};
use crate::push::store::{Change, DeviceId};

/// Accepted changes on their way to the disk.
#[derive(Debug)]
pub(super) struct Pending {
    /// How long a change may stay here.
    delay: Duration,
    layer: Layer,
    /// Notifications that are not on disk and that some device has yet to settle.
    waiting: BTreeMap<NotificationId, Young>,
    /// Notifications that are not on disk and never will be.
    settled: BTreeMap<NotificationId, Young>,
    settled_cost: usize,
    /// Those of `settled` that memory had no room for: their receipts belong to nothing.
    forgotten: BTreeSet<NotificationId>,
    /// What is being written at this moment; still read from here.
    writing: Option<Arc<Layer>>,
}

/// A notification the disk has never seen.
#[derive(Debug)]
struct Young {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Devices that have yet to settle it.
    devices: BTreeSet<DeviceId>,
    /// It has been for a device: one that is scheduled is for nobody until its time comes.
    addressed: bool,
    /// Its batch changed other things too, which must not reach the disk without it.
    joined: bool,
    since: Instant,
    cost: usize,
}

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What is old enough, and what would be within half the delay: commits stay that far apart.
    Due,
    /// All but notifications that are settled.
    Unsettled,
    /// All.
    Everything,
}

impl Pending {
    /// Nothing yet; a change stays here for at most `delay`.
    pub(super) fn new(delay: Duration) -> Self {
        Self {
            delay,
            layer: Layer::default(),
            waiting: BTreeMap::new(),
            settled: BTreeMap::new(),
            settled_cost: 0,
            forgotten: BTreeSet::new(),
            writing: None,
        }
    }

    /// Replaces the delay, also for what is here.
    pub(super) fn set_delay(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// Takes a batch in. `is_stored` tells whether the database has a row of that key.
    ///
    /// # Errors
    /// [`Unstorable`]; then nothing of the batch is taken.
    pub(super) fn add(
        &mut self,
        changes: &[Change],
        now: Instant,
        is_stored: impl Fn(&[u8]) -> bool,
    ) -> Result<(), Unstorable> {
        let mut batch = Vec::with_capacity(changes.len());
        for change in changes {
            let mut writes = Vec::new();
            record::writes(change, &mut writes)?;
            batch.push(writes);
        }
        let joined = is_joined(changes);
        let mut touched = BTreeSet::new();
        for (change, writes) in changes.iter().zip(batch) {
            touched.extend(self.apply(change, writes, joined, now, &is_stored));
        }
        for id in touched {
            self.settle(id);
        }
        Ok(())
    }

    /// Applies a change; gives the notification it is about, if that is not on disk.
    fn apply(
        &mut self,
        change: &Change,
        writes: Vec<Write>,
        joined: bool,
        now: Instant,
        is_stored: &impl Fn(&[u8]) -> bool,
    ) -> Option<NotificationId> {
        match change {
            Change::PutNotification(notification) => {
                let id = notification.id;
                self.forgotten.remove(&id);
                let key = record::existence_key(id);
                let stored = self.layer.has_merges(&record::deliveries_prefix(id))
                    || self.layer_row(&key).unwrap_or_else(|| is_stored(&key));
                if self.young(id).is_none() && stored {
                    self.layer.apply(writes, now);
                    return None;
                }
                self.put_young(id, writes, joined, now);
                Some(id)
            }
            Change::PutDelivery(delivery) => {
                let id = delivery.notification;
                if self.forgotten.contains(&id) {
                    return None;
                }
                let Some(young) = self.young(id) else {
                    self.layer.apply(writes, now);
                    return None;
                };
                young.addressed = true;
                if delivery.state.is_waiting() {
                    young.devices.insert(delivery.device);
                } else {
                    young.devices.remove(&delivery.device);
                }
                young.put(writes);
                Some(id)
            }
            Change::PutHead(head) => self.put_head(head.id, writes, now),
            Change::DeleteNotification(id) => {
                self.waiting.remove(id);
                self.remove_settled(*id);
                if !self.forgotten.remove(id) {
                    self.layer.apply(writes, now);
                }
                None
            }
            _ => {
                self.layer.apply(writes, now);
                None
            }
        }
    }

    fn put_head(
        &mut self,
        id: NotificationId,
        writes: Vec<Write>,
        now: Instant,
    ) -> Option<NotificationId> {
        if self.forgotten.contains(&id) {
            return None;
        }
        let Some(young) = self.young(id) else {
            self.layer.apply(writes, now);
            return None;
        };
        young.put(writes);
        Some(id)
    }

    fn put_young(&mut self, id: NotificationId, writes: Vec<Write>, joined: bool, now: Instant) {
        if let Some(young) = self.young(id) {
            young.put(writes);
            young.joined |= joined;
            return;
        }
        let mut young = Young {
            rows: BTreeMap::new(),
            devices: BTreeSet::new(),
            addressed: false,
            joined,
            since: now,
            cost: 0,
        };
        young.put(writes);
        self.waiting.insert(id, young);
    }

    /// A notification that is not on disk, to be changed and then [settled](Self::settle).
    fn young(&mut self, id: NotificationId) -> Option<&mut Young> {
        if let Some(young) = self.remove_settled(id) {
            self.waiting.insert(id, young);
        }
        self.waiting.get_mut(&id)
    }

    /// Puts a notification where it belongs after it has changed.
    fn settle(&mut self, id: NotificationId) {
        let is_settled = |young: &Young| young.addressed && young.devices.is_empty();
        if !self.waiting.get(&id).is_some_and(is_settled) {
            return;
        }
        let Some(young) = self.waiting.remove(&id) else {
            return;
        };
        self.settled_cost += young.cost;
        self.settled.insert(id, young);
        while self.settled_cost > limits::UNWRITTEN_HISTORY
            && let Some(oldest) = self.settled.keys().next().copied()
        {
            self.remove_settled(oldest);
            self.forgotten.insert(oldest);
        }
    }

    fn remove_settled(&mut self, id: NotificationId) -> Option<Young> {
        let young = self.settled.remove(&id)?;
        self.settled_cost -= young.cost;
        Some(young)
    }

    /// A row as it will be: `None` if the database's own counts.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let id = record::notification_of(key);
        let young = id.and_then(|id| self.waiting.get(&id).or_else(|| self.settled.get(&id)));
        if let Some(young) = young {
            return Some(young.rows.get(key).cloned());
        }
        if id.is_some_and(|id| self.forgotten.contains(&id)) {
            return Some(None);
        }
        let layers = [Some(&self.layer), self.writing.as_deref()];
        layers
            .into_iter()
            .flatten()
            .find_map(|layer| layer.get(key))
    }

    /// Adds the rows whose keys begin with `prefix`, but for those of notifications. What is there already is
    /// of the database, and this says nothing of it.
    pub(super) fn put_below(&self, prefix: &[u8], rows: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
        let layers = [self.writing.as_deref(), Some(&self.layer)];
        for layer in layers.into_iter().flatten() {
            for key in layer.keys_below(prefix) {
                if let Some(Some(value)) = self.get(key) {
                    rows.insert(key.clone(), value);
                }
            }
        }
    }

    /// Whether the layers have a row of that key; `None` if they say nothing of it.
    fn layer_row(&self, key: &[u8]) -> Option<bool> {
        let layers = [Some(&self.layer), self.writing.as_deref()];
        let row = layers
            .into_iter()
            .flatten()
            .find_map(|layer| layer.get(key));
        row.map(|row| row.is_some())
    }

    /// Estimated memory of what is to be written.
    pub(super) fn cost(&self) -> usize {
        let young: usize = self.waiting.values().map(|young| young.cost).sum();
        let writing = self.writing.as_ref().map_or(0, |layer| layer.cost());
        self.layer.cost() + writing + young
    }

    /// When something has to be written.
    pub(super) fn due(&self) -> Option<Instant> {
        let young = self.waiting.values().map(|young| young.since);
        let first = young.chain(self.layer.since()).min()?;
        Some(first + self.delay)
    }

    /// Begins to write: what is given is read from here until [`written`](Self::written) or
    /// [`put_back`](Self::put_back).
    pub(super) fn begin(&mut self, extent: Extent, now: Instant) -> Arc<Layer> {
        if extent == Extent::Due && self.due().is_none_or(|due| due > now) {
            return Arc::default();
        }
        let young_enough = self.delay / 2;
        let mut layer = std::mem::take(&mut self.layer);
        let stays = |young: &Young| {
            extent == Extent::Due
                && !young.joined
                && now.saturating_duration_since(young.since) < young_enough
        };
        let written = self.waiting.extract_if(.., |_, young| !stays(young));
        for (_, young) in written {
            layer.take(young.rows, young.cost);
        }
        if extent == Extent::Everything {
            self.settled_cost = 0;
            for young in std::mem::take(&mut self.settled).into_values() {
                layer.take(young.rows, young.cost);
            }
        }
        let layer = Arc::new(layer);
        self.writing = Some(Arc::clone(&layer));
        layer
    }

    /// What [`begin`](Self::begin) gave is on disk.
    pub(super) fn written(&mut self) {
        self.writing = None;
    }

    /// What [`begin`](Self::begin) gave is not on disk: it waits below what has come since.
    pub(super) fn put_back(&mut self, now: Instant) {
        let Some(layer) = self.writing.take() else {
            return;
        };
        self.layer.put_below(&layer, now);
    }
}

impl Young {
    fn put(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Put { key, value } => {
                    self.remove(&key);
                    self.cost += row_cost(&key, Some(&value));
                    self.rows.insert(key, value);
                }
                Write::Merge { key, entry } => {
                    let row = record::merged(&key, self.rows.get(&key).map(Vec::as_slice), entry);
                    self.remove(&key);
                    self.cost += row_cost(&key, Some(&row));
                    self.rows.insert(key, row);
                }
                Write::Delete(key) => self.remove(&key),
                Write::DeletePrefix(prefix) => {
                    let keys = self.rows.range(prefix.clone()..).map(|(key, _)| key);
                    let gone = keys.take_while(|key| key.starts_with(&prefix)).cloned();
                    for key in gone.collect::<Vec<_>>() {
                        self.remove(&key);
                    }
                }
            }
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(value) = self.rows.remove(key) {
            self.cost -= row_cost(key, Some(&value));
        }
    }
}

/// Whether a batch that puts a notification changes more than it and its deliveries.
fn is_joined(changes: &[Change]) -> bool {
    let put = changes.iter().find_map(|change| match change {
        Change::PutNotification(notification) => Some(notification.id),
        _ => None,
    });
    changes.iter().any(|change| match change {
        Change::PutNotification(notification) => Some(notification.id) != put,
        Change::PutDelivery(delivery) => Some(delivery.notification) != put,
        Change::PutHead(head) => Some(head.id) != put,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::head::Head;
    use crate::push::notification::{DeliveryState, Extras, Notification, Target};
    use crate::push::store::{Account, Delivery};

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

    fn apply(rows: &mut Rows, writes: impl IntoIterator<Item = Write>) {
        for write in writes {
            match write {
                Write::Put { key, value } => drop(rows.insert(key, value)),
                Write::Merge { key, entry } => {
                    let row = record::merged(&key, rows.get(&key).map(Vec::as_slice), entry);
                    rows.insert(key, row);
                }
                Write::Delete(key) => drop(rows.remove(&key)),
                Write::DeletePrefix(prefix) => rows.retain(|key, _| !key.starts_with(&prefix)),
            }
        }
    }

    fn put(id: u128, length: usize) -> Change {
        Change::PutNotification(Notification {
            id: NotificationId(id),
            target: Target::Everyone,
            title: String::new(),
            message: "m".repeat(length),
            uri: String::new(),
            extras: Extras::default(),
        })
    }

    fn head(id: u128, begun: u32) -> Change {
        Change::PutHead(Head {
            begun,
            ..Head::new(NotificationId(id))
        })
    }

    fn reached(id: u128, device: u32, state: DeliveryState) -> Change {
        Change::PutDelivery(Delivery {
            notification: NotificationId(id),
            device: DeviceId(device),
            state,
            at: 1,
            queued: 1,
            sent: 0,
            acknowledged: 0,
        })
    }

    fn account(name: u64, length: usize) -> Change {
        Change::PutAccount(Account {
            name: format!("user{name}"),
            email: "e".repeat(length),
            ..Account::default()
        })
    }

    /// Numbers that look random and are the same each time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 33) % bound
        }

        fn change(&mut self) -> Change {
            let id = u128::from(self.below(5));
            let length = usize::try_from(self.below(1200)).unwrap();
            let device = u32::try_from(self.below(20)).unwrap();
            let state = [DeliveryState::Queued, DeliveryState::Acknowledged];
            match self.below(12) {
                0 | 1 => put(id, length),
                2..=6 => reached(id, device, state[usize::try_from(self.below(2)).unwrap()]),
                7 => Change::DeleteNotification(NotificationId(id)),
                8 => Change::DeleteAccount(format!("user{}", self.below(3))),
                9 => head(id, device),
                _ => account(self.below(3), length),
            }
        }
    }

    /// Whatever is written when, and whatever fails, what is read is what was put, and so is what the disk
    /// has in the end.
    #[test]
    fn it_reads_and_writes_what_was_put() {
        for seed in 0..300 {
            let mut random = Random(seed);
            let mut now = Instant::now();
            let mut pending = Pending::new(Duration::from_secs(30));
            let (mut disk, mut want) = (Rows::new(), Rows::new());
            for step in 0..60 {
                let mut changes = Vec::new();
                for _ in 0..=random.below(4) {
                    let change = random.change();
                    // Nothing is said of a notification that does not exist.
                    let about = match &change {
                        Change::PutDelivery(delivery) => Some(delivery.notification),
                        Change::PutHead(head) => Some(head.id),
                        _ => None,
                    };
                    if about.is_some_and(|id| !want.contains_key(&record::existence_key(id))) {
                        continue;
                    }
                    let mut writes = Vec::new();
                    record::writes(&change, &mut writes).unwrap();
                    apply(&mut want, writes);
                    changes.push(change);
                }
                let taken = pending.add(&changes, now, |key| disk.contains_key(key));
                assert_eq!(taken, Ok(()));
                now += Duration::from_secs(random.below(15));
                if pending.writing.is_some() {
                    if random.below(3) == 0 {
                        pending.put_back(now);
                    } else {
                        let layer = pending.writing.clone().unwrap();
                        apply(&mut disk, layer.writes());
                        pending.written();
                    }
                } else if random.below(4) == 0 {
                    pending.begin(Extent::Due, now);
                }
                // Rows of deliveries are read at start only.
                for key in want.keys().chain(disk.keys()).filter(|key| key[0] != 4) {
                    let row = pending.get(key).unwrap_or_else(|| disk.get(key).cloned());
                    assert_eq!(row.as_ref(), want.get(key), "seed {seed}, step {step}");
                }
            }
            pending.put_back(now);
            let layer = pending.begin(Extent::Everything, now);
            apply(&mut disk, layer.writes());
            pending.written();
            for key in want.keys().chain(disk.keys()) {
                assert_eq!(disk.get(key), want.get(key), "seed {seed}, row {key:?}");
            }
            assert_eq!((pending.cost(), pending.due()), (0, None), "seed {seed}");
        }
    }

    #[test]
    fn what_cancels_itself_is_not_written() {
        let (queued, acknowledged) = (DeliveryState::Queued, DeliveryState::Acknowledged);
        let delay = Duration::from_secs(30);
        let start = Instant::now();
        for (name, changes, written) in [
            (
                "settled",
                vec![
                    put(1, 9),
                    reached(1, 2, queued),
                    reached(1, 2, acknowledged),
                ],
                0,
            ),
            ("for nobody yet", vec![put(1, 9)], 2),
            (
                "one of two",
                vec![
                    put(1, 9),
                    reached(1, 2, queued),
                    reached(1, 3, acknowledged),
                ],
                3,
            ),
            (
                "deleted",
                vec![
                    put(1, 9),
                    reached(1, 2, queued),
                    Change::DeleteNotification(NotificationId(1)),
                ],
                0,
            ),
            ("twice the same", vec![account(1, 5), account(1, 6)], 1),
        ] {
            let mut pending = Pending::new(delay);
            for change in changes {
                pending.add(&[change], start, |_| false).unwrap();
            }
            let soon = pending.begin(Extent::Due, start + delay / 2);
            assert_eq!(soon.writes().count(), 0, "{name}");
            let layer = pending.begin(Extent::Due, start + delay);
            let puts = layer.writes();
            let puts =
                puts.filter(|write| matches!(write, Write::Put { .. } | Write::Merge { .. }));
            assert_eq!(puts.count(), written, "{name}");
            pending.written();
            assert_eq!(pending.due(), None, "{name}");
        }
    }

    #[test]
    fn commits_stay_half_a_delay_apart() {
        let delay = Duration::from_secs(30);
        let start = Instant::now();
        let mut pending = Pending::new(delay);
        for second in 0..30 {
            let id = u128::from(second);
            let now = start + Duration::from_secs(second);
            let batch = [put(id, 9), reached(id, 1, DeliveryState::Queued)];
            pending.add(&batch, now, |_| false).unwrap();
        }
        let due = pending.due().unwrap();
        assert_eq!(due, start + delay);
        pending.begin(Extent::Due, due);
        pending.written();
        assert_eq!(pending.waiting.len(), 14);
        assert_eq!(pending.due(), Some(start + Duration::from_secs(16) + delay));
    }

    #[test]
    fn a_refused_batch_leaves_nothing() {
        let mut pending = Pending::new(Duration::from_secs(30));
        let nameless = Change::PutAccount(Account::default());
        let taken = pending.add(&[put(1, 9), nameless], Instant::now(), |_| false);
        assert!(taken.is_err());
        assert_eq!((pending.cost(), pending.due()), (0, None));
        assert!(pending.settled.is_empty());
    }
}
