//! XEP-0092 Software Version: what runs here. On what it runs is nobody's business.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, text_element};

/// This feature's namespace.
pub const NS: &str = "jabber:iq:version";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::get(NS, version).about_pushes()];

fn version(_iq: &Iq<'_>, _context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let mut query = Element::bare("query", NS);
    query.append_child(text_element("name", NS, "lanpush"));
    query.append_child(text_element("version", NS, env!("CARGO_PKG_VERSION")));
    Ok(Reply::With(query))
}
