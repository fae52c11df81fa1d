//! Batches on their way to the disk, and who waits for each: nothing is acknowledged before it is durable.

use std::collections::BTreeMap;

use super::event::{AskId, ConnId};
use super::notification::NotificationId;
use super::store::{Account, DeviceId, Ticket};
use crate::limits;

/// What takes effect when a batch is durable.
#[derive(Debug)]
pub enum Then {
    /// The account exists, with this first device.
    Registered {
        /// The account.
        account: Account,
        /// The device that waits for its first resource.
        device: DeviceId,
    },
    /// The account has these labels.
    Changed {
        /// The account.
        account: Account,
    },
    /// The account is gone.
    Removed {
        /// Local part.
        user: String,
    },
    /// The notification may be sent.
    Notified {
        /// The notification.
        id: NotificationId,
    },
    /// Nothing: receipts and housekeeping.
    Nothing,
}

/// Who waits for a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// An XMPP request.
    Conn(ConnId),
    /// A request of a sender or an administrator.
    Ask(AskId),
    /// Nobody, or whoever waited is gone.
    Nobody,
}

/// A batch on its way.
#[derive(Debug)]
pub struct Commit {
    /// What takes effect.
    pub then: Then,
    /// Who waits.
    pub waiter: Waiter,
}

/// All batches on their way, in the order in which they were submitted.
#[derive(Debug, Default)]
pub struct Commits {
    pending: BTreeMap<Ticket, Commit>,
    newest: u64,
}

impl Commits {
    /// Notes a batch and gives it its ticket.
    pub fn add(&mut self, then: Then, waiter: Waiter) -> Ticket {
        self.newest += 1;
        let ticket = Ticket(self.newest);
        self.pending.insert(ticket, Commit { then, waiter });
        ticket
    }

    /// A batch that has come back.
    pub fn take(&mut self, ticket: Ticket) -> Option<Commit> {
        self.pending.remove(&ticket)
    }

    /// Whether so many requests wait that new ones are refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pending.len() >= limits::WAITING_COMMITS
    }

    /// The connection is gone; its number may soon mean another one.
    pub fn forget(&mut self, conn: ConnId) {
        for commit in self.pending.values_mut() {
            if commit.waiter == Waiter::Conn(conn) {
                commit.waiter = Waiter::Nobody;
            }
        }
    }

    /// A registration of that name on its way.
    #[must_use]
    pub fn registering(&self, name: &str) -> Option<(&Account, DeviceId)> {
        self.pending.values().find_map(|commit| match &commit.then {
            Then::Registered { account, device } if account.name == name => {
                Some((account, *device))
            }
            _ => None,
        })
    }

    /// Whether a change of that account is on its way.
    #[must_use]
    pub fn touches(&self, name: &str) -> bool {
        self.pending.values().any(|commit| match &commit.then {
            Then::Registered { account, .. } | Then::Changed { account } => account.name == name,
            Then::Removed { user } => user == name,
            Then::Notified { .. } | Then::Nothing => false,
        })
    }
}
