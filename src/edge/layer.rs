//! Writes on their way to the database as a layer of rows above it: the last write to each key counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::push::record::{self, Entry, Write};

/// Bytes of memory a row takes besides its key and value: two allocations and its share of the map.
const ROW_COST: usize = 96;

/// Writes to the database: prefixes cleared first, then the last write to each key, then what is merged into
/// rows of deliveries.
#[derive(Debug, Default)]
pub(super) struct Layer {
    cleared: BTreeSet<Vec<u8>>,
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// By key and device in the row.
    merges: BTreeMap<(Vec<u8>, u8), Entry>,
    since: Option<Instant>,
    cost: usize,
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
        let merges = self.merges.iter().map(|((key, _), entry)| Write::Merge {
            key: key.clone(),
            entry: *entry,
        });
        cleared.chain(rows).chain(merges)
    }

    /// Takes in writes.
    pub(super) fn apply(&mut self, writes: Vec<Write>, now: Instant) {
        self.since.get_or_insert(now);
        for write in writes {
            match write {
                Write::Put { key, value } => self.set(key, Some(value)),
                Write::Merge { key, entry } => self.merge(key, entry),
                Write::Delete(key) => self.set(key, None),
                Write::DeletePrefix(prefix) => self.clear(prefix),
            }
        }
    }

    fn merge(&mut self, key: Vec<u8>, entry: Entry) {
        let cost = row_cost(&key, Some(&entry));
        let device = record::device_of(entry);
        if let Some(Some(row)) = self.rows.get(&key) {
            let row = record::merged(&key, Some(row), entry);
            if self.merges.remove(&(key.clone(), device)).is_some() {
                self.cost -= cost;
            }
            return self.set(key, Some(row));
        }
        if self.merges.insert((key, device), entry).is_none() {
            self.cost += cost;
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
        let cleared = self
            .merges
            .extract_if((prefix.clone(), 0).., |(key, _), _| {
                key.starts_with(&prefix)
            });
        for ((key, _), entry) in cleared {
            self.cost -= row_cost(&key, Some(&entry));
        }
        let cost = row_cost(&prefix, None);
        if self.cleared.insert(prefix) {
            self.cost += cost;
        }
    }

    /// The keys that begin so and are written here.
    pub(super) fn keys_below(&self, prefix: &[u8]) -> impl Iterator<Item = &Vec<u8>> {
        let behind = self.rows.range(prefix.to_vec()..).map(|(key, _)| key);
        behind.take_while(move |key| key.starts_with(prefix))
    }

    /// Whether something is merged into a row whose key begins so.
    pub(super) fn has_merges(&self, prefix: &[u8]) -> bool {
        let behind = self.merges.range((prefix.to_vec(), 0)..);
        let mut keys = behind.map(|((key, _), _)| key);
        keys.next().is_some_and(|key| key.starts_with(prefix))
    }

    /// Takes in rows of that cost.
    pub(super) fn take(&mut self, rows: BTreeMap<Vec<u8>, Vec<u8>>, cost: usize) {
        self.cost += cost;
        let rows = rows.into_iter();
        self.rows
            .extend(rows.map(|(key, value)| (key, Some(value))));
    }

    /// A row as it will be: `None` if what lies below counts.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        if let Some(value) = self.rows.get(key) {
            return Some(value.clone());
        }
        let mut prefixes = (1..=key.len()).filter_map(|length| key.get(..length));
        let is_cleared =
            !self.cleared.is_empty() && prefixes.any(|prefix| self.cleared.contains(prefix));
        is_cleared.then_some(None)
    }

    /// Estimated memory.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// When the first of it came, or `None` if it is empty.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Puts another layer below this one.
    pub(super) fn put_below(&mut self, layer: &Self, now: Instant) {
        for ((key, device), entry) in &layer.merges {
            let is_newer = self.merges.contains_key(&(key.clone(), *device));
            if self.get(key).is_none() && !is_newer {
                self.merge(key.clone(), *entry);
            }
        }
        for (key, value) in &layer.rows {
            if self.get(key).is_none() {
                self.set(key.clone(), value.clone());
            }
        }
        self.cleared.extend(layer.cleared.iter().cloned());
        self.since = self.since.or(layer.since).or(Some(now));
    }
}

/// Estimated memory of a row.
pub(super) fn row_cost(key: &[u8], value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len) + ROW_COST
}
