//! XEP-0203 Delayed Delivery: when a stanza was sent, if that was a good while ago.

use minidom::{Element, Node};

use crate::time::calendar;
use crate::xmpp::stanza::{attr, name};

/// This feature's namespace.
pub const NS: &str = "urn:xmpp:delay";

/// A moment in XEP-0082's profile: UTC, whole seconds.
#[must_use]
pub fn date_time(unix_seconds: u64) -> String {
    calendar(unix_seconds).replace(' ', "T") + "Z"
}

/// The stamp of the server `domain`.
#[must_use]
pub fn stamp(domain: &str, unix_seconds: u64) -> Element {
    Element::builder("delay", NS)
        .attr(name("from"), domain)
        .attr(name("stamp"), date_time(unix_seconds))
        .build()
}

/// Takes out stamps that say they are ours: only we may say when we have kept something (§5).
pub fn drop_forged(message: &mut Element, is_own: impl Fn(&str) -> bool) {
    let forged = |child: &Element| child.is("delay", NS) && attr(child, "from").is_none_or(&is_own);
    if !message.children().any(&forged) {
        return;
    }
    for node in message.take_nodes() {
        if !matches!(&node, Node::Element(child) if forged(child)) {
            message.append_node(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stamps_of_others_stay() {
        let mut message: Element = "<message xmlns='jabber:client'>\
             <delay xmlns='urn:xmpp:delay' from='push.lan' stamp='1'/><body>hi</body>\
             <delay xmlns='urn:xmpp:delay' stamp='2'/>\
             <delay xmlns='urn:xmpp:delay' from='sam@push.lan' stamp='3'/></message>"
            .parse()
            .unwrap();
        drop_forged(&mut message, |domain| domain == "push.lan");
        let stamps: Vec<_> = message
            .children()
            .filter_map(|child| attr(child, "stamp"))
            .collect();
        assert_eq!(stamps, ["3"]);
        assert_eq!(
            message.get_child("body", "jabber:client").unwrap().text(),
            "hi"
        );
    }

    #[test]
    fn a_stamp_is_in_utc() {
        let stamp = stamp("push.lan", 1_767_225_600);
        assert_eq!(attr(&stamp, "stamp"), Some("2026-01-01T00:00:00Z"));
    }
}
