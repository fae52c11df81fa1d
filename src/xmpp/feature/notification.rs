//! `androidpn:iq:notification`: the push itself, as androidpn's clients and their forks read it.

use std::rc::Rc;

use minidom::Element;

use crate::xmpp::ns;
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, name, text_element, xml_text};

/// This feature's namespace, the same in every client's provider table.
pub const NS: &str = "androidpn:iq:notification";

/// What goes into the stanza.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Identity of the notification.
    pub id: &'a str,
    /// A constant some clients compare.
    pub api_key: &'a str,
    /// One line.
    pub title: &'a str,
    /// The text.
    pub message: &'a str,
    /// What a tap opens, or empty.
    pub uri: &'a str,
    /// `yyyy-MM-dd HH:mm:ss`
    pub created: &'a str,
}

/// A push without its address: written once, sent to many.
#[derive(Clone, Debug)]
pub struct Push {
    id: Rc<str>,
    tail: Rc<[u8]>,
}

impl Push {
    /// Serialises the part that is the same for every recipient.
    ///
    /// The order is the stock client's; what follows are the names that other clients and forks look for.
    /// A known field never has children, which would end the client's stream.
    #[must_use]
    pub fn new(content: &Content<'_>) -> Self {
        let mut notification = Element::bare("notification", NS);
        for (field, text) in [
            ("id", content.id),
            ("apiKey", content.api_key),
            ("title", content.title),
            ("message", content.message),
            ("uri", content.uri),
            ("uuid", content.id),
            ("ticker", content.title),
            ("url", content.uri),
            ("pushType", "notification"),
            ("createdDate", content.created),
        ] {
            notification.append_child(text_element(field, NS, &xml_text(text)));
        }
        let mut tail = Vec::new();
        stanza::write(notification, &mut tail);
        tail.extend_from_slice(b"</iq>");
        Self {
            id: content.id.into(),
            tail: tail.into(),
        }
    }

    /// Appends the push to one recipient. The IQ has the notification's id, so that its answer names it.
    pub fn write(&self, bound: &Bound, out: &mut Vec<u8>) {
        let head = Element::builder("iq", ns::CLIENT)
            .attr(name("type"), "set")
            .attr(name("id"), &*self.id)
            .attr(name("to"), bound.to_string())
            .build();
        stanza::write(head, out);
        // An element without children ends in "/>"; this one goes on with the shared part.
        if out.ends_with(b"/>") {
            out.truncate(out.len() - 2);
            out.push(b'>');
        }
        out.extend_from_slice(&self.tail);
    }
}
