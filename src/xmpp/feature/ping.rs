//! XEP-0199 XMPP Ping, both ways: a client asks whether we live, and we ask what a client has read.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::ns;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, Iq, name};

/// This feature's namespace.
pub const NS: &str = "urn:xmpp:ping";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::get(NS, pong).about_pushes()];

/// §4.2: a client pings its server.
fn pong(_iq: &Iq<'_>, _context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    Ok(Reply::Empty)
}

/// §4.1: the server pings a client. Whatever the answer, even 501, it proves that the client has read all
/// that was sent before.
pub fn write_ping(id: &str, bound: &Bound, out: &mut Vec<u8>) {
    let ping = Element::builder("iq", ns::CLIENT)
        .attr(name("type"), "get")
        .attr(name("id"), id)
        .attr(name("from"), &*bound.domain)
        .attr(name("to"), bound.to_string())
        .append(Element::bare("ping", NS))
        .build();
    stanza::write(ping, out);
}
