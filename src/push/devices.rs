//! Devices: one resource of one account each, the queue that waits for it, and its connection while it has
//! one.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::abilities::{Abilities, Question};
use super::circle::Circle;
use super::client_state::Inactive;
use super::event::ConnId;
use super::management::Managed;
use super::notification::NotificationId;
use super::store::DeviceId;
use crate::time::Instant;
use crate::xmpp::host::{Login, Presence};

/// A device.
#[derive(Debug)]
pub struct Device {
    /// Local part of its account.
    pub account: Rc<str>,
    /// Its resource; `None` while the account waits for its first device.
    pub resource: Option<Rc<str>>,
    /// Whether the store knows it.
    pub stored: bool,
    /// Whether it has ever been available under its resource.
    pub seen: bool,
    /// Whether its app is known to take back what a silent push withdraws.
    pub withdraws: bool,
    /// Seconds since 1970 when it was last available, as far as the store knows.
    pub last_seen: u64,
    /// What it has not acknowledged, oldest first.
    pub queue: VecDeque<NotificationId>,
    /// Its connection.
    pub link: Option<Box<Link>>,
}

/// A device's connection.
#[derive(Debug)]
pub struct Link {
    /// The connection; `None` while the session sleeps.
    pub conn: Option<ConnId>,
    /// Tells this session from the device's earlier ones.
    pub serial: u32,
    /// How the session has logged in.
    pub login: Login,
    /// What it has announced; `None` while it wants nothing.
    pub presence: Option<Presence>,
    /// Whether it has had its time to settle and may be sent to.
    pub settled: bool,
    /// How many of the queue's oldest have been written to this connection.
    pub in_flight: usize,
    /// The ping that has not been answered.
    pub ping: Option<Ping>,
    /// Pings sent on this connection, to give each its id.
    pub pings: u32,
    /// Whether it may be asked what time it is.
    pub clock: Clock,
    /// More will be written when the socket has taken what it has.
    pub pumping: bool,
    /// What its client counts, if it does.
    pub managed: Option<Box<Managed>>,
    /// What waits until somebody looks at its client, while nobody does.
    pub inactive: Option<Box<Inactive>>,
    /// What only sessions of chat apps have; `None` for androidpn's clients.
    pub chat: Option<Box<ChatSession>>,
}

/// What there is to know about the session of a chat app.
#[derive(Debug)]
pub struct ChatSession {
    /// The name its client uses for this server.
    pub domain: Rc<str>,
    /// What it can do, as far as is known.
    pub abilities: Abilities,
    /// What it is being asked about that.
    pub question: Option<Box<Question>>,
    /// Whether it gets copies of what its user's other apps send and receive.
    pub carbons: bool,
    /// Whom it tells about itself.
    pub circle: Circle,
    /// Whether its client has asked whom the user has blocked, and so is told of changes.
    pub blocklist: bool,
}

/// What a connected phone has to do with the time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// It is not one to ask.
    #[default]
    None,
    /// It may be asked.
    Known,
    /// It was asked at this point and has not told.
    Asked(Instant),
    /// It was asked at this point and has told.
    Told(Instant),
}

/// A ping that has not been answered.
#[derive(Clone, Copy, Debug)]
pub struct Ping {
    /// Number of the ping on its connection.
    pub number: u32,
    /// How many of the queue's oldest were written before it: the answer acknowledges them.
    pub covers: usize,
    /// When it was sent.
    pub at: Instant,
    /// Whether any byte has come from the phone since.
    pub heard_since: bool,
}

impl Device {
    /// Whether the device is connected and wants pushes.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.link
            .as_ref()
            .is_some_and(|link| link.presence.is_some())
    }

    /// Whether it is sent the messages to its account (RFC 6121 §8.5.2).
    #[must_use]
    pub fn takes_messages(&self) -> bool {
        let presence = self.link.as_ref().and_then(|link| link.presence);
        presence.is_some_and(|presence| presence.priority >= 0)
    }

    /// Whether its session has a connection: one that has lost it sleeps until its client comes back.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.conn.is_some())
    }

    /// Whether it is connected as a chat app.
    #[must_use]
    pub fn is_chat(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.chat.is_some())
    }

    /// Whether it is sent pushes at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| link.conn.is_some() && link.presence.is_some() && link.settled)
    }

    /// Takes a notification out of the queue; false if it was not in it.
    pub fn dequeue(&mut self, id: NotificationId) -> bool {
        let Some(position) = self.queue.iter().position(|queued| *queued == id) else {
            return false;
        };
        self.queue.remove(position);
        if self.queue.is_empty() {
            // Most queues are empty most of the time; an empty one costs nothing.
            self.queue = VecDeque::new();
        }
        if let Some(link) = &mut self.link {
            if position < link.in_flight {
                link.in_flight -= 1;
            }
            if let Some(ping) = &mut link.ping
                && position < ping.covers
            {
                ping.covers -= 1;
            }
        }
        true
    }

    /// How many of the queue's oldest have been written to the device's connection.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.in_flight)
    }

    /// Whether a notification is on its way over the device's connection.
    #[must_use]
    pub fn is_in_flight(&self, id: NotificationId) -> bool {
        let mut in_flight = self.queue.iter().take(self.in_flight());
        in_flight.any(|queued| *queued == id)
    }

    /// Puts a notification where its age puts it.
    pub fn enqueue(&mut self, id: NotificationId) {
        if self.queue.back().is_none_or(|newest| *newest < id) {
            self.queue.push_back(id);
            return;
        }
        // What is in flight stays in front: order on the wire is never rewritten.
        let in_flight = self.in_flight();
        let behind = self.queue.make_contiguous().get(in_flight..);
        let behind = behind.unwrap_or_default();
        let position = in_flight + behind.partition_point(|queued| *queued < id);
        self.queue.insert(position, id);
    }

    /// Nothing is in flight any more: the queue is in the order of age again.
    pub fn sort_queue(&mut self) {
        self.queue.make_contiguous().sort_unstable();
    }

    /// `user/resource`, or `user` while no resource has come.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.resource {
            Some(resource) => format!("{}/{resource}", self.account),
            None => self.account.to_string(),
        }
    }
}

/// All devices.
#[derive(Debug, Default)]
pub struct Devices {
    by_id: BTreeMap<DeviceId, Device>,
    newest: u32,
}

impl Devices {
    /// A number no device has had.
    pub fn fresh_id(&mut self) -> DeviceId {
        self.newest = self.newest.saturating_add(1);
        DeviceId(self.newest)
    }

    /// Notes that a number has been given, whether its device is still there or not.
    pub fn note(&mut self, id: DeviceId) {
        self.newest = self.newest.max(id.0);
    }

    /// Adds a device without a connection or a queue.
    pub fn insert(
        &mut self,
        id: DeviceId,
        account: Rc<str>,
        resource: Option<Rc<str>>,
    ) -> &mut Device {
        self.note(id);
        self.by_id.entry(id).or_insert(Device {
            account,
            resource,
            stored: false,
            seen: false,
            withdraws: false,
            last_seen: 0,
            queue: VecDeque::new(),
            link: None,
        })
    }

    /// Forgets a device.
    pub fn remove(&mut self, id: DeviceId) -> Option<Device> {
        self.by_id.remove(&id)
    }

    /// A device.
    #[must_use]
    pub fn get(&self, id: DeviceId) -> Option<&Device> {
        self.by_id.get(&id)
    }

    /// A device.
    pub fn get_mut(&mut self, id: DeviceId) -> Option<&mut Device> {
        self.by_id.get_mut(&id)
    }

    /// All devices in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.by_id.iter().map(|(id, device)| (*id, device))
    }
}
