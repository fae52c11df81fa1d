//! What the server keeps for the user of a connection: a part of [`Host`](super::host::Host).

use super::error::StanzaError;
use super::feature::blocking;

/// The vCard, the private storage and the blocklist of one connection's user.
pub trait Keeper {
    /// A user's vCard, as text.
    ///
    /// # Errors
    /// `internal-server-error` if the store cannot be read.
    fn vcard(&self, user: &str) -> Result<Option<String>, StanzaError>;

    /// Replaces the bound user's vCard, or removes it; the outcome comes later.
    ///
    /// # Errors
    /// `resource-constraint`.
    fn change_vcard(&mut self, card: Option<String>) -> Result<(), StanzaError>;

    /// An element of the bound user's private storage, as text.
    ///
    /// # Errors
    /// `internal-server-error` if the store cannot be read.
    fn private(&self, key: &str) -> Result<Option<String>, StanzaError>;

    /// Replaces elements of the bound user's private storage, all or nothing; the outcome comes later.
    ///
    /// # Errors
    /// `not-acceptable` if there would be too much of them, `internal-server-error` or `resource-constraint`.
    fn change_private(&mut self, items: Vec<PrivateItem>) -> Result<(), StanzaError>;

    /// Whom the bound user has blocked, in the name the client uses; the session is told of changes from now on.
    ///
    /// # Errors
    /// `internal-server-error` if the store cannot be read.
    fn blocked(&mut self) -> Result<Vec<String>, StanzaError>;

    /// Changes whom the bound user has blocked; the outcome comes later.
    ///
    /// # Errors
    /// `not-acceptable` for too many, `internal-server-error` or `resource-constraint`.
    fn block(&mut self, change: blocking::Change) -> Result<(), StanzaError>;
}

/// An element of private storage (XEP-0049).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateItem {
    /// Its namespace and name.
    pub key: String,
    /// The element; `None` if it is empty and need not be kept.
    pub text: Option<String>,
}
