//! XEP-0445 Pre-Authenticated In-Band Registration: a stream shows a token, and may register then.

use crate::xmpp::error::StanzaError;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, attr};

/// The namespace of tokens, which is that of XEP-0379. Service discovery keeps quiet about it: a client would
/// take it for the invitations of that one.
pub const NS: &str = "urn:xmpp:pars:0";
/// What the stream features announce (§3).
pub const STREAM_FEATURE: &str = "<register xmlns='urn:xmpp:ibr-token:0'/>";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::set(NS, show).only_before_login()];

/// §4: `item-not-found` for a token that is wrong, used up or expired. Whoever has an account needs none.
fn show(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if context.bound.is_some() {
        return Err(StanzaError::NotAllowed);
    }
    if iq.payload.name() != "preauth" {
        return Err(StanzaError::BadRequest);
    }
    let token = attr(iq.payload, "token").ok_or(StanzaError::BadRequest)?;
    context.host.show_token(token.trim())?;
    Ok(Reply::Empty)
}
