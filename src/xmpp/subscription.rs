//! RFC 6121 §3 and Appendix A: what two users may know of each other, and how four stanzas change it.
//!
//! Each side keeps a state of its own for the other. A stanza changes the sender's by [`outbound`] and the
//! receiver's by [`inbound`]; either may say that it goes no farther.

use serde::{Deserialize, Serialize};

/// What the stream features announce after login (§3.4): who has not been asked may approve all the same.
pub const STREAM_FEATURE: &str = "<sub xmlns='urn:xmpp:features:pre-approval'/>";

/// What a user and a contact may see of each other, from the user's side (§A.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody sees anybody.
    #[default]
    None,
    /// The user has asked.
    NoneOut,
    /// The contact has asked.
    NoneIn,
    /// Both have asked.
    NoneOutIn,
    /// The user sees the contact.
    To,
    /// The user sees the contact, who has asked too.
    ToIn,
    /// The contact sees the user.
    From,
    /// The contact sees the user, who has asked too.
    FromOut,
    /// Both see each other.
    Both,
}

/// The four stanzas (§3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Let me see you.
    Subscribe,
    /// You may see me.
    Subscribed,
    /// I do not want to see you any longer.
    Unsubscribe,
    /// You may not see me, or no longer.
    Unsubscribed,
}

/// What a stanza does to one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state from then on.
    pub state: State,
    /// Whether the stanza goes on: to the contact's side, or to the contact's clients.
    pub passes: bool,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::NoneOut,
        Self::NoneIn,
        Self::NoneOutIn,
        Self::To,
        Self::ToIn,
        Self::From,
        Self::FromOut,
        Self::Both,
    ];

    /// The state of these four facts. Whoever sees has no need to ask, so that not all sixteen exist.
    fn of(to: bool, from: bool, out: bool, asked: bool) -> Self {
        match (to, from, out, asked) {
            (true, true, _, _) => Self::Both,
            (true, false, _, false) => Self::To,
            (true, false, _, true) => Self::ToIn,
            (false, true, false, _) => Self::From,
            (false, true, true, _) => Self::FromOut,
            (false, false, false, false) => Self::None,
            (false, false, true, false) => Self::NoneOut,
            (false, false, false, true) => Self::NoneIn,
            (false, false, true, true) => Self::NoneOutIn,
        }
    }

    /// Whether the user sees the contact.
    #[must_use]
    pub fn to(self) -> bool {
        matches!(self, Self::To | Self::ToIn | Self::Both)
    }

    /// Whether the contact sees the user.
    #[must_use]
    pub fn from(self) -> bool {
        matches!(self, Self::From | Self::FromOut | Self::Both)
    }

    /// Whether the user has asked and not been answered.
    #[must_use]
    pub fn asks(self) -> bool {
        matches!(self, Self::NoneOut | Self::NoneOutIn | Self::FromOut)
    }

    /// Whether the contact has asked and not been answered.
    #[must_use]
    pub fn is_asked(self) -> bool {
        matches!(self, Self::NoneIn | Self::NoneOutIn | Self::ToIn)
    }

    /// The word of a roster item's `subscription` (§2.1.2.5).
    #[must_use]
    pub fn word(self) -> &'static str {
        match (self.to(), self.from()) {
            (true, true) => "both",
            (true, false) => "to",
            (false, true) => "from",
            (false, false) => "none",
        }
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Subscribe,
        Self::Subscribed,
        Self::Unsubscribe,
        Self::Unsubscribed,
    ];

    /// The word of the stanza's `type`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed => "unsubscribed",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The user sends a stanza (§A.2): whether it is routed to the contact.
#[must_use]
pub fn outbound(state: State, kind: Kind) -> Step {
    let (to, from, out, asked) = facts(state);
    match kind {
        Kind::Subscribe => Step {
            state: State::of(to, from, true, asked),
            passes: true,
        },
        Kind::Unsubscribe => Step {
            state: State::of(false, from, false, asked),
            passes: true,
        },
        Kind::Subscribed => Step {
            state: State::of(to, from || asked, out, false),
            passes: asked,
        },
        Kind::Unsubscribed => Step {
            state: State::of(to, false, out, false),
            passes: from || asked,
        },
    }
}

/// The contact has sent a stanza (§A.3): whether it is delivered to the user.
///
/// A `subscribe` of somebody who sees the user already is not delivered but answered, see
/// [`State::from`].
#[must_use]
pub fn inbound(state: State, kind: Kind) -> Step {
    let (to, from, out, asked) = facts(state);
    match kind {
        Kind::Subscribe => Step {
            state: State::of(to, from, out, !from),
            passes: !from && !asked,
        },
        Kind::Unsubscribe => Step {
            state: State::of(to, false, out, false),
            passes: from || asked,
        },
        Kind::Subscribed => Step {
            state: State::of(to || out, from, false, asked),
            passes: out,
        },
        Kind::Unsubscribed => Step {
            state: State::of(false, from, false, asked),
            passes: to || out,
        },
    }
}

/// Sees, is seen, has asked, is asked.
fn facts(state: State) -> (bool, bool, bool, bool) {
    (state.to(), state.from(), state.asks(), state.is_asked())
}

#[cfg(test)]
mod tests {
    use super::State::{Both, From, FromOut, None, NoneIn, NoneOut, NoneOutIn, To, ToIn};
    use super::*;

    /// One table of Appendix A: for each state, in the order of [`State::ALL`], the new state and whether the
    /// stanza passes.
    type Table = [(State, bool); 9];

    fn check(name: &str, kind: Kind, step: fn(State, Kind) -> Step, table: Table) {
        for (state, (want, passes)) in State::ALL.into_iter().zip(table) {
            let want = Step {
                state: want,
                passes,
            };
            assert_eq!(step(state, kind), want, "{name} {kind:?} in {state:?}");
        }
    }

    #[test]
    fn what_the_user_sends() {
        let check = |kind, table| check("outbound", kind, outbound, table);
        check(
            Kind::Subscribe,
            [
                (NoneOut, true),
                (NoneOut, true),
                (NoneOutIn, true),
                (NoneOutIn, true),
                (To, true),
                (ToIn, true),
                (FromOut, true),
                (FromOut, true),
                (Both, true),
            ],
        );
        check(
            Kind::Unsubscribe,
            [
                (None, true),
                (None, true),
                (NoneIn, true),
                (NoneIn, true),
                (None, true),
                (NoneIn, true),
                (From, true),
                (From, true),
                (From, true),
            ],
        );
        check(
            Kind::Subscribed,
            [
                (None, false),
                (NoneOut, false),
                (From, true),
                (FromOut, true),
                (To, false),
                (Both, true),
                (From, false),
                (FromOut, false),
                (Both, false),
            ],
        );
        check(
            Kind::Unsubscribed,
            [
                (None, false),
                (NoneOut, false),
                (None, true),
                (NoneOut, true),
                (To, false),
                (To, true),
                (None, true),
                (NoneOut, true),
                (To, true),
            ],
        );
    }

    #[test]
    fn what_the_contact_sends() {
        let check = |kind, table| check("inbound", kind, inbound, table);
        check(
            Kind::Subscribe,
            [
                (NoneIn, true),
                (NoneOutIn, true),
                (NoneIn, false),
                (NoneOutIn, false),
                (ToIn, true),
                (ToIn, false),
                (From, false),
                (FromOut, false),
                (Both, false),
            ],
        );
        check(
            Kind::Unsubscribe,
            [
                (None, false),
                (NoneOut, false),
                (None, true),
                (NoneOut, true),
                (To, false),
                (To, true),
                (None, true),
                (NoneOut, true),
                (To, true),
            ],
        );
        check(
            Kind::Subscribed,
            [
                (None, false),
                (To, true),
                (NoneIn, false),
                (ToIn, true),
                (To, false),
                (ToIn, false),
                (From, false),
                (Both, true),
                (Both, false),
            ],
        );
        check(
            Kind::Unsubscribed,
            [
                (None, false),
                (None, true),
                (NoneIn, false),
                (NoneIn, true),
                (None, true),
                (NoneIn, true),
                (From, false),
                (From, true),
                (From, true),
            ],
        );
    }

    #[test]
    fn every_state_is_that_of_its_facts() {
        for state in State::ALL {
            let (to, from, out, asked) = facts(state);
            assert_eq!(State::of(to, from, out, asked), state);
        }
        let words: Vec<_> = State::ALL.map(State::word).to_vec();
        assert_eq!(
            words,
            [
                "none", "none", "none", "none", "to", "to", "from", "from", "both"
            ]
        );
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.word()), Some(kind));
        }
        assert_eq!(Kind::from_word("probe"), Option::None);
    }

    /// Whatever is sent in whatever order, both sides agree on who sees whom.
    #[test]
    fn two_sides_never_disagree() {
        let mut seen = vec![(None, None)];
        let mut next = 0;
        while let Some((sam, kim)) = seen.get(next).copied() {
            next += 1;
            assert_eq!(
                (sam.to(), sam.from()),
                (kim.from(), kim.to()),
                "{sam:?} {kim:?}"
            );
            for kind in Kind::ALL {
                let sent = outbound(sam, kind);
                let mut pair = (sent.state, kim);
                if sent.passes {
                    pair.1 = inbound(kim, kind).state;
                }
                for pair in [pair, (pair.1, pair.0)] {
                    if !seen.contains(&pair) {
                        seen.push(pair);
                    }
                }
            }
        }
        assert_eq!(seen.len(), State::ALL.len(), "{seen:?}");
    }
}
