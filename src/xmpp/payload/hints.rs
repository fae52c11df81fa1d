//! XEP-0334 Message Processing Hints: what a message's sender wants done with it, or not.

use minidom::Element;

/// This feature's namespace.
pub const NS: &str = "urn:xmpp:hints";

/// §4.4: it is not for other devices of the user.
#[must_use]
pub fn no_copy() -> Element {
    Element::bare("no-copy", NS)
}

/// Whether a message carries a hint.
#[must_use]
pub fn has(message: &Element, hint: &str) -> bool {
    message.has_child(hint, NS)
}
