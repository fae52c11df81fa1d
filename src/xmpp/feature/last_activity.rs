//! XEP-0012 Last Activity: how long the server has been up, and how long somebody has been away.

use minidom::Element;

use crate::xmpp::addressee::Addressee;
use crate::xmpp::error::StanzaError;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, name};

/// This feature's namespace.
pub const NS: &str = "jabber:iq:last";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::get(NS, last).of_accounts().about_others()];

/// §3 and §5. Whoever may not see a user is told the same of one who does not exist (§8).
fn last(_iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let seconds = match &context.addressee {
        Addressee::User(user) if !context.host.may_see(user) => return Err(StanzaError::Forbidden),
        Addressee::User(user) => {
            let away = context.host.seconds_away(user);
            away.ok_or(StanzaError::ServiceUnavailable)?
        }
        Addressee::Own => 0,
        Addressee::Server | Addressee::Push | Addressee::Session(_) => context.host.uptime(),
    };
    let query = Element::builder("query", NS).attr(name("seconds"), seconds.to_string());
    Ok(Reply::With(query.build()))
}
