//! XEP-0191 Blocking Command: users name whom they want nothing to do with.

use minidom::Element;

use crate::limits;
use crate::xmpp::addressee::{self, Addressee};
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Jid;
use crate::xmpp::ns;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, Iq, attr, name};

/// This feature's namespace.
pub const NS: &str = "urn:xmpp:blocking";
/// Pushes have an id of their own; the answers to them are not needed.
const PUSH: &str = "blocking";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::get(NS, list).of_accounts(),
    Route::set(NS, change).of_accounts(),
];

/// A change of who is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These are, from now on.
    Block(Vec<Jid>),
    /// These are not any longer; all of them, if none is named.
    Unblock(Vec<Jid>),
}

/// §3.2: who is blocked. From now on the session is told of changes.
fn list(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if iq.payload.name() != "blocklist" {
        return Err(StanzaError::BadRequest);
    }
    only_own(context)?;
    let blocked = context.host.blocked()?;
    Ok(Reply::With(with_items("blocklist", &blocked)))
}

/// §3.3 to §3.5.
fn change(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    only_own(context)?;
    let mut jids = Vec::new();
    for item in iq.payload.children().filter(|item| item.is("item", NS)) {
        let jid: Jid = attr(item, "jid").ok_or(StanzaError::BadRequest)?.parse()?;
        if !jids.contains(&jid) {
            jids.push(jid);
        }
    }
    let change = match iq.payload.name() {
        "block" if jids.is_empty() => return Err(StanzaError::BadRequest),
        "block" if jids.len() > limits::BLOCKED => return Err(StanzaError::NotAcceptable),
        "block" => {
            for jid in &jids {
                can_be_blocked(jid, context)?;
            }
            Change::Block(jids)
        }
        "unblock" => Change::Unblock(jids),
        _ => return Err(StanzaError::BadRequest),
    };
    context.host.block(change)?;
    Ok(Reply::Later)
}

/// Nobody blocks the server, whose notifications are what it is there for: a finger that slips beside a
/// notification must not silence the smoke detector. Topics are how somebody gets fewer of them. To block
/// oneself would be no use either.
fn can_be_blocked(jid: &Jid, context: &Context<'_>) -> Result<(), StanzaError> {
    let host = &*context.host;
    if jid.domain != context.domain && !host.is_own_domain(&jid.domain) {
        return Ok(());
    }
    let is_self = |user: &str| context.bound.is_some_and(|bound| *bound.user == *user);
    match &jid.local {
        Some(user) if !is_self(user) && !addressee::is_push(user, host) => Ok(()),
        _ => Err(StanzaError::NotAllowed),
    }
}

fn only_own(context: &Context<'_>) -> Result<(), StanzaError> {
    match context.addressee {
        Addressee::Own | Addressee::Server => Ok(()),
        _ => Err(StanzaError::Forbidden),
    }
}

/// Tells a session of a change (§3.3): `block` or `unblock`, and of whom.
pub fn write_push(change: &'static str, jids: &[String], bound: &Bound, out: &mut Vec<u8>) {
    let push = Element::builder("iq", ns::CLIENT)
        .attr(name("type"), "set")
        .attr(name("id"), PUSH)
        .attr(name("to"), bound.to_string())
        .append(with_items(change, jids))
        .build();
    stanza::write(push, out);
}

fn with_items(kind: &str, jids: &[String]) -> Element {
    let mut list = Element::bare(kind, NS);
    for jid in jids {
        let item = Element::builder("item", NS).attr(name("jid"), jid.as_str());
        list.append_child(item.build());
    }
    list
}
