//! What goes into the gateway and what comes out of it: the whole traffic between `push` and `edge`.

use std::fmt;
use std::net::IpAddr;

use super::invitations::{NewToken, TokenDraft};
use super::notification::{Extras, NotificationId, Target};
use super::store::{Account, StoreError, Ticket};
use crate::time::Hinter;

/// Names an open connection. The edge gives it and may use it again after [`Event::Disconnected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u32);

/// Names a request that waits for an [`Action::Answer`]. The edge gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Something happened outside.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A phone has connected.
    Connected {
        /// Its connection.
        conn: ConnId,
        /// Where it comes from.
        peer: IpAddr,
    },
    /// TLS lies beneath the connection from its first byte; comes before any [`Event::Received`].
    Secured {
        /// Its connection.
        conn: ConnId,
    },
    /// Bytes have come from a phone, decrypted if there is TLS.
    Received {
        /// Its connection.
        conn: ConnId,
        /// The bytes, split wherever the network liked.
        bytes: &'a [u8],
    },
    /// Everything sent so far has been taken by the socket; asked for by [`Action::Send`].
    Flushed {
        /// The connection.
        conn: ConnId,
    },
    /// The connection is gone, whoever ended it. Comes exactly once for each [`Event::Connected`].
    Disconnected {
        /// The connection.
        conn: ConnId,
    },
    /// A sender or an administrator wants something.
    Ask {
        /// Names the request in the answer.
        ask: AskId,
        /// What is wanted.
        request: Request,
    },
    /// Nobody waits for the answer to a request any longer; it is carried out all the same, and an answer
    /// already on its way may still come.
    Forgotten {
        /// The request.
        ask: AskId,
    },
    /// A batch of the store is durable, or refused as a whole.
    Stored {
        /// The batch.
        ticket: Ticket,
        /// What became of it.
        outcome: Result<(), StoreError>,
    },
    /// Time has passed; due at [`crate::push::Gateway::next_deadline`], harmless at any time.
    Tick,
    /// The server stops: every phone is told why.
    Shutdown,
}

/// What a sender or an administrator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Push a notification.
    Notify(Draft),
    /// Take back what no device has got yet, and tell those that have and whose app understands it.
    Withdraw(Withdrawal),
    /// Wait until every device of a notification has got so far, or will not get farther.
    Wait {
        /// The notification.
        id: NotificationId,
        /// How far.
        until: Until,
    },
    /// Give a user, or one device of theirs, a topic. Having it already is no error.
    Subscribe(TopicOf),
    /// Take a topic away from a user or a device. Not having it is no error.
    Unsubscribe(TopicOf),
    /// Register a user.
    AddUser {
        /// Local part.
        name: String,
        /// Clear text.
        password: String,
    },
    /// Add an account with all that is stored of it, as an import does.
    PutAccount {
        /// The account, as [`super::export::checked`] lets it through.
        account: Account,
        /// Whether it may replace one of that name; its devices stay.
        replace: bool,
    },
    /// Change a user's password.
    SetPassword {
        /// Local part.
        name: String,
        /// Clear text.
        password: String,
    },
    /// Replace a user's tags; none takes them away.
    SetTags {
        /// Local part.
        name: String,
        /// At most [`crate::limits::TAGS`].
        tags: Vec<String>,
    },
    /// Make a token to register with.
    AddToken(TokenDraft),
    /// Make a token worthless.
    RemoveToken {
        /// As it is listed.
        id: String,
    },
    /// Remove a user with devices and waiting notifications, and close their connections.
    RemoveUser {
        /// Local part.
        name: String,
    },
}

/// What a sender takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// One notification.
    Id(NotificationId),
    /// All of a series.
    Sequence {
        /// Its sequence id.
        sequence: String,
        /// Whom it is for, as its sender wrote it.
        target: Target,
        /// Name of the token it was sent with; may be empty.
        sender: String,
    },
}

/// How far a sender wants to see a notification come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Written to the device's connection.
    Sent,
    /// The device has it.
    Acknowledged,
    /// The app has said so.
    Confirmed,
}

/// A topic and who is to have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOf {
    /// Name of the topic.
    pub topic: String,
    /// Local part.
    pub user: String,
    /// The one device that is to have it, or `None` for all of the user's.
    pub resource: Option<String>,
}

/// A notification before it has an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Whom it is for.
    pub target: Target,
    /// One line, may be empty.
    pub title: String,
    /// The text, may be empty.
    pub message: String,
    /// What a tap opens, may be empty.
    pub uri: String,
    /// What else the sender wants.
    pub extras: Box<Extras>,
}

/// What the edge has to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write the bytes that [`crate::push::Gateway::poll_action`] has put into its argument.
    Send {
        /// To this connection.
        conn: ConnId,
        /// Report [`Event::Flushed`] when the socket has taken them.
        tell: bool,
    },
    /// Close the connection when its bytes are out; the stream error is among them.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// The bytes sent so far are the last in plain text: from here on both sides speak TLS. What has come
    /// already is not part of it.
    StartTls {
        /// The connection.
        conn: ConnId,
    },
    /// The connection may be read again; see [`crate::push::Gateway::is_waiting`].
    Resume {
        /// The connection.
        conn: ConnId,
    },
    /// Somebody says what time it is: to be passed on to [`crate::time::Timekeeper::hint`].
    Hint {
        /// Who.
        from: Hinter,
        /// Milliseconds since 1970.
        millis: u64,
    },
    /// A request has its answer. Everything a positive answer speaks of is durable.
    Answer {
        /// The request.
        ask: AskId,
        /// Its answer.
        answer: Answer,
    },
}

/// What became of a request.
pub type Answer = Result<Done, Refusal>;

/// A request has been carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The notification is stored.
    Accepted {
        /// Its identity.
        id: NotificationId,
        /// Devices it is kept for.
        queued: usize,
        /// Devices among them that are connected and get it at once.
        sent: usize,
    },
    /// The notification is stored and waits for its time.
    Scheduled {
        /// Its identity.
        id: NotificationId,
    },
    /// What was taken back.
    Withdrawn {
        /// Devices that will not get it.
        spared: usize,
        /// Devices that have it and are told.
        told: usize,
    },
    /// The wait is over.
    Settled {
        /// Devices that have got as far as was asked.
        reached: usize,
        /// Devices it is for.
        devices: usize,
    },
    /// There is another token.
    Invited(Box<NewToken>),
    /// The account has been changed.
    Changed,
}

/// Why a request was not carried out. Nothing of it has been kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such user, or nobody carries that alias or tag.
    Unknown(Target),
    /// A field is longer than its limit.
    TooLong {
        /// Its name.
        field: &'static str,
        /// Most bytes it may have.
        limit: usize,
    },
    /// A field cannot be what it is.
    Invalid {
        /// Its name.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No notification has that id, or is of that series.
    NoNotification,
    /// There is a user of that name.
    Taken,
    /// No token is listed so.
    NoToken,
    /// There are as many tokens as there may be.
    TooManyTokens,
    /// Nobody may register, with a token neither.
    Closed,
    /// The disk has no room.
    Full,
    /// The store failed.
    Failed,
    /// Too many requests wait for the disk, or the server is stopping.
    Busy,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(Target::Everyone) => f.write_str("there are no users"),
            Self::Unknown(Target::User(user)) => write!(f, "there is no user {user:?}"),
            Self::Unknown(Target::Alias(alias)) => write!(f, "no user has the alias {alias:?}"),
            Self::Unknown(Target::Device { user, resource }) => {
                write!(f, "user {user:?} has no device {resource:?}")
            }
            Self::Unknown(Target::Topic(topic)) => {
                write!(f, "nobody has subscribed to the topic {topic:?}")
            }
            Self::Unknown(Target::Tags(tags)) => {
                write!(f, "nobody meets the condition {:?}", tags.to_string())
            }
            Self::NoNotification => f.write_str("there is no such notification"),
            Self::TooLong { field, limit } => write!(f, "{field} is longer than {limit} bytes"),
            Self::Invalid { field, why } => write!(f, "{field} {why}"),
            Self::Taken => f.write_str("there is a user of that name"),
            Self::NoToken => f.write_str("there is no such token"),
            Self::TooManyTokens => f.write_str("there are too many tokens; take some back first"),
            Self::Closed => f.write_str(
                "registration is closed, and a token would open nothing; see xmpp.registration",
            ),
            Self::Full => f.write_str("the disk has no room for another notification"),
            Self::Failed => f.write_str("the store failed; see the log"),
            Self::Busy => f.write_str("too many requests are waiting; try again"),
        }
    }
}
