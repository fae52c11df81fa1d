//! XEP-0198 Stream Management: both sides count stanzas, and a session outlives its connection.

use minidom::Element;

use crate::xmpp::host::Enabled;
use crate::xmpp::ns;
use crate::xmpp::stanza::{self, attr, name};

/// This feature's namespace.
pub const NS: &str = "urn:xmpp:sm:3";
/// What the stream features announce to who has logged in (§3).
pub const STREAM_FEATURE: &str = "<sm xmlns='urn:xmpp:sm:3'/>";
/// §4: asks the client how many stanzas it has handled.
pub const REQUEST: &[u8] = b"<r xmlns='urn:xmpp:sm:3'/>";

/// §5: whether `<enable/>` asks for a session that can be resumed.
#[must_use]
pub fn wants_resumption(enable: &Element) -> bool {
    matches!(attr(enable, "resume"), Some("true" | "1"))
}

/// The stanzas the other side says it has handled; `None` if it does not say.
#[must_use]
pub fn handled(element: &Element) -> Option<u32> {
    attr(element, "h")?.trim().parse().ok()
}

/// §3 and §5: counting begins behind this element.
pub fn write_enabled(enabled: &Enabled, out: &mut Vec<u8>) {
    let mut element = Element::builder("enabled", NS);
    if let Some(id) = &enabled.id {
        element = element
            .attr(name("id"), id.as_str())
            .attr(name("resume"), "true")
            .attr(name("max"), enabled.seconds.to_string());
    }
    stanza::write(element.build(), out);
}

/// §4: how many stanzas we have handled.
pub fn write_answer(handled: u32, out: &mut Vec<u8>) {
    let answer = Element::builder("a", NS).attr(name("h"), handled.to_string());
    stanza::write(answer.build(), out);
}

/// §5: the session goes on; `handled` is what we had handled of it.
pub fn write_resumed(id: &str, handled: u32, out: &mut Vec<u8>) {
    let resumed = Element::builder("resumed", NS)
        .attr(name("h"), handled.to_string())
        .attr(name("previd"), id);
    stanza::write(resumed.build(), out);
}

/// §3 and §5: it cannot be done.
pub fn write_failed(condition: &str, out: &mut Vec<u8>) {
    let failed = Element::builder("failed", NS);
    let failed = failed.append(Element::bare(condition, ns::STANZAS));
    stanza::write(failed.build(), out);
}
