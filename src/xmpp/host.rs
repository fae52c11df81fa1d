//! What one connection may ask of the rest of the server: the port between floor 0 and floor 1.

mod terms;

use std::rc::Rc;

use minidom::Element;

pub use self::terms::*;
use super::error::StanzaError;
use super::feature::message::Message;
use super::feature::presence::Taken;
use super::feature::roster;
use super::jid::Jid;
use super::keeper::Keeper;
use super::payload::caps::Caps;
use super::sasl::keys::Keys;
use super::session::Bound;
use super::subscription::Kind;
use crate::config::Config;
use crate::time::Wall;

/// The server as one connection sees it. An implementation knows which connection it stands for.
pub trait Host: Keeper {
    /// The effective configuration.
    fn config(&self) -> &Config;

    /// The time of day.
    fn wall(&self) -> Wall;

    /// A shared copy of a domain name: most sessions use the same few.
    fn domain_name(&mut self, domain: &str) -> Rc<str>;

    /// The id of a stream that begins anew on this connection; hard to guess. A token the old one has shown is
    /// forgotten.
    fn new_stream_id(&mut self) -> u64;

    /// Whether a domain is one of this server's names for itself.
    fn is_own_domain(&self, domain: &str) -> bool;

    /// Whether this connection may register an account: by its address (`xmpp.registration`), or because its
    /// stream has shown a token.
    fn may_register(&self) -> bool;

    /// Whether a token would let this connection register (XEP-0445).
    fn takes_tokens(&self) -> bool;

    /// The stream shows a token, which lets it register while the token is good.
    ///
    /// # Errors
    /// `item-not-found` for a wrong one, which counts as a failed login; `not-allowed` where registration is
    /// closed.
    fn show_token(&mut self, token: &str) -> Result<(), StanzaError>;

    /// Fills a buffer with random bytes.
    fn random(&mut self, bytes: &mut [u8]);

    /// The clear password of a user, which only some accounts have: those of androidpn's clients, whose login
    /// needs it (XEP-0078 §3). `None` if there is no such user, or only keys of theirs.
    ///
    /// # Errors
    /// `internal-server-error` if the store cannot be read; never `not-authorized`, which would make an
    /// androidpn client throw its identity away.
    fn recoverable_password(&self, user: &str) -> Result<Option<String>, StanzaError>;

    /// Whether there is such a user.
    fn is_user(&self, user: &str) -> bool;

    /// Whether this is the user's password. Takes the same milliseconds whatever is kept of it, and if there is
    /// no such user.
    ///
    /// # Errors
    /// As [`recoverable_password`](Self::recoverable_password).
    fn is_password(&mut self, user: &str, password: &str) -> Result<bool, StanzaError>;

    /// The keys of a user's password; for somebody unknown, and where they have not been made, keys that no
    /// password has, always the same ones. Takes the same time for all.
    ///
    /// # Errors
    /// As [`recoverable_password`](Self::recoverable_password).
    fn keys(&mut self, user: &str) -> Result<(Keys, Whose), StanzaError>;

    /// The keys of a user for whom [`keys`](Self::keys) has said [`Whose::Unmade`], with the salt it told. Takes
    /// milliseconds, once.
    ///
    /// # Errors
    /// As [`recoverable_password`](Self::recoverable_password).
    fn make_keys(&mut self, user: &str) -> Result<Keys, StanzaError>;

    /// Whether this connection's address may try a password now: after many failures it has to wait, and after
    /// many registrations if this is another one. [`Attempt::Later`] leads to
    /// [`Session::try_now`](super::session::Session::try_now).
    fn attempt(&mut self, registers: bool) -> Attempt;

    /// Somebody has failed to prove that they are `user`.
    fn failed(&mut self, user: &str);

    /// Somebody has proved that they are `user`.
    fn succeeded(&mut self, user: &str);

    /// Makes this connection the session of `user/resource`; without a resource, of one the server makes. An
    /// older session of that full JID ends with `<conflict/>`. Returns shared copies of both parts.
    ///
    /// # Errors
    /// The account is gone (`not-authorized`).
    fn bind(
        &mut self,
        user: &str,
        resource: Option<&str>,
        login: Login,
    ) -> Result<(Rc<str>, Rc<str>), StanzaError>;

    /// How the session of this connection has logged in; `None` if it is not bound.
    fn login(&self) -> Option<Login>;

    /// Registers an account. `Ok(false)` if it exists with this very password, `Ok(true)` if the outcome
    /// comes later (see [`Session::finish`](super::session::Session::finish)).
    ///
    /// # Errors
    /// `conflict` if the name is taken, which counts as a failed login if that is because of the password;
    /// `not-allowed` if the connection may not register, `resource-constraint` if there is no room.
    fn register(&mut self, registration: Registration) -> Result<bool, StanzaError>;

    /// What the bound user's account says: (e-mail, full name).
    ///
    /// # Errors
    /// `internal-server-error` if the store cannot be read.
    fn registered_fields(&self) -> Result<(String, String), StanzaError>;

    /// Changes the bound user's account; the outcome comes later.
    ///
    /// # Errors
    /// `internal-server-error` or `resource-constraint`.
    fn change_account(&mut self, change: AccountChange) -> Result<(), StanzaError>;

    /// Removes the bound user's account; the outcome comes later.
    ///
    /// # Errors
    /// `resource-constraint`.
    fn remove_account(&mut self) -> Result<(), StanzaError>;

    /// The bound device can be reached from now on; what waits for it is delivered.
    fn available(&mut self, presence: Presence);

    /// The bound device is connected but does not want anything.
    fn unavailable(&mut self);

    /// The bound session is one of a chat app, in the domain its client uses: pushes come to it as messages.
    fn chats_in(&mut self, domain: &Rc<str>);

    /// The client says something else before it asks for stream management: hardly any asks later.
    fn goes_unmanaged(&mut self);

    /// The client has announced what it can do.
    fn announces(&mut self, caps: Caps);

    /// The client has answered what was asked about that, with an error if there is no `info`.
    fn told_abilities(&mut self, question: u32, info: Option<&Element>);

    /// Whether the bound session is one of a chat app.
    fn is_chat(&self) -> bool;

    /// The bound user's contacts, unless the client has the version it names; its session is told of every
    /// change from now on.
    ///
    /// # Errors
    /// `internal-server-error` if the store cannot be read.
    fn roster(&mut self, known: Option<&str>) -> Result<roster::View, StanzaError>;

    /// Changes the bound user's roster; the outcome comes later.
    ///
    /// # Errors
    /// `not-allowed` for the user's own address or the server's, and for removing what an administrator has
    /// put there; `item-not-found` for removing what is not there; `resource-constraint` if there is no room;
    /// `internal-server-error`.
    fn change_roster(&mut self, wish: roster::Wish) -> Result<(), StanzaError>;

    /// Shows everybody who may see the bound session that it is available or not; `words` is the stanza
    /// without addresses.
    fn show(&mut self, words: &[u8], available: bool);

    /// Passes a presence without addresses on to one of this server's users, of type `unavailable` or
    /// `error` or available. An available one is taken back when the session is not available any longer.
    fn tell(&mut self, to: &Jid, words: &[u8], kind: Option<&str>);

    /// Shows the bound session what there is to be seen of a user.
    fn probe(&mut self, to: &Jid);

    /// Changes who may see whom between the bound user and another; `words` is the stanza without addresses.
    ///
    /// # Errors
    /// `not-allowed` for the user's own address, `resource-constraint` if there is no room,
    /// `internal-server-error`. Nothing tells whether the other user exists.
    fn subscription(&mut self, kind: Kind, user: &str, words: &[u8]) -> Result<Taken, StanzaError>;

    /// The client is one that knows what time it is; it may be asked.
    fn knows_time(&mut self);

    /// The client has told the time: milliseconds since 1970.
    fn told_time(&mut self, millis: u64);

    /// The app has confirmed a notification, named by the text of its id.
    fn confirmed(&mut self, id: &str);

    /// The app has shown that it keeps silent pushes from the person, so that it can be told to take a
    /// notification back.
    fn takes_back(&mut self);

    /// What the bound device and its user have subscribed to.
    ///
    /// # Errors
    /// `not-authorized` if nobody is bound.
    fn topics(&self) -> Result<Vec<(String, Scope)>, StanzaError>;

    /// Subscribes and unsubscribes, all or nothing; the outcome comes later.
    ///
    /// # Errors
    /// `not-acceptable` for a name that cannot be one or for too many, `not-allowed` for a device that has
    /// never been available, `internal-server-error` or `resource-constraint`.
    fn change_topics(&mut self, changes: &[TopicChange]) -> Result<(), StanzaError>;

    /// The client has answered an IQ of ours: with a result (`true`) or an error.
    fn answered(&mut self, id: &str, result: bool);

    /// The bound session is managed from here on, and can be resumed if that is wanted and allowed (XEP-0198).
    fn manage(&mut self, bound: &Bound, resumable: bool) -> Enabled;

    /// The client has handled so many stanzas of its managed session.
    ///
    /// # Errors
    /// How many it has been sent, if that is less.
    fn acknowledged(&mut self, handled: u32) -> Result<(), u32>;

    /// The client wants to go on with a session of the user it has logged in as; the outcome comes later.
    fn resume(&mut self, user: &str, session: &str, handled: u32);

    /// Whether anybody looks at the client (XEP-0352).
    fn client_state(&mut self, active: bool);

    /// Whether the bound session gets copies of what its user's other apps send and receive.
    ///
    /// # Errors
    /// `not-allowed` if it is not the session of a chat app.
    fn wants_carbons(&mut self, wanted: bool) -> Result<(), StanzaError>;

    /// Sends a message to a user. `Ok(true)` if it waits for the disk, and the outcome comes later.
    ///
    /// # Errors
    /// Those of [`route`](super::feature::message::route).
    fn send(&mut self, message: Message, bound: &Bound) -> Result<bool, StanzaError>;

    /// How long the server has been up, in seconds.
    fn uptime(&self) -> u64;

    /// Whether the bound session may have to do with a user, or with one session of theirs.
    ///
    /// # Errors
    /// `not-acceptable` if its user has blocked that one, `service-unavailable` if it is the other way round,
    /// `internal-server-error` if the store cannot be read.
    fn may_address(&mut self, user: &str, resource: Option<&str>) -> Result<(), StanzaError>;

    /// Whether the bound user may see another's presence.
    fn may_see(&self, user: &str) -> bool;

    /// For how many seconds nobody has seen a user, who is one the bound user may see; `None` if that is not
    /// known.
    fn seconds_away(&self, user: &str) -> Option<u64>;

    /// Passes a request on to another client, whose answer, or that there is none, comes to this one later.
    ///
    /// # Errors
    /// `service-unavailable` if there is no such session or the two may not know of each other, `not-acceptable`
    /// if the request is too long, `resource-constraint` if too many wait for an answer; those of
    /// [`may_address`](Self::may_address).
    fn ask(&mut self, to: &Jid, request: &Element, bound: &Bound) -> Result<(), StanzaError>;

    /// Passes an answer on to the client that asked; false if that has asked nothing of the kind.
    fn pass_answer(&mut self, to: &Jid, answer: &Element) -> bool;
}
