//! What the gateway keeps in memory of a notification: everything but its text.

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::notification::{DeliveryState, Extras, Notification, NotificationId, Priority, Target};

/// The head of a notification; its body stays on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Identity.
    pub id: NotificationId,
    /// How much it matters.
    pub priority: Priority,
    /// Who may inherit it.
    pub reach: Reach,
    /// Bytes of its body.
    pub size: u32,
    /// Seconds it is worth delivering, from `begun` on; 0 means for ever.
    pub ttl: u32,
    /// Second since 1970 before which it is not delivered; 0 means at once.
    pub deliver_at: u32,
    /// Whether its devices have been settled, which waits for `deliver_at`.
    pub fired: bool,
    /// Second since 1970, by a trusted clock, from which its age and its `ttl` count; 0 while no clock
    /// could be trusted.
    pub begun: u32,
    /// Its series, if it is of one.
    pub series: Option<Series>,
    /// What ended it for every device that had not got it by then.
    pub over: Option<Over>,
}

/// Whom a notification reaches besides the devices it was kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reach {
    /// Devices its users log in with later, if none of theirs has read it.
    Users = 0,
    /// Those as well, as far as their user has subscribed to its topic.
    Topic = 1,
    /// Nobody.
    Device = 2,
}

/// How a notification ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Over {
    /// [`DeliveryState::Expired`] or [`DeliveryState::Withdrawn`].
    pub state: DeliveryState,
    /// Second since 1970.
    pub at: u32,
}

/// A series: the notifications of one sender to one target under one sequence id. A digest, so that it can
/// be kept in memory; equal digests count as the same series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series(pub u64);

impl Series {
    /// The series of a notification, or `None` without a sequence id.
    #[must_use]
    pub fn of(sender: &str, target: &Target, sequence: &str) -> Option<Self> {
        if sequence.is_empty() {
            return None;
        }
        let mut digest = Sha1::new();
        for part in [sender, &target.to_string(), sequence] {
            digest.update(part);
            digest.update([0]);
        }
        let bytes = digest.finalize();
        let (first, _) = bytes.split_first_chunk::<8>()?;
        Some(Self(u64::from_be_bytes(*first)))
    }
}

impl Head {
    /// The head of a notification that has just been accepted, before any clock has been looked at.
    #[must_use]
    pub fn of(notification: &Notification) -> Self {
        let Extras {
            ttl,
            deliver_at,
            priority,
            sequence,
            sender,
            ..
        } = &notification.extras;
        Self {
            priority: *priority,
            reach: match notification.target {
                Target::Device { .. } => Reach::Device,
                Target::Topic(_) => Reach::Topic,
                _ => Reach::Users,
            },
            size: u32::try_from(notification.bytes()).unwrap_or(u32::MAX),
            ttl: *ttl,
            deliver_at: u32::try_from(*deliver_at).unwrap_or(u32::MAX),
            fired: *deliver_at == 0,
            series: Series::of(sender, &notification.target, sequence),
            ..Self::new(notification.id)
        }
    }

    /// The head of a notification of which nothing else is known.
    #[must_use]
    pub fn new(id: NotificationId) -> Self {
        Self {
            id,
            priority: Priority::default(),
            reach: Reach::Users,
            size: 0,
            ttl: 0,
            deliver_at: 0,
            fired: true,
            begun: 0,
            series: None,
            over: None,
        }
    }

    /// Whether it waits for its time.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        !self.fired && self.over.is_none()
    }

    /// The second from which on it is no longer worth delivering, if there is one.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        let counts = self.ttl > 0 && self.fired && self.begun > 0 && self.over.is_none();
        counts.then(|| self.begun.saturating_add(self.ttl))
    }
}

impl Reach {
    /// The reach a stored byte means.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Users, Self::Topic, Self::Device]
            .into_iter()
            .find(|reach| *reach as u8 == byte)
    }
}
