//! XEP-0352 Client State Indication: whether anybody looks at the client.

use minidom::Element;

/// This feature's namespace.
pub const NS: &str = "urn:xmpp:csi:0";
/// What the stream features announce to who has logged in (§3).
pub const STREAM_FEATURE: &str = "<csi xmlns='urn:xmpp:csi:0'/>";

/// §4: whether the client is active from now on; `None` if the element does not say.
#[must_use]
pub fn is_active(element: &Element) -> Option<bool> {
    match element.name() {
        "active" => Some(true),
        "inactive" => Some(false),
        _ => None,
    }
}
