//! `lanpush:iq:topics`, this server's own: a phone says what it wants to get by topic.
//!
//! ```xml
//! <iq type='get' id='1'><query xmlns='lanpush:iq:topics'/></iq>
//! <iq type='result' id='1'><query xmlns='lanpush:iq:topics'>
//!   <topic scope='user'>doors</topic><topic scope='device'>alarms</topic></query></iq>
//! <iq type='set' id='2'><query xmlns='lanpush:iq:topics'>
//!   <subscribe>alarms</subscribe><unsubscribe scope='user'>doors</unsubscribe></query></iq>
//! ```
//!
//! The scope is the device's own (the default) or the user's, which all of their devices have. A set is
//! carried out as a whole or not at all, and answered when it is on the disk: `bad-request` for other
//! elements or scopes or none, `not-acceptable` for names that are empty or too long or for too many topics,
//! `not-allowed` for a device that has never sent presence. An app that uses this is taken to understand
//! `<withdraws/>` too.

use minidom::Element;

use crate::xmpp::error::StanzaError;
use crate::xmpp::host::{Scope, TopicChange};
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, attr, set_attr, text_element, xml_text};

/// This feature's namespace.
pub const NS: &str = "lanpush:iq:topics";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::get(NS, list), Route::set(NS, change)];

fn list(_iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    context.host.takes_back();
    let mut query = Element::bare("query", NS);
    for (topic, scope) in context.host.topics()? {
        let mut element = text_element("topic", NS, &xml_text(&topic));
        let scope = match scope {
            Scope::User => "user",
            Scope::Device => "device",
        };
        set_attr(&mut element, "scope", scope);
        query.append_child(element);
    }
    Ok(Reply::With(query))
}

fn change(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let changes: Vec<TopicChange> = iq.payload.children().map(read).collect::<Result<_, _>>()?;
    if changes.is_empty() {
        return Err(StanzaError::BadRequest);
    }
    context.host.takes_back();
    context.host.change_topics(&changes).map(|()| Reply::Later)
}

fn read(element: &Element) -> Result<TopicChange, StanzaError> {
    let wanted = match (element.ns() == NS, element.name()) {
        (true, "subscribe") => true,
        (true, "unsubscribe") => false,
        _ => return Err(StanzaError::BadRequest),
    };
    let scope = match attr(element, "scope") {
        None | Some("device") => Scope::Device,
        Some("user") => Scope::User,
        Some(_) => return Err(StanzaError::BadRequest),
    };
    Ok(TopicChange {
        topic: element.text().trim().to_owned(),
        scope,
        wanted,
    })
}
