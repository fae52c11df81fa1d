//! The gateway: every session, every account, every queue, behind one `handle`.

use std::rc::Rc;

use super::event::{Action, ConnId, Event};
use super::store::{Store, StoreError};
use super::views::{NotificationView, SessionView, Status, UserView};
use crate::config::Config;
use crate::time::{Instant, Now};

/// Fills a buffer with random bytes; the edge's comes from the operating system.
pub type Entropy = Box<dyn FnMut(&mut [u8])>;

/// Every session, every account and every queue.
///
/// After every [`handle`](Self::handle), drain [`poll_action`](Self::poll_action) until `None`, then wait
/// for an event or [`next_deadline`](Self::next_deadline).
#[doc(alias = "SessionManager")]
#[doc(alias = "NotificationManager")]
pub struct Gateway {}

impl Gateway {
    /// A gateway over what `store` holds.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(
        config: Rc<Config>,
        store: Box<dyn Store>,
        entropy: Entropy,
        now: Now,
    ) -> Result<Self, StoreError> {
        let _ = (config, store, entropy, now);
        Ok(Self {})
    }

    /// Takes in what happened.
    pub fn handle(&mut self, event: Event<'_>, now: Now) {
        let _ = (event, now);
    }

    /// The next thing to do, or `None`. The bytes of an [`Action::Send`] are appended to `out`.
    pub fn poll_action(&mut self, out: &mut Vec<u8>, now: Now) -> Option<Action> {
        let _ = (out, now);
        None
    }

    /// When [`Event::Tick`] is due, or `None` while nothing waits for time.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// Whether a connection waits for the disk: it must not be read until [`Action::Resume`].
    #[must_use]
    pub fn is_waiting(&self, conn: ConnId) -> bool {
        let _ = conn;
        false
    }

    /// Replaces the configuration; listeners and storage keep theirs until the next start.
    pub fn configure(&mut self, config: Rc<Config>) {
        let _ = config;
    }

    /// Figures of the whole gateway.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let _ = now;
        Status::default()
    }

    /// Users by name, `limit` of them from `skip` on; `online` keeps only those available, or only the others.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn users(
        &self,
        online: Option<bool>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<UserView>, StoreError> {
        let _ = (online, skip, limit);
        Ok(Vec::new())
    }

    /// Open connections, newest first.
    #[must_use]
    pub fn sessions(&self, limit: usize) -> Vec<SessionView> {
        let _ = limit;
        Vec::new()
    }

    /// Notifications, newest first, each with at most `devices` of its deliveries.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn notifications(
        &self,
        limit: usize,
        devices: usize,
    ) -> Result<Vec<NotificationView>, StoreError> {
        let _ = (limit, devices);
        Ok(Vec::new())
    }
}
