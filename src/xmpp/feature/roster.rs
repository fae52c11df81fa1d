//! RFC 6121 §2.1 Roster: phones ask for it after login; it is empty.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::Iq;

/// This feature's namespace.
pub const NS: &str = "jabber:iq:roster";
/// What the stream features announce after login (§2.6): a client may say which version it has.
pub const STREAM_FEATURE: &str = "<ver xmlns='urn:xmpp:features:rosterver'/>";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::get(NS, contacts)];

fn contacts(_iq: &Iq<'_>, _context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    Ok(Reply::With(Element::bare("query", NS)))
}
