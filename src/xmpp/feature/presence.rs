//! RFC 6121 §3 and §4 Presence: available phones get pushes, others have theirs kept; the users of chat apps
//! see each other, as far as they allow it.
//!
//! A push goes to every available phone, whatever its priority: a priority below 0 keeps messages to the
//! account away from a session (§8.5.2.1.1), and a push is one to the device. Nobody is told anything of
//! androidpn's clients, and they are told nothing.

use minidom::Element;
use minidom::element::escape;
use rxml::Namespace;

use crate::limits;
use crate::xmpp::error::StanzaError;
use crate::xmpp::host::{Host, Presence, Show};
use crate::xmpp::jid::Jid;
use crate::xmpp::payload::caps::{self, Caps};
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, attr, child_text};
use crate::xmpp::subscription::Kind;

/// How a written presence begins.
const BEGIN: &[u8] = b"<presence";

/// What became of a presence. If it was taken in there is no answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It has taken effect.
    Now,
    /// It takes effect when it is on the disk, see [`Session::finish`](crate::xmpp::session::Session::finish).
    Later,
}

/// Takes in the presence of a logged-in phone.
///
/// # Errors
/// What the sender is told; the caller must not answer a presence that is itself an error (§8.3.1 of RFC
/// 6120).
pub fn update(
    presence: &Element,
    bound: &Bound,
    host: &mut dyn Host,
) -> Result<Taken, StanzaError> {
    let is_chat = host.is_chat();
    let kind = match attr(presence, "type") {
        None | Some("" | "available") => None,
        other => other,
    };
    let Some(to) = attr(presence, "to").filter(|_| is_chat) else {
        return own(presence, kind, is_chat, host);
    };
    let to: Jid = to.parse()?;
    if to.domain != *bound.domain && !host.is_own_domain(&to.domain) {
        return Err(StanzaError::ServiceUnavailable);
    }
    if let Some(user) = &to.local
        && host.may_address(user, to.resource.as_deref()) == Err(StanzaError::Blocked)
    {
        return Err(StanzaError::Blocked);
    }
    let words = without_addresses(presence)?;
    match kind {
        None | Some("unavailable" | "error") => host.tell(&to, &words, kind),
        Some("probe") => host.probe(&to),
        Some(word) => {
            let kind = Kind::from_word(word).ok_or(StanzaError::BadRequest)?;
            let user = to.local.as_deref();
            let user = user.ok_or(StanzaError::ServiceUnavailable)?;
            return host.subscription(kind, user, &words);
        }
    }
    Ok(Taken::Now)
}

/// Presence that is addressed to nobody; of androidpn's clients, to anybody.
fn own(
    presence: &Element,
    kind: Option<&str>,
    is_chat: bool,
    host: &mut dyn Host,
) -> Result<Taken, StanzaError> {
    if !is_chat && attr(presence, "to").is_some() {
        return Ok(Taken::Now);
    }
    let words = match is_chat {
        true => Some(without_addresses(presence)?),
        false => None,
    };
    if kind.is_some_and(|kind| is_chat && kind != "unavailable") {
        return Err(StanzaError::BadRequest);
    }
    if let Some(words) = words {
        host.show(&words, kind.is_none());
    }
    match kind {
        None => {
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
    Ok(Taken::Now)
}

/// The stanza as others are to see it, but for the addresses, which are different for each of them.
fn without_addresses(presence: &Element) -> Result<Vec<u8>, StanzaError> {
    let mut presence = presence.clone();
    let attributes = presence.attrs_mut();
    attributes.remove(&Namespace::NONE, "from");
    attributes.remove(&Namespace::NONE, "to");
    if attr(&presence, "type").is_some_and(|kind| matches!(kind, "" | "available")) {
        presence.attrs_mut().remove(&Namespace::NONE, "type");
    }
    let mut words = Vec::new();
    stanza::write(presence, &mut words);
    if words.len() > limits::PRESENCE || !words.starts_with(BEGIN) {
        return Err(StanzaError::NotAcceptable);
    }
    Ok(words)
}

/// A presence with addresses, from the words of [`Host::show`], [`Host::tell`] and [`Host::subscription`], or
/// of [`bare`].
#[must_use]
pub fn with_addresses(words: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut stanza = BEGIN.to_vec();
    for (name, value) in [(&b" from='"[..], from), (b" to='", to)] {
        stanza.extend_from_slice(name);
        stanza.extend_from_slice(&escape(value.as_bytes()));
        stanza.push(b'\'');
    }
    stanza.extend_from_slice(words.strip_prefix(BEGIN).unwrap_or_default());
    stanza
}

/// The words of a presence of that type and nothing else.
#[must_use]
pub fn bare(kind: &str) -> Vec<u8> {
    format!("<presence type='{kind}'/>").into_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(xml: &str) -> Result<String, StanzaError> {
        let presence = xml.replacen("<presence", "<presence xmlns='jabber:client'", 1);
        let mut presence: Element = presence.parse().unwrap();
        // As the stream's own reader leaves it.
        presence.prefixes = Default::default();
        let words = without_addresses(&presence)?;
        Ok(String::from_utf8(words).unwrap())
    }

    #[test]
    fn what_others_see() {
        for (sent, want) in [
            ("<presence/>", "<presence/>"),
            (
                "<presence from='a@b' to='c@d' id='1' type='available'/>",
                "<presence id='1'/>",
            ),
            (
                "<presence xml:lang='de'><show>dnd</show><c xmlns='caps' node='n'/></presence>",
                "<presence xml:lang='de'><show>dnd</show><c xmlns='caps' node='n'/></presence>",
            ),
            (
                "<presence type='subscribe'><status>a &lt; b</status></presence>",
                "<presence type='subscribe'><status>a &lt; b</status></presence>",
            ),
        ] {
            assert_eq!(words(sent).as_deref(), Ok(want), "{sent}");
        }
        let status = "s".repeat(limits::PRESENCE);
        let long = format!("<presence><status>{status}</status></presence>");
        assert_eq!(words(&long), Err(StanzaError::NotAcceptable));
    }

    #[test]
    fn addressed_to_somebody() {
        let stanza = with_addresses(
            &bare("unavailable"),
            "sam@push.lan/o'<Brien>&",
            "kim@push.lan",
        );
        assert_eq!(
            String::from_utf8(stanza).unwrap(),
            "<presence from='sam@push.lan/o&apos;&lt;Brien&gt;&amp;' to='kim@push.lan' \
             type='unavailable'/>"
        );
    }
}
