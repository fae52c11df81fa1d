//! What the server and one connection speak in.

use std::fmt;

/// When a password that somebody sends is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// At once.
    Now,
    /// When its time has come; the session stands still until then.
    Later,
    /// Not at all: too many wait already.
    Never,
}

/// How a session has logged in, which tells what kind of client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// By `jabber:iq:auth` (XEP-0078): a client of androidpn's.
    Legacy,
    /// By SASL and resource binding: a present-day XMPP app.
    Sasl,
}

/// A password that is to be kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewPassword {
    /// Clear text.
    pub text: String,
    /// Whether it may be kept as it is. It may if it came over the network in the clear, from a client that may
    /// want to log in with a digest of it; of any other only keys are kept.
    pub recoverable: bool,
}

/// Never shown.
impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewPassword").finish_non_exhaustive()
    }
}

/// Whose keys a client is challenged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The user's.
    Theirs,
    /// There is such a user, but only a password: the salt is right, the keys have to be made.
    Unmade,
    /// There is no such user.
    Nobodys,
}

/// What a phone sends to get an account (XEP-0077 §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// Local part, already in its canonical form.
    pub user: String,
    /// Its password.
    pub password: NewPassword,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub name: String,
}

/// Fields of an account to replace; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Another password.
    pub password: Option<NewPassword>,
    /// E-mail address.
    pub email: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// Name by which senders may address the user.
    pub alias: Option<String>,
    /// Words by which senders may address groups.
    pub tags: Option<Vec<String>>,
}

/// A session has become a managed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enabled {
    /// What it can be resumed by, if it can be.
    pub id: Option<String>,
    /// For so long after its connection is lost.
    pub seconds: u64,
}

/// Who has a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All devices of the user.
    User,
    /// The device that says so.
    Device,
}

/// A topic that is wanted from now on, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicChange {
    /// Its name.
    pub topic: String,
    /// For whom.
    pub scope: Scope,
    /// Whether it is wanted.
    pub wanted: bool,
}

/// What an available phone says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Its availability.
    pub show: Show,
    /// How much it wants messages to the account (RFC 6121 §4.7.2.3); below 0 it wants none of them.
    /// Pushes go to every available phone all the same.
    pub priority: i8,
}

/// Availability a phone announces (RFC 6121 §4.7.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// No `<show/>`.
    Online,
    /// `away`
    Away,
    /// `chat`
    Chat,
    /// `dnd`
    DoNotDisturb,
    /// `xa`
    ExtendedAway,
}
