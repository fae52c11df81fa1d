//! XEP-0424 Message Retraction: a push that was sent as a message is taken back.

use minidom::Element;

use crate::xmpp::ns;
use crate::xmpp::stanza::{name, text_element};

/// This feature's namespace, and what clients that understand it advertise.
pub const NS: &str = "urn:xmpp:message-retract:1";
/// XEP-0428: what is there for clients that do not.
const FALLBACK: &str = "urn:xmpp:fallback:0";

/// What a retraction consists of besides its address: it names the message as the client first got it.
#[must_use]
pub fn parts(id: &str) -> [Element; 3] {
    let retract = Element::builder("retract", NS).attr(name("id"), id);
    let fallback = Element::builder("fallback", FALLBACK).attr(name("for"), NS);
    let body = text_element("body", ns::CLIENT, "An earlier message was taken back.");
    [retract.build(), fallback.build(), body]
}
