//! RFC 6121 §8.5: whose business an IQ is.

use minidom::Element;

use super::error::StanzaError;
use super::host::{Host, Login};
use super::jid::Jid;
use super::router::Context;
use super::session::Bound;
use super::stanza::attr;

/// Whose business an IQ is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// The server's.
    Server,
    /// That of the sender's own account, for which the server answers.
    Own,
    /// That of the address pushes come from, for which the server answers.
    Push,
    /// That of another user's account, for which the server answers; the local part.
    User(String),
    /// That of another client, of this user or another; the domain is one of ours.
    Session(Jid),
}

/// Finds whose business an IQ with this `to` is. The clients of androidpn reach nobody but the server and
/// themselves.
///
/// # Errors
/// `jid-malformed`; `service-unavailable` for what lies elsewhere.
pub fn of(to: Option<&str>, context: &Context<'_>) -> Result<Addressee, StanzaError> {
    let Some(to) = to else {
        // RFC 6120 §10.3.3: without an address it is for the sender's own account.
        return Ok(context.bound.map_or(Addressee::Server, |_| Addressee::Own));
    };
    let jid: Jid = to.parse()?;
    if jid.domain != context.domain && !context.host.is_own_domain(&jid.domain) {
        return Err(StanzaError::ServiceUnavailable);
    }
    let Some(user) = &jid.local else {
        return Ok(Addressee::Server);
    };
    let bound = context.bound.ok_or(StanzaError::ServiceUnavailable)?;
    let is_chat = context.host.login() == Some(Login::Sasl);
    if **user == *bound.user {
        let own = jid.resource.as_deref();
        let is_other = own.is_some_and(|own| *own != *bound.resource) && is_chat;
        return Ok(match is_other {
            true => Addressee::Session(jid),
            false => Addressee::Own,
        });
    }
    if is_push(user, context.host) {
        return Ok(Addressee::Push);
    }
    match (is_chat, &jid.resource) {
        (false, _) => Err(StanzaError::ServiceUnavailable),
        (true, None) => Ok(Addressee::User(user.clone())),
        (true, Some(_)) => Ok(Addressee::Session(jid)),
    }
}

/// Whom an IQ's answer is for, if that is a client and not the server.
#[must_use]
pub fn of_answer(answer: &Element, bound: &Bound, host: &dyn Host) -> Option<Jid> {
    let to: Jid = attr(answer, "to")?.parse().ok()?;
    let ours = to.domain == *bound.domain || host.is_own_domain(&to.domain);
    (ours && to.local.is_some() && to.resource.is_some()).then_some(to)
}

/// Whether pushes come from that local part. An account that had the name before keeps it.
pub fn is_push(user: &str, host: &dyn Host) -> bool {
    user == host.config().push.from && !host.is_user(user)
}
