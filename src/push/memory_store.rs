//! The store that forgets: conversations and simulations run on it, hold it up, break it and cut its power.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::notification::{Notification, NotificationId};
use super::record::{self, BadRecord, Loader, Write};
use super::store::{
    Account, Change, Document, DocumentId, DocumentKind, Row, Store, StoreError, Ticket, Urgency,
};

/// Rows by key, in the form of [`record`].
pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A [`Store`] in memory. A clone is another handle on the same store: the gateway takes one, the test that
/// drives it keeps one, takes out the outcomes and feeds them in as [`crate::push::Event::Stored`].
///
/// A batch of either urgency is durable at once, unless the store [holds](Self::hold) batches back.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// What is durable.
    rows: Rows,
    /// Batches that are not, oldest first.
    held: VecDeque<(Ticket, Vec<Change>)>,
    holding: bool,
    /// Outcomes nobody has taken.
    stored: Vec<(Ticket, Result<(), StoreError>)>,
    /// What becomes of the batches to come.
    refusals: VecDeque<StoreError>,
    reads_fail: bool,
    damaged: Cell<u64>,
}

impl MemoryStore {
    /// An empty store that works.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The outcomes since the last call, in the order of their batches.
    #[must_use]
    pub fn take_stored(&self) -> Vec<(Ticket, Result<(), StoreError>)> {
        std::mem::take(&mut self.state.borrow_mut().stored)
    }

    /// Keeps the batches to come from becoming durable, until [`release`](Self::release).
    pub fn hold(&self) {
        self.state.borrow_mut().holding = true;
    }

    /// Makes the oldest batch held durable, or refuses it; false if none is held. Goes on holding.
    pub fn release_one(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let oldest = state.held.pop_front();
        let found = oldest.is_some();
        if let Some((ticket, changes)) = oldest {
            state.commit(ticket, &changes);
        }
        found
    }

    /// Makes everything held durable, in order, and stops holding.
    pub fn release(&self) {
        while self.release_one() {}
        self.state.borrow_mut().holding = false;
    }

    /// Refuses the next `count` batches whose turn comes.
    pub fn refuse(&self, count: usize, error: &StoreError) {
        let refusals = std::iter::repeat_n(error.clone(), count);
        self.state.borrow_mut().refusals.extend(refusals);
    }

    /// Lets every read fail, or work again.
    pub fn fail_reads(&self, fail: bool) {
        self.state.borrow_mut().reads_fail = fail;
    }

    /// The process is gone: what is not durable and every outcome nobody took are lost, and the store works
    /// again. Give a clone to the next gateway.
    pub fn cut_power(&self) {
        let mut state = self.state.borrow_mut();
        *state = State {
            rows: std::mem::take(&mut state.rows),
            ..State::default()
        };
    }

    /// Shows the durable rows to `edit`, which may damage them.
    pub fn edit(&self, edit: impl FnOnce(&mut Rows)) {
        edit(&mut self.state.borrow_mut().rows);
    }

    /// Records found damaged since the power was last cut, each time they were met.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.state.borrow().damaged.get()
    }
}

impl Store for MemoryStore {
    fn load(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        let state = self.state.borrow();
        let rows = state.readable()?;
        let mut keep = |read: Result<Row, BadRecord>| {
            if let Some(row) = state.whole(Some(read)) {
                visit(row);
            }
        };
        let mut loader = Loader::default();
        for (key, value) in rows.range(..record::END_OF_LOADED.to_vec()) {
            loader.row(key, value, &mut keep);
        }
        loader.finish(&mut keep);
        Ok(())
    }

    fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let state = self.state.borrow();
        let read = record::read_account(name, |key| state.get(key))?;
        Ok(state.whole(read))
    }

    fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        let state = self.state.borrow();
        let read = record::read_notification(id, |key| state.get(key))?;
        Ok(state.whole(read))
    }

    fn document(&self, id: &DocumentId) -> Result<Option<String>, StoreError> {
        let state = self.state.borrow();
        let read = record::read_document(id, |key| state.get(key))?;
        Ok(state.whole(read).map(|document| document.text))
    }

    fn documents(&self, owner: &str, kind: DocumentKind) -> Result<Vec<Document>, StoreError> {
        let state = self.state.borrow();
        let rows = state.readable()?;
        let Some(prefix) = record::documents_prefix(owner, kind) else {
            return Ok(Vec::new());
        };
        let own = rows.range(prefix.clone()..);
        let own = own.take_while(|(key, _)| key.starts_with(&prefix));
        let read = record::documents(own);
        Ok(read
            .into_iter()
            .filter_map(|read| state.whole(Some(read)))
            .collect())
    }

    fn submit(&mut self, ticket: Ticket, changes: Vec<Change>, _: Urgency) {
        let mut state = self.state.borrow_mut();
        if state.holding {
            state.held.push_back((ticket, changes));
        } else {
            state.commit(ticket, &changes);
        }
    }
}

impl State {
    fn commit(&mut self, ticket: Ticket, changes: &[Change]) {
        let outcome = match self.refusals.pop_front() {
            Some(error) => Err(error),
            None => self.apply(changes),
        };
        self.stored.push((ticket, outcome));
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut list = Vec::new();
        for change in changes {
            record::writes(change, &mut list).map_err(|why| StoreError::Failed(why.to_string()))?;
        }
        for write in list {
            match write {
                Write::Put { key, value } => {
                    self.rows.insert(key, value);
                }
                Write::Merge { key, entry } => {
                    let old = self.rows.get(&key).map(Vec::as_slice);
                    let value = record::merged(&key, old, entry);
                    self.rows.insert(key, value);
                }
                Write::Delete(key) => {
                    self.rows.remove(&key);
                }
                Write::DeletePrefix(prefix) => {
                    let below = self.rows.range(prefix.clone()..).map(|(key, _)| key);
                    let below = below.take_while(|key| key.starts_with(&prefix));
                    for key in below.cloned().collect::<Vec<_>>() {
                        self.rows.remove(&key);
                    }
                }
            }
        }
        Ok(())
    }

    fn readable(&self) -> Result<&Rows, StoreError> {
        if self.reads_fail {
            return Err(StoreError::Failed("reads fail".into()));
        }
        Ok(&self.rows)
    }

    fn get(&self, key: &[u8]) -> Result<Option<&Vec<u8>>, StoreError> {
        Ok(self.readable()?.get(key))
    }

    /// The record, if it is there and whole.
    fn whole<T>(&self, record: Option<Result<T, BadRecord>>) -> Option<T> {
        let skip = |bad: &BadRecord| {
            log::warn!("store: skipped: {bad}");
            self.damaged.set(self.damaged.get() + 1);
        };
        record?.inspect_err(skip).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> Change {
        Change::PutAccount(Account {
            name: name.into(),
            ..Account::default()
        })
    }

    fn names(store: &MemoryStore) -> Vec<String> {
        let mut names = Vec::new();
        store
            .load(&mut |row| match row {
                Row::Account(account) => names.push(account.name),
                other => panic!("{other:?}"),
            })
            .unwrap();
        names
    }

    #[test]
    fn held_batches_are_neither_seen_nor_told_nor_kept() {
        let store = MemoryStore::new();
        let mut gateway = store.clone();
        gateway.submit(Ticket(1), vec![account("ann")], Urgency::Now);
        store.hold();
        gateway.submit(Ticket(2), vec![account("ben")], Urgency::Now);
        gateway.submit(Ticket(3), vec![account("cat")], Urgency::Soon);
        assert_eq!(store.take_stored(), [(Ticket(1), Ok(()))]);
        assert_eq!(gateway.account("ben"), Ok(None));

        assert!(store.release_one());
        assert_eq!(store.take_stored(), [(Ticket(2), Ok(()))]);
        assert_eq!(names(&store), ["ann", "ben"]);

        store.cut_power();
        assert!(!store.release_one());
        assert_eq!(store.take_stored(), []);
        assert_eq!(names(&store), ["ann", "ben"]);
        gateway.submit(Ticket(1), vec![account("dan")], Urgency::Now);
        assert_eq!(names(&store), ["ann", "ben", "dan"]);
    }

    #[test]
    fn release_keeps_the_order_and_ends_the_hold() {
        let store = MemoryStore::new();
        let mut gateway = store.clone();
        store.hold();
        store.refuse(1, &StoreError::Full);
        for (ticket, name) in [(1, "ann"), (2, "ben")] {
            gateway.submit(Ticket(ticket), vec![account(name)], Urgency::Now);
        }
        store.release();
        gateway.submit(Ticket(3), vec![account("cat")], Urgency::Now);
        let outcomes = [Err(StoreError::Full), Ok(()), Ok(())];
        let tickets = (1..).map(Ticket);
        assert_eq!(
            store.take_stored(),
            tickets.zip(outcomes).collect::<Vec<_>>()
        );
        assert_eq!(names(&store), ["ben", "cat"]);
    }

    #[test]
    fn reads_fail_and_work_again() {
        let store = MemoryStore::new();
        store.fail_reads(true);
        let failed = StoreError::Failed("reads fail".into());
        assert_eq!(store.account("ann"), Err(failed.clone()));
        assert_eq!(store.notification(NotificationId(1)), Err(failed.clone()));
        assert_eq!(store.load(&mut |_| ()), Err(failed));
        store.fail_reads(false);
        assert_eq!(store.account("ann"), Ok(None));
    }
}
