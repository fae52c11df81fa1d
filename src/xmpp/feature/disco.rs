//! XEP-0030 Service Discovery: what the server, its accounts and the address pushes come from are and can do;
//! and how the server announces itself by a hash of that (XEP-0115 §6.3).

use minidom::Element;

use crate::xmpp::addressee::Addressee;
use crate::xmpp::error::StanzaError;
use crate::xmpp::ns;
use crate::xmpp::payload::caps;
use crate::xmpp::router::{self, Context, Reply, Route};
use crate::xmpp::stanza::{self, Iq, attr, name};

/// What an entity is and can do (§3).
pub const INFO: &str = ns::DISCO_INFO;
/// What belongs to an entity (§4).
pub const ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// XEP-0160 §6: messages wait for who is away.
const OFFLINE: &str = "msgoffline";
/// What names the software in capabilities; nothing has to be there.
const NODE: &str = "urn:lanpush";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::get(INFO, info)
        .of_accounts()
        .about_others()
        .about_pushes(),
    Route::get(ITEMS, items)
        .of_accounts()
        .about_others()
        .about_pushes(),
];

fn info(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let info = match &context.addressee {
        Addressee::Server | Addressee::Session(_) => return of_server(iq).map(Reply::With),
        Addressee::Own => described("account", "registered", router::account_namespaces()),
        Addressee::User(user) => {
            // §8: whoever may not see a user is not told whether there is one.
            if !context.host.may_see(user) {
                return Err(StanzaError::ServiceUnavailable);
            }
            described("account", "registered", router::public_namespaces())
        }
        Addressee::Push => described("client", "bot", router::push_namespaces()),
    };
    no_node(iq)?;
    Ok(Reply::With(info))
}

/// The server has one node, which is the hash of what it says without one (XEP-0115 §6.2).
fn of_server(iq: &Iq<'_>) -> Result<Element, StanzaError> {
    let mut info = server();
    match attr(iq.payload, "node") {
        None | Some("") => {}
        Some(node) if caps::hash(&info).is_some_and(|ver| node == format!("{NODE}#{ver}")) => {
            stanza::set_attr(&mut info, "node", node);
        }
        Some(_) => return Err(StanzaError::ItemNotFound),
    }
    Ok(info)
}

fn server() -> Element {
    let others = [caps::NS, OFFLINE];
    described("server", "im", router::namespaces().chain(others))
}

/// What the stream features announce to who has logged in.
#[must_use]
pub fn stream_feature() -> String {
    // Told once for each login, which costs a hundred times as much.
    let ver = caps::hash(&server()).unwrap_or_default();
    format!(
        "<c xmlns='{}' hash='sha-1' node='{NODE}' ver='{ver}'/>",
        caps::NS
    )
}

fn described(category: &str, kind: &str, features: impl Iterator<Item = &'static str>) -> Element {
    let mut query = Element::bare("query", INFO);
    query.append_child(
        Element::builder("identity", INFO)
            .attr(name("category"), category)
            .attr(name("type"), kind)
            .attr(name("name"), "lanpush")
            .build(),
    );
    for feature in features {
        let feature = Element::builder("feature", INFO).attr(name("var"), feature);
        query.append_child(feature.build());
    }
    query
}

/// §4: there are no rooms, files or other services behind this one.
fn items(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if let Addressee::User(user) = &context.addressee
        && !context.host.may_see(user)
    {
        return Err(StanzaError::ServiceUnavailable);
    }
    no_node(iq)?;
    Ok(Reply::With(Element::bare("query", ITEMS)))
}

/// §3.2: nobody else has nodes.
fn no_node(iq: &Iq<'_>) -> Result<(), StanzaError> {
    match attr(iq.payload, "node") {
        None | Some("") => Ok(()),
        Some(_) => Err(StanzaError::ItemNotFound),
    }
}
