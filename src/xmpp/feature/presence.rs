//! RFC 6121 §4 Presence: available phones get pushes, others have theirs kept. Nobody else is told.

use minidom::Element;

use crate::xmpp::feature::time;
use crate::xmpp::host::{Host, Show};
use crate::xmpp::stanza::{attr, child_text};

/// Takes in the presence of a logged-in phone; presence is never answered.
pub fn update(presence: &Element, host: &mut dyn Host) {
    if attr(presence, "to").is_some() {
        return;
    }
    match attr(presence, "type") {
        None | Some("" | "available") => {
            host.available(show(presence));
            if time::is_known_to(presence) {
                host.knows_time();
            }
        }
        Some("unavailable") => host.unavailable(),
        Some(other) => log::debug!("presence of type {other:?} is not used here"),
    }
}

fn show(presence: &Element) -> Show {
    match child_text(presence, "show").as_str() {
        "away" => Show::Away,
        "chat" => Show::Chat,
        "dnd" => Show::DoNotDisturb,
        "xa" => Show::ExtendedAway,
        _ => Show::Online,
    }
}
