//! `androidpn:iq:notification`: the push itself, as androidpn's clients and their forks read it.

use std::rc::Rc;

use minidom::Element;

use crate::xmpp::ns;
use crate::xmpp::payload::content::Content;
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, name, text_element, xml_text};

/// This feature's namespace, the same in every client's provider table.
pub const NS: &str = "androidpn:iq:notification";

/// The end of the element, behind the recipient's own part.
const END: &[u8] = b"</notification>";

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
            (
                "pushType",
                if content.is_silent {
                    "payload"
                } else {
                    "notification"
                },
            ),
            ("createdDate", content.created),
        ] {
            notification.append_child(text_element(field, NS, &xml_text(text)));
        }
        for child in extras(content) {
            notification.append_child(child);
        }
        let mut tail = Vec::new();
        stanza::write(notification, &mut tail);
        // The recipient's own part goes in before the end.
        if tail.ends_with(END) {
            tail.truncate(tail.len() - END.len());
        }
        Self {
            id: content.id.into(),
            tail: tail.into(),
        }
    }

    /// Appends the push to one recipient. The IQ has the notification's id, so that its answer names it.
    ///
    /// `replaces` is the notification this recipient has of the same series, if any.
    pub fn write(&self, bound: &Bound, replaces: Option<&str>, out: &mut Vec<u8>) {
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
        if let Some(id) = replaces {
            out.extend_from_slice(format!("<replaces>{id}</replaces>").as_bytes());
        }
        out.extend_from_slice(END);
        out.extend_from_slice(b"</iq>");
    }
}

/// What androidpn did not have, in elements its parsers pass over. They have no children: a client that looks
/// for known names at any depth must not find one.
fn extras(content: &Content<'_>) -> Vec<Element> {
    let mut extras = Vec::new();
    let text = |field, text: &str| text_element(field, NS, &xml_text(text));
    if !content.image.is_empty() {
        extras.push(text("imageUrl", content.image));
    }
    if let Some(priority) = content.priority {
        extras.push(text("priority", &priority.to_string()));
    }
    extras.extend(content.tags.iter().map(|tag| text("tag", tag)));
    for (label, uri) in content.actions {
        let action = Element::builder("action", NS)
            .attr(name("label"), &*xml_text(label))
            .attr(name("uri"), &*xml_text(uri));
        extras.push(action.build());
    }
    if !content.sequence.is_empty() {
        extras.push(text("sequence", content.sequence));
    }
    if let Some(id) = content.withdraws {
        extras.push(text("withdraws", id));
    }
    extras
}
