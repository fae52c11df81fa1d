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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_hash_is_that_of_what_the_server_says() {
        let info = server();
        let presence = format!(
            "<presence xmlns='jabber:client'>{}</presence>",
            stream_feature()
        );
        let announced = caps::Caps::of(&presence.parse().unwrap()).unwrap();
        assert!(announced.fits(&info));
        // What a client computes, by hand: identity, then features in order.
        let mut text = "server/im//lanpush<".to_owned();
        let features: BTreeSet<&str> = info
            .children()
            .filter_map(|child| attr(child, "var"))
            .collect();
        assert_eq!(features.len(), info.children().count() - 1, "each once");
        for feature in features {
            text += feature;
            text.push('<');
        }
        let digest = <sha1::Sha1 as sha1::Digest>::digest(text);
        let ver = <base64ct::Base64 as base64ct::Encoding>::encode_string(&digest);
        assert_eq!(caps::hash(&info), Some(ver));
    }

    #[test]
    fn nothing_is_announced_that_is_not_there() {
        let said: Vec<String> = server()
            .children()
            .filter_map(|child| attr(child, "var").map(ToOwned::to_owned))
            .collect();
        for absent in [
            "urn:xmpp:mam:2",
            "urn:xmpp:pars:0",
            "http://jabber.org/protocol/muc",
            "http://jabber.org/protocol/pubsub",
            "urn:xmpp:http:upload:0",
            "http://jabber.org/protocol/commands",
        ] {
            assert!(!said.iter().any(|feature| feature == absent), "{absent}");
        }
    }
}
