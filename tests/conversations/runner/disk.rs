//! The disk under the gateway, at the mercy of the script.

use lanpush::push::store::{Account, Change, Row, Store, StoreError, Ticket, Urgency};
use lanpush::push::notification::{Notification, NotificationId};

use super::script::Disk;

pub(crate) struct TestDisk {}

struct Dummy;
impl Store for Dummy {
    fn load(&self, _visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> { Ok(()) }
    fn account(&self, _name: &str) -> Result<Option<Account>, StoreError> { Ok(None) }
    fn notification(&self, _id: NotificationId) -> Result<Option<Notification>, StoreError> { Ok(None) }
    fn submit(&mut self, _ticket: Ticket, _changes: Vec<Change>, _urgency: Urgency) {}
}

impl TestDisk {
    pub(crate) fn new() -> Self { Self {} }
    pub(crate) fn open(&mut self) -> Box<dyn Store> { Box::new(Dummy) }
    pub(crate) fn close(&mut self) {}
    pub(crate) fn cut_power(&mut self) {}
    pub(crate) fn next_outcome(&mut self) -> Option<(Ticket, Result<(), StoreError>)> { None }
    pub(crate) fn become_(&mut self, _disk: Disk) {}
}
