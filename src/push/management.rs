//! XEP-0198: what a session has been sent and its client has not acknowledged, and how long it sleeps when its
//! connection is lost.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use subtle::ConstantTimeEq as _;

use super::devices::Link;
use super::domain::{Domain, Effect};
use super::event::ConnId;
use super::notification::{DeliveryState, NotificationId};
use super::parcel::Parcel;
use super::store::DeviceId;
use crate::limits;
use crate::time::{Instant, Now};
use crate::xmpp::error::StreamError;
use crate::xmpp::host::Enabled;
use crate::xmpp::session::Bound;

/// Stream management of one session.
#[derive(Debug)]
pub struct Managed {
    /// Who it is; a resumed session goes on under this very name.
    pub bound: Bound,
    /// Proves that who comes back is the same client; `None` if it cannot come back.
    token: Option<[u8; 16]>,
    /// Whether `<enabled/>` is on the wire, so that the client counts.
    begun: bool,
    /// Stanzas the client has acknowledged.
    acknowledged: u32,
    /// What it has been sent and has not acknowledged, oldest first.
    unacknowledged: VecDeque<Unacknowledged>,
    bytes: usize,
    /// Stanzas sent since the client was last asked.
    unasked: usize,
    /// What the client had sent when its connection was lost.
    pub handled: u32,
}

/// A stanza the client may not have.
#[derive(Debug)]
enum Unacknowledged {
    /// Written again when the session is resumed.
    Stanza(Parcel),
    /// A push, which the device's queue keeps.
    Push(NotificationId),
}

/// Sessions whose connection is lost and whose client may come back, by when they end.
pub(super) type Sleepers = VecDeque<(Instant, DeviceId)>;

impl Managed {
    /// Of a session whose client may still ask for it.
    fn new(bound: Bound) -> Self {
        Self {
            bound,
            token: None,
            begun: false,
            acknowledged: 0,
            unacknowledged: VecDeque::new(),
            bytes: 0,
            unasked: 0,
            handled: 0,
        }
    }

    /// `<enabled/>` is on the wire. What came before is not counted, but whoever says that it has read what came
    /// behind has read that too: it has the numbers below zero.
    pub(super) fn begin(&mut self) {
        self.begun = true;
        self.acknowledged = 0;
        self.acknowledged = 0_u32.wrapping_sub(self.count());
    }

    fn sent(&mut self, one: Unacknowledged) {
        self.bytes += one.bytes();
        self.unasked += 1;
        self.unacknowledged.push_back(one);
    }

    /// Stanzas sent since counting began; wraps as the client's own count does.
    fn count(&self) -> u32 {
        let waiting = u32::try_from(self.unacknowledged.len()).unwrap_or(u32::MAX);
        self.acknowledged.wrapping_add(waiting)
    }

    /// Takes what the client has handled from the front, or says how many there could have been.
    fn acknowledge(&mut self, handled: u32) -> Result<Vec<NotificationId>, u32> {
        let count = usize::try_from(handled.wrapping_sub(self.acknowledged)).unwrap_or(usize::MAX);
        if count > self.unacknowledged.len() {
            return Err(self.count());
        }
        self.acknowledged = handled;
        let mut pushes = Vec::new();
        for one in self.unacknowledged.drain(..count) {
            self.bytes -= one.bytes();
            match one {
                Unacknowledged::Stanza(parcel) => parcel.arrived(),
                Unacknowledged::Push(id) => pushes.push(id),
            }
        }
        if self.unacknowledged.is_empty() {
            // An idle session keeps nothing.
            self.unacknowledged = VecDeque::new();
        }
        Ok(pushes)
    }

    /// Whether the client has all it was sent of what the disk keeps until then.
    fn has_what_is_kept(&self) -> bool {
        let is_kept = |one: &Unacknowledged| matches!(one, Unacknowledged::Stanza(Parcel::Kept(_)));
        !self.unacknowledged.iter().any(is_kept)
    }

    /// Whether the client acknowledges too little to be sent more.
    fn is_full(&self) -> bool {
        self.unacknowledged.len() > limits::UNACKNOWLEDGED
            || self.bytes > limits::UNACKNOWLEDGED_BYTES
    }

    /// The stanzas to be written again; pushes come from the device's queue instead.
    fn replay(&mut self, out: &mut Vec<u8>) {
        self.unacknowledged
            .retain(|one| matches!(one, Unacknowledged::Stanza(..)));
        for one in &self.unacknowledged {
            if let Unacknowledged::Stanza(parcel) = one {
                out.extend_from_slice(parcel.stanza());
            }
        }
    }

    /// The stanzas that are lost if nobody cares for them, oldest first.
    pub(super) fn into_lost(self) -> impl Iterator<Item = Rc<[u8]>> {
        let all = self.unacknowledged.into_iter();
        all.filter_map(|one| match one {
            Unacknowledged::Stanza(Parcel::Only(stanza)) => Some(stanza),
            Unacknowledged::Stanza(Parcel::Shared(stanza, fate)) => {
                fate.is_lost().then_some(stanza)
            }
            Unacknowledged::Stanza(Parcel::Kept(_)) | Unacknowledged::Push(_) => None,
        })
    }

    /// Its client says nothing of what it has.
    fn all_arrived(&self) {
        for one in &self.unacknowledged {
            if let Unacknowledged::Stanza(parcel) = one {
                parcel.arrived();
            }
        }
    }
}

impl Unacknowledged {
    fn bytes(&self) -> usize {
        match self {
            Self::Stanza(parcel) => parcel.stanza().len(),
            Self::Push(_) => 0,
        }
    }
}

impl Link {
    /// Whether its client counts by now.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.managed.as_ref().is_some_and(|managed| managed.begun)
    }
}

impl Domain {
    /// The client of a device's session may ask for management next: what it is sent until then must not be lost
    /// with the connection either.
    pub(super) fn may_be_managed(&mut self, id: DeviceId) {
        let bound = self.bound(id);
        if let (Some(bound), Some(link)) = (bound, self.link_mut(id)) {
            link.managed = Some(Box::new(Managed::new(bound)));
        }
    }

    /// The client goes on without management, and so says nothing of what it has.
    pub(super) fn goes_unmanaged(&mut self, id: DeviceId) {
        if let Some(link) = self.link_mut(id).filter(|link| !link.is_managed())
            && let Some(managed) = link.managed.take()
        {
            managed.all_arrived();
        }
    }

    /// Manages a device's session from here on.
    pub(super) fn manage(&mut self, id: DeviceId, bound: &Bound, resumable: bool) -> Enabled {
        let seconds = self.config.xmpp.resume;
        let token = (resumable && seconds > 0).then(|| self.random());
        if let Some(link) = self.link_mut(id) {
            let new = || Box::new(Managed::new(bound.clone()));
            link.managed.get_or_insert_with(new).token = token;
        }
        Enabled {
            id: token.map(|token| session_id(id, &token)),
            seconds,
        }
    }

    /// The device whose session of that id the user may resume.
    pub(super) fn resumable(&self, session: &str, user: &str) -> Option<DeviceId> {
        let (number, _) = session.split_once('-')?;
        let id = DeviceId(u32::from_str_radix(number, 16).ok()?);
        let device = self.devices.get(id)?;
        let token = device.link.as_ref()?.managed.as_ref()?.token?;
        let own = session_id(id, &token);
        let same = own.as_bytes().ct_eq(session.as_bytes());
        (bool::from(same) && *device.account == *user).then_some(id)
    }

    /// A stanza goes to a device's session: it is kept until the client acknowledges it. True if the client
    /// should be asked.
    pub(super) fn sent(&mut self, id: DeviceId, parcel: Parcel) -> bool {
        let Some(link) = self.link_mut(id) else {
            return false;
        };
        let (conn, asleep) = (link.conn, link.conn.is_none());
        let Some(managed) = &mut link.managed else {
            // androidpn's clients show no messages.
            if link.chat.is_some() {
                parcel.arrived();
            }
            return false;
        };
        // A message is worth a question of its own; everything else waits for company.
        let is_message = parcel.stanza().starts_with(b"<message");
        if !managed.begun && !is_message {
            return false;
        }
        managed.sent(Unacknowledged::Stanza(parcel));
        if managed.is_full() {
            match conn {
                Some(conn) => self
                    .effects
                    .push_back(Effect::Close(conn, StreamError::PolicyViolation)),
                None => self.effects.push_back(Effect::Forget(id)),
            }
            return false;
        }
        let asks = is_message || managed.unasked >= limits::STANZAS_PER_REQUEST;
        asks && managed.begun && !asleep
    }

    /// A push has been written to a device's session.
    pub(super) fn sent_push(&mut self, id: DeviceId, notification: NotificationId) {
        let link = self.link_mut(id).filter(|link| link.is_managed());
        if let Some(managed) = link.and_then(|link| link.managed.as_mut()) {
            managed.sent(Unacknowledged::Push(notification));
        }
    }

    /// The client is being asked.
    pub(super) fn asked(&mut self, id: DeviceId) {
        if let Some(managed) = self.link_mut(id).and_then(|link| link.managed.as_mut()) {
            managed.unasked = 0;
        }
    }

    /// The client says how many stanzas it has handled; pushes among them are settled.
    ///
    /// # Errors
    /// How many it has been sent, if that is less.
    pub(super) fn acknowledged(&mut self, id: DeviceId, handled: u32, now: Now) -> Result<(), u32> {
        let Some(link) = self.link_mut(id) else {
            return Ok(());
        };
        let Some(managed) = &mut link.managed else {
            return Ok(());
        };
        let pushes = managed.acknowledge(handled)?;
        let has_messages = managed.has_what_is_kept();
        link.ping = None;
        if has_messages {
            self.has_acknowledged(id);
        }
        for notification in pushes {
            self.settle(id, notification, DeliveryState::Acknowledged, now);
        }
        self.effects.push_back(Effect::Pump(id));
        Ok(())
    }

    /// A session goes on on this connection: its name, and what had been handled of it.
    pub(super) fn resume(&mut self, id: DeviceId, conn: ConnId) -> Option<(Bound, u32)> {
        self.wake(id);
        // XEP-0352 §5: somebody looks, as on any new stream, until the client says otherwise.
        self.client_state(id, true);
        let link = self.link_mut(id)?;
        link.conn = Some(conn);
        let managed = link.managed.as_ref()?;
        Some((managed.bound.clone(), managed.handled))
    }

    /// What a resumed session has to be sent again, appended to `out`; true if that is anything.
    pub(super) fn replay(&mut self, id: DeviceId, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        if let Some(managed) = self.link_mut(id).and_then(|link| link.managed.as_mut()) {
            managed.replay(out);
        }
        out.len() > start
    }

    // ---- sleep ---------------------------------------------------------------------------------

    /// The connection of a session is lost, and its client may come back: true if the session sleeps now.
    pub(super) fn sleep(&mut self, id: DeviceId, handled: u32, now: Now) -> bool {
        let wait = Duration::from_secs(self.config.xmpp.resume);
        let Some(link) = self.link_mut(id) else {
            return false;
        };
        let Some(managed) = link.managed.as_mut().filter(|managed| managed.begun) else {
            return false;
        };
        if managed.token.is_none() || wait.is_zero() {
            return false;
        }
        managed.handled = handled;
        link.conn = None;
        link.ping = None;
        link.pumping = false;
        let in_flight = std::mem::take(&mut link.in_flight);
        self.sleepers.push_back((now.mono.after(wait), id));
        self.end_what_was_in_flight(id, in_flight);
        self.keep_sleepers_bounded();
        true
    }

    /// A session that sleeps is awake again, or over.
    pub(super) fn wake(&mut self, id: DeviceId) {
        self.sleepers.retain(|(_, sleeper)| *sleeper != id);
    }

    /// Ends the sessions whose clients have not come back in time.
    pub(super) fn end_sleep(&mut self, now: Now) {
        while let Some((_, id)) = self.sleepers.pop_front_if(|(due, _)| *due <= now.mono) {
            self.effects.push_back(Effect::Forget(id));
        }
    }

    /// The server stops: no session can be resumed any longer.
    pub(super) fn end_every_sleep(&mut self) {
        let sleepers = self.sleepers.drain(..);
        self.effects
            .extend(sleepers.map(|(_, id)| Effect::Forget(id)));
    }

    /// Beyond the bounds those asleep longest end.
    fn keep_sleepers_bounded(&mut self) {
        let bytes = |(_, id): &(Instant, DeviceId)| {
            let link = self
                .devices
                .get(*id)
                .and_then(|device| device.link.as_ref());
            let managed = link.and_then(|link| link.managed.as_ref());
            managed.map_or(0, |managed| managed.bytes)
        };
        let mut total: usize = self.sleepers.iter().map(bytes).sum();
        let mut count = self.sleepers.len();
        let mut over = 0;
        for sleeper in &self.sleepers {
            if count <= limits::SLEEPERS && total <= limits::SLEEPERS_BYTES {
                break;
            }
            total -= bytes(sleeper);
            count -= 1;
            over += 1;
        }
        for (_, id) in self.sleepers.drain(..over) {
            self.effects.push_back(Effect::Forget(id));
        }
    }

    pub(super) fn link_mut(&mut self, id: DeviceId) -> Option<&mut Link> {
        self.devices.get_mut(id)?.link.as_deref_mut()
    }
}

/// What a client resumes by: the device, so that it is found, and what nobody can guess.
fn session_id(id: DeviceId, token: &[u8; 16]) -> String {
    format!("{:x}-{:032x}", id.0, u128::from_be_bytes(*token))
}
