//! XEP-0184 Message Delivery Receipts: a client says that it has a message.

use minidom::Element;

use crate::xmpp::stanza::attr;

/// This feature's namespace.
pub const NS: &str = "urn:xmpp:receipts";
/// XEP-0333: a client says that a person has seen a message, which says that it has it too.
const MARKERS: &str = "urn:xmpp:chat-markers:0";

/// §5.2: asks for a receipt.
#[must_use]
pub fn request() -> Element {
    Element::bare("request", NS)
}

/// The id of the message that has been received or seen.
#[must_use]
pub fn received(message: &Element) -> Option<&str> {
    let receipt = message.get_child("received", NS);
    let marker = || {
        let marks = ["received", "displayed", "acknowledged"];
        marks
            .into_iter()
            .find_map(|mark| message.get_child(mark, MARKERS))
    };
    attr(receipt.or_else(marker)?, "id")
}
