//! RFC 6121 §4 Presence: available phones get pushes, others have theirs kept. Nobody else is told.

use minidom::Element;

use crate::xmpp::host::{Host, Presence, Show};
use crate::xmpp::payload::caps::{self, Caps};
use crate::xmpp::stanza::{attr, child_text};

/// Takes in the presence of a logged-in phone; presence is never answered.
pub fn update(presence: &Element, host: &mut dyn Host) {
    if attr(presence, "to").is_some() {
        return;
    }
    match attr(presence, "type") {
        None | Some("" | "available") => {
            // In which form it gets its pushes has to be known before they go out.
            if let Some(caps) = Caps::of(presence) {
                host.announces(caps);
            }
            host.available(Presence {
                show: show(presence),
                priority: priority(presence),
            });
            // Whoever announces capabilities is more than a receiver of pushes, and likely to answer when it
            // is asked for the time. The stock androidpn client announces none.
            if presence.has_child("c", caps::NS) {
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

/// Without a number from -128 to 127 it is 0.
fn priority(presence: &Element) -> i8 {
    child_text(presence, "priority").parse().unwrap_or_default()
}
