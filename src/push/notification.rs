//! A notification, its identity, whom it is for, and how far each device has got with it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::tag_expression::TagExpression;
use crate::time::Wall;

/// Identity of a notification: 48 bits of milliseconds since 1970, then 80 random bits.
///
/// Ids sort by age. On the wire and in answers an id is 32 lower-case hex digits; it is also the id of the
/// IQ that carries the push, so an answer to that IQ names its notification without a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct NotificationId(pub u128);

impl NotificationId {
    /// A fresh id, always above `newest`, even if the wall clock has jumped back.
    #[must_use]
    pub fn next(newest: Option<Self>, wall: Wall, random: [u8; 10]) -> Self {
        let mut low = [0_u8; 16];
        if let Some(tail) = low.last_chunk_mut::<10>() {
            *tail = random;
        }
        let id = (u128::from(wall.millis) << 80) | u128::from_be_bytes(low);
        match newest {
            // Random in the low half keeps ids unguessable while the clock stands still.
            Some(newest) if newest.0 >= id => Self(
                newest
                    .0
                    .saturating_add(1 + (u128::from_be_bytes(low) >> 40)),
            ),
            _ => Self(id),
        }
    }

    /// The second it was made, by the wall clock of that time.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::try_from((self.0 >> 80) / 1000).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl From<NotificationId> for String {
    fn from(id: NotificationId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for NotificationId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

/// The text is not 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id has 32 hex digits")
    }
}

impl FromStr for NotificationId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex {
            return Err(NotAnId);
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| NotAnId)
    }
}

/// What the person sees: stored once, however many devices it is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Notification {
    /// Identity, the same for every device and every delivery of it.
    pub id: NotificationId,
    /// Whom the sender addressed, as they wrote it; the devices were settled when it was accepted.
    pub target: Target,
    /// One line, may be empty.
    pub title: String,
    /// The text, may be empty and may hold line breaks.
    pub message: String,
    /// What a tap opens, may be empty.
    pub uri: String,
    /// What else the sender wanted.
    #[serde(default)]
    pub extras: Extras,
}

/// What a sender may add to title, message and URI.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Extras {
    /// Picture to show, as a URI; may be empty.
    pub image: String,
    /// How much it matters.
    pub priority: Priority,
    /// Words shown with it; not to be mixed up with the tags of users.
    pub tags: Vec<String>,
    /// Links offered beside the URI.
    pub actions: Vec<Link>,
    /// For the app, not for the person: nothing is shown.
    pub silent: bool,
    /// Names a series of which only the newest counts; may be empty.
    pub sequence: String,
    /// Seconds after which it is no longer worth delivering; 0 means never.
    pub ttl: u32,
    /// Second since 1970 before which it is not delivered; 0 means at once.
    pub deliver_at: u64,
    /// Name of the token it was sent with; may be empty.
    pub sender: String,
    /// The earlier notification it takes back on devices that have it. Only the server sets this.
    pub withdraws: Option<NotificationId>,
}

/// A link with what it says.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Link {
    /// What the person reads.
    pub label: String,
    /// What it opens.
    pub uri: String,
}

/// How much a notification matters: 1 (least) to 5, 3 if nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

impl Priority {
    /// A priority from its number.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (1..=5).contains(&number).then_some(Self(number))
    }

    /// 1 to 5.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

impl TryFrom<u8> for Priority {
    type Error = NotAPriority;

    fn try_from(number: u8) -> Result<Self, NotAPriority> {
        Self::new(number).ok_or(NotAPriority)
    }
}

/// The number is not within 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPriority;

impl fmt::Display for NotAPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a priority is a number from 1 to 5")
    }
}

impl Notification {
    /// The message as devices get it: a URI that comes alone stands in for it, for clients show title and
    /// message, and a notification without a word looks like a mistake.
    #[must_use]
    pub fn shown_message(&self) -> &str {
        let is_blank = |text: &str| text.trim().is_empty();
        if !self.extras.silent && is_blank(&self.title) && is_blank(&self.message) {
            &self.uri
        } else {
            &self.message
        }
    }

    /// Bytes of what the sender wrote.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let Extras {
            image,
            tags,
            actions,
            sequence,
            sender,
            ..
        } = &self.extras;
        let texts = [
            &self.title,
            &self.message,
            &self.uri,
            image,
            sequence,
            sender,
        ];
        let links = actions.iter().flat_map(|link| [&link.label, &link.uri]);
        texts
            .into_iter()
            .chain(tags)
            .chain(links)
            .map(String::len)
            .sum()
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(3)
    }
}

/// Whom a notification is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Every registered user.
    Everyone,
    /// One user by local part, lower case.
    User(String),
    /// One device of one user.
    Device {
        /// Local part, lower case.
        user: String,
        /// Resource.
        resource: String,
    },
    /// The users who carry this alias.
    Alias(String),
    /// Whoever has subscribed to this topic.
    Topic(String),
    /// The users whose tags meet a condition.
    Tags(TagExpression),
}

impl fmt::Display for Target {
    /// The form the command line and the JSON API use: `*`, `sam`, `sam/phone`, `alias:kitchen`,
    /// `topic:doors`, `tag:office & !night`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("*"),
            Self::User(user) => f.write_str(user),
            Self::Alias(alias) => write!(f, "alias:{alias}"),
            Self::Device { user, resource } => write!(f, "{user}/{resource}"),
            Self::Topic(topic) => write!(f, "topic:{topic}"),
            Self::Tags(expression) => write!(f, "tag:{expression}"),
        }
    }
}

/// The text names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATarget;

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let text = text.trim();
        let label = |rest: &str| {
            let rest = rest.trim();
            (!rest.is_empty())
                .then(|| rest.to_owned())
                .ok_or(NotATarget)
        };
        if text == "*" {
            Ok(Self::Everyone)
        } else if let Some(rest) = text.strip_prefix("alias:") {
            label(rest).map(Self::Alias)
        } else if let Some(rest) = text.strip_prefix("topic:") {
            label(rest).map(Self::Topic)
        } else if let Some(rest) = text.strip_prefix("tag:") {
            rest.parse().map(Self::Tags).map_err(|_| NotATarget)
        } else if let Some((user, resource)) = text.split_once('/') {
            let user = label(user)?.to_lowercase();
            Ok(Self::Device {
                user,
                resource: label(resource)?,
            })
        } else {
            label(text).map(|user| Self::User(user.to_lowercase()))
        }
    }
}

/// How far one device has got with one notification.
///
/// Queued and sent are on the way, all others final: they are never left, but that what was acknowledged may
/// still be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum DeliveryState {
    /// Stored, waiting for the device.
    Queued = 0,
    /// Written to the device's connection, not yet answered.
    Sent = 1,
    /// The device's client has read it: it answered the ping behind it.
    Acknowledged = 2,
    /// The app has confirmed it: IQ result, `deliverconfirm` or `receipt`.
    Confirmed = 3,
    /// Given up, because a bound of the queue was reached or the device was forgotten.
    Dropped = 4,
    /// Its time to live was over before the device came.
    Expired = 5,
    /// The sender took it back, or a newer one of its series took its place, before the device came.
    Withdrawn = 6,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Sent,
        Self::Acknowledged,
        Self::Confirmed,
        Self::Dropped,
        Self::Expired,
        Self::Withdrawn,
    ];

    /// Whether the device has it.
    #[must_use]
    pub fn has_arrived(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Confirmed)
    }

    /// The state a stored byte means.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == byte)
    }

    /// Whether a device may go from this state to `next`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self.is_waiting() && next > self || (self, next) == (Self::Acknowledged, Self::Confirmed)
    }

    /// Whether the device still has to get it.
    #[must_use]
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Sent)
    }

    /// The word the API and the page use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::Confirmed => "confirmed",
            Self::Dropped => "dropped",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(millis: u64) -> Wall {
        Wall {
            millis,
            trusted: true,
        }
    }

    #[test]
    fn ids_sort_by_age_even_when_the_clock_jumps_back() {
        let first = NotificationId::next(None, wall(1_700_000_000_000), [0xff; 10]);
        let second = NotificationId::next(Some(first), wall(5), [0x01; 10]);
        let third = NotificationId::next(Some(second), wall(1_700_000_000_001), [0; 10]);
        assert!(first < second && second < third);
        assert_eq!(first.seconds(), 1_700_000_000);
    }

    #[test]
    fn id_as_text() {
        let id = NotificationId::next(None, wall(1), [7; 10]);
        let text = id.to_string();
        assert_eq!(text.len(), 32);
        assert_eq!(text.parse(), Ok(id));
        for bad in [
            "",
            "+0000000000000000000000000000001",
            "g0000000000000000000000000000001",
            "12",
        ] {
            assert_eq!(bad.parse::<NotificationId>(), Err(NotAnId), "{bad}");
        }
    }

    #[test]
    fn targets_as_text() {
        for (text, target) in [
            ("*", Target::Everyone),
            (" Sam ", Target::User("sam".into())),
            ("alias:Kitchen", Target::Alias("Kitchen".into())),
            ("topic:doors", Target::Topic("doors".into())),
            (
                "Sam/Phone 1",
                Target::Device {
                    user: "sam".into(),
                    resource: "Phone 1".into(),
                },
            ),
            ("tag:office", Target::Tags("office".parse().unwrap())),
            ("tag: a & !b", Target::Tags("a & !b".parse().unwrap())),
        ] {
            assert_eq!(text.parse(), Ok(target));
        }
        for nobody in [
            "", "  ", "alias:", "topic: ", "tag: ", "tag:&", "sam/", "/phone",
        ] {
            assert_eq!(nobody.parse::<Target>(), Err(NotATarget));
        }
        assert_eq!("tag:a b".parse::<Target>().unwrap().to_string(), "tag:a b");
    }
}
