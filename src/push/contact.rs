//! RFC 6121 §2.1: one entry of a roster, as it is kept in memory and stored.

use serde::{Deserialize, Serialize};

use super::store::{Document, DocumentId, DocumentKind};
use crate::xmpp::jid::Jid;
use crate::xmpp::subscription::State;

/// An entry, or a request to see the user that has not been answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(default)]
pub struct Contact {
    /// Who sees whom.
    pub state: State,
    /// Whether the user has it in the roster; a mere request is not shown there (RFC 6121 §2.2).
    pub listed: bool,
    /// Whether the user lets the contact see them before being asked (§3.4).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// The user's name for the contact, may be empty.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: Box<str>,
    /// The user's groups it is in.
    #[serde(skip_serializing_if = "<[Box<str>]>::is_empty")]
    pub groups: Box<[Box<str>]>,
    /// The stanza of a request that has not been answered, without addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<str>>,
}

impl Contact {
    /// Whether nothing has to be remembered.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        !self.listed && !self.approved && self.state == State::None
    }

    /// What the user is shown of it; `None` if it is not shown.
    #[must_use]
    pub fn shown(&self) -> Option<impl PartialEq + use<>> {
        let Self { name, groups, .. } = self;
        let (word, asks) = (self.state.word(), self.state.asks());
        self.listed
            .then(|| (word, asks, self.approved, name.clone(), groups.clone()))
    }

    /// About how many bytes its item in a roster takes.
    #[must_use]
    pub fn bytes(&self, key: &str) -> usize {
        let groups = self.groups.iter().map(|group| group.len() + 15);
        key.len() + self.name.len() + groups.sum::<usize>() + 64
    }

    /// As it is stored.
    #[must_use]
    pub fn document(&self, owner: &str, key: &str) -> Document {
        Document {
            id: id(owner, key),
            text: serde_json::to_string(self).unwrap_or_default(),
        }
    }

    /// What was stored; a text that is damaged is logged and counts as nothing.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        // The parser's own words quote what stands there.
        serde_json::from_slice(text.as_bytes())
            .inspect_err(|_| log::error!("a contact in the store cannot be read"))
            .ok()
    }
}

/// Names the document of an entry.
#[must_use]
pub fn id(owner: &str, key: &str) -> DocumentId {
    DocumentId {
        owner: owner.to_owned(),
        kind: DocumentKind::Contact,
        name: key.to_owned(),
    }
}

/// What an entry is stored under: the local part of one of this server's users, whatever name of the server
/// stands behind it; with `@` and the domain for others, of which this server knows nothing.
///
/// `None` for an address of this server itself.
#[must_use]
pub fn key(jid: &Jid, is_own_domain: bool) -> Option<String> {
    match (&jid.local, is_own_domain) {
        (Some(local), true) => Some(local.clone()),
        (None, true) => None,
        (local, false) => Some(format!("{}@{}", local.as_deref().unwrap_or(""), jid.domain)),
    }
}

/// The bare JID of an entry for a session in that domain.
#[must_use]
pub fn address(key: &str, domain: &str) -> String {
    match key.strip_prefix('@') {
        Some(foreign) => foreign.to_owned(),
        None if key.contains('@') => key.to_owned(),
        None => format!("{key}@{domain}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_and_read_again_it_is_the_same() {
        let plain = Contact::default();
        let full = Contact {
            state: State::NoneOutIn,
            listed: true,
            approved: true,
            name: "Kim \"K\" \u{2028}".into(),
            groups: ["a".into(), "b <c>".into()].into(),
            request: Some("<presence type='subscribe'/>".into()),
        };
        for contact in [plain, full] {
            let document = contact.document("sam", "kim");
            assert_eq!(Contact::read(&document.text), Some(contact));
        }
        // As an export shows it, and as it may come back.
        let text = r#"{"state":"none-out-in","listed":true}"#;
        let read = Contact::read(text).unwrap();
        assert_eq!((read.state, read.listed), (State::NoneOutIn, true));
        for damaged in ["", "{", r#"{"state":"sideways"}"#] {
            assert_eq!(Contact::read(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn keys_and_addresses() {
        for (jid, own, key, address) in [
            ("kim@push.lan", true, Some("kim"), "kim@gw.lan"),
            ("kim@push.lan/Tablet", true, Some("kim"), "kim@gw.lan"),
            ("push.lan", true, None, ""),
            (
                "kim@other.lan",
                false,
                Some("kim@other.lan"),
                "kim@other.lan",
            ),
            ("other.lan", false, Some("@other.lan"), "other.lan"),
            // A user may have the name of a domain.
            (
                "other.lan@push.lan",
                true,
                Some("other.lan"),
                "other.lan@gw.lan",
            ),
        ] {
            let found = super::key(&jid.parse().unwrap(), own);
            assert_eq!(found.as_deref(), key, "{jid}");
            if let Some(key) = key {
                assert_eq!(super::address(key, "gw.lan"), address, "{jid}");
            }
        }
    }
}
