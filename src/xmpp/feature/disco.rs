//! XEP-0030 Service Discovery: what the server is and can do.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::ns;
use crate::xmpp::router::{self, Context, Reply, Route};
use crate::xmpp::stanza::{Iq, attr, name};

/// What an entity is and can do (§3).
pub const INFO: &str = ns::DISCO_INFO;
/// What belongs to an entity (§4).
pub const ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::get(INFO, info), Route::get(ITEMS, items)];

fn info(iq: &Iq<'_>, _context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    no_node(iq)?;
    let mut query = Element::bare("query", INFO);
    query.append_child(
        Element::builder("identity", INFO)
            .attr(name("category"), "server")
            .attr(name("type"), "im")
            .attr(name("name"), "lanpush")
            .build(),
    );
    for namespace in router::namespaces() {
        query.append_child(
            Element::builder("feature", INFO)
                .attr(name("var"), namespace)
                .build(),
        );
    }
    Ok(Reply::With(query))
}

fn items(iq: &Iq<'_>, _context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    no_node(iq)?;
    Ok(Reply::With(Element::bare("query", ITEMS)))
}

/// §3.2: the server has no nodes.
fn no_node(iq: &Iq<'_>) -> Result<(), StanzaError> {
    match attr(iq.payload, "node") {
        None | Some("") => Ok(()),
        Some(_) => Err(StanzaError::ItemNotFound),
    }
}
