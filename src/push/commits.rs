//! Batches on their way to the disk, and who waits for each: nothing is acknowledged before it is durable.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::blocking::Edit;
use super::event::{AskId, ConnId};
use super::head::Head;
use super::invitations::{Invitation, NewToken};
use super::notification::NotificationId;
use super::personal_documents::Room;
use super::roster::Contacts;
use super::store::{Account, DeviceId, Ticket};
use super::unwritten::Key;
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
        /// Digest of the token that this is one use of.
        invitation: Option<Rc<str>>,
    },
    /// There is another token to register with.
    Invited {
        /// Its digest.
        digest: Rc<str>,
        /// What the administrator is told of it.
        new: NewToken,
    },
    /// A token is gone.
    Uninvited {
        /// Its digest.
        digest: Rc<str>,
        /// What it was.
        invitation: Invitation,
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
        /// What it means for those who had it as a contact.
        contacts: Contacts,
    },
    /// The notification may be sent, or waits for its time.
    Notified {
        /// What it is from then on.
        head: Head,
        /// What it replaces.
        ended: Ended,
    },
    /// Entries of rosters are different.
    Contacts(Contacts),
    /// Notifications have been taken back.
    Withdrawn {
        /// Those that some device has not got.
        ended: Ended,
        /// Pushes that tell the other devices.
        notices: Vec<Head>,
        /// How many devices they are for.
        told: usize,
    },
    /// The message waits for its reader.
    Kept {
        /// Local part.
        user: String,
        /// Bytes of the message.
        bytes: usize,
    },
    /// The messages its reader has are forgotten.
    Read {
        /// Local part.
        user: String,
    },
    /// What a user keeps here.
    Documents {
        /// Local part.
        user: String,
        /// What private storage grows by at most.
        room: Room,
    },
    /// Whom a user has blocked.
    Blocked(Edit),
    /// Nothing: receipts and housekeeping. If the disk refuses them, these are written again.
    Nothing {
        /// Records they are about.
        keys: Vec<Key>,
    },
}

/// Notifications whose end is on its way to the disk.
#[derive(Debug, Default)]
pub struct Ended {
    /// Which.
    pub ids: Vec<NotificationId>,
    /// Second since 1970.
    pub at: u32,
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

    /// The batch a connection waits for; nobody does from here on.
    pub fn take_over(&mut self, conn: ConnId) -> Option<Ticket> {
        let mut pending = self.pending.iter_mut();
        let own = pending.find(|(_, commit)| commit.waiter == Waiter::Conn(conn));
        own.map(|(ticket, commit)| {
            commit.waiter = Waiter::Nobody;
            *ticket
        })
    }

    /// The connection is gone; its number may soon mean another one.
    pub fn forget(&mut self, conn: ConnId) {
        self.forget_waiter(Waiter::Conn(conn));
    }

    /// Nobody waits for the answer any longer.
    pub fn forget_ask(&mut self, ask: AskId) {
        self.forget_waiter(Waiter::Ask(ask));
    }

    fn forget_waiter(&mut self, waiter: Waiter) {
        for commit in self.pending.values_mut() {
            if commit.waiter == waiter {
                commit.waiter = Waiter::Nobody;
            }
        }
    }

    /// A registration of that name on its way.
    #[must_use]
    pub fn registering(&self, name: &str) -> Option<(&Account, DeviceId)> {
        self.pending.values().find_map(|commit| match &commit.then {
            Then::Registered {
                account, device, ..
            } if account.name == name => Some((account, *device)),
            _ => None,
        })
    }

    /// What a notification will be when its batch is durable.
    #[must_use]
    pub fn notifying(&self, id: NotificationId) -> Option<&Head> {
        self.pending.values().find_map(|commit| match &commit.then {
            Then::Notified { head, .. } if head.id == id => Some(head),
            _ => None,
        })
    }

    /// Whether a registration with a token is on its way, by the token's digest.
    #[must_use]
    pub fn uses(&self, digest: &str) -> bool {
        self.pending.values().any(|commit| match &commit.then {
            Then::Registered { invitation, .. } => invitation.as_deref() == Some(digest),
            _ => false,
        })
    }

    /// Whether that account is about to go.
    #[must_use]
    pub fn removing(&self, name: &str) -> bool {
        let mut pending = self.pending.values();
        pending.any(|commit| matches!(&commit.then, Then::Removed { user, .. } if user == name))
    }

    /// Messages for a user that are on their way, and their bytes.
    #[must_use]
    pub fn keeping(&self, name: &str) -> (usize, usize) {
        let own = self.messages().filter(|(user, _)| *user == name);
        own.fold((0, 0), |(count, sum), (_, bytes)| (count + 1, sum + bytes))
    }

    /// What is on its way to a user's private storage.
    #[must_use]
    pub fn writing(&self, name: &str) -> Room {
        let mut room = Room::default();
        for commit in self.pending.values() {
            if let Then::Documents { user, room: more } = &commit.then
                && *user == *name
            {
                room.items += more.items;
                room.bytes += more.bytes;
            }
        }
        room
    }

    /// Whether a change of whom a user has blocked is on its way.
    #[must_use]
    pub fn blocking(&self, name: &str) -> bool {
        let mut pending = self.pending.values();
        pending.any(|commit| matches!(&commit.then, Then::Blocked(edit) if *edit.user == *name))
    }

    /// Bytes of all messages that are on their way.
    #[must_use]
    pub fn keeping_all(&self) -> usize {
        self.messages().map(|(_, bytes)| bytes).sum()
    }

    fn messages(&self) -> impl Iterator<Item = (&str, usize)> {
        self.pending
            .values()
            .filter_map(|commit| match &commit.then {
                Then::Kept { user, bytes } => Some((user.as_str(), *bytes)),
                _ => None,
            })
    }

    /// Whether a change of that account is on its way.
    #[must_use]
    pub fn touches(&self, name: &str) -> bool {
        self.pending.values().any(|commit| match &commit.then {
            Then::Registered { account, .. } | Then::Changed { account } => account.name == name,
            Then::Removed { user, .. } => user == name,
            Then::Notified { .. }
            | Then::Withdrawn { .. }
            | Then::Contacts(_)
            | Then::Invited { .. }
            | Then::Uninvited { .. }
            | Then::Kept { .. }
            | Then::Read { .. }
            | Then::Documents { .. }
            | Then::Blocked(_)
            | Then::Nothing { .. } => false,
        })
    }
}
