//! RFC 6121 §5 Message, as which XMPP apps get a push: they show it like any other message.
//!
//! ```xml
//! <message from='push@lan' to='sam@lan/phone' id='ID' type='chat'>
//!   <subject>Door</subject><body>Door&#10;Open since 8:00&#10;http://door/</body>
//!   <x xmlns='jabber:x:oob'><url>http://door/</url></x>
//!   <push xmlns='lanpush:push' priority='5' expires='2026-01-01T09:00:00Z'><tag>home</tag></push>
//!   <request xmlns='urn:xmpp:receipts'/><no-copy xmlns='urn:xmpp:hints'/>
//!   <replace xmlns='urn:xmpp:message-correct:0' id='FIRST'/>
//!   <delay xmlns='urn:xmpp:delay' from='lan' stamp='2026-01-01T08:00:00Z'/>
//! </message>
//! ```
//!
//! The apps show the body and nothing else, so it has the title, the text and every link. What a newer push
//! of a series replaces is named by the id of the first message in its place (XEP-0308 §3). A push for the
//! app has no body but `<push type='payload'/>` with `<title/>`, `<message/>` and `<uri/>`. The id is that
//! of the notification: a receipt, or an error that comes back, says how far it has got.

use std::rc::Rc;

use minidom::Element;

use crate::xmpp::ns;
use crate::xmpp::payload::content::Content;
use crate::xmpp::payload::{delay, hints, receipts, retraction};
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, name, text_element, xml_text};

/// Namespace of what no specification has a place for.
pub const NS: &str = "lanpush:push";
/// XEP-0066 §4: a link beside the text.
const LINK: &str = "jabber:x:oob";
/// XEP-0308: a message takes the place of another.
const CORRECTION: &str = "urn:xmpp:message-correct:0";

const END: &[u8] = b"</message>";

/// A push without its address: written once, sent to many.
#[derive(Clone, Debug)]
pub struct PushMessage {
    id: Rc<str>,
    tail: Rc<[u8]>,
}

/// What is different for each recipient.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// Who gets it.
    pub bound: &'a Bound,
    /// Local part of the sender.
    pub from: &'a str,
    /// `chat` or `headline`.
    pub kind: &'a str,
    /// The first message this recipient has of the same series, if any.
    pub replaces: Option<&'a str>,
    /// The message to take back, if the recipient understands that.
    pub retracts: Option<&'a str>,
    /// When it was meant to come, in seconds since 1970, if that was a good while ago.
    pub late_since: Option<u64>,
}

impl PushMessage {
    /// Serialises the part that is the same for every recipient. `expires` is when nobody will want to know
    /// it any longer, in seconds since 1970.
    #[must_use]
    pub fn new(content: &Content<'_>, expires: Option<u64>) -> Self {
        let mut parts = Vec::new();
        if !content.is_silent {
            if !content.title.is_empty() {
                parts.push(text_element(
                    "subject",
                    ns::CLIENT,
                    &xml_text(content.title),
                ));
            }
            let body = body(content);
            parts.push(text_element("body", ns::CLIENT, &xml_text(&body)));
            // A link that is all there is would be taken for a file to fetch.
            if !content.uri.is_empty() && body != content.uri {
                let mut link = Element::bare("x", LINK);
                link.append_child(text_element("url", LINK, &xml_text(content.uri)));
                parts.push(link);
            }
        }
        parts.push(details(content, expires));
        if !content.is_silent {
            parts.push(receipts::request());
        }
        parts.push(hints::no_copy());
        let mut tail = Vec::new();
        for part in parts {
            stanza::write(part, &mut tail);
        }
        Self {
            id: content.id.into(),
            tail: tail.into(),
        }
    }

    /// Appends the push to one recipient.
    pub fn write(&self, to: &Address<'_>, out: &mut Vec<u8>) {
        let head = Element::builder("message", ns::CLIENT)
            .attr(name("from"), format!("{}@{}", to.from, to.bound.domain))
            .attr(name("to"), to.bound.to_string())
            .attr(name("id"), &*self.id)
            .attr(name("type"), to.kind)
            .build();
        stanza::write(head, out);
        // An element without children ends in "/>"; this one goes on with the shared part.
        if out.ends_with(b"/>") {
            out.truncate(out.len() - 2);
            out.push(b'>');
        }
        out.extend_from_slice(&self.tail);
        if let Some(id) = to.replaces {
            let replace = Element::builder("replace", CORRECTION).attr(name("id"), id);
            stanza::write(replace.build(), out);
        }
        if let Some(id) = to.retracts {
            for part in retraction::parts(id) {
                stanza::write(part, out);
            }
        }
        if let Some(second) = to.late_since {
            stanza::write(delay::stamp(&to.bound.domain, second), out);
        }
        out.extend_from_slice(END);
    }
}

/// Everything a person should read, line by line. It is never empty: apps show nothing then.
fn body(content: &Content<'_>) -> String {
    let mut lines: Vec<String> = [content.title, content.message]
        .into_iter()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect();
    if !content.uri.is_empty() && !content.message.contains(content.uri) {
        lines.push(content.uri.to_owned());
    }
    let links = content.actions.iter();
    lines.extend(links.map(|(label, uri)| format!("{label}: {uri}")));
    if !content.image.is_empty() {
        lines.push(content.image.to_owned());
    }
    if lines.is_empty() {
        lines.push(content.created.to_owned());
    }
    lines.join("\n")
}

/// What an app may want to know beyond what every app shows.
fn details(content: &Content<'_>, expires: Option<u64>) -> Element {
    let mut push = Element::builder("push", NS);
    let mut attribute = |key, value: &str| {
        if !value.is_empty() {
            push = std::mem::replace(&mut push, Element::builder("push", NS))
                .attr(name(key), &*xml_text(value));
        }
    };
    let priority = content.priority.map(|priority| priority.to_string());
    attribute("priority", &priority.unwrap_or_default());
    attribute("sequence", content.sequence);
    attribute("image", content.image);
    attribute(
        "expires",
        &expires.map(delay::date_time).unwrap_or_default(),
    );
    attribute("withdraws", content.withdraws.unwrap_or_default());
    if content.is_silent {
        attribute("type", "payload");
    }
    let mut push = push.build();
    if content.is_silent && content.withdraws.is_none() {
        for (field, text) in [
            ("title", content.title),
            ("message", content.message),
            ("uri", content.uri),
        ] {
            push.append_child(text_element(field, NS, &xml_text(text)));
        }
    }
    for tag in content.tags {
        push.append_child(text_element("tag", NS, &xml_text(tag)));
    }
    for (label, uri) in content.actions {
        let action = Element::builder("action", NS)
            .attr(name("label"), &*xml_text(label))
            .attr(name("uri"), &*xml_text(uri));
        push.append_child(action.build());
    }
    push
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Content<'_> = Content {
        id: "1",
        api_key: "k",
        title: "",
        message: "",
        uri: "",
        created: "2026-01-01 00:00:00",
        image: "",
        priority: None,
        tags: &[],
        actions: &[],
        is_silent: false,
        sequence: "",
        withdraws: None,
    };

    fn written(content: &Content<'_>) -> Element {
        let bound = Bound {
            domain: "lan".into(),
            user: "sam".into(),
            resource: "it's <a> phone".into(),
        };
        let address = Address {
            bound: &bound,
            from: "push",
            kind: "chat",
            replaces: None,
            retracts: None,
            late_since: None,
        };
        let mut out = b"<s xmlns='jabber:client'>".to_vec();
        PushMessage::new(content, None).write(&address, &mut out);
        out.extend_from_slice(b"</s>");
        let stream: Element = String::from_utf8(out).unwrap().parse().unwrap();
        stream.get_child("message", ns::CLIENT).unwrap().clone()
    }

    #[test]
    fn a_body_is_never_missing_and_has_all_there_is_to_read() {
        let title = Content {
            title: "Door",
            ..NOTHING
        };
        let both = Content {
            message: "Open",
            ..title
        };
        let link = Content {
            uri: "http://door/",
            ..both
        };
        let named = Content {
            message: "See http://door/ now",
            ..link
        };
        let only = Content {
            uri: "http://door/",
            ..NOTHING
        };
        let all = Content {
            actions: &[("Close", "http://door/close")],
            image: "http://door/i.png",
            ..link
        };
        for (content, body, has_link) in [
            (NOTHING, "2026-01-01 00:00:00", false),
            (title, "Door", false),
            (both, "Door\nOpen", false),
            (link, "Door\nOpen\nhttp://door/", true),
            (named, "Door\nSee http://door/ now", true),
            (only, "http://door/", false),
            (
                all,
                "Door\nOpen\nhttp://door/\nClose: http://door/close\nhttp://door/i.png",
                true,
            ),
        ] {
            let message = written(&content);
            assert_eq!(message.get_child("body", ns::CLIENT).unwrap().text(), body);
            assert_eq!(message.has_child("x", LINK), has_link, "{body}");
            assert!(message.has_child("request", receipts::NS), "{body}");
        }
    }

    #[test]
    fn a_push_for_the_app_has_no_body() {
        let content = Content {
            message: "a\u{0}b",
            is_silent: true,
            ..NOTHING
        };
        let message = written(&content);
        assert!(!message.has_child("body", ns::CLIENT));
        let push = message.get_child("push", NS).unwrap();
        assert_eq!(stanza::attr(push, "type"), Some("payload"));
        assert_eq!(push.get_child("message", NS).unwrap().text(), "ab");
        assert_eq!(stanza::attr(&message, "to"), Some("sam@lan/it's <a> phone"));
    }
}
