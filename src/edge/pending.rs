//! What a relaxed store has accepted and not yet written: changes that cancel each other never reach the disk.
//!
//! A notification stays apart with its deliveries until it is written, so that it is not written at all when
//! every device has settled it first; then it lives on in memory, for the history. Everything else is a layer
//! of rows above the database's: the last write to each key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::limits;
use crate::push::notification::NotificationId;
use crate::push::record::{self, Unstorable, Write};
use crate::push::store::{Change, DeviceId};

/// Bytes of memory a row takes besides its key and value: two allocations and its share of the map.
const ROW_COST: usize = 96;

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

/// Writes to the database: prefixes cleared first, then the last write to each key.
#[derive(Debug, Default)]
pub(super) struct Layer {
    cleared: BTreeSet<Vec<u8>>,
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    since: Option<Instant>,
    cost: usize,
}

/// A notification the disk has never seen.
#[derive(Debug)]
struct Young {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Devices that have yet to settle it.
    devices: BTreeSet<DeviceId>,
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
                let stored = self.layer_row(&key).unwrap_or_else(|| is_stored(&key));
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
                if delivery.state.is_waiting() {
                    young.devices.insert(delivery.device);
                } else {
                    young.devices.remove(&delivery.device);
                }
                young.put(writes);
                Some(id)
            }
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

    fn put_young(&mut self, id: NotificationId, writes: Vec<Write>, joined: bool, now: Instant) {
        if let Some(young) = self.young(id) {
            young.put(writes);
            young.joined |= joined;
            return;
        }
        let mut young = Young {
            rows: BTreeMap::new(),
            devices: BTreeSet::new(),
            joined,
            since: now,
            cost: 0,
        };
        young.put(writes);
        self.waiting.insert(id, young);
    }

    fn young(&mut self, id: NotificationId) -> Option<&mut Young> {
        match self.waiting.get_mut(&id) {
            None => self.settled.get_mut(&id),
            waiting => waiting,
        }
    }

    /// Puts a notification where it belongs after it has changed.
    fn settle(&mut self, id: NotificationId) {
        let settled = self.remove_settled(id);
        let Some(young) = settled.or_else(|| self.waiting.remove(&id)) else {
            return;
        };
        if !young.devices.is_empty() {
            self.waiting.insert(id, young);
            return;
        }
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
        let writing = self.writing.as_ref().map_or(0, |layer| layer.cost);
        self.layer.cost + writing + young
    }

    /// When something has to be written.
    pub(super) fn due(&self) -> Option<Instant> {
        let young = self.waiting.values().map(|young| young.since);
        let first = young.chain(self.layer.since).min()?;
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
            layer.take(young);
        }
        if extent == Extent::Everything {
            self.settled_cost = 0;
            for young in std::mem::take(&mut self.settled).into_values() {
                layer.take(young);
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
        for (key, value) in &layer.rows {
            if self.layer.get(key).is_none() {
                self.layer.set(key.clone(), value.clone());
            }
        }
        self.layer.cleared.extend(layer.cleared.iter().cloned());
        self.layer.since = self.layer.since.or(layer.since).or(Some(now));
    }
}

impl Layer {
    /// The writes it is made of, in an order that gives the same rows.
    pub(super) fn writes(&self) -> impl Iterator<Item = Write> {
        let cleared = self.cleared.iter().cloned().map(Write::DeletePrefix);
        let rows = self.rows.iter().map(|(key, value)| match value {
            Some(value) => Write::Put {
                key: key.clone(),
                value: value.clone(),
            },
            None => Write::Delete(key.clone()),
        });
        cleared.chain(rows)
    }

    fn apply(&mut self, writes: Vec<Write>, now: Instant) {
        self.since.get_or_insert(now);
        for write in writes {
            match write {
                Write::Put { key, value } => self.set(key, Some(value)),
                Write::Delete(key) => self.set(key, None),
                Write::DeletePrefix(prefix) => self.clear(prefix),
            }
        }
    }

    fn set(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.cost += row_cost(&key, value.as_deref());
        let length = key.len();
        if let Some(old) = self.rows.insert(key, value) {
            self.cost -= length + old.map_or(0, |old| old.len()) + ROW_COST;
        }
    }

    fn clear(&mut self, prefix: Vec<u8>) {
        let behind = self.rows.range(prefix.clone()..);
        let keys = behind.map(|(key, _)| key);
        let gone: Vec<Vec<u8>> = keys
            .take_while(|key| key.starts_with(&prefix))
            .cloned()
            .collect();
        for key in gone {
            if let Some((key, value)) = self.rows.remove_entry(&key) {
                self.cost -= row_cost(&key, value.as_deref());
            }
        }
        let cost = row_cost(&prefix, None);
        if self.cleared.insert(prefix) {
            self.cost += cost;
        }
    }

    fn take(&mut self, young: Young) {
        self.cost += young.cost;
        let rows = young.rows.into_iter();
        self.rows
            .extend(rows.map(|(key, value)| (key, Some(value))));
    }

    fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        if let Some(value) = self.rows.get(key) {
            return Some(value.clone());
        }
        let mut prefixes = (1..=key.len()).filter_map(|length| key.get(..length));
        let is_cleared =
            !self.cleared.is_empty() && prefixes.any(|prefix| self.cleared.contains(prefix));
        is_cleared.then_some(None)
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

fn row_cost(key: &[u8], value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len) + ROW_COST
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
        _ => true,
    })
}
