//! Accounts, devices, ledger and store together: everything but the streams.
//!
//! What has to happen on connections or towards senders leaves as [`Effect`]s, which the gateway carries
//! out after every event. The rules live in the files beside this one, from `accept.rs` to `waiting.rs`,
//! each of which adds its part to [`Domain`].

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;

use super::abilities::KnownCaps;
use super::accounts::Accounts;
use super::attempts::Attempts;
use super::between::Requests;
use super::blocking::Blocklists;
use super::client_state::Holding;
use super::commits::{Commits, Then, Waiter};
use super::devices::Devices;
use super::event::{Answer, AskId, ConnId};
use super::forms::Prepared;
use super::invitations::Invitations;
use super::late_answers::LateAnswers;
use super::ledger::Ledger;
use super::loading::Loading;
use super::management::Sleepers;
use super::notification::NotificationId;
use super::offline_messages::HandingOut;
use super::parcel::{Fate, Parcel};
use super::registration_rate::RegistrationRate;
use super::rosters::Rosters;
use super::series::SeriesTable;
use super::spread::Spreads;
use super::store::{Change, Device, DeviceId, Store, StoreError, Urgency};
use super::timetable::Timetable;
use super::unread::Unread;
use super::unwritten::{Key, Unwritten};
use super::waiting::Waits;
use crate::config::{Config, Registration};
use crate::time::{Hinter, Instant, Now};
use crate::xmpp::error::{StanzaError, StreamError};

/// Something the gateway has to do.
#[derive(Debug)]
pub enum Effect {
    /// End a stream.
    Close(ConnId, StreamError),
    /// Write a stanza to a device's session, the one of that serial number.
    Deliver(DeviceId, u32, Parcel),
    /// See what a device can be sent.
    Pump(DeviceId),
    /// Tell a connection what became of the request that waited for the disk.
    Finish(ConnId, Result<(), StanzaError>),
    /// Ask a phone for the time.
    AskTime(DeviceId),
    /// A client wants to go on with a session of that user's and id, of which it has handled so much.
    Resume {
        /// Its connection.
        conn: ConnId,
        /// Who has logged in there.
        user: Box<str>,
        /// Id of the session.
        session: Box<str>,
        /// Stanzas it has handled.
        handled: u32,
    },
    /// A session that sleeps is over.
    Forget(DeviceId),
    /// Go on with what a device has to see when its socket has taken what it has.
    Flush(DeviceId),
    /// Pass on what time somebody says it is, in milliseconds since 1970.
    Hint(Hinter, u64),
    /// Tell a sender.
    Answer(AskId, Answer),
}

/// Deliveries that came to nothing, since start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// A bound was reached, or the device was forgotten.
    pub dropped: u64,
    /// Their time to live was over.
    pub expired: u64,
    /// They were taken back.
    pub withdrawn: u64,
}

/// Fills a buffer with random bytes; the edge's comes from the operating system.
pub type Entropy = Box<dyn FnMut(&mut [u8])>;

/// Everything but the streams.
pub struct Domain {
    pub(super) config: Rc<Config>,
    pub(super) store: Box<dyn Store>,
    pub(super) entropy: Entropy,
    pub(super) accounts: Accounts,
    pub(super) devices: Devices,
    pub(super) ledger: Ledger,
    pub(super) commits: Commits,
    pub(super) late_answers: LateAnswers,
    pub(super) effects: VecDeque<Effect>,
    pub(super) timetable: Timetable,
    pub(super) series: SeriesTable,
    pub(super) waits: Waits,
    /// When the last event came.
    pub(super) clock: Now,
    /// Devices that have just announced themselves, by when they may be sent to.
    pub(super) settling: VecDeque<(Instant, DeviceId)>,
    /// Changes nobody waits for, gathered during one event.
    pub(super) receipts: Vec<Change>,
    /// Records the disk has refused to take.
    pub(super) unwritten: Unwritten,
    /// Devices whose next push or message the disk could not read.
    pub(super) unread: Unread,
    pub(super) prepared: Prepared,
    pub(super) known_caps: KnownCaps,
    pub(super) handing_out: HandingOut,
    pub(super) rosters: Rosters,
    pub(super) spreads: Spreads,
    /// See [`Domain::phone_book_version`], once it was needed.
    pub(super) phone_book_version: Option<u64>,
    pub(super) blocklists: Blocklists,
    pub(super) requests: Requests,
    /// When the last chat app of each user has left.
    pub(super) departures: BTreeMap<Rc<str>, Instant>,
    pub(super) newest: Option<NotificationId>,
    /// Serial number of the last session.
    pub(super) sessions: u32,
    pub(super) sleepers: Sleepers,
    pub(super) holding: Holding,
    pub(super) tally: Tally,
    /// Why the store refused the last request, until one succeeds.
    pub(super) trouble: Option<StoreError>,
    /// Failed logins, and attempts that wait because of them.
    pub(super) attempts: Attempts,
    pub(super) registration_rate: RegistrationRate,
    pub(super) invitations: Invitations,
    /// What keys of nobody are made with, once they were wanted.
    pub(super) secret: Option<[u8; 32]>,
    own_name: Rc<str>,
}

impl Domain {
    /// Everything the store holds.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn load(
        config: Rc<Config>,
        store: Box<dyn Store>,
        entropy: Entropy,
        now: Now,
    ) -> Result<Self, StoreError> {
        let mut loading = Loading::default();
        store.load(&mut |row| loading.take(row, now))?;
        let mut domain = Self {
            own_name: config.server.domain.as_str().into(),
            config,
            store,
            entropy,
            newest: loading.ledger.newest(),
            accounts: loading.accounts,
            devices: loading.devices,
            ledger: loading.ledger,
            receipts: loading.repairs,
            commits: Commits::default(),
            late_answers: LateAnswers::default(),
            effects: VecDeque::new(),
            timetable: Timetable::default(),
            series: SeriesTable::default(),
            waits: Waits::default(),
            clock: now,
            settling: VecDeque::new(),
            unwritten: Unwritten::default(),
            unread: Unread::default(),
            prepared: Prepared::default(),
            known_caps: KnownCaps::default(),
            handing_out: HandingOut::default(),
            rosters: Rosters::default(),
            spreads: Spreads::default(),
            phone_book_version: None,
            blocklists: Blocklists::default(),
            requests: Requests::default(),
            departures: BTreeMap::new(),
            sessions: 0,
            sleepers: Sleepers::new(),
            holding: Holding::new(),
            tally: Tally::default(),
            trouble: None,
            attempts: Attempts::default(),
            registration_rate: RegistrationRate::default(),
            invitations: Invitations::default(),
            secret: None,
        };
        domain.load_invitations()?;
        domain.give_every_account_a_device();
        domain.prune_subscriptions();
        domain.make_timetable();
        domain.make_series(now);
        domain.submit_receipts();
        Ok(domain)
    }

    /// Every account has a device from its registration on; one whose record was damaged gets another.
    fn give_every_account_a_device(&mut self) {
        let without: Vec<Rc<str>> = self
            .accounts
            .iter()
            .filter(|(_, account)| account.devices.is_empty())
            .map(|(name, _)| Rc::clone(name))
            .collect();
        for name in without {
            let id = self.devices.fresh_id();
            self.receipts
                .push(Change::PutDevice(waiting_device(id, &name)));
            self.add_device(id, &name, None).stored = true;
        }
    }

    /// Adds a device to an account, in memory.
    pub(super) fn add_device(
        &mut self,
        id: DeviceId,
        account: &Rc<str>,
        resource: Option<Rc<str>>,
    ) -> &mut super::devices::Device {
        if let Some(entry) = self.accounts.get_mut(account) {
            // One place exactly: most accounts have one device for good.
            if entry.devices.is_empty() {
                entry.devices.reserve_exact(1);
            }
            entry.devices.push(id);
        }
        self.devices.insert(id, Rc::clone(account), resource)
    }

    /// Sends one stanza to a device's session; nothing happens if it has none.
    pub(super) fn deliver(&mut self, device: DeviceId, stanza: Rc<[u8]>) {
        self.send_parcel(device, Parcel::Only(stanza));
    }

    /// Sends a message that other sessions may be sent too.
    pub(super) fn deliver_shared(&mut self, device: DeviceId, stanza: Rc<[u8]>, fate: Fate) {
        self.send_parcel(device, Parcel::Shared(stanza, fate));
    }

    /// Sends one stanza that the disk keeps until the client is known to have it.
    pub(super) fn deliver_kept(&mut self, device: DeviceId, stanza: Rc<[u8]>) {
        self.send_parcel(device, Parcel::Kept(stanza));
    }

    fn send_parcel(&mut self, device: DeviceId, parcel: Parcel) {
        let link = self
            .devices
            .get(device)
            .and_then(|device| device.link.as_ref());
        if let Some(link) = link {
            self.effects
                .push_back(Effect::Deliver(device, link.serial, parcel));
        }
    }

    /// Sends a batch to the disk; `then` takes effect and `waiter` is told when it is durable.
    pub(super) fn submit(&mut self, changes: Vec<Change>, then: Then, waiter: Waiter) {
        // What this event has gathered before is older than the batch and may be about the same records.
        self.submit_receipts();
        let ticket = self.commits.add(then, waiter);
        self.store.submit(ticket, changes, Urgency::Now);
    }

    /// Sends the changes nobody waits for; to be called at the end of every event.
    pub(super) fn submit_receipts(&mut self) {
        if !self.receipts.is_empty() {
            let changes = std::mem::take(&mut self.receipts);
            let keys = changes.iter().filter_map(Key::of).collect();
            let ticket = self.commits.add(Then::Nothing { keys }, Waiter::Nobody);
            self.store.submit(ticket, changes, Urgency::Soon);
        }
    }

    /// A shared copy of a domain name.
    pub(super) fn domain_name(&self, name: &str) -> Rc<str> {
        if *self.own_name == *name {
            Rc::clone(&self.own_name)
        } else {
            name.into()
        }
    }

    /// Whether a domain is one of this server's names for itself; any address literal is.
    pub(super) fn is_own_domain(&self, name: &str) -> bool {
        *name == *self.own_name
            || self.config.server.aliases.iter().any(|alias| alias == name)
            || name == "localhost"
            || name
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse::<IpAddr>()
                .is_ok()
    }

    /// Whether `peer` may register, by `xmpp.registration` or because its stream has shown a token.
    pub(super) fn may_register(&self, conn: ConnId, peer: IpAddr) -> bool {
        let closed = self.config.xmpp.registration == Registration::Closed;
        self.lets_register(peer) || (self.invitations.has_shown(conn) && !closed)
    }

    /// Whether `peer` may register as it is.
    pub(super) fn lets_register(&self, peer: IpAddr) -> bool {
        match self.config.xmpp.registration {
            Registration::Open => true,
            Registration::Token | Registration::Closed => false,
            Registration::Lan => is_local(peer),
        }
    }

    /// The connection is gone: nothing waits for it, and it waits for nothing.
    pub(super) fn forget_conn(&mut self, conn: ConnId) {
        self.commits.forget(conn);
        self.attempts.forget(conn);
        self.invitations.forget(conn);
    }

    /// Takes over a configuration that was read again.
    pub(super) fn configure(&mut self, config: Rc<Config>) {
        self.own_name = config.server.domain.as_str().into();
        self.config = config;
        self.prepared = Prepared::default();
        self.phone_book_version = None;
        self.make_timetable();
    }

    /// Random bits.
    pub(super) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes);
        bytes
    }
}

/// The record of a device that waits for its account's first resource.
pub(super) fn waiting_device(id: DeviceId, account: &str) -> Device {
    Device {
        id,
        account: account.to_owned(),
        resource: None,
        last_seen: 0,
        withdraws: false,
    }
}

/// Loopback, private and link-local addresses: what a LAN is made of.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_local(IpAddr::V4(v4)),
            None => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn what_a_lan_is_made_of() {
        for (address, local) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("192.168.1.1", true),
            ("169.254.7.7", true),
            ("::1", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("::ffff:192.168.1.7", true),
            ("8.8.8.8", false),
            ("172.32.0.1", false),
            ("2001:db8::1", false),
            ("::ffff:8.8.8.8", false),
        ] {
            assert_eq!(is_local(address.parse().unwrap()), local, "{address}");
        }
    }
}
