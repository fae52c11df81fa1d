//! The disk under the gateway, at the mercy of the script.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use lanpush::push::memory_store::MemoryStore;
use lanpush::push::notification::{Notification, NotificationId};
use lanpush::push::store::{
    Account, Change, Document, DocumentId, DocumentKind, Row, Store, StoreError, Ticket, Urgency,
};

use super::script::Disk;

pub(crate) struct TestDisk {
    store: MemoryStore,
    refuses: Rc<Cell<Option<Disk>>>,
    outcomes: VecDeque<(Ticket, Result<(), StoreError>)>,
}

/// What the gateway gets: the store, with a refusal laid in front of each batch while the disk refuses.
struct Refusing {
    store: MemoryStore,
    refuses: Rc<Cell<Option<Disk>>>,
}

impl TestDisk {
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            refuses: Rc::new(Cell::new(None)),
            outcomes: VecDeque::new(),
        }
    }

    /// The store as a server that starts finds it.
    pub(crate) fn open(&self) -> Box<dyn Store> {
        Box::new(Refusing {
            store: self.store.clone(),
            refuses: Rc::clone(&self.refuses),
        })
    }

    /// What is not durable is gone, and so is every outcome nobody heard of.
    pub(crate) fn cut_power(&mut self) {
        self.store.cut_power();
        self.outcomes.clear();
    }

    /// The next outcome the server has to hear of.
    pub(crate) fn next_outcome(&mut self) -> Option<(Ticket, Result<(), StoreError>)> {
        self.outcomes.extend(self.store.take_stored());
        self.outcomes.pop_front()
    }

    /// `disk …`
    pub(crate) fn set(&mut self, disk: Disk) {
        match disk {
            Disk::Full | Disk::Broken => self.refuses.set(Some(disk)),
            Disk::Unreadable => self.store.fail_reads(true),
            Disk::Works => {
                self.refuses.set(None);
                self.store.fail_reads(false);
            }
            Disk::Held => self.store.hold(),
            Disk::Released => self.store.release(),
        }
    }
}

impl Store for Refusing {
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
        match self.refuses.get() {
            Some(Disk::Full) => self.store.refuse(1, &StoreError::Full),
            Some(_) => {
                let why = StoreError::Failed("the script says so".to_owned());
                self.store.refuse(1, &why);
            }
            None => {}
        }
        self.store.submit(ticket, changes, urgency);
    }
}
